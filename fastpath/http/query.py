"""Parses query strings, and removes a presigned URL's signature from what goes upstream.

Rules: `+` is a space, as S3 reads it, and goes upstream as `%20`, because stores differ in how they
read it; only `&` separates; an invalid escape stays as it is; every other byte goes upstream as the
client sent it, because the upstream signature covers it; no part of a client's signature goes
upstream.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from urllib.parse import unquote_to_bytes

# Parameters that belong to a SigV4 signature, lower case. The payload hash is one of them: the
# gateway signs its own upstream, in a header. Other x-amz-* parameters of a presigned URL are
# headers that an SDK moved into the query (x-amz-acl, x-amz-checksum-mode).
_SIGV4 = frozenset(
    (
        b"x-amz-algorithm",
        b"x-amz-content-sha256",
        b"x-amz-credential",
        b"x-amz-date",
        b"x-amz-expires",
        b"x-amz-security-token",
        b"x-amz-signature",
        b"x-amz-signedheaders",
    )
)
# The same of a SigV2 URL, where case counts; botocore repeats in it the two headers that it signs.
# `Expires` and the last two are ordinary names unless one of the first two is there.
_SIGV2_MARKS = frozenset((b"AWSAccessKeyId", b"Signature"))
_SIGV2 = _SIGV2_MARKS | {b"Expires", b"content-md5", b"content-type"}

# The last two describe the client's framing of the body, which does not go upstream.
_NEVER_HEADERS = _SIGV4 | {b"x-amz-decoded-content-length", b"x-amz-trailer"}
# A checksum of the body, and the algorithm that an SDK was configured with: S3 does not enforce
# them in a query (aws-sdk-go-v2 issue 2610), because there is no body yet when a URL is presigned.
_NOT_ENFORCED = re.compile(
    rb"x-amz-(?:checksum-(?!(?:algorithm|mode|type)\Z).*|sdk-checksum-algorithm)", re.DOTALL
)
# Headers about the content that aws-sdk-js v2 repeats in the URLs that it presigns. S3 does not
# read them there (aws-sdk-js issues 780, 1703), and other stores do not know them.
_CONTENT_HEADERS = frozenset(
    b"cache-control content-disposition content-encoding content-language content-length "
    b"content-md5 content-type expires".split()
)
_AMZ_NAME = re.compile(rb"x-amz-[a-z0-9._-]+")
_MAY_HOLD_SIGNATURE = re.compile(rb"[%+]|amz-|AWSAccessKeyId|Signature", re.IGNORECASE)
_PERCENT, _PLUS = b"%+"  # as numbers; `addressing` says why
_FIELD_VALUE = re.compile(rb"[\t -~\x80-\xff]*")  # RFC 9110 section 5.5


def parse_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    """Return the decoded (name, value) pairs in wire order; `acl` is (b"acl", b"")."""
    pairs: list[tuple[bytes, bytes]] = []
    if _PLUS in raw:
        raw = raw.replace(b"+", b"%20")
    for segment in raw.split(b"&"):
        if segment:
            name, _, value = segment.partition(b"=")
            if _PERCENT in segment:
                name = unquote_to_bytes(name)
                value = unquote_to_bytes(value)
            pairs.append((name, value))
    return pairs


def is_field(name: bytes, value: bytes) -> bool:
    """Whether a parameter could be an x-amz-* header; `name` in lower case."""
    return _AMZ_NAME.fullmatch(name) is not None and is_field_value(value)


def is_field_value(value: bytes) -> bool:
    """Whether a header could have this value."""
    return _FIELD_VALUE.fullmatch(value) is not None


def is_enforced_in_query(name: bytes) -> bool:
    """Whether S3 enforces this header if it is in a presigned query."""
    return _NOT_ENFORCED.fullmatch(name) is None and name not in _CONTENT_HEADERS


def is_content_header(name: bytes) -> bool:
    """Whether a parameter of a presigned URL repeats a header about the content."""
    return name.lower() in _CONTENT_HEADERS


def presigned_headers(query: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers that the presigner moved into the query: x-amz-* and content headers.

    Names in lower case, each once (of a repeated one the first); values without outer white space.
    Empty for a query that carries no signature.
    """
    names = {name for name, _ in query}
    if b"X-Amz-Signature" not in names and b"Signature" not in names:
        return []
    presigned: dict[bytes, bytes] = {}
    for spelt, value in query:
        name = spelt.lower()
        if name in _CONTENT_HEADERS or (name not in _NEVER_HEADERS and is_field(name, value)):
            presigned.setdefault(name, value.strip(b" \t"))
    return list(presigned.items())


def upstream_query(raw: bytes, presigned: Collection[bytes] = ()) -> bytes:
    """Remove the client's signature, and the headers of `presigned`, from a raw query.

    Names are compared decoded, and SigV4's without case, so that no spelling of them reaches a
    target that might read it as a second signature. `presigned`: lower-case names.
    """
    if not _MAY_HOLD_SIGNATURE.search(raw):
        return raw
    raw = raw.replace(b"+", b"%20")
    parts = [(unquote_to_bytes(part.partition(b"=")[0]), part) for part in raw.split(b"&")]
    gone = _SIGV2 if any(name in _SIGV2_MARKS for name, _ in parts) else frozenset[bytes]()
    return b"&".join(
        [
            part
            for name, part in parts
            if name not in gone and name.lower() not in _SIGV4 and name.lower() not in presigned
        ]
    )
