"""Streaming uploads on the rig: each fault is refused, each good shape goes up whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import accumulate, pairwise

import pytest

from tests.doubles.authority import CA_PEM
from tests.doubles.aws_chunked import (
    CHECKSUMS,
    MODES,
    SIGNED,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    Seal,
    checksum,
    cut,
    frame,
    read,
    seams,
    upload,
)
from tests.doubles.http1 import Answer, ok, read_answers, read_requests
from tests.doubles.mutations import CASES, CHUNKS, IDS, Mutation
from tests.doubles.signing import RawClient
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import KEY, TARGET_KEY, Rig, document

CLIENT = RawClient("gateway.test", 80, *KEY)
DATA = b"".join(CHUNKS)
PATHS = {"s3": b"/b-b/key", "generic": b"/g-b/key"}
PART = "?partNumber=1&uploadId=u"
PLACES = PATHS | {
    f"{profile} part": with_sealed_id(path.decode() + PART).encode()
    for profile, path in PATHS.items()
}


def chunks(*sizes: int) -> list[bytes]:
    """Of different content each: random about its ends and wherever a frame may end.

    In between one byte repeats, which `seams` leaves in one piece: a quarter of a million pieces
    would show nothing that the thousands about the ends do not.
    """
    ends = [0, *accumulate(sizes)]
    data = b"".join(bytes([number]) * size for number, size in enumerate(sizes, ord("A")))
    for at in sorted({*ends, *range(0, len(data), 32768)}):
        start, end = max(at - 100, 0), min(at + 100, len(data))
        data = data[:start] + random.Random(at).randbytes(end - start) + data[end:]
    return [data[start:end] for start, end in pairwise(ends)]


# The last four: chunks that are whole frames of the gateway's own, parts of them, several of them.
SHAPES: dict[str, list[bytes]] = {
    "empty": [],
    "one byte": [b"x"],
    "one chunk": [b"y" * 8192],
    "many chunks": CHUNKS,
    "large chunks": [b"z" * 200_000, b"w" * 65536],
    "frames": chunks(65536, 65536, 65536, 1000),
    "half frames": chunks(32768, 32768, 32768, 32768, 32768),
    "two frames": chunks(131072, 131072),
    "frames and not": chunks(65536, 10000, 55536, 65536, 9000, 65536, 7),
}


def whole(body: bytes) -> list[bytes]:
    return [body]


Cutter = Callable[[bytes], list[bytes]]
PIECES: dict[str, Cutter] = {
    "whole": whole,
    "by 1000": lambda body: cut(body, 1000),
    "by 1": seams,
}


def say(rig: Rig, head: bytes, body: bytes, cutter: Cutter = whole) -> tuple[Answer, list[bytes]]:
    """Send; return the answer, and what the targets heard."""
    client = rig.connect()
    client.says(head)
    client.says(*cutter(body))
    for target in rig.targets:
        if target.heard and not target.transport.ended:
            target.says(ok())
    rig.settle()
    (answer,) = read_answers(client.heard, [b"PUT"], ended=client.ended)
    assert rig.defects == []
    return answer, [target.heard for target in rig.targets]


def is_whole(heard: bytes) -> bool:
    """Whether a target would believe that this request is complete."""
    for head, body in read_requests(heard):
        (length,) = [
            int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")
        ]
        if len(body) == length:
            return True
    return False


POSITIONS = ("first", "middle", "last")


@pytest.mark.parametrize("mode", MODES)
def test_the_matrix_has_every_cell(mode: str) -> None:
    names = {mutation.name for mutation, own in CASES if own == mode}
    everywhere = ["no crlf", "extra crlf", "truncated"]
    everywhere.append("oversize" if mode == UNSIGNED_TRAILER else "signed oversize")
    cells = {"decoded length one more", "decoded length one less", "empty, announced as one"}
    cells |= {"one byte, no crlf", "no crlf at the end", "extra crlf at the end"}
    if mode != UNSIGNED_TRAILER:
        everywhere.append("signature")
        cells |= {"signature of the end", "wrong key", "empty, signature", "one byte, signature"}
    if mode != SIGNED:
        cells |= {"no trailer", "other trailer", "nameless trailer", "bad value", "wrong value"}
    if mode == SIGNED_TRAILER:
        cells |= {"trailer signature", "no trailer signature", "changed value", "changed name"}
    cells |= {f"{fault} {position}" for fault in everywhere for position in POSITIONS}
    assert cells <= names


# Whole, a fault is refused at every place; cut anywhere, whichever way the body is framed anew.
FAULTY = [(place, "whole") for place in PLACES] + [(profile, "by 1") for profile in PATHS]


@pytest.mark.parametrize(("mutation", "mode"), CASES, ids=IDS)
def test_a_fault_is_refused_and_nothing_completes(mutation: Mutation, mode: str) -> None:
    for place, cutter in FAULTY:
        rig = Rig(mode="sigv4")
        head, body = mutation.make(CLIENT, PLACES[place], mode).wire()
        answer, heard = say(rig, head, body, PIECES[cutter])
        assert (answer.status, answer.code) == (mutation.status, mutation.code), (place, cutter)
        assert not any(is_whole(one) for one in heard), (place, cutter)
        if cutter == "whole":
            assert not any(heard), place  # not even the head
        assert all(target.reset for target in rig.targets), (place, cutter)


# How the client frames its HTTP body (0: by a length), and how it is cut on the way.
FRAMED = [(0, "whole"), (0, "by 1"), (700, "whole"), (700, "by 1"), (1 << 20, "by 1000")]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_a_target_without_the_mode_gets_the_plain_body(mode: str, shape: str) -> None:
    for chunked, cutter in FRAMED:
        rig = Rig(mode="sigv4")
        made = upload(CLIENT, PATHS["generic"], mode, SHAPES[shape])
        answer, heard = say(rig, *made.wire(chunked=chunked), PIECES[cutter])
        ((head, body),) = read_requests(heard[0])
        assert answer.status == 200, (chunked, cutter)
        assert body == b"".join(SHAPES[shape]), (chunked, cutter)
        lines = head.lower().split(b"\r\n")
        assert b"x-amz-content-sha256: unsigned-payload" in lines
        assert b"content-length: %d" % len(body) in lines
        for gone in (b"aws-chunked", b"x-amz-trailer", b"decoded", b"transfer-encoding", b"sdk"):
            assert gone not in head.lower()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_a_target_with_the_mode_gets_frames_signed_for_it(mode: str, shape: str) -> None:
    for cutter in PIECES:
        rig = Rig(mode="sigv4")
        made = upload(CLIENT, PATHS["s3"], mode, SHAPES[shape])
        answer, heard = say(rig, *made.wire(), PIECES[cutter])
        ((head, body),) = read_requests(heard[0])
        assert answer.status == 200, cutter
        # Over plain http AWS takes no unsigned trailers.
        upstream = SIGNED if mode == SIGNED else SIGNED_TRAILER
        assert b"x-amz-content-sha256: %b\r\n" % upstream.encode() in head
        data = b"".join(SHAPES[shape])
        expected = [] if mode == SIGNED else [f"x-amz-checksum-crc32:{checksum('crc32', data)}"]
        assert read(head, body, TARGET_KEY[1]) == (data, expected), cutter
        assert is_whole(head + body)


def tls_rig() -> Rig:
    """The first target is reached over an encrypted connection."""
    target = document(mode="sigv4")["targets"]
    settings = {"verify": False, "ca_pem": CA_PEM, "cert_pem": None, "key_pem": None}
    target[0] |= {"tls": {**settings, "server_name": "first.test"}}
    return Rig(mode="sigv4", targets=target)


@pytest.mark.parametrize("algorithm", [*CHECKSUMS, ""])
def test_unsigned_trailers_stay_unsigned_over_an_encrypted_connection(algorithm: str) -> None:
    rig = tls_rig()
    made = upload(CLIENT, PATHS["s3"], UNSIGNED_TRAILER, CHUNKS, algorithm=algorithm)
    _, heard = say(rig, *made.wire())
    ((head, body),) = read_requests(heard[0])
    assert b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n" in head
    lines = [f"x-amz-checksum-{algorithm}:{checksum(algorithm, DATA)}"] if algorithm else []
    assert read(head, body, TARGET_KEY[1]) == (DATA, lines)


@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_every_checksum_is_verified(algorithm: str, mode: str) -> None:
    good = upload(CLIENT, PATHS["generic"], mode, CHUNKS, algorithm=algorithm)
    answer, _ = say(Rig(mode="sigv4"), *good.wire())
    assert answer.status == 200
    bad = upload(CLIENT, PATHS["generic"], mode, CHUNKS, algorithm=algorithm)
    wrong = f"x-amz-checksum-{algorithm}:{checksum(algorithm, b'other')}"
    bad.body.trailers = [wrong]
    if mode == SIGNED_TRAILER:  # signed by its client all the same
        bad.body = frame(CHUNKS, Seal.of_head(bad.raw_head, KEY[1]), [wrong])
    answer, _ = say(Rig(mode="sigv4"), *bad.wire())
    assert (answer.status, answer.code) == (400, "BadDigest")
    text = f"The {algorithm.upper()} you specified did not match the calculated checksum."
    assert text.encode() in answer.body


def test_trailer_lines_as_minio_writes_them() -> None:
    for mode in (SIGNED_TRAILER, UNSIGNED_TRAILER):
        made = upload(CLIENT, PATHS["generic"], mode, CHUNKS)
        made.body.line_end = b"\n\r\n"
        answer, _ = say(Rig(mode="sigv4"), *made.wire())
        assert answer.status == 200


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("profile", PATHS)
def test_one_byte_at_a_time(mode: str, profile: str) -> None:
    rig = Rig(mode="sigv4")
    data = b"q" * 8192 + b"tail"
    made = upload(CLIENT, PATHS[profile], mode, [data[:8192], data[8192:]])
    _, heard = say(rig, *made.wire(), lambda body: cut(body, 1))
    ((head, body),) = read_requests(heard[0])
    found = body if profile == "generic" else read(head, body, TARGET_KEY[1])[0]
    assert found == data


@pytest.mark.parametrize("profile", PATHS)
def test_the_head_waits_for_the_first_byte_that_may_go_up(profile: str) -> None:
    """Some targets take a head that ends there for an empty object."""
    rig = Rig(mode="sigv4")
    client = rig.connect()
    head, body = upload(CLIENT, PATHS[profile], SIGNED, [b"z" * 100]).wire()
    client.says(head, body[:-1])
    assert rig.target.heard == b""
    client.says(body[-1:])
    assert is_whole(rig.target.heard)


def test_what_follows_a_fault_is_read_away_and_the_connection_serves_on() -> None:
    rig = Rig(mode="sigv4")
    client = rig.connect()
    made = upload(CLIENT, PATHS["generic"], SIGNED, CHUNKS, secret="wrong")
    made.raw_head = made.raw_head.replace(b"connection: close\r\n", b"")
    head, body = made.wire()
    client.says(head, *cut(body, 5000))
    again = upload(CLIENT, PATHS["generic"], SIGNED, CHUNKS)
    client.says(*again.wire())
    rig.target.says(ok())
    first, second = read_answers(client.heard, [b"PUT", b"PUT"])
    assert (first.code, second.status) == ("SignatureDoesNotMatch", 200)
    assert rig.targets[0].reset


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_leaves_midway_leaves_nothing(mode: str) -> None:
    rig = Rig(mode="sigv4")
    client = rig.connect()
    head, body = upload(CLIENT, PATHS["generic"], mode, CHUNKS).wire()
    client.says(head, *cut(body[:-1], 1000))
    client.leaves()
    assert not is_whole(rig.target.heard)
    assert rig.target.reset
