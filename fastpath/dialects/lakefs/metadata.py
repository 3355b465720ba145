"""Translates header values that lakeFS reads differently, and names of metadata.

    request    a tab, DEL, white space of Unicode, bytes that are no UTF-8
                    x-amz-meta-*      as an encoded word (RFC 2047), which lakeFS decodes
                    other x-amz-*     400: no value of S3 has them
    response   X-Amz-Meta-Owner       x-amz-meta-owner, as S3 writes it

Rules: a value that both sides canonicalise in the same way is sent byte for byte. lakeFS (Go) trims
Unicode's white space where S3 trims only spaces, and reads bytes that are no UTF-8 as U+FFFD.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping

from fastpath.dialects.translation import Fields
from fastpath.http.head import ResponseHead
from fastpath.response.filters import HeadChange
from fastpath.s3.list_parameters import invalid
from fastpath.s3.metadata import METADATA_PREFIX

_SIGNED = b"x-amz-"
_ALSO_SIGNED = b"content-md5"
# Headers that the gateway sets itself, whatever the client sent.
_SET_BY_GATEWAY = frozenset(
    {b"x-amz-content-sha256", b"x-amz-copy-source", b"x-amz-date", b"x-amz-security-token"}
)
_READ_DIFFERENTLY = re.compile("[\t\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_NAMES = METADATA_PREFIX + rb"[^\r:]*"  # for `header_line_pattern`


def rewritten_metadata(fields: Mapping[bytes, bytes]) -> Fields:
    """Return the metadata that is sent in another form. Raises S3Error InvalidArgument."""
    found: list[tuple[bytes, bytes]] = []
    for name, value in fields.items():
        if not name.startswith(_SIGNED) and name != _ALSO_SIGNED:
            continue
        if _is_read_alike(value) or name in _SET_BY_GATEWAY:
            continue
        if not name.startswith(METADATA_PREFIX):
            text = "Header value has a character that it must not have."
            raise invalid(name.decode(), text, value.decode("latin-1"))
        found.append((name, _as_encoded_word(value)))
    return found


def _is_read_alike(value: bytes) -> bool:
    try:
        return _READ_DIFFERENTLY.search(value.decode()) is None
    except UnicodeDecodeError:
        return False


def _as_encoded_word(value: bytes) -> bytes:
    try:
        value.decode()
    except UnicodeDecodeError:  # what S3 reads it as
        value = value.decode("latin-1").encode()
    return b"=?utf-8?b?%b?=" % b64encode(value)


def with_lower_case_metadata(
    head: ResponseHead, head_change: HeadChange | None
) -> HeadChange | None:
    """Return a HeadChange that also writes the names of metadata in lower case."""
    lines = [field for field in head.headers if field[0].startswith(METADATA_PREFIX)]
    if not lines:
        return head_change
    status, drop, add = head_change or HeadChange()
    return HeadChange(status, [*drop, _NAMES], [*add, *lines])
