"""Frames a verified body as its target takes it: plain, or in aws-chunked frames made here.

Rules: the length upstream depends only on the decoded length, so it is known before the first byte;
frames have one size, whatever the client's had (docs/adr/0004-aws-chunked.md).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

from fastpath.signing.sigv4.chain import Chain

# Above AWS's minimum of 8 KiB, the size that most SDKs use; memory per upload stays small.
FRAME = 65536
_SIGNATURE = b";chunk-signature="
_TRAILER_SIGNATURE = b"x-amz-trailer-signature:"


class Framer(Protocol):
    """Puts a body into the form that its target takes; `length` is the length of the result."""

    length: int

    def begin(self, chain: Chain) -> None:
        """Take the chain of the signed upstream head, which signs the chunks."""

    def learn_digest(self, start: int, size: int, digest: bytes) -> None:
        """Take the SHA-256 (hex) of a part of the body, before the last byte of it comes."""

    def data(self, data: bytes) -> bytes:
        """Frame more of the body."""

    def end(self, trailer: bytes) -> bytes:
        """Return the end of a verified body; `trailer` is the value of the declared checksum."""


class PlainFramer:
    """The body itself."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        self.length = length

    def begin(self, chain: Chain) -> None:
        """A plain body has no signatures."""

    def learn_digest(self, start: int, size: int, digest: bytes) -> None:
        """A plain body needs no digest."""

    def data(self, data: bytes) -> bytes:
        return data

    def end(self, trailer: bytes) -> bytes:
        return b""


class ChunkFramer:
    """Frames of `FRAME` bytes, signed or not, with a trailer or not."""

    __slots__ = ("_chain", "_digests", "_name", "_parts", "_sent", "_signed", "_waiting", "length")

    def __init__(self, decoded: int, *, signed: bool, trailer: tuple[bytes, int] | None) -> None:
        """`trailer`: the name of the checksum trailer and the characters of its value."""
        self._signed = signed
        self._name = trailer[0] if trailer is not None else b""
        self._chain: Chain | None = None
        self._parts: list[bytes] = []
        self._waiting = 0  # bytes in `_parts`
        self._sent = 0  # bytes of the body that were framed
        self._digests: dict[int, tuple[int, bytes]] = {}  # start -> size and digest
        self.length = self._total(decoded, trailer)

    def _total(self, decoded: int, trailer: tuple[bytes, int] | None) -> int:
        extension = len(_SIGNATURE) + 64 if self._signed else 0
        full, rest = divmod(decoded, FRAME)
        total = full * (len(b"%x" % FRAME) + extension + 2 + FRAME + 2)
        if rest:
            total += len(b"%x" % rest) + extension + 2 + rest + 2
        total += 1 + extension + 2  # the last chunk
        if trailer is not None:
            total += len(trailer[0]) + 1 + trailer[1] + 2
            if self._signed:
                total += len(_TRAILER_SIGNATURE) + 64 + 2
        return total + 2

    def begin(self, chain: Chain) -> None:
        if self._signed:
            self._chain = chain

    def learn_digest(self, start: int, size: int, digest: bytes) -> None:
        # Most SDKs send chunks of this size: each is then hashed once, for both signatures.
        if self._chain is not None and start % FRAME == 0 and size <= FRAME:
            self._digests[start] = (size, digest)

    def data(self, data: bytes) -> bytes:
        if data:
            self._parts.append(data)
        self._waiting += len(data)
        if self._waiting < FRAME:
            return b""
        # Cut without copying.
        body = memoryview(data if len(self._parts) == 1 else b"".join(self._parts))
        whole = self._waiting - self._waiting % FRAME
        self._parts = [bytes(body[whole:])]
        self._waiting -= whole
        frames: list[bytes | memoryview] = []
        for at in range(0, whole, FRAME):
            frames += self._frame(body[at : at + FRAME])
        return b"".join(frames)

    def end(self, trailer: bytes) -> bytes:
        rest = b"".join(self._parts)
        frames: list[bytes | memoryview] = [*self._frame(rest)] if rest else []
        frames.append(b"0%b\r\n" % self._extension(b""))
        if self._name:
            frames.append(b"%b:%b\r\n" % (self._name, trailer))
            if self._chain is not None:
                digest = sha256(b"%b:%b\n" % (self._name, trailer)).hexdigest().encode()
                signature = self._chain.sign(self._chain.trailer_text(digest))
                frames.append(b"%b%b\r\n" % (_TRAILER_SIGNATURE, signature))
        frames.append(b"\r\n")
        return b"".join(frames)

    def _frame(self, data: bytes | memoryview) -> tuple[bytes | memoryview, ...]:
        return b"%x%b\r\n" % (len(data), self._extension(data)), data, b"\r\n"

    def _extension(self, data: bytes | memoryview) -> bytes:
        chain = self._chain
        if chain is None:
            return b""
        size, digest = self._digests.pop(self._sent, (-1, b""))
        if size != len(data):
            digest = sha256(data).hexdigest().encode()
        self._sent += len(data)
        return _SIGNATURE + chain.sign(chain.chunk_text(digest))
