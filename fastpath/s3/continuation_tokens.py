"""Makes and reads the continuation tokens of lists that go on behind a name, made opaque.

Rules: a token holds a digest of what it is for, so that a token of another list or of another
store, or a name that a client sends as a token, is refused; it is no secret and grants nothing,
because a client may start a list after any name.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b

_DIGEST = 6  # bytes: one false match in 2**48


def merged_scope(bucket: bytes) -> bytes:
    """Return the scope of merged lists of a bucket, whose tokens no dialect makes."""
    return bucket + b"*"  # no bucket is called that


def make_token(scope: bytes, mark: str) -> str:
    """Make the token for `mark` in lists of this scope: a bucket, or what else is listed."""
    raw = mark.encode()
    return base64.urlsafe_b64encode(_digest(scope, raw) + raw).decode().rstrip("=")


def read_token(scope: bytes, token: bytes) -> str | None:
    """Return the mark in a token; None if it was not made for lists of this scope."""
    try:
        raw = base64.b64decode(token + b"=" * (-len(token) % 4), b"-_", validate=True)
        mark = raw[_DIGEST:].decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return mark if raw[:_DIGEST] == _digest(scope, raw[_DIGEST:]) else None


def _digest(scope: bytes, mark: bytes) -> bytes:
    return blake2b(scope + b"/" + mark, digest_size=_DIGEST).digest()
