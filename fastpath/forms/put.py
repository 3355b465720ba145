"""Builds the head of the PutObject that a form means from the form's fields.

Rules: nothing in the browser's own head counts, since nobody signed it: only fields become headers,
and only those in the table below; `${filename}` is replaced in every field that is not part of the
signature (AWS "HTML form fields"); an x-amz-* field that is in no table is refused, because it
could change which operation the upload is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from fastpath.errors import INVALID_ARGUMENT, MALFORMED_XML, NOT_IMPLEMENTED, S3Error
from fastpath.forms.signature import require
from fastpath.http.head import RequestHead
from fastpath.http.query import is_field_value
from fastpath.s3.addressing import Address, checked_key
from fastpath.s3.xml_reader import Bounds, Unexpected, XmlError, XmlReader
from fastpath.signing.sigv4.canonical import encode_path

Fields = Mapping[bytes, bytes]  # by lower-case name

_HEADERS = frozenset(
    b"cache-control content-disposition content-encoding content-language content-md5 content-type "
    b"expires x-amz-acl x-amz-object-lock-legal-hold x-amz-object-lock-mode "
    b"x-amz-object-lock-retain-until-date x-amz-sdk-checksum-algorithm x-amz-storage-class "
    b"x-amz-website-redirect-location".split()
)
_PREFIXES = (b"x-amz-checksum-", b"x-amz-grant-", b"x-amz-meta-", b"x-amz-server-side-encryption")
# Fields about the form itself.
_SIGNATURE = frozenset(
    b"awsaccesskeyid policy signature x-amz-algorithm x-amz-credential x-amz-date "
    b"x-amz-security-token x-amz-signature".split()
)
_NAME = re.compile(rb"[a-z0-9._-]+")
_MAX_TAGS = 10  # AWS "Object tags"
_TAG_BOUNDS = Bounds(depth=4)  # Tagging, TagSet, Tag, Key


def with_filename(fields: Fields, filename: bytes) -> dict[bytes, bytes]:
    """Replace `${filename}` in the fields."""
    return {
        name: value if name in _SIGNATURE else value.replace(b"${filename}", filename)
        for name, value in fields.items()
    }


def address_of(fields: Fields, form: Address) -> Address:
    """Return the address of the file; `form` is that of the form. Raises S3Error."""
    key = checked_key(require(fields, "key"))
    if not key:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", "key"),
            ("ArgumentValue", ""),
            message="User key must have a length greater than 0.",
        )
    path = b"/%b/%b" % (form.bucket, encode_path(key))
    return Address(form.bucket, key, form.path_style, path)


def put_head(
    form: RequestHead, fields: Fields, address: Address, length: int | None
) -> RequestHead:
    """Build the head of the PutObject; `form`: the form's head.

    `length`: of the file; None: it is not known yet.
    """
    headers = [_header(name, value) for name, value in fields.items() if _is_header(name)]
    if (acl := fields.get(b"acl")) is not None and b"x-amz-acl" not in fields:
        headers.append(_header(b"x-amz-acl", acl))
    if (tagging := fields.get(b"tagging")) is not None:
        headers.append((b"x-amz-tagging", tags_header(tagging)))
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    named = dict(headers)
    if (via := form.fields.get(b"via")) is not None:
        named[b"via"] = via
    return RequestHead(
        method=b"PUT",
        target=address.path,
        path=address.path,
        query=b"",
        http_minor=form.http_minor,
        headers=headers,
        fields=named,
        content_length=length,
        chunked=False,
        keep_alive=form.keep_alive,
        expect_continue=False,
    )


def raw_head(head: RequestHead) -> bytes:
    """Return the head as the bytes that a client would send."""
    lines = [b"%b %b HTTP/1.1" % (head.method, head.target)]
    lines += [b"%b: %b" % field for field in head.headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _is_header(name: bytes) -> bool:
    if name in _HEADERS or name.startswith(_PREFIXES):
        return True
    if name.startswith(b"x-amz-") and name not in _SIGNATURE:
        raise S3Error(NOT_IMPLEMENTED, ("Header", name.decode("utf-8", "replace")))
    return False


def _header(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if _NAME.fullmatch(name) is None or not is_field_value(value):
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", name.decode("utf-8", "replace")),
            ("ArgumentValue", value.decode("utf-8", "replace")),
            message="This field of a POST form cannot become a header.",
        )
    return name, value.strip(b" \t")


# --- tags ---


class _Tags:
    """Collects Key and Value of each Tag."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []

    def started(self, name: str, depth: int) -> None:
        if depth < 4:
            if name != ("Tagging", "TagSet", "Tag")[depth - 1]:
                raise Unexpected
            if depth == 3:
                self.found.append({})
        elif name not in ("Key", "Value") or name in self.found[-1]:
            raise Unexpected

    def ended(self, name: str, depth: int, text: str) -> None:
        if depth == 4:
            self.found[-1][name] = text
        elif text.strip() or (depth == 3 and len(self.found[-1]) != 2):
            raise Unexpected


def tags_header(document: bytes) -> bytes:
    """Convert a `tagging` field, which holds XML, to x-amz-tagging. Raises S3Error MalformedXML."""
    reader = _Tags()
    try:
        XmlReader(reader.ended, reader.started, _TAG_BOUNDS, prefixes=True, mixed=False).finish(
            document
        )
    except XmlError:
        raise S3Error(MALFORMED_XML) from None
    if len(reader.found) > _MAX_TAGS:
        raise S3Error(MALFORMED_XML)
    pairs = [f"{quote(tag['Key'], safe='')}={quote(tag['Value'], safe='')}" for tag in reader.found]
    return "&".join(pairs).encode()
