"""Header lines whose values lakeFS reads in another way, and names that it writes in one.

    up     a tab, DEL, white space of Unicode, bytes that are no UTF-8
                x-amz-meta-*      as a word of RFC 2047, which lakeFS decodes before it stores it
                other x-amz-*     400: no value of S3 has them
    down   X-Amz-Meta-Owner       x-amz-meta-owner, as S3 writes it

Rules: pure; what both sides canonicalise in the same way goes up byte for byte. lakeFS (Go) trims
Unicode's white space where S3 knows the space alone, and reads bytes that are no UTF-8 as U+FFFD.

Not here: which metadata is too large (`promises`).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping

from fastpath.dialects.lakefs.list_requests import invalid
from fastpath.dialects.translation import Amendment, Fields
from fastpath.http.head import ResponseHead

METADATA = b"x-amz-meta-"
_SIGNED = b"x-amz-"
_ALSO_SIGNED = b"content-md5"
# Written by the gateway itself, whatever the client sent.
_OURS = frozenset(
    {b"x-amz-content-sha256", b"x-amz-copy-source", b"x-amz-date", b"x-amz-security-token"}
)
_STRANGE = re.compile("[\t\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_NAMES = METADATA + rb"[^\r:]*"  # a pattern of `hop.header_line_pattern`


def strange_lines(fields: Mapping[bytes, bytes]) -> Fields:
    """Lines of metadata that go up in another form. Raises S3Error InvalidArgument."""
    found: list[tuple[bytes, bytes]] = []
    for name, value in fields.items():
        if not name.startswith(_SIGNED) and name != _ALSO_SIGNED:
            continue
        if _is_plain(value) or name in _OURS:
            continue
        if not name.startswith(METADATA):
            text = "Header value has a character that it must not have."
            raise invalid(name.decode(), text, value.decode("latin-1"))
        found.append((name, _as_word(value)))
    return found


def _is_plain(value: bytes) -> bool:
    try:
        return _STRANGE.search(value.decode()) is None
    except UnicodeDecodeError:
        return False


def _as_word(value: bytes) -> bytes:
    try:
        value.decode()
    except UnicodeDecodeError:  # what S3 reads it as
        value = value.decode("latin-1").encode()
    return b"=?utf-8?b?%b?=" % b64encode(value)


def with_names_of_s3(head: ResponseHead, amendment: Amendment | None) -> Amendment | None:
    """The amendment of an object's head, and its metadata by names in lower case."""
    lines = [field for field in head.headers if field[0].startswith(METADATA)]
    if not lines:
        return amendment
    status, drop, add = amendment or Amendment()
    return Amendment(status, [*drop, _NAMES], [*add, *lines])
