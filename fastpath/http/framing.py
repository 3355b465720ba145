"""How long a body is (RFC 9112 section 6).

Rules: pure; the head has been parsed strictly, so the table below has no doubtful rows left. A body
of zero bytes is NONE: nobody waits for it. Whatever does not end exactly where its framing says is
a fault, never a guess.

Not here: counting the bytes of a Content-Length body (`downstream`, `upstream`), aws-chunked
(`payload`), what makes a head refusable (`head`), hop-by-hop fields (`hop`).
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


# Members by themselves; `phases` says why.
NO_BODY, BY_LENGTH, IN_CHUNKS, UNTIL_CLOSE = BodyKind

_NOTHING = (NO_BODY, 0)

# A chunked body may have extensions and trailers; so many bytes without a byte of payload are a
# flood (the same size that a head may have).
_MAX_OVERHEAD = 16384

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16}+)(?:;[\t -~\x80-\xff]*+)?")
_TRAILER = re.compile(TCHAR + rb"++:[\t -~\x80-\xff]*+")
_TRAILER_BEGUN = re.compile(TCHAR + rb"*+(?::[\t -~\x80-\xff]*+)?")
# Fields that a sender must not put there (RFC 9110 section 6.5.1), and that a reader may believe.
_FRAMING = re.compile(rb"(?i:content-length|transfer-encoding):")


class _Part(IntEnum):
    """What the next line of a chunked body is."""

    SIZE = 0
    END = 1  # of a chunk's payload
    TRAILER = 2


def request_body(head: RequestHead, *, streaming: bool = False) -> tuple[BodyKind, int]:
    """Kind and bytes of a request's body (RFC 9112 section 6.3).

    Raises S3Error: NotImplemented for a chunked body, as AWS does (S3 wants lengths) unless the
    body is `streaming`, which has a length of its own; and MissingContentLength for a PUT without
    one. The connection must close after either: how much follows is not known.
    """
    if head.chunked:
        if streaming:
            return IN_CHUNKS, 0
        raise S3Error(NOT_IMPLEMENTED, ("Header", "Transfer-Encoding"))
    length = head.content_length
    if length is None:
        # A copy has no body to tell the length of; clients built on hyper then send no length.
        if head.method == b"PUT" and b"x-amz-copy-source" not in head.fields:
            raise S3Error(MISSING_CONTENT_LENGTH)
        return _NOTHING
    return (BY_LENGTH, length) if length else _NOTHING


def body_is_unclear(head: RequestHead) -> bool:
    """Whether bytes may follow that nothing in the head announces or bounds.

    RFC 9112 section 6.3 says that a request without a length has no body; a client that left the
    length of its upload away may think otherwise, and its bytes must not be read as a request.
    """
    return head.chunked or (head.content_length is None and head.method == b"PUT")


def response_body(head: ResponseHead, method: bytes) -> tuple[BodyKind, int]:
    """Kind and bytes of the body of the answer to a `method` request (RFC 9112 section 6.3)."""
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
    """Takes the chunks of one body apart, of an answer or of a request (RFC 9112 section 7.1).

    What follows its end is `rest`: of another message, and no reason to doubt this one.
    """

    __slots__ = ("_left", "_line", "_overhead", "_part", "complete", "rest")

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""
        self._part = _Part.SIZE
        self._left = 0  # payload bytes of the chunk that comes
        self._line = b""  # the begin of a line that is not complete
        self._overhead = 0  # bytes since the last payload byte

    def feed(self, data: bytes) -> list[bytes]:
        """The payload in `data`. Raises ResponseFault on bad chunks."""
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
                self._wait()
                break
            self._count(end + 2 - at)
            self._take(data[at:end])
            at = end + 2
        if self.complete:
            self.rest += data[at:]
        return pieces

    def _take(self, line: bytes) -> None:
        """A whole line, without its CRLF: a chunk's size, what ends its payload, a trailer."""
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

    def _wait(self) -> None:
        """For the end of a line, unless what is there can begin none."""
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

    def _count(self, count: int) -> None:
        """So many bytes carry no payload."""
        self._overhead += count
        if self._overhead > _MAX_OVERHEAD:
            raise ResponseFault("a chunked body of extensions and trailers only")
