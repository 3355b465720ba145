"""User metadata and content type of an object, from the headers that create it.

Rules: names are kept in lower case and written as Go writes names of headers (`X-Amz-Meta-Owner`);
values are RFC 2047 decoded when written and Q-encoded when read if not ASCII; everything but the
content type and x-amz-meta-* is forgotten.
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from tests.doubles.lakefs.errors import Refusal
from tests.doubles.lakefs.wire import Request, raw_bytes

MAX_BYTES = 2048
_PREFIX = "x-amz-meta-"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+\Z")


def content_type(request: Request) -> str:
    return request.header("content-type") or "application/octet-stream"


def read(request: Request) -> dict[str, str]:
    """Raises Refusal MetadataTooLarge; names that are no HTTP token are dropped."""
    found: dict[str, str] = {}
    for header, value in request.headers:
        name = header.removeprefix(_PREFIX)
        if header.startswith(_PREFIX) and _TOKEN.match(name):
            found.setdefault(name, _decode(value))
    if sum(len(name) + len(raw_bytes(value)) for name, value in found.items()) > MAX_BYTES:
        raise Refusal("MetadataTooLarge")
    return found


def headers(metadata: dict[str, str]) -> dict[str, str]:
    return {f"X-Amz-Meta-{_canonical(name)}": _encode(value) for name, value in metadata.items()}


def _canonical(name: str) -> str:
    """As Go's net/textproto does: the first letter, and those behind a hyphen, in upper case."""
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))


def _decode(value: str) -> str:
    try:
        return str(make_header(decode_header(value))) if "=?" in value else value
    except (HeaderParseError, LookupError, UnicodeDecodeError):
        return value


def _encode(value: str) -> str:
    """Q-encoding as Go's mime package writes it; ASCII stays as it is."""
    if value.isascii():
        return value
    signs = (chr(byte) for byte in raw_bytes(value))
    coded = "".join(
        sign if sign.isascii() and sign.isalnum() else "_" if sign == " " else f"={ord(sign):02X}"
        for sign in signs
    )
    return f"=?utf-8?q?{coded}?="
