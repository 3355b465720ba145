"""Continuation tokens of lists: the plain last key that lakeFS gives, made opaque.

Rules: a token names its bucket by a digest, so that one of another bucket, of another store, or a
key that a client took for a token is none; it is no secret and grants nothing, because a client may
start a list behind any key.

Not here: what may be gone on from (`list_requests`).
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b

_DIGEST = 6  # bytes: an accident in 2**48


def wrap(bucket: bytes, mark: str) -> str:
    """The token for `mark` in lists of this bucket."""
    raw = mark.encode()
    return base64.urlsafe_b64encode(_digest(bucket, raw) + raw).decode().rstrip("=")


def unwrap(bucket: bytes, token: bytes) -> str | None:
    """The mark in a token, or None for one that was not made for lists of this bucket."""
    try:
        raw = base64.b64decode(token + b"=" * (-len(token) % 4), b"-_", validate=True)
        mark = raw[_DIGEST:].decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return mark if raw[:_DIGEST] == _digest(bucket, raw[_DIGEST:]) else None


def _digest(bucket: bytes, mark: bytes) -> bytes:
    return blake2b(bucket + b"/" + mark, digest_size=_DIGEST).digest()
