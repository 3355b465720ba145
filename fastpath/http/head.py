"""Parses request and response heads, or refuses them.

Rules: each head is parsed by a new httptools parser that never sees a byte of the body; before
that, one strict grammar (RFC 9112) has matched the whole head, because httptools alone accepts
HTTP/2.0, bare whitespace, obs-fold and repeated Host fields. What two readers could understand in
two ways is refused, never repaired: nothing is forwarded that was not understood. How the network
cut a head into pieces affects neither whether it is refused nor with which error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import httptools

from fastpath.errors import BAD_REQUEST, HEADER_SECTION_TOO_LARGE, NOT_IMPLEMENTED, HeadFault
from fastpath.limits import Limits

Headers = list[tuple[bytes, bytes]]

TCHAR = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"  # RFC 9110 section 5.6.2
# Possessive repeats: one pass, no backtracking, whatever the input. No field line can begin with
# white space (obs-fold) nor hold it before the colon, nor NUL, control characters, bare CR or LF.
_FIELDS = rb"((?:" + TCHAR + rb"++:[\t -~\x80-\xff]*+\r\n)*+)\r\n"
_REQUEST = re.compile(
    rb"(" + TCHAR + rb"++) ([!\"$-~][!\"$-~]*+) HTTP/1\.([01])\r\n" + _FIELDS, re.DOTALL
)
_RESPONSE = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*+)?\r\n" + _FIELDS, re.DOTALL
)
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]++|\[[0-9A-Fa-f:.]++\])(?::[0-9]{0,5})?")
_MAX_LENGTH = 2**63 - 1  # bytes; what off_t, and every store, can count
_MAX_DIGITS = 19
_MAX_OPTIONS = 100  # of a Connection field, as many as a head usually may have lines

# What no request line and no field may hold, looked for before the end of the head has come.
_GARBAGE = re.compile(rb"[^\t\r\n -~\x80-\xff]|\r(?!\n)|(?<!\r)\n")
_LINE_ENDS = (b" HTTP/1.1\r\n", b" HTTP/1.0\r\n")
_TCHAR_BYTES = frozenset(byte for byte in range(256) if re.fullmatch(TCHAR, bytes((byte,))))

# Fields that belong to the request itself. A Connection field that lists one would make the gateway
# drop what it verified and classified by (RFC 9110 section 7.6.1 forbids to list them).
END_TO_END = frozenset(
    (
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"content-range",
        b"content-type",
        b"date",
        b"expect",
        b"host",
        b"range",
    )
)


class ResponseFault(Exception):
    """A response was not understood: the upstream connection cannot be used any more."""


@dataclass(slots=True)
class RequestHead:
    """One request head. Built once by `parse_request_head`, never changed."""

    method: bytes
    target: bytes  # as on the wire
    path: bytes  # raw, before the first "?"
    query: bytes  # raw, after it
    http_minor: int  # 0 or 1
    headers: Headers  # lower-case names, values without outer white space, wire order
    fields: dict[bytes, bytes]  # repeated names joined with "," (RFC 9110 section 5.3)
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expect_continue: bool


@dataclass(slots=True)
class ResponseHead:
    """One response head. Built once by `parse_response_head`, never changed."""

    status: int
    headers: Headers
    fields: dict[bytes, bytes]
    content_length: int | None
    chunked: bool
    keep_alive: bool


class _Collector:
    """Collects the header fields that httptools reports for one head."""

    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: Headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))


def _bad_request() -> HeadFault:
    return HeadFault(BAD_REQUEST)


def _too_large(limit: int) -> HeadFault:
    return HeadFault(HEADER_SECTION_TOO_LARGE, ("MaxSizeAllowed", str(limit)))


def parse_request_head(raw: bytes, limits: Limits) -> RequestHead:
    """Parse a raw request head (start line ... CRLF CRLF). Raises HeadFault, and nothing else."""
    match = _REQUEST.fullmatch(raw)
    if match is None:
        raise _bad_request()
    if len(raw) > limits.request_line_bytes or len(raw) > limits.header_section_bytes:
        _check_sizes(match, len(raw), limits)
    headers = _request_headers(raw)
    if len(headers) > limits.header_count:
        raise _too_large(limits.header_section_bytes)
    fields = dict(headers)
    if len(fields) != len(headers):
        fields = _joined(headers)
    method, target, minor_text = match.group(1, 2, 3)
    minor = 1 if minor_text == b"1" else 0
    _check_host(fields, minor)
    if target[:1] != b"/" or method == b"CONNECT":
        # absolute-form, authority-form and asterisk-form address no bucket (RFC 9112 section 3.2);
        # an absolute form would also name the host a second time. The bytes after a CONNECT are
        # not HTTP, whatever its target.
        raise _bad_request()
    chunked = b"transfer-encoding" in fields
    if chunked:
        _check_transfer_encoding(fields, minor)
    length = None
    if b"content-length" in fields:
        length = _content_length(fields[b"content-length"])
    path, _, query = target.partition(b"?")
    return RequestHead(  # by position: eleven names cost 5,000 instructions (bench heads)
        method,
        target,
        path,
        query,
        minor,
        headers,
        fields,
        length,
        chunked,
        _request_keep_alive(fields, minor) if b"connection" in fields else minor == 1,
        b"expect" in fields and minor == 1 and fields[b"expect"].lower() == b"100-continue",
    )


def _check_sizes(match: re.Match[bytes], total: int, limits: Limits) -> None:
    """Check the limits of HeadBuffer for heads that did not come through one."""
    line = match.start(4) - 2
    if line > limits.request_line_bytes:
        raise _too_large(limits.request_line_bytes)
    if total - line - 2 > limits.header_section_bytes:
        raise _too_large(limits.header_section_bytes)


def _request_headers(raw: bytes) -> Headers:
    collector = _Collector()
    try:
        httptools.HttpRequestParser(collector).feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # a server may ignore an Upgrade (RFC 9110 section 7.8)
    except httptools.HttpParserError:
        raise _bad_request() from None
    return collector.headers


def _joined(headers: Headers) -> dict[bytes, bytes]:
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: b",".join(all_values) for name, all_values in values.items()}


def _check_host(fields: dict[bytes, bytes], minor: int) -> None:
    """RFC 9112 section 3.2: exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0."""
    host = fields.get(b"host")
    if host is None:
        if minor:
            raise _bad_request()
    elif not _is_host(host):  # a repeated field is joined by a comma and fails too
        raise _bad_request()


@lru_cache(maxsize=64)
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None


def _check_transfer_encoding(fields: dict[bytes, bytes], minor: int) -> None:
    """RFC 9112 section 6.1, 6.3: only `chunked`, only in HTTP/1.1, never with Content-Length."""
    coding = fields[b"transfer-encoding"].lower()
    if minor == 0 or b"content-length" in fields:
        raise _bad_request()
    if coding == b"chunked":
        return
    codings = [part.strip(b" \t") for part in coding.split(b",")]
    if codings[-1] == b"chunked" and b"chunked" not in codings[:-1] and b"" not in codings:
        raise HeadFault(NOT_IMPLEMENTED, ("Header", "Transfer-Encoding"))
    raise _bad_request()


def _content_length(value: bytes) -> int:
    """RFC 9110 section 8.6. A repeated field was joined by a comma: refused, even if equal."""
    length = _length(value)
    if length is None:
        raise _bad_request()
    return length


def _length(value: bytes) -> int | None:
    """Return the number of 1 to 19 digits, if a store can count so far; else None."""
    if len(value) > _MAX_DIGITS or not value.isdigit():
        return None
    length = int(value)
    return length if length <= _MAX_LENGTH else None


def _request_keep_alive(fields: dict[bytes, bytes], minor: int) -> bool:
    tokens = connection_tokens(fields[b"connection"])
    if len(tokens) > _MAX_OPTIONS:
        raise _bad_request()
    for token in tokens:
        if token in END_TO_END or token.startswith(b"x-amz-"):
            raise _bad_request()
    return _keeps_connection(tokens, minor)


def connection_tokens(value: bytes) -> list[bytes]:
    """Return the options of a Connection field in lower case (RFC 9110 section 7.6.1)."""
    return [token for part in value.lower().split(b",") if (token := part.strip(b" \t"))]


def _keeps_connection(tokens: list[bytes], minor: int) -> bool:
    """RFC 9112 section 9.3: `close` wins; HTTP/1.0 keeps only when asked to."""
    return b"close" not in tokens and (minor == 1 or b"keep-alive" in tokens)


def parse_response_head(raw: bytes) -> ResponseHead:
    """Parse a raw response head (status line ... CRLF CRLF). Raises ResponseFault only."""
    match = _RESPONSE.fullmatch(raw)
    if match is None:
        raise ResponseFault("not an HTTP/1 response head")
    minor_text, status_text = match.group(1, 2)
    minor = 1 if minor_text == b"1" else 0
    status = int(status_text)
    headers = _response_headers(raw)
    fields = dict(headers)
    if len(fields) != len(headers):
        fields = _joined(headers)
    chunked = b"transfer-encoding" in fields
    keep = _response_keep_alive(fields, minor)
    if status < 200 or status == 204 or status == 304:
        # The response ends with its head, whatever the head says of a body (RFC 9112 section 6.3);
        # such a body may follow all the same, and it answers no request.
        keep = keep and not (chunked or (status != 304 and _announces_body(fields)))
        length = _response_length(fields) if status == 304 else None
        if status == 101:
            raise ResponseFault("101 without having asked for an upgrade")
    else:
        length = _response_length(fields)
        if chunked:
            _check_response_framing(fields, minor)
    return ResponseHead(  # by position, as above
        status,
        headers,
        fields,
        length,
        chunked,
        keep,
    )


def _response_headers(raw: bytes) -> Headers:
    collector = _Collector()
    try:
        httptools.HttpResponseParser(collector).feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as fault:
        raise ResponseFault(f"unreadable response head: {fault}") from None
    return collector.headers


def _response_keep_alive(fields: Mapping[bytes, bytes], minor: int) -> bool:
    connection = fields.get(b"connection")
    if connection is None:
        return minor == 1
    if connection == b"keep-alive":  # most: without a list
        return True
    return _keeps_connection(connection_tokens(connection), minor)


def _response_length(fields: Mapping[bytes, bytes]) -> int | None:
    value = fields.get(b"content-length")
    if value is None:
        return None
    length = _length(value)
    if length is None:
        raise ResponseFault("malformed or repeated Content-Length")
    return length


def _announces_body(fields: Mapping[bytes, bytes]) -> bool:
    return bool(fields.get(b"content-length", b"0").strip(b"0"))


def _check_response_framing(fields: Mapping[bytes, bytes], minor: int) -> None:
    """RFC 9112 section 6.3 and 6.1, in the strict reading."""
    if minor == 0 or b"content-length" in fields:
        raise ResponseFault("Transfer-Encoding in HTTP/1.0 or with Content-Length")
    if fields[b"transfer-encoding"].lower() != b"chunked":
        raise ResponseFault("Transfer-Encoding other than chunked")


class HeadBuffer:
    """Collects the bytes of one request head, then of the next one."""

    __slots__ = (
        "_begun",
        "_buffer",
        "_checked",
        "_limits",
        "_line_end",
        "_rest",
        "_scanned",
        "_skipped_crlf",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._rest = b""  # bytes after a head; not in the buffer: they may be of a large body
        self._restart()

    def _restart(self) -> None:
        self._skipped_crlf = False  # one CRLF before the request line was skipped
        self._begun = False  # the first byte can begin a request
        self._line_end = 0  # bytes of the request line with its CRLF; 0 while it is not complete
        self._scanned = (
            0  # the line end or head end that is searched for does not begin before here
        )
        self._checked = 0  # there is no garbage before here

    @property
    def begun(self) -> bool:
        """Whether the first byte of a request has come; an empty line before it does not count."""
        return self._begun

    def feed(self, data: bytes) -> bytes | None:
        """Return the raw head once it is complete, else None; `take_rest` has what follows it.

        Raises HeadFault as soon as the bytes cannot become a valid head: not HTTP/1, too large, or
        with a byte that no head may hold.
        """
        buffer = self._buffer
        if self._rest:
            data, self._rest = self._rest + data, b""
        if (
            not buffer
            and not self._skipped_crlf
            and (head := self._head_in_one_piece(data)) is not None
        ):
            return head
        buffer += data
        if not self._line_end and not self._find_request_line():
            return None
        limit = self._line_end + self._limits.header_section_bytes
        end = buffer.find(b"\r\n\r\n", self._scanned, limit)
        if end < 0:
            self._scanned = max(self._line_end - 2, len(buffer) - 3)
            self._check_partial(limit, self._limits.header_section_bytes)
            return None
        head = bytes(buffer[: end + 4])
        del buffer[: end + 4]
        self._restart()
        return head

    def _head_in_one_piece(self, data: bytes) -> bytes | None:
        """Return a head that came in one piece, as most do (saves 8,000 instructions in `heads`).

        None: the rest of this class must look at the bytes, which finds the same heads.
        """
        limits = self._limits
        line = data.find(b"\n", 0, limits.request_line_bytes + 2) + 1
        if not data.endswith(_LINE_ENDS, 0, line) or data[0] not in _TCHAR_BYTES:
            return None
        end = data.find(b"\r\n\r\n", line - 2, line + limits.header_section_bytes) + 4
        if end < 4:
            return None
        self._rest = data[end:]
        return data[:end]

    def take_rest(self) -> bytes:
        """Return the bytes after the head (a body, the next request) and empty the buffer."""
        if not self._buffer and not self._skipped_crlf:
            rest, self._rest = self._rest, b""
            return rest
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._restart()
        return rest

    def _find_request_line(self) -> bool:
        """Whether the request line is complete. Raises HeadFault if it cannot become valid."""
        buffer = self._buffer
        if not self._begun and not self._begin():
            return False
        limit = self._limits.request_line_bytes + 2
        end = buffer.find(b"\n", self._scanned, limit) + 1
        if not end:
            self._scanned = len(buffer)
            self._check_partial(limit, self._limits.request_line_bytes)
            return False
        if not buffer.endswith(_LINE_ENDS, 0, end):
            raise _bad_request()  # HTTP/0.9, HTTP/2 preface, another version, a bare LF
        self._line_end = end
        self._scanned = end - 2
        return True

    def _begin(self) -> bool:
        """Whether the first byte of a request is there; skips one CRLF (RFC 9112 section 2.2)."""
        buffer = self._buffer
        if not self._skipped_crlf and buffer.startswith(b"\r"):
            if len(buffer) == 1:
                return False
            if buffer[1] != 0x0A:
                raise _bad_request()
            del buffer[:2]
            self._skipped_crlf = True
        if not buffer:
            return False
        if buffer[0] not in _TCHAR_BYTES:
            raise _bad_request()  # a TLS hello, NUL, ...
        self._begun = True
        return True

    def _check_partial(self, limit: int, allowed: int) -> None:
        """Refuse an incomplete head that has `limit` bytes, or a byte that no head may hold.

        Such a byte decides the error, wherever it is, so that the error does not depend on how the
        bytes came.
        """
        buffer = self._buffer
        end = min(len(buffer), limit)
        if end and buffer[end - 1] == 0x0D:
            end -= 1  # its LF may be on the way
        if _GARBAGE.search(buffer, self._checked, end) is not None:
            raise _bad_request()
        self._checked = end
        if len(buffer) >= limit:
            raise _too_large(allowed)
