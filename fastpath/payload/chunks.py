"""Parses aws-chunked framing: chunks with their signatures, then the trailer section.

    chunk   = size [";chunk-signature=" signature] CRLF data CRLF
    body    = *chunk "0" [";chunk-signature=" signature] CRLF *(name ":" value [LF] CRLF) CRLF

Rules: pieces may be cut anywhere; no more is kept than one chunk line and the trailer section; what
does not match the grammar is IncompleteBody (AWS errors 3.4), never a guess. So is a signature of
another length than 64 (versitygw SignedStreamingPayload_invalid_encoding). minio-go writes the LF,
and AWS's documentation shows it.
"""

from __future__ import annotations

import re
from typing import Protocol

from fastpath.errors import INCOMPLETE_BODY, INVALID_CHUNK_SIZE, S3Error

# Bytes of every chunk but the last (AWS errors 3.6).
SMALLEST_CHUNK = 8192
# CRLF, 16 digits, `;chunk-signature=` and 64 digits, CRLF are 101 bytes; AWS's limit is unknown.
_MAX_LINE = 256
# A checksum of 44 characters and a signature of 64 with their names are 180 bytes.
_MAX_TRAILERS = 4096

_SIGNED = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([^;,\s]{64})")
_UNSIGNED = re.compile(rb"([0-9a-fA-F]{1,16})()")


class Receiver(Protocol):
    """What the parser calls."""

    def chunk_begins(self, size: int, signature: bytes) -> None:
        """A chunk begins; the last one has size 0."""

    def chunk_data(self, data: memoryview) -> None:
        """More data of the chunk has come."""

    def chunk_ends(self) -> None:
        """The chunk's data is complete."""


class ChunkParser:
    """Parses one body."""

    __slots__ = (
        "_expected_prefix",
        "_left",
        "_line",
        "_number",
        "_pattern",
        "_receiver",
        "_size",
        "_trailer_section",
    )

    def __init__(self, receiver: Receiver, *, signed: bool) -> None:
        self._receiver = receiver
        self._pattern = _SIGNED if signed else _UNSIGNED
        self._left = 0  # bytes of the chunk's data that are still to come
        self._line = b""  # an unfinished chunk line
        self._expected_prefix = b""  # of the next chunk line: the CRLF that ends a chunk's data
        self._number = 0
        self._size = SMALLEST_CHUNK  # of the current or last chunk
        self._trailer_section: bytes | None = None  # the trailer section, once it began

    def feed(self, data: bytes) -> None:
        """Parse more of the body. Raises S3Error, or what the receiver raises."""
        if self._trailer_section is None:
            data = self._read_chunks(data)
        if self._trailer_section is not None:
            self._trailer_section += data
            if len(self._trailer_section) > _MAX_TRAILERS:
                raise S3Error(INCOMPLETE_BODY)

    def finish(self) -> list[bytes]:
        """Return the trailer lines of a complete body. Raises S3Error if it is not complete.

        The first line is empty if more came after the end of the section.
        """
        tail = self._trailer_section
        if tail is None or not tail.endswith(b"\r\n"):
            raise S3Error(INCOMPLETE_BODY)
        if tail == b"\r\n":
            return []
        *lines, empty, rest = tail.split(b"\r\n")
        if empty or rest or not all(lines[1:]) or lines == [b""]:
            raise S3Error(INCOMPLETE_BODY)
        return [line.removesuffix(b"\n") for line in lines]

    def _read_chunks(self, data: bytes) -> bytes:
        """Parse chunks; return the rest, which belongs to the trailer section."""
        at, end = 0, len(data)
        view = memoryview(data)  # a slice of it is no copy
        while at < end and self._trailer_section is None:
            if self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                self._receiver.chunk_data(piece)
                if not self._left:
                    self._receiver.chunk_ends()
            else:
                at = self._read_chunk_line(data, at)
        return data[at:]

    def _read_chunk_line(self, data: bytes, at: int) -> int:
        """Parse a chunk line, or a part of one, from `data[at:]`; return where it ends."""
        kept = len(self._line)
        line = self._line + data[at : at + _MAX_LINE - kept]
        if not line.startswith(self._expected_prefix[: len(line)]):
            raise S3Error(INCOMPLETE_BODY)
        end = line.find(b"\r\n", len(self._expected_prefix))
        if end < 0:
            if len(line) >= _MAX_LINE:
                raise S3Error(INCOMPLETE_BODY)
            self._line = line
            return len(data)
        match = self._pattern.fullmatch(line, len(self._expected_prefix), end)
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
        self._expected_prefix = b"\r\n"
        if not size:
            self._receiver.chunk_ends()
            self._trailer_section = b""
