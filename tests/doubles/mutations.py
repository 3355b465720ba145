"""Owns the ways an aws-chunked upload goes wrong, and what AWS answers to each.

Rules: one fault per mutation; each names its row of AWS's errors (section 3); a mutation applies to
the modes that have what it spoils.

Not here: how an upload is made (`aws_chunked`), where it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.doubles.aws_chunked import (
    MODES,
    SIGNED,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    Body,
    Frame,
    Upload,
    checksum,
    upload,
)
from tests.doubles.signing import RawClient

CHUNK = 8192
CHUNKS = [bytes([65 + number]) * CHUNK for number in range(3)] + [b"the rest"]
SIGNED_MODES = (SIGNED, SIGNED_TRAILER)
TRAILER_MODES = (SIGNED_TRAILER, UNSIGNED_TRAILER)

Spoil = Callable[[Body], None]


@dataclass(frozen=True)
class Mutation:
    """One fault: how it is made, in which modes, and the status and code it is answered with."""

    name: str
    spoil: Spoil
    status: int
    code: str
    modes: tuple[str, ...] = MODES
    secret: str = ""
    length: int | None = None  # announced, instead of the real one
    chunks: tuple[bytes, ...] = tuple(CHUNKS)

    def make(self, client: RawClient, target: bytes, mode: str) -> Upload:
        made = upload(
            client, target, mode, list(self.chunks), secret=self.secret, length=self.length
        )
        self.spoil(made.body)
        return made


def other(signature: str) -> str:
    """Another signature."""
    return ("0" if signature[0] != "0" else "1") + signature[1:]


def _signature(number: int) -> Spoil:
    def spoil(body: Body) -> None:
        body.frames[number].signature = other(body.frames[number].signature)

    return spoil


def _end(number: int, end: bytes) -> Spoil:
    def spoil(body: Body) -> None:
        body.frames[number].end = end

    return spoil


def _size(number: int, more: int) -> Spoil:
    def spoil(body: Body) -> None:
        frame = body.frames[number]
        frame.size = len(frame.data) + more

    return spoil


def _data(number: int) -> Spoil:
    def spoil(body: Body) -> None:
        frame = body.frames[number]
        frame.data = bytes([frame.data[0] ^ 1]) + frame.data[1:]

    return spoil


def _truncated(number: int) -> Spoil:
    """The body ends within a chunk, or before the last one."""

    def spoil(body: Body) -> None:
        frame = body.frames[number]
        frame.size = len(frame.data)
        frame.data, frame.end = frame.data[: len(frame.data) // 2], b""
        del body.frames[number + 1 :]
        body.trailers, body.signature, body.end = [], "", b""

    return spoil


def _ended(body: Body) -> None:
    del body.frames[-1]
    body.trailers, body.signature, body.end = [], "", b""


def _trailers(*lines: str) -> Spoil:
    def spoil(body: Body) -> None:
        body.trailers = list(lines)

    return spoil


def _trailer_signature(body: Body) -> None:
    body.signature = other(body.signature)


def _no_trailer_signature(body: Body) -> None:
    body.signature = ""


def _tail(end: bytes) -> Spoil:
    def spoil(body: Body) -> None:
        body.end = end

    return spoil


def _no_signature(number: int) -> Spoil:
    def spoil(body: Body) -> None:
        body.frames[number].signature = ""

    return spoil


def _nothing(body: Body) -> None:
    """The fault is elsewhere."""


def _line_kept(body: Body) -> None:
    body.frames.insert(0, Frame(b"", size=1 << 40, end=b"", signature=body.frames[0].signature))


_DATA = b"".join(CHUNKS)
_GOOD = f"x-amz-checksum-crc32:{checksum('crc32', _DATA)}"
_WRONG = "x-amz-checksum-crc32:AAAAAA=="
_MISMATCH = (403, "SignatureDoesNotMatch")
_INCOMPLETE = (400, "IncompleteBody")
_TRAILER = (400, "MalformedTrailerError")
_PLAIN = (UNSIGNED_TRAILER,)

MUTATIONS = [
    Mutation("first signature", _signature(0), *_MISMATCH, SIGNED_MODES),
    Mutation("middle signature", _signature(1), *_MISMATCH, SIGNED_MODES),
    Mutation("last signature", _signature(3), *_MISMATCH, SIGNED_MODES),
    Mutation("signature of the end", _signature(4), *_MISMATCH, SIGNED_MODES),
    Mutation("wrong key", _nothing, *_MISMATCH, SIGNED_MODES, secret="wrong"),
    Mutation("first data", _data(0), *_MISMATCH, SIGNED_MODES),
    Mutation("last data", _data(3), *_MISMATCH, SIGNED_MODES),
    Mutation("first data unsigned", _data(0), 400, "BadDigest", _PLAIN),
    Mutation("last data unsigned", _data(3), 400, "BadDigest", _PLAIN),
    Mutation("no signature first", _no_signature(0), *_INCOMPLETE, SIGNED_MODES),
    Mutation("no signature last", _no_signature(4), *_INCOMPLETE, SIGNED_MODES),
    Mutation("no crlf first", _end(0, b""), *_INCOMPLETE),
    Mutation("no crlf last", _end(3, b""), *_INCOMPLETE),
    Mutation("extra crlf first", _end(0, b"\r\n\r\n"), *_INCOMPLETE),
    Mutation("extra crlf last", _end(3, b"\r\n\r\n"), *_INCOMPLETE),
    Mutation("lf for crlf", _end(1, b"\n"), *_INCOMPLETE),
    Mutation("no crlf at the end", _tail(b""), *_INCOMPLETE),
    Mutation("extra crlf at the end", _tail(b"\r\n\r\n"), *_INCOMPLETE),
    Mutation("bytes after the end", _tail(b"\r\nmore"), *_INCOMPLETE),
    Mutation("truncated in the first", _truncated(0), *_INCOMPLETE),
    Mutation("truncated in the last", _truncated(3), *_INCOMPLETE),
    Mutation("no last chunk", _ended, *_INCOMPLETE),
    Mutation("oversize first", _size(0, 1), *_INCOMPLETE, _PLAIN),
    Mutation("oversize last", _size(3, 1), *_INCOMPLETE),
    Mutation("undersize first", _size(0, -1), *_INCOMPLETE, _PLAIN),
    Mutation("undersize last", _size(3, -1), *_INCOMPLETE, _PLAIN),
    Mutation("signed oversize first", _size(0, 1), *_MISMATCH, SIGNED_MODES),
    Mutation("signed undersize first", _size(0, -1), *_MISMATCH, SIGNED_MODES),
    Mutation("giant chunk", _line_kept, *_INCOMPLETE),
    Mutation("decoded length one more", _nothing, *_INCOMPLETE, length=len(_DATA) + 1),
    Mutation("decoded length one less", _nothing, *_INCOMPLETE, length=len(_DATA) - 1),
    Mutation("decoded length zero", _nothing, *_INCOMPLETE, length=0),
    Mutation("empty, announced as one", _nothing, *_INCOMPLETE, length=1, chunks=()),
    Mutation(
        "small chunk", _nothing, 403, "InvalidChunkSizeError", chunks=(b"a" * 8191, b"b" * 8192)
    ),
    Mutation("trailer in a mode without", _trailers(_GOOD), *_INCOMPLETE, (SIGNED,)),
    Mutation("no trailer", _trailers(), *_TRAILER, _PLAIN),
    Mutation("other trailer", _trailers("x-amz-checksum-sha1:AAAA"), *_TRAILER, _PLAIN),
    Mutation("two trailers", _trailers(_GOOD, _GOOD), *_TRAILER, _PLAIN),
    Mutation("nameless trailer", _trailers(":AAAAAA=="), *_TRAILER, _PLAIN),
    Mutation("no colon", _trailers("x-amz-checksum-crc32"), *_INCOMPLETE, _PLAIN),
    Mutation("no colon signed", _trailers("x-amz-checksum"), *_TRAILER, (SIGNED_TRAILER,)),
    Mutation("bad value", _trailers("x-amz-checksum-crc32:A"), 400, "InvalidRequest", _PLAIN),
    Mutation("wrong value", _trailers(_WRONG), 400, "BadDigest", _PLAIN),
    Mutation("wrong value signed", _trailers(_WRONG), *_MISMATCH, (SIGNED_TRAILER,)),
    Mutation("trailer signature", _trailer_signature, *_MISMATCH, (SIGNED_TRAILER,)),
    Mutation("no trailer signature", _no_trailer_signature, *_INCOMPLETE, (SIGNED_TRAILER,)),
]

CASES = [(mutation, mode) for mutation in MUTATIONS for mode in mutation.modes]
IDS = [f"{mutation.name}-{mode.removeprefix('STREAMING-')}" for mutation, mode in CASES]
