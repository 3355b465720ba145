"""How long a body is (RFC 9112 section 6).

Rules: pure; the head has been parsed strictly, so the table below has no doubtful rows left. A body
of zero bytes is NONE: nobody waits for it. Whatever does not end exactly where its framing says is
a fault, never a guess.

Not here: counting the bytes of a Content-Length body (`downstream`, `upstream`), aws-chunked
(`payload`), what makes a head refusable (`head`), hop-by-hop fields (`hop`).
"""

from __future__ import annotations

from enum import IntEnum

import httptools

from fastpath.errors import MISSING_CONTENT_LENGTH, NOT_IMPLEMENTED, S3Error
from fastpath.head import RequestHead, ResponseFault, ResponseHead


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
    """Takes the chunks of one body apart, of an answer or of a request."""

    __slots__ = ("_messages", "_overhead", "_parser", "_pieces", "_tail", "complete")

    def __init__(self) -> None:
        self.complete = False
        self._messages = 0  # a second one would be another answer glued to this one
        self._pieces: list[bytes] = []
        self._tail = b""  # last bytes fed, to see what stood before the end
        self._overhead = 0  # bytes since the last payload byte
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    def on_message_begin(self) -> None:
        self._messages += 1

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        self.complete = True

    def feed(self, data: bytes) -> list[bytes]:
        """The payload in `data`. Raises ResponseFault on bad chunks and on bytes after the end."""
        if not data:
            return []
        if self.complete:
            raise ResponseFault("bytes after the end of a chunked body")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as fault:
            raise ResponseFault(f"bad chunked body: {fault}") from None
        pieces, self._pieces = self._pieces, []
        self._check(data, bool(pieces))
        return pieces

    def _check(self, data: bytes, paid: bool) -> None:
        """Raises ResponseFault if more than the body was in `data`, or too little for too long."""
        tail = self._tail = (self._tail + data[-5:])[-5:]
        if self.complete:
            # The end is an empty line after a line that is not empty; a parser that skips blank
            # lines between messages would not notice what follows it.
            at_end = tail.endswith(b"\r\n\r\n") and tail[:1] not in (b"\r", b"\n")
            if not at_end or self._messages > 1:
                raise ResponseFault("bytes after the end of a chunked body")
        elif paid:
            self._overhead = 0
        else:
            self._overhead += len(data)
            if self._overhead > _MAX_OVERHEAD:
                raise ResponseFault("a chunked body of extensions and trailers only")
