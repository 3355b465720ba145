"""Writes the request head for the target: the client's lines that are forwarded, signed anew.

Rules: the raw path, and the order, spelling and bytes of every header line that stays, are the
client's; headers that a presigner moved into the query become headers again; hop-by-hop headers and
those that Connection lists, the client's signature, date, token and presign parameters, cookies,
Expect, and headers that a target would trust from a proxy (`headers_not_forwarded`) are never
forwarded; every `x-amz-*` header and Content-MD5 that is forwarded is signed (AWS errors 1.28),
nothing that a hop may change is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from fastpath.http.head import Headers, RequestHead
from fastpath.http.hop_by_hop import (
    header_line_pattern,
    with_other_headers,
    without_hop_by_hop,
)
from fastpath.http.query import upstream_query
from fastpath.payload.body_plan import BodyPlan
from fastpath.request.admission import VIA_PREFIX
from fastpath.request.admitted import Admitted
from fastpath.request.headers_not_forwarded import OF_THE_HOP, is_not_forwarded
from fastpath.request.virtual_host import host_and_path
from fastpath.s3.operations import OPERATIONS

_DROPPED_LINES = header_line_pattern(OF_THE_HOP)
_NOTHING: tuple[bytes, ...] = ()
_DOWNLOAD = OPERATIONS["GetObject"]
_RESIGNED = frozenset({b"x-amz-content-sha256", b"x-amz-date", b"x-amz-security-token"})
# Names in most heads, which need no further check (heads: 3,000 instructions): they are not signed,
# and the table above says which are forwarded.
_COMMON_NAMES = _RESIGNED | {
    b"accept",
    b"accept-encoding",
    b"amz-sdk-invocation-id",
    b"amz-sdk-request",
    b"authorization",
    b"connection",
    b"content-length",
    b"content-type",
    b"expect",
    b"host",
    b"range",
    b"user-agent",
}


def upstream_head(
    raw: bytes,
    head: RequestHead,
    admitted: Admitted,
    instance: bytes,
    now: float,
    body_plan: BodyPlan | None = None,
) -> bytes:
    """Return the head of this request for its target; `now` in epoch seconds.

    `body_plan`: how its body is sent, if not as it comes.
    """
    address, target = admitted.upstream_address, admitted.target
    if admitted.rewritten_headers:
        raw, head = _with_rewritten(raw, head, admitted.rewritten_headers)
    virtual = target.virtual
    host, path = host_and_path(target, address) if virtual else (target.authority, address.path)
    query = head.query if admitted.renamed is None else admitted.renamed.raw_query
    query = upstream_query(query, admitted.presigned_names)
    drop = _NOTHING if admitted.renamed is None else _codings_not_asked_for(admitted, head)
    payload, length, added = admitted.payload, head.content_length, admitted.query_headers
    translation = admitted.translation
    if translation is not None:
        query = query if translation.query is None else translation.query
        drop += translation.drop
    body_headers = body_plan.body_headers if body_plan is not None else None
    if body_headers is not None:
        payload, length = body_headers.payload, body_headers.length
        drop += body_headers.drop
    signed = [field for field in head.headers if field[0] not in _COMMON_NAMES]
    if signed or added:  # not of most downloads
        signed, left = _split_fields(signed, added)
        drop += left
    if drop:
        signed, added = _without(signed, drop), _without(added, drop)
    if translation is not None:
        added = [*added, *translation.add]
    if body_headers is not None:
        added = [*added, *body_headers.add]
    signed += added
    signatures = admitted.signer.sign(head.method, path, query, host, signed, payload, now)
    if body_plan is not None and body_headers is not None:
        body_plan.filter.begin(admitted.signer.chain(signatures))
    lines = [
        b"%b %b%b HTTP/1.1\r\nhost: %b\r\n"
        % (head.method, path, b"?" + query if query else b"", host),
        *signatures,
        _via(head, instance),
        *[b"%b: %b\r\n" % field for field in added],
    ]
    if length is not None:
        lines.append(b"content-length: %d\r\n" % length)
    instead = body_headers.lines if body_headers is not None else b""
    kept = without_hop_by_hop(raw[raw.index(b"\r\n") :], _DROPPED_LINES, head.fields, drop)
    lines += (instead, kept[2:])
    return b"".join(lines)


def _codings_not_asked_for(admitted: Admitted, head: RequestHead) -> tuple[bytes, ...]:
    """Leave out which codings the client accepts, if the gateway reads the response: not all."""
    accepted = head.fields.get(b"accept-encoding", b"identity")
    if accepted == b"identity" or admitted.operation is _DOWNLOAD:
        return _NOTHING
    return (b"accept-encoding",)


def _with_rewritten(
    raw: bytes, head: RequestHead, rewritten_headers: Sequence[tuple[bytes, bytes]]
) -> tuple[bytes, RequestHead]:
    """Replace these headers in the client's head."""
    names = tuple(name for name, _ in rewritten_headers)
    headers = [*_without(head.headers, names), *rewritten_headers]
    return with_other_headers(raw, names, rewritten_headers), replace(head, headers=headers)


def _split_fields(
    fields: Headers, added: Sequence[tuple[bytes, bytes]]
) -> tuple[Headers, tuple[bytes, ...]]:
    """Return the fields that are signed, and the names of those that are not forwarded."""
    signed: Headers = []
    left = [name for name, _ in added if is_not_forwarded(name)] if added else []
    for field in fields:
        name = field[0]
        if is_not_forwarded(name):
            left.append(name)
        elif name.startswith(b"x-amz-") or name == b"content-md5":
            signed.append(field)
    return signed, tuple(left)


def _without(
    fields: Sequence[tuple[bytes, bytes]], names: tuple[bytes, ...]
) -> list[tuple[bytes, bytes]]:
    dropped = frozenset(names)  # a client may send very many
    return [field for field in fields if field[0] not in dropped]


def _via(head: RequestHead, instance: bytes) -> bytes:
    earlier = head.fields.get(b"via")
    if earlier is None:
        return _first_hop(instance)
    return b"via: %b, 1.1 %b%b\r\n" % (earlier, VIA_PREFIX, instance)


@lru_cache(maxsize=4)
def _first_hop(instance: bytes) -> bytes:
    return b"via: 1.1 %b%b\r\n" % (VIA_PREFIX, instance)
