"""The request head as the target gets it: the client's own lines, less what must not cross, signed.

Rules: the raw path and the order, spelling and bytes of every header line that stays are the
client's; headers that a presigner moved into the query are headers again; hop-by-hop and
Connection-listed lines, the client's signature, date, token and presign parameters, cookies,
Expect, and what a target would believe of a proxy (`crossing`) never cross; every `x-amz-*` header
and Content-MD5 that crosses is signed (AWS errors 1.28), nothing a hop may change is.

Not here: whether the request may go at all (`admission`), its body (`exchange`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from fastpath.http.head import Headers, RequestHead
from fastpath.http.hop_by_hop import (
    HOP_BY_HOP,
    header_line_pattern,
    without_headers,
    without_hop_by_hop,
)
from fastpath.http.query import upstream_query
from fastpath.payload.body_plan import BodyPlan
from fastpath.request.admission import HOP_NAME, Admission
from fastpath.request.headers_not_forwarded import never_crosses
from fastpath.request.virtual_host import host_and_path

# What belongs to the client's hop or is written anew below.
_STAYS_BEHIND = header_line_pattern(
    (
        *HOP_BY_HOP,
        b"authorization",
        b"content-length",
        b"cookie",
        b"date",
        b"expect",
        b"host",
        b"via",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-amz-security-token",
    )
)
_NOTHING: tuple[bytes, ...] = ()
_RESIGNED = frozenset({b"x-amz-content-sha256", b"x-amz-date", b"x-amz-security-token"})
# Names of most heads: found in a set before they are looked at (heads: 3,000 instructions). They
# are not signed, and whether they cross is known from above.
_USUAL = _RESIGNED | {
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
    admission: Admission,
    instance: bytes,
    now: float,
    body_plan: BodyPlan | None = None,
) -> bytes:
    """The bytes that open this request towards its target; `now` in epoch seconds.

    `body_plan`: how its body goes up, if not as it comes.
    """
    address, target, signer = admission.address, admission.target, admission.signer
    assert address is not None  # admitted
    assert target is not None
    assert signer is not None
    if admission.restated:
        raw, head = _restated(raw, head, admission.restated)
    virtual = target.virtual
    host, path = host_and_path(target, address) if virtual else (target.authority, address.path)
    query, drop = upstream_query(head.query, admission.presigned_names), _NOTHING
    payload, length, added = admission.payload, head.content_length, admission.added
    translation = admission.translation
    if translation is not None:
        query = query if translation.query is None else translation.query
        drop = translation.drop
    body_headers = body_plan.body_headers if body_plan is not None else None
    if body_headers is not None:
        payload, length = body_headers.payload, body_headers.length
        drop += body_headers.drop
    signed = [field for field in head.headers if field[0] not in _USUAL]
    if signed or added:  # not of most downloads
        signed, left = _sorted_out(signed, added)
        drop += left
    if drop:
        signed, added = _without(signed, drop), _without(added, drop)
    if translation is not None:
        added = [*added, *translation.add]
    if body_headers is not None:
        added = [*added, *body_headers.add]
    signed += added
    signatures = signer.sign(head.method, path, query, host, signed, payload, now)
    if body_plan is not None and body_headers is not None:
        body_plan.filter.begin(signer.chain(signatures))
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
    kept = without_hop_by_hop(raw[raw.index(b"\r\n") :], _STAYS_BEHIND, head.fields, drop)
    lines += (instead, kept[2:])
    return b"".join(lines)


def _restated(
    raw: bytes, head: RequestHead, restated: Sequence[tuple[bytes, bytes]]
) -> tuple[bytes, RequestHead]:
    """The client's head with these headers in other words."""
    names = tuple(name for name, _ in restated)
    lines = b"".join([b"\r\n%b: %b" % field for field in restated])
    headers = [*_without(head.headers, names), *restated]
    return without_headers(raw[:-4], names) + lines + raw[-4:], replace(head, headers=headers)


def _sorted_out(
    fields: Headers, added: Sequence[tuple[bytes, bytes]]
) -> tuple[Headers, tuple[bytes, ...]]:
    """Of less usual fields those that are signed, and the names of those that never cross."""
    signed: Headers = []
    left = [name for name, _ in added if never_crosses(name)] if added else []
    for field in fields:
        name = field[0]
        if never_crosses(name):
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
    return b"via: %b, 1.1 %b%b\r\n" % (earlier, HOP_NAME, instance)


@lru_cache(maxsize=4)
def _first_hop(instance: bytes) -> bytes:
    return b"via: 1.1 %b%b\r\n" % (HOP_NAME, instance)
