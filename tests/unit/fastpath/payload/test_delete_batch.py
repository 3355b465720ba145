"""DeleteObjects with keys that must not go up: taken out of the body, told of in the answer."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import ACCESS_DENIED, NOT_IMPLEMENTED, S3Error
from fastpath.payload.delete_batch import MAX_BATCH_BYTES, DeleteBatch, KeyCheck
from fastpath.routing.profiles import PROFILES
from fastpath.s3.addressing import checked_key
from tests.doubles.http1 import ok, read_requests
from tests.doubles.wire import Rig
from tests.unit.fastpath.clients import one

RESULT = (
    b'<?xml version="1.0"?>\n<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Deleted><Key>a</Key></Deleted></DeleteResult>"
)
ERROR = "<Error><Key>{}</Key><Code>{}</Code><Message>"


def document(*keys: str, more: str = "") -> bytes:
    objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    return f"<Delete>{objects}{more}</Delete>".encode()


def request(body: bytes, *lines: str, bucket: str = "b-b") -> bytes:
    head = [f"POST /{bucket}?delete HTTP/1.1", "Host: gateway.test", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def went_up(rig: Rig) -> tuple[dict[str, str], bytes]:
    ((head, body),) = read_requests(rig.target.heard)
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    return {name.lower(): value for name, _, value in lines}, body


@pytest.mark.parametrize("bucket", ["b-b", "g-b"])
@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("../other/key", "InvalidURI"),
        ("a/../../other", "InvalidURI"),
        ("..", "InvalidURI"),
        ("&#46;./other/key", "InvalidURI"),
        ("/../other", "InvalidURI"),
        ("k" * 1025, "KeyTooLong"),
    ],
)
def test_a_key_that_a_path_could_not_have_fails_alone(bucket: str, key: str, code: str) -> None:
    """B4: the others are deleted, and its error is in the answer of the target."""
    rig = Rig()
    client = rig.connect()
    body = document("a", key, "a/../b")
    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4)).decode()
    lines = [f"Content-MD5: {md5}", f"x-amz-checksum-crc32: {crc}"]
    client.says(request(body, *lines, "x-amz-sdk-checksum-algorithm: CRC32", bucket=bucket))
    fields, left = went_up(rig)
    assert re.findall(b"<Key>(.*?)</Key>", left) == [b"a", b"a/../b"]
    assert fields["content-md5"] == base64.b64encode(hashlib.md5(left).digest()).decode()
    assert fields["x-amz-content-sha256"] == hashlib.sha256(left).hexdigest()
    assert "content-md5" in fields["authorization"]
    assert not {"x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm"} & set(fields)
    rig.target.says(ok(RESULT))
    answer = one(client)
    assert answer.status == 200
    shown = key.replace("&#46;", ".")
    errors = answer.body.removeprefix(RESULT.removesuffix(b"</DeleteResult>")).decode()
    assert errors.startswith(ERROR.format(shown, code)[: -len("</Code><Message>")])
    assert errors.endswith("</Message></Error></DeleteResult>")


def test_a_batch_of_good_keys_goes_up_byte_for_byte() -> None:
    """B4: and its answer comes down so."""
    rig = Rig()
    client = rig.connect()
    body = document("a", "a/../b", "..a", "a/..b", more="<Quiet>true</Quiet> ")
    client.says(request(body))
    assert went_up(rig)[1] == body
    rig.target.says(ok(RESULT))
    assert one(client).body == RESULT


def test_what_belongs_to_the_other_keys_is_kept() -> None:
    """B4: versions, conditions and Quiet."""
    rig = Rig()
    client = rig.connect()
    kept = "<Object><Key>a &amp;\n&#13;</Key><VersionId>v</VersionId><Size>1</Size></Object>"
    bad = "<Object><Key>../b</Key><VersionId>w</VersionId></Object>"
    client.says(request(f"<Delete>{bad}{kept}<Quiet>true</Quiet></Delete>".encode()))
    body = went_up(rig)[1].decode()
    assert kept in body
    assert "<Quiet>true</Quiet>" in body
    rig.target.says(ok(b"<DeleteResult/>"))
    answer = one(client).body.decode()
    assert answer.startswith("<DeleteResult><Error><Key>../b</Key><VersionId>w</VersionId><Code>")
    assert answer.endswith("</Error></DeleteResult>")


def test_without_any_key_left_nothing_goes_up() -> None:
    """B4: the gateway answers, and the connection serves the next request."""
    rig = Rig()
    client = rig.connect()
    client.says(request(document("../a", "../b")))
    assert rig.target.heard == b""
    answer = one(client)
    assert answer.status == 200
    assert answer.body.count(b"<Error>") == 2
    assert b"<Code>InvalidURI</Code>" in answer.body
    (line,) = rig.lines("access")
    assert (line["status"], line["operation"]) == (200, "DeleteObjects")


def test_an_answer_in_pieces() -> None:
    """B4: a long result is passed on as it comes, and the errors are at its end."""
    rig = Rig()
    client = rig.connect()
    client.says(request(document("a", "../b")))
    result = RESULT.replace(b"<Deleted>", b"<Deleted><Key>x</Key></Deleted>" * 1000 + b"<Deleted>")
    raw = ok(result)
    for at in range(0, len(raw), 999):
        rig.target.says(raw[at : at + 999])
    body = one(client).body
    assert body.startswith(result.removesuffix(b"</DeleteResult>") + b"<Error><Key>../b</Key>")


def test_an_answer_that_is_no_result_stays() -> None:
    """B4: an error in a 200, or another status."""
    error = b"<Error><Code>InternalError</Code></Error>"
    for raw, status in ((ok(error), 200), (b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", 404)):
        rig = Rig()
        client = rig.connect()
        client.says(request(document("a", "../b")))
        rig.target.says(raw)
        answer = one(client)
        assert (answer.status, answer.body) == (status, error if status == 200 else b"")


def test_a_lakefs_target() -> None:
    """B4: the same, in the answer that the dialect makes."""
    rig = Rig(profile="lakefs")
    client = rig.connect()
    client.says(request(document("main/a", "../b", "main/" + "k" * 1020)))
    assert re.findall(b"<Key>(.*?)</Key>", went_up(rig)[1]) == [b"main/a"]
    rig.target.says(ok(RESULT.replace(b">a<", b">main/a<")))
    body = one(client).body.decode()
    assert "<Deleted><Key>main/a</Key></Deleted><Error><Key>../b</Key><Code>InvalidURI</" in body
    assert "<Code>KeyTooLongError</Code>" in body


@pytest.mark.parametrize("key", ["/", "//", "\\", "\\/"])
def test_a_key_that_a_target_takes_for_the_bucket_fails_alone(key: str) -> None:
    """B3: on a target that does so, and on no other."""
    for profile in ("seaweedfs", "s3"):
        rig = Rig(profile=profile)
        client = rig.connect()
        client.says(request(document("a", key)))
        mistaken = profile == "seaweedfs"
        assert went_up(rig)[1].count(b"<Key>") == (1 if mistaken else 2)
        rig.target.says(ok(RESULT))
        assert (b"<Code>NotImplemented</Code>" in one(client).body) is mistaken


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<Delete><Object></Object></Delete>", "MalformedXML"),
        (document("a", ""), "UserKeyMustBeSpecified"),
        (b"<Delete><Object><Key>a</Key><Key>../b</Key></Object></Delete>", "MalformedXML"),
        (b"<Delete><Object><Key>a<X/></Key></Object></Delete>", "MalformedXML"),
        (b"<Delete><Objects><Key>a</Key></Objects></Delete>", "MalformedXML"),
        (b"<Remove><Object><Key>a</Key></Object></Remove>", "MalformedXML"),
        (b'<!DOCTYPE Delete [<!ENTITY e "a">]>' + document("&e;"), "MalformedXML"),
        (b"not xml", "MalformedXML"),
        (document(*"k" * 1001), "MalformedXML"),
        (document("k" * 20000), "MalformedXML"),
        (b" " * (MAX_BATCH_BYTES + 1), "MaxMessageLengthExceeded"),
    ],
)
def test_what_two_readers_might_read_in_two_ways_does_not_go_up(body: bytes, code: str) -> None:
    """B4: a key that the gateway does not see is one that it cannot judge."""
    rig = Rig(limits={"body_idle_seconds": 20.0})
    client = rig.connect()
    client.says(request(body))
    assert rig.target.heard == b""
    answer = one(client)
    assert answer.status == 400
    assert f"<Code>{code}</Code>".encode() in answer.body


def test_a_thousand_keys_are_a_batch() -> None:
    assert DeleteBatch().feed(document(*"k" * 1000), True).count(b"<Key>") == 1000


def test_a_wrong_digest_comes_before_the_keys() -> None:
    """B4: nothing of a body that was damaged is done."""
    rig = Rig()
    client = rig.connect()
    md5 = base64.b64encode(bytes(16)).decode()
    client.says(request(document("a", "../b"), f"Content-MD5: {md5}"))
    assert one(client).status == 400
    assert rig.target.heard == b""


KEYS = st.lists(st.text(st.sampled_from("./ab&<"), min_size=1, max_size=12), max_size=8)


@given(KEYS, st.integers(1, 50))
def test_what_goes_up_is_what_paths_may_have(keys: list[str], size: int) -> None:
    """B4: the rule of bodies is the rule of paths, however the body is cut."""

    def escaped(key: str) -> str:
        return key.replace("&", "&amp;").replace("<", "&lt;")

    batch = DeleteBatch()
    body = document(*map(escaped, keys))
    for at in range(0, len(body), size):
        left = batch.feed(body[at : at + size], at + size >= len(body))
    good = [key for key in keys if _is_good(key)]
    assert [one.key for one in batch.refused] == [key for key in keys if not _is_good(key)]
    assert re.findall("<Key>(.*?)</Key>", left.decode()) == list(map(escaped, good))


def _is_good(key: str) -> bool:
    try:
        checked_key(key.encode())
    except S3Error:
        return False
    return True


# --- keys that have another name at the target ---


def renamed_up(key: bytes) -> bytes:
    if key.startswith(b"!"):
        raise S3Error(NOT_IMPLEMENTED)
    return b"main/" + key


def renaming_batch(body: bytes, *, check_key: KeyCheck | None = None) -> tuple[DeleteBatch, bytes]:
    batch = DeleteBatch(check_key)
    batch.rename = renamed_up
    batch.require((), {}, PROFILES["generic"])
    middle = len(body) // 2
    assert batch.feed(body[:middle], False) == b""
    return batch, batch.feed(body[middle:], True)


def test_keys_go_up_by_the_targets_names() -> None:
    keys = ["a", "a &amp;\n&#13;&lt;", "\U0001f600/é", "100%2F+", "d"]
    body = document(*keys, more="<Quiet>true</Quiet>")
    batch, up = renaming_batch(body)
    assert batch.is_rewritten
    assert [*batch.refused, *batch.unnamed] == []
    for key in keys:
        assert f"<Key>main/{key}</Key>".encode() in up
    assert b"<Quiet>true</Quiet>" in up
    assert dict(batch.body_headers(up).add)[b"content-md5"] == base64.b64encode(
        hashlib.md5(up).digest()
    )


def test_a_key_without_a_name_at_the_target_stays_here_by_the_clients_name() -> None:
    """The target's answer gets the others by the names that are in it."""

    def check(key: bytes) -> S3Error | None:
        return S3Error(ACCESS_DENIED) if key == b"main/kept" else None

    batch, up = renaming_batch(document("!x", "kept", "gone", "k" * 1021), check_key=check)
    assert re.findall(b"<Key>(.*?)</Key>", up) == [b"main/gone"]
    assert [(one.key, one.error.kind.code) for one in batch.unnamed] == [("!x", "NotImplemented")]
    assert [(one.key[:9], one.error.kind.code) for one in batch.refused] == [
        ("main/kept", "AccessDenied"),
        ("main/kkkk", "KeyTooLongError"),
    ]
    assert [one.key[:4] for one in batch.refused_for_client] == ["!x", "kept", "kkkk"]


def test_without_a_key_of_another_name_a_batch_goes_up_byte_for_byte() -> None:
    body = document("a", more=" ")
    batch = DeleteBatch()
    batch.rename = bytes
    batch.require((), {}, PROFILES["generic"])
    assert batch.feed(body, True) == body
    assert not batch.is_rewritten


def test_a_refused_key_alone_makes_another_body() -> None:
    batch = DeleteBatch()
    batch.require((), {}, PROFILES["generic"])
    assert b"../x" not in batch.feed(document("../x", "a"), True)
    assert batch.is_rewritten
    assert batch.refused == batch.refused_for_client
