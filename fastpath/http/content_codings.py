"""Decodes gzip and deflate documents that the gateway reads, within bounds.

Rules: the output is bounded, whatever the input (64 KiB of gzip may hold 64 MiB); a document that
is cut off gives what it held so far. Brotli and zstd are not in the standard library of every
Python that this runs on: documents in them are not understood.
"""

from __future__ import annotations

import zlib

_IDENTITY = frozenset({b"", b"identity", b"aws-chunked"})
_WINDOWS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}  # zlib's numbers for the two wrappers
_RAW = -15  # deflate without the wrapper that RFC 9110 section 8.4.1.2 wants, as some send it
_GZIP = b"\x1f\x8b"
_MAX_CODINGS = 2  # on top of each other; more is no document of a store


class Undecodable(Exception):
    """The coding is unknown, the data is broken, or the output is too large."""


class Decoder:
    """Decodes one Content-Encoding, piece by piece, to at most `limit` bytes."""

    __slots__ = ("_left", "_steps")

    def __init__(self, coding: bytes, limit: int) -> None:
        """`coding` is the field's value. Raises Undecodable."""
        names = [name for part in coding.lower().split(b",") if (name := part.strip(b" \t"))]
        names = [name for name in names if name not in _IDENTITY]
        if len(names) > _MAX_CODINGS or not all(name in _WINDOWS for name in names):
            raise Undecodable
        self._left = limit
        self._steps = [_Step(_WINDOWS[name]) for name in reversed(names)]

    def feed(self, data: bytes) -> bytes:
        """Decode the next piece. Raises Undecodable."""
        for step in self._steps:
            data = step.feed(data, self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise Undecodable
        return data

    def beginning(self, data: bytes) -> bytes:
        """Decode the beginning of a document, cut at `limit`. Raises Undecodable."""
        for step in self._steps:
            data = step.feed(data, self._left)
        return data[: self._left]


class _Step:
    """One coding."""

    __slots__ = ("_inflate", "_is_new", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._inflate = zlib.decompressobj(window)
        self._is_new = True

    def feed(self, data: bytes, limit: int) -> bytes:
        if not data:
            return b""
        try:
            out = self._inflate.decompress(data, limit)
        except zlib.error:
            if not self._is_new or self._window != _WINDOWS[b"deflate"]:
                raise Undecodable from None
            self._inflate = zlib.decompressobj(_RAW)
            self._is_new = False
            return self.feed(data, limit)
        self._is_new = False
        return out


def decoded(document: bytes, coding: bytes, limit: int) -> bytes | None:
    """Decode the first `limit` bytes of a document; None if that is not possible.

    A wrong Content-Encoding is ignored where the first bytes show it: gzip that is not declared,
    or a plain document that is declared as gzip.
    """
    if document.startswith(_GZIP) and coding.strip().lower() in _IDENTITY:
        coding = b"gzip"
    elif document.lstrip()[:1] in (b"<", b"{"):
        return document[:limit]
    try:
        return Decoder(coding, limit).beginning(document)
    except Undecodable:
        return None
