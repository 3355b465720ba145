"""The aws-chunked framing, read: chunks with their signatures, then the trailer section.

    chunk   = size [";chunk-signature=" signature] CRLF data CRLF
    body    = *chunk "0" [";chunk-signature=" signature] CRLF *(name ":" value [LF] CRLF) CRLF

Rules: incremental: pieces may be cut anywhere; bounded: no more is kept than one chunk line and the
trailer section; whatever strays from the grammar is IncompleteBody (AWS errors 3.4), never a guess.
So is a signature of another length than 64 (versitygw SignedStreamingPayload_invalid_encoding). The
LF is what minio-go writes there, and what AWS's documentation shows.

Not here: whether signatures and trailers are good (`filters`).
"""

from __future__ import annotations

import re
from typing import Protocol

from fastpath.errors import INCOMPLETE_BODY, INVALID_CHUNK_SIZE, S3Error

# Every chunk but the last (AWS errors 3.6).
SMALLEST_CHUNK = 8192
# CRLF, 16 digits, `;chunk-signature=` and 64 digits, CRLF are 101 bytes; AWS's limit is unknown.
_MAX_LINE = 256
# A checksum of 44 characters and a signature of 64 with their names are 180 bytes.
_MAX_TRAILERS = 4096

_SIGNED = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([^;,\s]{64})")
_UNSIGNED = re.compile(rb"([0-9a-fA-F]{1,16})()")


class Receiver(Protocol):
    """Who is told what the framing holds."""

    def chunk_begins(self, size: int, signature: bytes) -> None:
        """A chunk line; size 0 is the last."""

    def chunk_data(self, data: memoryview) -> None:
        """More of the chunk."""

    def chunk_ends(self) -> None:
        """All bytes of the chunk were told."""


class ChunkParser:
    """Takes one body apart."""

    __slots__ = ("_before", "_left", "_line", "_number", "_pattern", "_receiver", "_size", "_tail")

    def __init__(self, receiver: Receiver, *, signed: bool) -> None:
        self._receiver = receiver
        self._pattern = _SIGNED if signed else _UNSIGNED
        self._left = 0  # bytes of the chunk's data to come
        self._line = b""  # an unfinished chunk line
        self._before = b""  # what must stand before the next one: the CRLF that ends a chunk
        self._number = 0
        self._size = SMALLEST_CHUNK  # of the last chunk begun
        self._tail: bytes | None = None  # the trailer section, once it began

    def feed(self, data: bytes) -> None:
        """More of the body. Raises S3Error, as the receiver does."""
        if self._tail is None:
            data = self._take_chunks(data)
        if self._tail is not None:
            self._tail += data
            if len(self._tail) > _MAX_TRAILERS:
                raise S3Error(INCOMPLETE_BODY)

    def finish(self) -> list[bytes]:
        """The body ended here: the trailer lines. Raises S3Error if the framing did not end.

        The first line is empty if the section ended and then went on.
        """
        tail = self._tail
        if tail is None or not tail.endswith(b"\r\n"):
            raise S3Error(INCOMPLETE_BODY)
        if tail == b"\r\n":
            return []
        *lines, empty, rest = tail.split(b"\r\n")
        if empty or rest or not all(lines[1:]) or lines == [b""]:
            raise S3Error(INCOMPLETE_BODY)
        return [line.removesuffix(b"\n") for line in lines]

    def _take_chunks(self, data: bytes) -> bytes:
        """Use up chunks; what is left belongs to the trailer section."""
        at, end = 0, len(data)
        view = memoryview(data)  # a slice of it is no copy
        while at < end and self._tail is None:
            if self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._receiver.chunk_data(piece)
                if not self._left:
                    self._receiver.chunk_ends()
            else:
                at = self._take_line(data, at)
        return data[at:]

    def _take_line(self, data: bytes, at: int) -> int:
        """Gather a chunk line from `data[at:]`; how far it reached."""
        kept = len(self._line)
        line = self._line + data[at : at + _MAX_LINE - kept]
        if not line.startswith(self._before[: len(line)]):
            raise S3Error(INCOMPLETE_BODY)
        end = line.find(b"\r\n", len(self._before))
        if end < 0:
            if len(line) >= _MAX_LINE:
                raise S3Error(INCOMPLETE_BODY)
            self._line = line
            return len(data)
        match = self._pattern.fullmatch(line, len(self._before), end)
        if match is None:
            raise S3Error(INCOMPLETE_BODY)
        self._line = b""
        self._begin(int(match[1], 16), match[2])
        return at + end + 2 - kept

    def _begin(self, size: int, signature: bytes) -> None:
        self._number += 1
        if size and self._size < SMALLEST_CHUNK:
            raise S3Error(
                INVALID_CHUNK_SIZE,
                ("Chunk", str(self._number)),
                ("BadChunkSize", str(self._size)),
            )
        self._receiver.chunk_begins(size, signature)
        self._size = self._left = size
        self._before = b"\r\n"
        if not size:
            self._receiver.chunk_ends()
            self._tail = b""
