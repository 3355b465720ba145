"""Which checksums reach a target: all of an upload's or none, in the form that the target takes.

Rules: what a target hears is looked at, as bytes.
"""

from __future__ import annotations

import base64
import re
from functools import cached_property
from typing import Any

import botocore.session
import pytest

from fastpath.payload.checksums import ALGORITHMS
from fastpath.routing.profiles import CHECKSUMS as KNOWN
from fastpath.routing.profiles import PROFILES
from tests.doubles.authority import CA_PEM
from tests.doubles.aws_chunked import (
    CHECKSUMS,
    SIGNED,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    checksum,
    read,
    upload,
)
from tests.doubles.http1 import ok, put, read_requests
from tests.doubles.signing import RawClient
from tests.doubles.uploads import begun, initiated
from tests.doubles.wire import KEY, TARGET_KEY, Rig, document
from tests.unit.fastpath.clients import one

CLIENT = RawClient("gateway.test", 80, *KEY)
DATA = b"a part of an object" * 1000
OLD = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
MODES = {mode.decode() for mode in PROFILES["s3"].streaming}


class Way:
    """A gateway before one target: its profile, overrides, and whether the way to it is TLS."""

    def __init__(self, profile: str, *, secure: bool = False, **overrides: Any) -> None:
        targets = document(profile=profile, overrides=overrides)["targets"]
        if secure:
            settings = {"verify": False, "ca_pem": CA_PEM, "cert_pem": None, "key_pem": None}
            targets[0] |= {"tls": {**settings, "server_name": "first.test"}}
        self._targets = targets

    @cached_property
    def upload_id(self) -> str:
        """What a client gets that begins an upload; it says what became of the algorithm."""
        rig = Rig(targets=self._targets)
        client = rig.connect()
        client.says(put("/b-b/main/k?uploads", b"", method="POST"))
        rig.target.says(ok(initiated("u", "b-b", "main/k")))
        return begun(one(client, b"POST").body)

    @property
    def part(self) -> str:
        return f"?partNumber=1&uploadId={self.upload_id}"

    def sent(self, head: bytes, body: bytes = b"", **options: Any) -> tuple[str, bytes]:
        """Head and body as the target heard them."""
        rig = Rig(targets=self._targets, **options)
        client = rig.connect()
        client.says(head, body)
        assert rig.targets, client.heard
        ((heard, got),) = read_requests(rig.target.heard)
        rig.target.says(ok())
        assert rig.defects == []
        return heard.decode("latin-1"), got

    def begin(self, *lines: str) -> str:
        return self.sent(put("/b-b/main/k?uploads", b"", *lines, method="POST"))[0]

    def streamed(
        self, algorithm: str, mode: str = UNSIGNED_TRAILER, query: str | None = None, **headers: str
    ) -> tuple[str, bytes]:
        """An upload with a trailer."""
        made = upload(
            CLIENT,
            f"/b-b/main/k{self.part if query is None else query}".encode(),
            mode,
            [DATA],
            algorithm=algorithm,
            headers={"x-amz-sdk-checksum-algorithm": algorithm.upper(), **headers},
        )
        return self.sent(*made.wire(), mode="sigv4")

    def with_header(self, algorithm: str, query: str | None = None) -> str:
        lines = (
            f"x-amz-checksum-{algorithm}: {checksum(algorithm, DATA)}",
            f"x-amz-sdk-checksum-algorithm: {algorithm.upper()}",
        )
        path = f"/b-b/main/k{self.part if query is None else query}"
        head, body = self.sent(put(path, DATA, *lines))
        assert body == DATA
        return head

    def complete(self, document: bytes, *lines: str) -> tuple[str, bytes]:
        path = f"/b-b/main/k?uploadId={self.upload_id}"
        return self.sent(put(path, document, *lines, method="POST"))


WAYS = {
    "aws": Way("s3"),
    "aws over tls": Way("s3", secure=True),
    "seaweedfs": Way("seaweedfs"),
    "seaweedfs over tls": Way("seaweedfs", secure=True),
    "generic": Way("generic"),
    "generic over tls": Way("generic", secure=True),
    "lakefs": Way("lakefs"),
    "aws without trailers": Way("s3", streaming=[SIGNED]),
    "unsigned trailers alone": Way("s3", streaming=[UNSIGNED_TRAILER]),
    "unsigned trailers alone over tls": Way("s3", secure=True, streaming=[UNSIGNED_TRAILER]),
    "signed trailers alone over tls": Way("s3", secure=True, streaming=[SIGNED_TRAILER]),
    "generic that was probed": Way("generic", streaming=sorted(MODES), checksums=["sha512"]),
}
# What of the ten algorithms each way takes for parts.
TAKES: dict[str, set[str]] = {
    "aws": set(CHECKSUMS),
    "aws over tls": set(CHECKSUMS),
    "seaweedfs": set(OLD),
    "seaweedfs over tls": set(OLD),
    "generic": set(),
    "generic over tls": set(),
    "lakefs": set(),
    "aws without trailers": set(),
    "unsigned trailers alone": set(),
    "unsigned trailers alone over tls": set(CHECKSUMS),
    "signed trailers alone over tls": set(CHECKSUMS),
    "generic that was probed": {"sha512"},
}
each_way = pytest.mark.parametrize("way", WAYS)
each_algorithm = pytest.mark.parametrize("algorithm", CHECKSUMS)


def tells(head: str, text: str) -> bool:
    return text in head.lower()


def completion(algorithm: str) -> bytes:
    value = checksum(algorithm, DATA)
    member = f"<Checksum{algorithm.upper()}>{value}</Checksum{algorithm.upper()}>"
    parts = "".join(
        f"<Part>{member}<PartNumber>{number}</PartNumber><ETag>&quot;e&quot;</ETag></Part>"
        for number in (1, 2)
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()


@each_algorithm
@each_way
def test_all_requests_of_an_upload_agree(way: str, algorithm: str) -> None:
    """P1: the algorithm of the upload, each form of a part's checksum, and the list of parts."""
    told, name = WAYS[way], f"x-amz-checksum-{algorithm}"
    takes = algorithm in TAKES[way]
    kind = "FULL_OBJECT" if algorithm == "crc64nvme" else "COMPOSITE"
    begun = told.begin(
        f"x-amz-checksum-algorithm: {algorithm.upper()}", f"x-amz-checksum-type: {kind}"
    )
    assert (tells(begun, "x-amz-checksum-algorithm"), tells(begun, "x-amz-checksum-type")) == (
        takes,
        takes,
    )
    part = told.with_header(algorithm)
    assert (tells(part, name), tells(part, "x-amz-sdk-checksum")) == (takes, takes)
    for mode in (SIGNED_TRAILER, UNSIGNED_TRAILER):
        head, body = told.streamed(algorithm, mode)
        assert (tells(head, f"x-amz-trailer: {name}"), tells(head, "x-amz-sdk-checksum")) == (
            takes,
            takes,
        )
        if takes:
            line = f"{name}:{checksum(algorithm, DATA)}"
            assert read(head.encode(), body, TARGET_KEY[1]) == (DATA, [line])
        else:
            assert (body, tells(head, "aws-chunked")) == (DATA, False)
    before = completion(algorithm)
    value = f"{name}: {checksum(algorithm, DATA)}"
    head, after = told.complete(before, value, f"x-amz-checksum-type: {kind}")
    assert (tells(head, name), tells(head, "x-amz-checksum-type")) == (takes, takes)
    blanked = re.sub(rb"<(Checksum\w+)>.*?</\1>", lambda match: b" " * len(match[0]), before)
    assert after == (before if takes else blanked)


@each_algorithm
@each_way
def test_the_checksum_of_an_object_in_one_piece(way: str, algorithm: str) -> None:
    """P1: a header needs no trailer to get there, only a target that keeps such a checksum."""
    profile = PROFILES["generic" if way.startswith("generic") else _profile(way)]
    keeps = algorithm.encode() in profile.checksums
    if way == "generic that was probed":
        keeps = algorithm == "sha512"
    head = WAYS[way].with_header(algorithm, "")
    assert (tells(head, f"x-amz-checksum-{algorithm}"), tells(head, "x-amz-sdk-checksum")) == (
        keeps,
        keeps,
    )
    head, _ = WAYS[way].streamed(algorithm, query="")
    assert tells(head, "x-amz-trailer") == (algorithm in TAKES[way])


def _profile(way: str) -> str:
    word = way.split(" ", 1)[0]
    return word if word in PROFILES else "s3"


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize(
    ("sent", "left"),
    [
        ("aws-chunked", ""),
        ("gzip,aws-chunked", "gzip"),
        ("gzip, AWS-Chunked , br", "gzip,br"),
        ("aws-chunked,gzip", "gzip"),
        ("gzip", "gzip"),
    ],
)
def test_the_word_of_the_framing_goes_to_those_alone_that_take_it_off(
    sent: str, left: str, mode: str
) -> None:
    """P1: the coding of the object itself is the object's, in every form."""
    algorithm = "" if mode == SIGNED else "crc32"
    for way, expected in (("aws", sent), ("seaweedfs", left), ("generic", left)):
        made = upload(
            CLIENT,
            b"/b-b/main/k",
            mode,
            [DATA],
            algorithm=algorithm,
            headers={"content-encoding": sent},
        )
        head, body = WAYS[way].sent(*made.wire(), mode="sigv4")
        found = re.findall(r"\r\ncontent-encoding: ([^\r]*)", head.lower())
        assert found == ([expected.lower()] if expected else [])
        framed = way != "generic"
        assert (body == DATA, tells(head, "x-amz-decoded-content-length")) == (not framed, framed)


@pytest.mark.parametrize("way", ["generic", "seaweedfs"])
def test_what_is_said_of_a_document_that_changes_is_verified_here(way: str) -> None:
    """P1: the digest and Content-MD5 of the client are those of another document."""
    before = completion("sha512")
    md5 = base64.b64encode(CHECKSUMS["md5"](before)).decode()
    digest = CHECKSUMS["sha256"](before).hex()
    head, after = WAYS[way].complete(
        before, f"Content-MD5: {md5}", f"x-amz-content-sha256: {digest}"
    )
    assert len(after) == len(before)
    assert b"Checksum" not in after
    assert not tells(head, "content-md5")
    assert tells(head, "x-amz-content-sha256: unsigned-payload")
    for line in (f"Content-MD5: {md5}", f"x-amz-content-sha256: {digest}"):
        rig = Rig(profile="seaweedfs" if way == "seaweedfs" else "generic")
        client = rig.connect()
        path = f"/b-b/main/k?uploadId={WAYS[way].upload_id}"
        client.says(put(path, before + b" ", line, method="POST"))
        assert one(client, b"POST").status == 400
        assert not any(target.heard for target in rig.targets)


def test_an_upload_without_an_algorithm_is_let_be() -> None:
    """P1: what nobody asked for is not dropped, and a copy has its checksum made by the target."""
    for way in WAYS.values():
        assert not tells(way.begin(), "x-amz-checksum")
    line = "x-amz-checksum-algorithm: SHA256"
    copy = put("/b-b/main/k", b"", "x-amz-copy-source: /b-b/other", line)
    for name in ("aws", "seaweedfs", "generic"):
        assert tells(WAYS[name].sent(copy)[0], "x-amz-checksum-algorithm: sha256")


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["algorithm: MD4"], "Checksum algorithm provided is unsupported. Please try again with"),
        (["algorithm: CRC32", "type: ALL"], "Value for x-amz-checksum-type header is invalid."),
        (
            ["algorithm: CRC64NVME", "type: COMPOSITE"],
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        *(
            (
                [f"algorithm: {name.upper()}", "type: full_object"],
                f"The FULL_OBJECT checksum type cannot be used with the {name} checksum algorithm.",
            )
            for name in CHECKSUMS
            if not name.startswith("crc")
        ),
    ],
)
def test_what_no_upload_can_have_is_refused_where_the_target_is_not_asked(
    lines: list[str], text: str
) -> None:
    """C11: of an upload whose algorithm stays here; a target that is told judges for itself."""
    rig = Rig(profile="generic")
    client = rig.connect()
    sent = [f"x-amz-checksum-{line}" for line in lines]
    client.says(put("/b-b/main/k?uploads", b"", *sent, method="POST"))
    answer = one(client, b"POST")
    assert (answer.status, answer.code, rig.targets) == (400, "InvalidRequest", [])
    assert text.encode() in answer.body
    assert tells(WAYS["aws"].begin(*sent), "x-amz-checksum-algorithm")


def test_the_algorithms_are_those_that_sdks_know() -> None:
    """C11: a new one of the SDKs' model is noticed here."""
    model: Any = botocore.session.get_session().get_service_model("s3")
    names = {name.lower() for name in model.shape_for("ChecksumAlgorithm").enum}
    assert names == {name.decode() for name in ALGORITHMS} == {name.decode() for name in KNOWN}
    assert names == set(CHECKSUMS)


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("xxhash64", "26c7827d889f6da3"),
        ("xxhash3", "9555e8555c62dcfd"),
        ("xxhash128", "b5e9c1ad071b3e7fc779cfaa5e523818"),
    ],
)
def test_running_values_of_xxhash(algorithm: str, value: str) -> None:
    """C11: of `hello`, seed 0, as the reference implementation has them."""
    running = ALGORITHMS[algorithm.encode()][0]()
    for piece in (b"he", bytearray(b"l"), memoryview(b"lo")):
        running.update(memoryview(piece))
    assert running.digest().hex() == value
    assert running.digest().hex() == value
