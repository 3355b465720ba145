"""Finds out how long a body is, and reads chunked bodies (RFC 9112 sections 6, 7).

Rules: heads have been parsed strictly, so their framing is never ambiguous. A body of zero bytes is
NONE: nobody waits for it. A body that does not end exactly where its framing says is a fault, never
a guess.
"""

from __future__ import annotations

import re
from enum import IntEnum

from fastpath.errors import MISSING_CONTENT_LENGTH, NOT_IMPLEMENTED, S3Error
from fastpath.http.head import TCHAR, RequestHead, ResponseFault, ResponseHead


class BodyKind(IntEnum):
    """How the end of a body is known."""

    NONE = 0
    LENGTH = 1  # after so many bytes
    CHUNKED = 2
    CLOSE = 3  # when the connection closes: answers only


# The members as plain names; exchange/states.py says why.
NO_BODY, BY_LENGTH, IN_CHUNKS, UNTIL_CLOSE = BodyKind

_NOTHING = (NO_BODY, 0)

# Bytes of chunk extensions and trailers without a byte of payload that are accepted (as many as a
# head may have).
_MAX_OVERHEAD = 16384

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16}+)(?:;[\t -~\x80-\xff]*+)?")
_TRAILER = re.compile(TCHAR + rb"++:[\t -~\x80-\xff]*+")
_TRAILER_BEGUN = re.compile(TCHAR + rb"*+(?::[\t -~\x80-\xff]*+)?")
# Fields that a sender must not put into trailers (RFC 9110 section 6.5.1), but a reader may use.
_FRAMING = re.compile(rb"(?i:content-length|transfer-encoding):")


class _Part(IntEnum):
    """Which line of a chunked body comes next."""

    SIZE = 0
    END = 1  # of a chunk's payload
    TRAILER = 2


def request_body(head: RequestHead, *, streaming: bool = False) -> tuple[BodyKind, int]:
    """Return kind and length of a request's body (RFC 9112 section 6.3).

    Raises S3Error: NotImplemented for a chunked body, as AWS does (S3 wants lengths) unless the
    body is `streaming`, which has a length of its own; and MissingContentLength for a PUT without
    one. The connection must close after either: nobody knows how much follows.
    """
    if head.chunked:
        if streaming:
            return IN_CHUNKS, 0
        raise S3Error(NOT_IMPLEMENTED, ("Header", "Transfer-Encoding"))
    length = head.content_length
    if length is None:
        # A copy has no body; clients built on hyper then send no length.
        if head.method == b"PUT" and b"x-amz-copy-source" not in head.fields:
            raise S3Error(MISSING_CONTENT_LENGTH)
        return _NOTHING
    return (BY_LENGTH, length) if length else _NOTHING


def may_have_unannounced_body(head: RequestHead) -> bool:
    """Whether a body of unknown length may follow the head.

    RFC 9112 section 6.3 says that a request without a length has no body; but a client may have
    omitted the length of its upload, and those bytes must not be read as the next request.
    """
    return head.chunked or (head.content_length is None and head.method == b"PUT")


def response_body(head: ResponseHead, method: bytes) -> tuple[BodyKind, int]:
    """Return kind and length of the body of a response to `method` (RFC 9112 section 6.3)."""
    status = head.status
    if method == b"HEAD" or status < 200 or status == 204 or status == 304:
        return _NOTHING
    if head.chunked:
        return IN_CHUNKS, 0
    length = head.content_length
    if length is None:
        return UNTIL_CLOSE, 0
    return (BY_LENGTH, length) if length else _NOTHING


class ChunkedReader:
    """Decodes one chunked body of a request or a response (RFC 9112 section 7.1).

    `rest` holds the bytes after its end, which belong to the next message.
    """

    __slots__ = ("_left", "_line", "_overhead", "_part", "complete", "rest")

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""
        self._part = _Part.SIZE
        self._left = 0  # payload bytes of the current chunk that are still to come
        self._line = b""  # the beginning of a line that is not complete
        self._overhead = 0  # bytes since the last payload byte

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payload in `data`. Raises ResponseFault on bad chunks."""
        pieces: list[bytes] = []
        if self._line:
            data, self._line = self._line + data, b""
        at = 0
        while at < len(data) and not self.complete:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._overhead = 0
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._line = data[at:]
                self._check_partial_line()
                break
            self._count_overhead(end + 2 - at)
            self._read_line(data[at:end])
            at = end + 2
        if self.complete:
            self.rest += data[at:]
        return pieces

    def _read_line(self, line: bytes) -> None:
        """Read a line without its CRLF: a chunk size, the end of a chunk's payload or a trailer."""
        if self._part is _Part.SIZE:
            match = _CHUNK_SIZE.fullmatch(line)
            if match is None:
                raise ResponseFault("bad chunked body: no chunk size")
            self._left = int(match.group(1), 16)
            self._part = _Part.END if self._left else _Part.TRAILER
        elif self._part is _Part.END:
            if line:
                raise ResponseFault("bad chunked body: payload beyond its chunk")
            self._part = _Part.SIZE
        elif not line:
            self.complete = True
        elif _TRAILER.fullmatch(line) is None or _FRAMING.match(line) is not None:
            raise ResponseFault("bad chunked body: no trailer")

    def _check_partial_line(self) -> None:
        """Refuse an incomplete line that cannot become a valid one."""
        line = self._line
        if self._overhead + len(line) > _MAX_OVERHEAD:
            raise ResponseFault("a chunked body of extensions and trailers only")
        begun = line.removesuffix(b"\r")
        if self._part is _Part.END:
            good = not begun
        elif self._part is _Part.SIZE:
            good = not begun or _CHUNK_SIZE.fullmatch(begun) is not None
        else:
            good = _TRAILER_BEGUN.fullmatch(begun) is not None
        if not good:
            raise ResponseFault("bad chunked body")

    def _count_overhead(self, count: int) -> None:
        """Count bytes that are not payload, and refuse too many of them."""
        self._overhead += count
        if self._overhead > _MAX_OVERHEAD:
            raise ResponseFault("a chunked body of extensions and trailers only")
