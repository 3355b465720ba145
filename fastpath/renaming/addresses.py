"""Gives the target's address for a client's, and the target's name for a client's key or prefix.

Rules: raw bytes of a path that mean the same at the target stay as the client sent them; a key that
grows past 1,024 bytes is refused; so is a key that leaves `key_prefix` once a target normalises its
path (`main/` and `a/../../b`), because it would name what belongs to another bucket; so is a key of
which nothing is left, because its path would be the bucket's.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote_from_bytes

from fastpath.errors import INVALID_URI, KEY_TOO_LONG, NOT_IMPLEMENTED, S3Error
from fastpath.routing.rewrite import Rewrite
from fastpath.s3.addressing import (
    MAX_KEY_BYTES,
    Address,
    checked_key,
    locate_copy_source,
)


def upstream_address(address: Address, rewrite: Rewrite) -> Address:
    """Return the target's address. Raises S3Error InvalidURI or KeyTooLongError."""
    if not address.bucket or not (rewrite.bucket or rewrite.key_prefix or rewrite.strip_prefix):
        return address
    raw_bucket, slash, raw_key = address.path[1:].partition(b"/")
    key = address.key
    if key:
        key = upstream_key(key, rewrite)
        raw_key = _quoted(key) if rewrite.strip_prefix else _quoted(rewrite.key_prefix) + raw_key
    path = b"/" + (rewrite.bucket or raw_bucket) + slash + raw_key
    return replace(address, bucket=rewrite.bucket_up(address.bucket), key=key, path=path)


def upstream_key(key: bytes, rewrite: Rewrite) -> bytes:
    """Return the target's name of a key. Raises S3Error InvalidURI or KeyTooLongError.

    A key of which nothing is left has none: its path would be that of the bucket.
    """
    renamed = key_up(key, rewrite)
    if not renamed:
        raise _unnamed()
    if rewrite.key_prefix and _leaves(renamed, rewrite.key_prefix):
        raise S3Error(INVALID_URI)
    return checked_key(renamed)


def upstream_prefix(prefix: bytes, rewrite: Rewrite) -> bytes:
    """Return the target's name of the beginning of keys: a prefix, or a marker in a list.

    Its last segment may be the beginning of a longer one, so that `..` is refused only before a
    slash. Raises S3Error InvalidURI or KeyTooLongError.
    """
    renamed = key_up(prefix, rewrite)
    if len(renamed) > MAX_KEY_BYTES:
        raise S3Error(
            KEY_TOO_LONG, ("Size", str(len(renamed))), ("MaxSizeAllowed", str(MAX_KEY_BYTES))
        )
    key_prefix = rewrite.key_prefix
    if key_prefix and b".." in renamed:
        whole = renamed[: renamed.rfind(b"/") + 1]
        if whole.startswith(key_prefix) and _leaves(whole + b"x", key_prefix):
            raise S3Error(INVALID_URI)
    return renamed


def upstream_source(value: bytes, name: str, rewrite: Rewrite) -> bytes:
    """Return the value of a copy or rename source; `name` is the header's. Raises S3Error.

    `rewrite` is the source's own. A `?versionId=` stays.
    """
    bucket, key = locate_copy_source(value, name)
    renamed = upstream_key(key, rewrite)
    upstream_bucket = rewrite.bucket_up(bucket)
    if (bucket, key) == (upstream_bucket, renamed):
        return value
    path, question, version = value.partition(b"?")
    slash = b"/" if path[:1] == b"/" or path[:3].upper() == b"%2F" else b""
    return slash + upstream_bucket + b"/" + _quoted(renamed) + question + version


def key_up(key: bytes, rewrite: Rewrite) -> bytes:
    """Return the target's name of a key or prefix, unchecked. Raises S3Error: it has none."""
    try:
        return rewrite.key_up(key)
    except ValueError:  # routing has let it through all the same: never guess another name
        raise _unnamed() from None


def _unnamed() -> S3Error:
    return S3Error(
        NOT_IMPLEMENTED,
        message="Only keys that begin with strip_prefix, and go on behind it, are available in "
        "this bucket.",
    )


def _quoted(name: bytes) -> bytes:
    return quote_from_bytes(name, safe="/~").encode()


def _leaves(key: bytes, key_prefix: bytes) -> bool:
    """Whether a path of `key` might not begin with `key_prefix` once it is normalised."""
    head = key_prefix.rfind(b"/") + 1
    tail = key[head:]
    if b"." not in tail:
        return False
    is_partial = head < len(key_prefix)  # the first segment begins with the end of key_prefix
    segments = tail.split(b"/")
    depth = least = 0
    has_dots = False
    for at, segment in enumerate(segments):
        if segment == b"..":
            depth -= 1
            has_dots = True
        elif segment == b".":
            has_dots = True
        elif segment:
            depth += 1
        if is_partial and not at:
            least = 1
        if depth < least:
            return True
    return has_dots and not depth
