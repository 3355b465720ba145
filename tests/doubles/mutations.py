"""Owns the ways an aws-chunked upload goes wrong, and what AWS answers to each.

Rules: one fault per mutation; each names its row of AWS's errors (section 3); a mutation applies to
the modes that have what it spoils.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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
    lines: tuple[str, ...] | None = None  # the trailers, signed where the mode signs

    def make(self, client: RawClient, target: bytes, mode: str) -> Upload:
        made = upload(
            client,
            target,
            mode,
            list(self.chunks),
            secret=self.secret,
            length=self.length,
            lines=None if self.lines is None else list(self.lines),
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


def _signature_of(length: int, number: int) -> Spoil:
    def spoil(body: Body) -> None:
        body.frames[number].signature = (body.frames[number].signature + "0")[:length]

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


def _cut(sent: int) -> Spoil:
    """Only so many bytes of the body come."""

    def spoil(body: Body) -> None:
        body.sent = sent

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


def _trailer_signature_of(length: int) -> Spoil:
    def spoil(body: Body) -> None:
        body.signature = (body.signature + "0")[:length]

    return spoil


def _shouted(number: int) -> Spoil:
    def spoil(body: Body) -> None:
        body.frames[number].signature = body.frames[number].signature.upper()

    return spoil


def _empty_line_first(body: Body) -> None:
    """The empty line that ends the trailers stands before them."""
    body.trailers = [""]


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
_WRONG = f"x-amz-checksum-crc32:{checksum('crc32', b'other')}"
_MISMATCH = (403, "SignatureDoesNotMatch")
_INCOMPLETE = (400, "IncompleteBody")
_TRAILER = (400, "MalformedTrailerError")
_PLAIN = (UNSIGNED_TRAILER,)
_SMALL = (403, "InvalidChunkSizeError")

_OTHER = "x-amz-checksum-sha1:2jmj7l5rSw0yVb/vlWAYkK/YBwk="
_AT = {"first": 0, "middle": 1, "last": 3}  # of the chunks; 4 is the empty one at the end


def _everywhere(name: str, spoil: Callable[[int], Spoil], *answer: object) -> list[Mutation]:
    return [Mutation(f"{name} {at}", spoil(number), *answer) for at, number in _AT.items()]  # type: ignore[arg-type]  # status, code and modes


MUTATIONS = [
    # signatures
    *_everywhere("signature", _signature, *_MISMATCH, SIGNED_MODES),
    Mutation("signature of the end", _signature(4), *_MISMATCH, SIGNED_MODES),
    *_everywhere("no signature", _no_signature, *_INCOMPLETE, SIGNED_MODES),
    Mutation("no signature at the end", _no_signature(4), *_INCOMPLETE, SIGNED_MODES),
    *(
        mutation
        for length in (1, 63, 65)  # none at all is above
        for mutation in _everywhere(
            f"P10: signature of {length}",
            partial(_signature_of, length),
            *_INCOMPLETE,
            SIGNED_MODES,
        )
    ),
    *_everywhere("signature in capitals", _shouted, *_MISMATCH, SIGNED_MODES),
    Mutation("wrong key", _nothing, *_MISMATCH, SIGNED_MODES, secret="wrong"),
    # data
    *_everywhere("data", _data, *_MISMATCH, SIGNED_MODES),
    *_everywhere("data unsigned", _data, 400, "BadDigest", _PLAIN),
    # framing
    *_everywhere("no crlf", lambda number: _end(number, b""), *_INCOMPLETE),
    *_everywhere("extra crlf", lambda number: _end(number, b"\r\n\r\n"), *_INCOMPLETE),
    *_everywhere("lf for crlf", lambda number: _end(number, b"\n"), *_INCOMPLETE),
    Mutation("no crlf at the end", _tail(b""), *_INCOMPLETE),
    Mutation("extra crlf at the end", _tail(b"\r\n\r\n"), *_INCOMPLETE),
    Mutation("lf for crlf at the end", _tail(b"\n"), *_INCOMPLETE),
    Mutation("bytes after the end", _tail(b"\r\nmore"), *_INCOMPLETE),
    *_everywhere("truncated", _truncated, *_INCOMPLETE),
    Mutation("no last chunk", _ended, *_INCOMPLETE),
    Mutation("nothing at all", _cut(0), *_INCOMPLETE),
    Mutation("one byte", _cut(1), *_INCOMPLETE),
    Mutation("a line without its end", _cut(5), *_INCOMPLETE),
    # sizes
    *_everywhere("oversize", lambda number: _size(number, 1), *_INCOMPLETE, _PLAIN),
    *_everywhere("undersize", lambda number: _size(number, -1), *_INCOMPLETE, _PLAIN),
    # A chunk that is whole by its own line is verified before what follows is looked at.
    Mutation("signed oversize first", _size(0, 1), *_MISMATCH, SIGNED_MODES),
    Mutation("signed oversize middle", _size(1, 1), *_MISMATCH, SIGNED_MODES),
    Mutation("signed oversize last", _size(3, 1), *_INCOMPLETE, SIGNED_MODES),
    *_everywhere("signed undersize", lambda number: _size(number, -1), *_MISMATCH, SIGNED_MODES),
    Mutation("giant chunk", _line_kept, *_INCOMPLETE),
    Mutation("small chunk", _nothing, *_SMALL, chunks=(b"a" * 8191, b"b" * 8192)),
    Mutation("small chunk middle", _nothing, *_SMALL, chunks=(b"a" * 8192, b"b", b"c")),
    # the decoded length
    Mutation("decoded length one more", _nothing, *_INCOMPLETE, length=len(_DATA) + 1),
    Mutation("decoded length one less", _nothing, *_INCOMPLETE, length=len(_DATA) - 1),
    Mutation("decoded length zero", _nothing, *_INCOMPLETE, length=0),
    # an empty object
    Mutation("empty, announced as one", _nothing, *_INCOMPLETE, length=1, chunks=()),
    Mutation("empty, signature", _signature(0), *_MISMATCH, SIGNED_MODES, chunks=()),
    Mutation("empty, wrong key", _nothing, *_MISMATCH, SIGNED_MODES, secret="wrong", chunks=()),
    Mutation("empty, no end", _tail(b""), *_INCOMPLETE, chunks=()),
    Mutation("empty, truncated", _ended, *_INCOMPLETE, chunks=()),
    Mutation("empty, no trailer", _trailers(), *_TRAILER, _PLAIN, chunks=()),
    Mutation(
        "empty, wrong value", _nothing, 400, "BadDigest", TRAILER_MODES, chunks=(), lines=(_WRONG,)
    ),
    # an object of one byte
    Mutation("one byte, signature", _signature(0), *_MISMATCH, SIGNED_MODES, chunks=(b"x",)),
    Mutation("one byte, no crlf", _end(0, b""), *_INCOMPLETE, chunks=(b"x",)),
    Mutation("one byte, announced as two", _nothing, *_INCOMPLETE, length=2, chunks=(b"x",)),
    Mutation("one byte, announced as none", _nothing, *_INCOMPLETE, length=0, chunks=(b"x",)),
    Mutation(
        "one byte, wrong value",
        _nothing,
        400,
        "BadDigest",
        TRAILER_MODES,
        chunks=(b"x",),
        lines=(_WRONG,),
    ),
    # trailers, signed where the mode signs: the signature is good, the line is not
    Mutation("trailer in a mode without", _trailers(_GOOD), *_INCOMPLETE, (SIGNED,)),
    Mutation("no trailer", _nothing, *_TRAILER, TRAILER_MODES, lines=()),
    Mutation("other trailer", _nothing, *_TRAILER, TRAILER_MODES, lines=(_OTHER,)),
    Mutation("two trailers", _nothing, *_TRAILER, TRAILER_MODES, lines=(_GOOD, _GOOD)),
    Mutation("nameless trailer", _nothing, *_TRAILER, TRAILER_MODES, lines=(":AAAAAA==",)),
    Mutation("no colon", _trailers("x-amz-checksum-crc32"), *_INCOMPLETE, _PLAIN),
    Mutation("no colon signed", _trailers("x-amz-checksum"), *_TRAILER, (SIGNED_TRAILER,)),
    Mutation(
        "bad value",
        _nothing,
        400,
        "InvalidRequest",
        TRAILER_MODES,
        lines=("x-amz-checksum-crc32:A",),
    ),
    Mutation("wrong value", _nothing, 400, "BadDigest", TRAILER_MODES, lines=(_WRONG,)),
    # trailers that are not those that were signed
    Mutation("changed value", _trailers(_WRONG), *_MISMATCH, (SIGNED_TRAILER,)),
    Mutation("changed name", _trailers(_OTHER), *_MISMATCH, (SIGNED_TRAILER,)),
    Mutation("trailer signature", _trailer_signature, *_MISMATCH, (SIGNED_TRAILER,)),
    *(
        Mutation(
            f"P10: trailer signature of {length}",
            _trailer_signature_of(length),
            *_INCOMPLETE,
            (SIGNED_TRAILER,),
        )
        for length in (1, 63, 65)
    ),
    # The section is empty and then goes on; without signatures it has ended there.
    Mutation("P11: empty section", _empty_line_first, *_TRAILER, (SIGNED_TRAILER,)),
    Mutation("P11: empty section, then lines", _trailers("", _GOOD), *_INCOMPLETE, _PLAIN),
    Mutation("P11: empty section in a mode without", _trailers("", _GOOD), *_INCOMPLETE, (SIGNED,)),
    Mutation("no trailer signature", _no_trailer_signature, *_INCOMPLETE, (SIGNED_TRAILER,)),
]

CASES = [(mutation, mode) for mutation in MUTATIONS for mode in mutation.modes]
IDS = [f"{mutation.name}-{mode.removeprefix('STREAMING-')}" for mutation, mode in CASES]
