"""Answers a form once its file is stored.

Rules: AWS's responses (AWS errors 5.25, 5.26): 204, or 200 or 201 if `success_action_status` says
so (any other value means 204), or 303 to `success_action_redirect`, unless that is no URL; errors
never redirect. The target's ETag and x-amz-* headers are relayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from fastpath.http.head import ResponseHead
from fastpath.response.own_answer import OwnAnswer
from fastpath.s3.addressing import Address
from fastpath.s3.xml_writer import DECLARATION, element

Fields = Mapping[bytes, bytes]  # by lower-case name

_STATUS = {b"200": 200, b"201": 201}


def form_answer(fields: Fields, address: Address, base: bytes, stored: ResponseHead) -> OwnAnswer:
    """Answer a form; `stored`: the target's response; `base`: the client's URL of the bucket."""
    etag = stored.fields.get(b"etag", b"")
    lines = [b"ETag: " + etag] if etag else []
    lines += [b"%b: %b" % field for field in stored.headers if field[0].startswith(b"x-amz-")]
    wanted = fields.get(b"success_action_redirect", fields.get(b"redirect", b""))
    redirect = _redirect(wanted, address, etag)
    if redirect:
        return OwnAnswer(303, [*lines, b"Location: " + redirect], b"")
    location = base + quote(address.key, safe="").encode()
    lines.append(b"Location: " + location)
    status = _STATUS.get(fields.get(b"success_action_status", b""), 204)
    body = _document(location, address, etag) if status == 201 else b""
    return OwnAnswer(status, lines, body)


def _document(location: bytes, address: Address, etag: bytes) -> bytes:
    values = (
        ("Location", location),
        ("Bucket", address.bucket),
        ("Key", address.key),
        ("ETag", etag),
    )
    elements = [element(name, value.decode("utf-8", "replace")) for name, value in values]
    return f"{DECLARATION}<PostResponse>{''.join(elements)}</PostResponse>".encode()


def _redirect(url: bytes, address: Address, etag: bytes) -> bytes:
    """Return the URL with bucket, key and etag in its query; empty if it is no valid URL."""
    if not url.isascii() or not url.decode().isprintable() or b" " in url:
        return b""
    try:
        parts = urlsplit(url.decode())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return b""
    except ValueError:
        return b""
    added = [
        f"{name}={quote(value, safe='')}"
        for name, value in (("bucket", address.bucket), ("key", address.key), ("etag", etag))
    ]
    query = "&".join([parts.query, *added] if parts.query else added)
    return urlunsplit(parts._replace(query=query)).encode()
