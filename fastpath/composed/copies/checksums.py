"""The checksum of a copy: verified on the way, and given to the destination.

Rules: if the source shows a checksum of all its bytes, the last of them go to the destination only
after it was found right; one that is wrong is the store's fault, and no later try hides it. The
destination gets the value if the source has it, else a trailer where it takes one over TLS, else
none (docs/moving-buckets.md).
"""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Self

from fastpath.composed.copies.source import SourceObject, unusable
from fastpath.errors import SOURCE_DAMAGED, S3Error
from fastpath.payload.checksum_support import checksum_support_of
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX, encode, encoded_size
from fastpath.payload.framers import ChunkFramer
from fastpath.routing.snapshot import Target
from fastpath.signing.sigv4.verify import STREAMING_UNSIGNED_TRAILER

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest


class Verification:
    """Verifies the bytes of a source, which come in order; some may come again."""

    def __init__(
        self,
        request: ComposedRequest,
        source: SourceObject,
        checksum: tuple[bytes, bytes] | None,
    ) -> None:
        """`checksum`: algorithm and value; None: nothing is verified."""
        self._request = request
        self._place = source.place
        self._algorithm, self._value = checksum if checksum is not None else (b"", b"")
        self._checksum = ALGORITHMS[checksum[0]][0]() if checksum is not None else None
        self._size = source.size
        self._at = 0  # bytes that were read
        self._is_wrong = False

    def read(self, at: int, piece: bytes) -> None:
        """Read the piece at this offset. Raises S3Error: it is the last, and they do not match."""
        end = at + len(piece)
        if self._checksum is None or end < self._at:
            return
        if end > self._at:
            self._checksum.update(memoryview(piece)[max(0, self._at - at) :])
            self._at = end
            if end == self._size:
                self._is_wrong = encode(self._checksum.digest()) != self._value
        if end == self._size and self._is_wrong:
            name = self._algorithm.decode().upper()
            unusable(self._request, self._place, f"sent an object that has not its {name}")
            raise S3Error(SOURCE_DAMAGED, retry_after=1)


class Trailer:
    """A body in unsigned chunks, with its checksum behind it."""

    def __init__(self, algorithm: bytes, size: int) -> None:
        make, raw_size = ALGORITHMS[algorithm]
        self._checksum = make()
        name = HEADER_PREFIX + algorithm
        self._framer = ChunkFramer(size, signed=False, trailer=(name, encoded_size(raw_size)))
        self.length = self._framer.length
        self.payload = STREAMING_UNSIGNED_TRAILER
        self._name = name
        self._size = size

    def headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return the headers of an object with those of its framing."""
        coding = dict(headers).get(b"content-encoding")
        others = [field for field in headers if field[0] != b"content-encoding"]
        return [
            *others,
            (b"content-encoding", b"aws-chunked" + (b"," + coding if coding else b"")),
            (b"x-amz-decoded-content-length", b"%d" % self._size),
            (b"x-amz-trailer", self._name),
        ]

    def frame(self, piece: bytes) -> bytes:
        """Frame more of the body."""
        self._checksum.update(piece)
        return self._framer.data(piece)

    def end(self) -> bytes:
        """Return the end of the body."""
        return self._framer.end(encode(self._checksum.digest()))


class VerifiedPieces:
    """Pieces of a source that are verified before they go on."""

    def __init__(self, pieces: AsyncIterable[bytes], at: int, verification: Verification) -> None:
        """`at`: the offset of the first piece."""
        self._pieces = aiter(pieces)
        self._at = at
        self._verification = verification

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await anext(self._pieces)
        self._verification.read(self._at, piece)
        self._at += len(piece)
        return piece


class FramedPieces:
    """Pieces with a trailer behind them."""

    def __init__(self, pieces: AsyncIterable[bytes], trailer: Trailer) -> None:
        self._pieces = aiter(pieces)
        self._trailer = trailer
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        try:
            return self._trailer.frame(await anext(self._pieces))
        except StopAsyncIteration:
            self._ended = True
            return self._trailer.end()


def accepts(target: Target, algorithm: bytes) -> bool:
    """Whether a target keeps a checksum of this algorithm with a new object."""
    support = checksum_support_of(target.profile, secure=target.route.tls is not None)
    return support is None or support.accepts("PutObject", algorithm)


def takes_trailer(target: Target, algorithm: bytes) -> bool:
    """Whether a target takes it behind the body; over plain http it would have to be signed."""
    profile = target.profile
    is_framed = STREAMING_UNSIGNED_TRAILER in profile.streaming and not profile.keeps_aws_chunked
    return target.route.tls is not None and is_framed and accepts(target, algorithm)
