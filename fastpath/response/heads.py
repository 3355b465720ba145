"""Writes response heads for clients: the target's own without its hop's lines, or the gateway's.

Rules: the status, reason and header lines of a relayed response stay byte for byte, unless they
belong to the hop or tell another gateway's decision; every response has `x-amz-request-id`; a
response to HEAD has no body.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

from fastpath.errors import SLOW_DOWN, S3Error
from fastpath.http.framing import BY_LENGTH, IN_CHUNKS, NO_BODY, UNTIL_CLOSE, BodyKind
from fastpath.http.head import RequestHead, ResponseHead, parse_response_head
from fastpath.http.hop_by_hop import (
    HOP_BY_HOP,
    header_line_pattern,
    without_headers,
    without_hop_by_hop,
)
from fastpath.response.decision_headers import RULE, TARGET
from fastpath.response.own_answer import OwnAnswer
from fastpath.s3.operations import MethodNotAllowed
from fastpath.s3.xml_writer import error_document

_HOP_LINES = header_line_pattern(HOP_BY_HOP)
# What is said of a body that is replaced: beside a new length no other framing may stand.
_BODY_LINES = header_line_pattern(
    (b"content-length", b"content-type", b"content-encoding", b"transfer-encoding")
)
_CORS = header_line_pattern((b"access-control-[a-z-]+",))
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_LENGTH = (b"content-length",)
_DECISION = (TARGET, RULE)
_CLOSE = b"\r\nConnection: close"
_KEEP = b"\r\nConnection: keep-alive"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def relayed_head(
    raw: bytes,
    answer: ResponseHead,
    kind: BodyKind,
    request: RequestHead,
    extra: tuple[bytes, bool],
    cors: bytes = b"",
) -> bytes:
    """Return the head of a target's response for the client.

    `extra` is the gateway's request id (used if the target gave none) and whether the connection
    closes afterwards. `cors` are lines, each with its CRLF, that replace the target's own
    Access-Control-* lines. A body of unknown length is chunked for HTTP/1.1 and ends with the
    connection for HTTP/1.0 (RFC 9112 section 6.1).
    """
    request_id, close = extra
    end = raw.index(b"\r\n")
    lines = without_hop_by_hop(raw[end:-4], _HOP_LINES, answer.fields)
    if answer.status == 204 and answer.fields.get(b"content-length", b"0") != b"0":
        # A 204 has no body, but a client might wait for one (RFC 9110 section 8.6).
        lines = without_headers(lines, _LENGTH)
    if TARGET in answer.fields or RULE in answer.fields:
        # Of a gateway that is the target: its decisions are not for clients of this one.
        lines = without_headers(lines, _DECISION)
    if cors:
        lines = _CORS.sub(b"", lines) + b"\r\n" + cors[:-2]
    head = b"HTTP/1.1" + raw[8:end] + lines
    if b"x-amz-request-id" not in answer.fields:
        head += b"\r\nx-amz-request-id: " + request_id
    if kind >= IN_CHUNKS and request.http_minor:
        head += b"\r\nTransfer-Encoding: chunked"
    if close:
        head += _CLOSE
    elif not request.http_minor:
        head += _KEEP
    return head + b"\r\n\r\n"


def with_lines(head: bytes, lines: bytes) -> bytes:
    """Return a complete head with more header lines, each with its CRLF."""
    return head[:-2] + lines + b"\r\n"


def document_head(
    raw: bytes, status: int | None, length: int | None = None
) -> tuple[bytes, ResponseHead]:
    """Return the head of a response whose body is replaced; `length` if it is known."""
    lines = b"\r\nContent-Type: application/xml"
    if length is not None:
        lines += b"\r\nContent-Length: %d" % length
    return _rewritten(raw, status, _BODY_LINES, lines)


def changed_head(
    raw: bytes, status: int | None, drop: Sequence[bytes], add: Sequence[tuple[bytes, bytes]]
) -> tuple[bytes, ResponseHead]:
    """Return the head of a response with another `status`, without some headers, with others."""
    lines = b"".join([b"\r\n%b: %b" % field for field in add])
    return _rewritten(raw, status, header_line_pattern(tuple(drop)) if drop else None, lines)


def _rewritten(
    raw: bytes, status: int | None, drop: re.Pattern[bytes] | None, lines: bytes
) -> tuple[bytes, ResponseHead]:
    end = raw.index(b"\r\n")
    first = raw[:end] if status is None else b"HTTP/1.1 %d %b" % (status, _REASONS[status])
    kept = raw[end:-4] if drop is None else drop.sub(b"", raw[end:-4])
    head = first + kept + lines + b"\r\n\r\n"
    return head, parse_response_head(head)


def error_response(
    error: S3Error,
    ids: tuple[str, str],
    *,
    to_head: bool,
    keep: bool,
    is_http10: bool = False,
    extra_lines: bytes = b"",
) -> bytes:
    """Return a whole error response.

    ids: the request id and the host id.
    extra_lines: more header lines, each with its CRLF.
    """
    status = error.kind.status
    reason = b"Slow Down" if error.kind is SLOW_DOWN else _REASONS[status]
    bodiless = to_head or status == HTTPStatus.NOT_MODIFIED
    body = b"" if bodiless else error_document(error, *ids)
    lines = [
        b"HTTP/1.1 %d %b" % (status, reason),
        b"x-amz-request-id: " + ids[0].encode(),
        b"x-amz-id-2: " + ids[1].encode(),
        b"Date: " + formatdate(usegmt=True).encode(),
        b"Server: s3gateway",
        *[b"%b: %b" % field for field in error.fields],
    ]
    if status != HTTPStatus.NOT_MODIFIED:
        lines.append(b"Content-Type: application/xml")
    if not bodiless:
        lines.append(b"Content-Length: %d" % len(body))
    if isinstance(error, MethodNotAllowed):
        lines.append(b"Allow: " + error.allow.encode())
    if error.retry_after:
        lines.append(b"Retry-After: %d" % error.retry_after)
    if not keep:
        lines.append(b"Connection: close")
    elif is_http10:
        lines.append(b"Connection: keep-alive")
    return b"\r\n".join(lines) + b"\r\n" + extra_lines + b"\r\n" + body


def head_of_answer(
    answer: OwnAnswer,
    request_id: str,
    *,
    keep: bool,
    is_http10: bool = False,
    extra_lines: bytes = b"",
) -> bytes:
    """Return the head of a whole response of the gateway's own that is no error."""
    # A 204 has no length (RFC 9110 section 8.6).
    framing = [] if answer.status == 204 else [b"Content-Length: %d" % len(answer.body)]
    if answer.body:
        framing.append(b"Content-Type: application/xml")
    return own_head(
        answer.status,
        [*answer.lines, *framing],
        request_id,
        keep=keep,
        is_http10=is_http10,
        extra_lines=extra_lines,
    )


def own_head(
    status: int,
    lines: Sequence[bytes],
    request_id: str,
    *,
    keep: bool,
    is_http10: bool = False,
    extra_lines: bytes = b"",
) -> bytes:
    """Return the head of a response of the gateway's own.

    lines: header lines without CRLF, among them those about the body.
    extra_lines: more header lines, each with its CRLF.
    """
    lines = [b"HTTP/1.1 %d %b" % (status, _REASONS[status]), *lines]
    if not any(line.lower().startswith(b"x-amz-request-id:") for line in lines):
        lines.append(b"x-amz-request-id: " + request_id.encode())
    lines += [b"Date: " + formatdate(usegmt=True).encode(), b"Server: s3gateway"]
    if not keep:
        lines.append(b"Connection: close")
    elif is_http10:
        lines.append(b"Connection: keep-alive")
    return b"\r\n".join(lines) + b"\r\n" + extra_lines + b"\r\n"


def reply_framing(
    request: RequestHead, status: int, length: int | None
) -> tuple[BodyKind, list[bytes]]:
    """Return how a response of the gateway's own is framed, and its header lines.

    length: of the body; None: it is not known, and the body is chunked for HTTP/1.1 and ends with
        the connection for HTTP/1.0.
    """
    if status in (204, 304):
        return NO_BODY, []
    if length is not None:
        kind = NO_BODY if request.method == b"HEAD" else BY_LENGTH
        return kind, [b"Content-Length: %d" % length]
    if request.method == b"HEAD":
        return NO_BODY, []
    if request.http_minor:
        return IN_CHUNKS, [b"Transfer-Encoding: chunked"]
    return UNTIL_CLOSE, []


def health_response(request: RequestHead, *, refuses: bytes, keep: bool) -> bytes:
    """Return the response to `/-/healthz` or `/-/readyz`: 200, or 503 and why."""
    body = refuses + b"\n" if refuses else b"ok\n"
    head = (
        b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nCache-Control: no-store\r\n"
        b"Content-Length: %d\r\nConnection: %b\r\n\r\n"
        % (
            b"503 Service Unavailable" if refuses else b"200 OK",
            len(body),
            b"keep-alive" if keep else b"close",
        )
    )
    return head if request.method == b"HEAD" else head + body
