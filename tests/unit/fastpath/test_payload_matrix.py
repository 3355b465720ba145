"""Uploads in the streaming modes on the rig: each fault is refused, each good shape goes up whole.

Not here: the same against real processes (`tests/process`), the framing alone (`tests/property`).
"""

from __future__ import annotations

import pytest

from tests.doubles.aws_chunked import (
    CHECKSUMS,
    MODES,
    SIGNED,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    checksum,
    cut,
    read,
    upload,
)
from tests.doubles.http1 import ok, read_answers, read_requests
from tests.doubles.mutations import CASES, CHUNKS, IDS, Mutation
from tests.doubles.signing import RawClient
from tests.doubles.wire import KEY, TARGET_KEY, Rig

CLIENT = RawClient("gateway.test", 80, *KEY)
DATA = b"".join(CHUNKS)
PATHS = {"s3": b"/b-b/key", "generic": b"/g-b/key"}
SHAPES: dict[str, list[bytes]] = {
    "empty": [],
    "one byte": [b"x"],
    "one chunk": [b"y" * 8192],
    "many chunks": CHUNKS,
    "large chunks": [b"z" * 200_000, b"w" * 65536],
}
PIECES = {"whole": 0, "by 1000": 1000}


def say(rig: Rig, head: bytes, body: bytes, size: int) -> list[bytes]:
    """Send; return what the targets heard."""
    client = rig.connect()
    client.says(head)
    client.says(*(cut(body, size) if size else [body]))
    for target in rig.targets:
        if target.heard and not target.transport.ended:
            target.says(ok())
    rig.settle()
    (answer,) = read_answers(client.heard, [b"PUT"], ended=client.ended)
    rig.answer = answer  # type: ignore[attr-defined]  # the tests look at it
    assert rig.defects == []
    return [target.heard for target in rig.targets]


def is_whole(heard: bytes) -> bool:
    """Whether a target would believe that this request is complete."""
    for head, body in read_requests(heard):
        (length,) = [
            int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")
        ]
        if len(body) == length:
            return True
    return False


@pytest.mark.parametrize("size", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("profile", PATHS)
@pytest.mark.parametrize(("mutation", "mode"), CASES, ids=IDS)
def test_a_fault_is_refused_and_nothing_completes(
    mutation: Mutation, mode: str, profile: str, size: int
) -> None:
    rig = Rig(mode="sigv4")
    head, body = mutation.make(CLIENT, PATHS[profile], mode).wire()
    heard = say(rig, head, body, size)
    answer = rig.answer  # type: ignore[attr-defined]
    assert (answer.status, answer.code) == (mutation.status, mutation.code)
    assert not any(is_whole(one) for one in heard)
    if not size:
        assert heard == [b""]  # not even the head
    assert all(target.reset for target in rig.targets)


@pytest.mark.parametrize("chunked", [0, 700, 1 << 20], ids=["length", "chunks", "one chunk"])
@pytest.mark.parametrize("size", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_a_target_without_the_mode_gets_the_plain_body(
    mode: str, shape: str, size: int, chunked: int
) -> None:
    rig = Rig(mode="sigv4")
    made = upload(CLIENT, PATHS["generic"], mode, SHAPES[shape])
    ((head, body),) = read_requests(say(rig, *made.wire(chunked=chunked), size)[0])
    assert rig.answer.status == 200  # type: ignore[attr-defined]
    assert body == b"".join(SHAPES[shape])
    lines = head.lower().split(b"\r\n")
    assert b"x-amz-content-sha256: unsigned-payload" in lines
    assert b"content-length: %d" % len(body) in lines
    for gone in (b"aws-chunked", b"x-amz-trailer", b"decoded", b"transfer-encoding", b"sdk"):
        assert gone not in head.lower()


@pytest.mark.parametrize("size", PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", MODES)
def test_a_target_with_the_mode_gets_frames_signed_for_it(mode: str, shape: str, size: int) -> None:
    rig = Rig(mode="sigv4")
    made = upload(CLIENT, PATHS["s3"], mode, SHAPES[shape])
    ((head, body),) = read_requests(say(rig, *made.wire(), size)[0])
    assert rig.answer.status == 200  # type: ignore[attr-defined]
    # Over plain http AWS takes no unsigned trailers.
    upstream = SIGNED if mode == SIGNED else SIGNED_TRAILER
    assert b"x-amz-content-sha256: %b\r\n" % upstream.encode() in head
    data = b"".join(SHAPES[shape])
    expected = [] if mode == SIGNED else [f"x-amz-checksum-crc32:{checksum('crc32', data)}"]
    assert read(head, body, TARGET_KEY[1]) == (data, expected)
    assert is_whole(head + body)


def tls_rig() -> Rig:
    """The first target is reached over an encrypted connection."""
    from tests.doubles.wire import document

    target = document(mode="sigv4")["targets"]
    settings = {"verify": False, "ca_pem": None, "cert_pem": None, "key_pem": None}
    target[0] |= {"scheme": "https", "tls": {**settings, "server_name": "first.test"}}
    return Rig(mode="sigv4", targets=target)


@pytest.mark.parametrize("algorithm", [*CHECKSUMS, ""])
def test_unsigned_trailers_stay_unsigned_over_an_encrypted_connection(algorithm: str) -> None:
    rig = tls_rig()
    made = upload(CLIENT, PATHS["s3"], UNSIGNED_TRAILER, CHUNKS, algorithm=algorithm)
    ((head, body),) = read_requests(say(rig, *made.wire(), 0)[0])
    assert b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n" in head
    lines = [f"x-amz-checksum-{algorithm}:{checksum(algorithm, DATA)}"] if algorithm else []
    assert read(head, body, TARGET_KEY[1]) == (DATA, lines)


@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_every_checksum_is_verified(algorithm: str, mode: str) -> None:
    good = upload(CLIENT, PATHS["generic"], mode, CHUNKS, algorithm=algorithm)
    rig = Rig(mode="sigv4")
    say(rig, *good.wire(), 0)
    assert rig.answer.status == 200  # type: ignore[attr-defined]
    bad = upload(CLIENT, PATHS["generic"], mode, CHUNKS, algorithm=algorithm)
    wrong = f"x-amz-checksum-{algorithm}:{checksum(algorithm, b'other')}"
    bad.body.trailers = [wrong]
    if mode == SIGNED_TRAILER:  # signed by its client all the same
        from tests.doubles.aws_chunked import Seal, frame

        bad.body = frame(CHUNKS, Seal.of_head(bad.raw_head, KEY[1]), [wrong])
    rig = Rig(mode="sigv4")
    say(rig, *bad.wire(), 0)
    answer = rig.answer  # type: ignore[attr-defined]
    assert (answer.status, answer.code) == (400, "BadDigest")
    text = f"The {algorithm.upper()} you specified did not match the calculated checksum."
    assert text.encode() in answer.body


def test_trailer_lines_as_minio_writes_them() -> None:
    for mode in (SIGNED_TRAILER, UNSIGNED_TRAILER):
        made = upload(CLIENT, PATHS["generic"], mode, CHUNKS)
        made.body.line_end = b"\n\r\n"
        rig = Rig(mode="sigv4")
        say(rig, *made.wire(), 0)
        assert rig.answer.status == 200  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("profile", PATHS)
def test_one_byte_at_a_time(mode: str, profile: str) -> None:
    rig = Rig(mode="sigv4")
    data = b"q" * 8192 + b"tail"
    made = upload(CLIENT, PATHS[profile], mode, [data[:8192], data[8192:]])
    ((head, body),) = read_requests(say(rig, *made.wire(), 1)[0])
    found = body if profile == "generic" else read(head, body, TARGET_KEY[1])[0]
    assert found == data
