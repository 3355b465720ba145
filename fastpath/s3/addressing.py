"""Finds the bucket, the key and the raw upstream path in a request's Host and path.

Rules: decoding is only for deciding; what is forwarded keeps the bytes of the wire, except for a
raw `+`: AWS reads a space there, other stores a plus, so it never goes upstream as it is. Every
bucket that this module returns matches the grammar below, so it can hold no `..`, `/`, NUL or
escape; no key climbs out of its bucket, however it is escaped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

from fastpath.errors import (
    INVALID_ARGUMENT,
    INVALID_BUCKET_NAME,
    INVALID_URI,
    KEY_TOO_LONG,
    NOT_IMPLEMENTED,
    S3Error,
)
from fastpath.http.head import RequestHead

COPY_SOURCE = b"x-amz-copy-source"
MAX_KEY_BYTES = 1024  # decoded, UTF-8 (aws-auth-errors 4.32; AWS "Naming Amazon S3 objects")

# Wider than what may be created today: buckets older than the rules exist, with capitals,
# underscores and up to 255 bytes.
_BUCKET = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PORT = re.compile(rb":[0-9]*\Z")
# As numbers: bytes look for a byte of that number, but raise and catch an error of their own before
# they look for other bytes (17 against 150 ns).
_PERCENT, _DOT, _PLUS = b"%.+"


@dataclass(slots=True)
class Address:
    """The bucket and key of a request. Without a bucket it is about the service."""

    bucket: bytes
    key: bytes  # decoded
    path_style: bool
    path: bytes  # raw, in path style, whatever the client used


def percent_decode(raw: bytes) -> bytes:
    """Decode every %XX; `+` stays a plus. Raises S3Error InvalidURI on an invalid escape."""
    if _PERCENT not in raw:
        return raw
    if _BAD_ESCAPE.search(raw) is not None:
        raise S3Error(INVALID_URI)
    return unquote_to_bytes(raw)


def locate(head: RequestHead, domains: tuple[bytes, ...]) -> Address:
    """Return the address of a request. `domains` (lower case) enable virtual-host addressing.

    A raw `+` in the path is a plus; `locate_with_plus_as_space` reads it as a space. Raises S3Error
    InvalidBucketName, InvalidURI or KeyTooLongError.
    """
    path = head.path
    if _PLUS in path:
        path = path.replace(b"+", b"%2B")
    if domains:
        named = _host_bucket(head.fields.get(b"host", b""), domains)
        if named is not None:
            return Address(_checked_bucket(named), _key(path[1:]), False, b"/" + named + path)
    if path == b"/":
        return Address(b"", b"", True, path)
    bucket, _, raw_key = path[1:].partition(b"/")
    if _BUCKET.fullmatch(bucket) is None:  # it may have escapes
        bucket = _checked_bucket(percent_decode(bucket))
    return Address(bucket, _key(raw_key), True, path)


def locate_with_plus_as_space(head: RequestHead, domains: tuple[bytes, ...]) -> Address:
    """Return the address of a request, a raw `+` in its path being a space. Raises S3Error."""
    return locate(replace(head, path=plus_as_space(head.path)), domains)


def plus_as_space(raw: bytes) -> bytes:
    """Escape each raw `+` as a space."""
    return raw.replace(b"+", b"%20")


def locate_copy_source(raw: bytes, name: str = "x-amz-copy-source") -> tuple[bytes, bytes]:
    """Return bucket and key of an `x-amz-copy-source` (`[/]bucket/key[?versionId=...]`, escaped).

    `name` is the header's; a rename source has the same form. The rules are those of a request's
    own path, because the target resolves the source with the gateway's rights. Raises S3Error
    InvalidArgument, InvalidURI or KeyTooLongError.
    """
    try:
        path = percent_decode(raw.partition(b"?")[0])
    except S3Error:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", "x-amz-copy-source"),
            ("ArgumentValue", raw.decode("latin-1")),
            message="Invalid copy source encoding.",
        ) from None
    bucket, _, key = path.removeprefix(b"/").partition(b"/")
    if _BUCKET.fullmatch(bucket) is None or not key:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", name),
            ("ArgumentValue", raw.decode("latin-1")),
            message="Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    return bucket, checked_key(key)


def checked_key(key: bytes) -> bytes:
    """Return a decoded key if a path may hold it. Raises S3Error InvalidURI or KeyTooLongError."""
    if not key.isascii():
        _check_utf8(key)
    if _DOT in key and key.find(b"..") >= 0:
        _check_parent_segments(key)
    return _checked_size(key)


def is_bucket(name: bytes) -> bool:
    """Whether a bucket can be called that."""
    return _BUCKET.fullmatch(name) is not None


def is_only_slashes(key: bytes) -> bool:
    """Whether a key has only slashes, so that some stores would act on the bucket instead."""
    return not key.strip(b"/\\")


def only_slashes_refused() -> S3Error:
    """Return the error for a key of only slashes that must not reach such a store."""
    return S3Error(
        NOT_IMPLEMENTED,
        message="A key of nothing but slashes is not available on the storage that serves this "
        "bucket.",
    )


def is_bucket_host(head: RequestHead, domains: tuple[bytes, ...]) -> bool:
    """Whether the Host names a bucket, so that every path belongs to it."""
    return bool(domains) and _host_bucket(head.fields.get(b"host", b""), domains) is not None


def _host_bucket(host: bytes, domains: tuple[bytes, ...]) -> bytes | None:
    """Return the bucket in a Host below one of `domains`, or None. The longest domain decides."""
    name = _PORT.sub(b"", host.lower())
    if name.endswith(b"."):
        name = name[:-1]
    found: bytes | None = None
    for domain in domains:
        if name == domain:
            return None
        if name.endswith(b"." + domain):
            prefix = name[: -len(domain) - 1]
            if found is None or len(prefix) < len(found):
                found = prefix
    return found


def _checked_bucket(bucket: bytes) -> bytes:
    if _BUCKET.fullmatch(bucket) is None:
        shown = bucket.decode("utf-8", "replace")
        raise S3Error(INVALID_BUCKET_NAME, ("BucketName", shown))
    return bucket


def _key(raw: bytes) -> bytes:
    # Most keys: nothing below has anything to do (bench heads: 2,500 instructions).
    plain = len(raw) <= MAX_KEY_BYTES and raw.isascii() and _PERCENT not in raw
    if plain and (_DOT not in raw or raw.find(b"..") < 0):
        return raw
    return checked_key(percent_decode(raw))


def _checked_size(key: bytes) -> bytes:
    if len(key) > MAX_KEY_BYTES:
        raise S3Error(KEY_TOO_LONG, ("Size", str(len(key))), ("MaxSizeAllowed", str(MAX_KEY_BYTES)))
    return key


def _check_utf8(key: bytes) -> None:
    try:
        key.decode("utf-8")
    except UnicodeDecodeError:
        raise S3Error(INVALID_URI) from None


def _check_parent_segments(key: bytes) -> None:
    """Refuse a key whose `..` segments would climb out of the bucket.

    AWS: read from the left, a key may never have more `..` than other segments ("Naming Amazon S3
    objects"). Empty and `.` segments do not count, as for a target that normalises paths: such a
    target must not reach another bucket.
    """
    depth = 0
    for segment in key.split(b"/"):
        if segment == b"..":
            depth -= 1
            if depth < 0:
                raise S3Error(INVALID_URI)
        elif segment and segment != b".":
            depth += 1
