"""Makes and reads the continuation tokens of lists: lakeFS's plain last key, made opaque.

Rules: a token holds a digest of its bucket, so that a token for another bucket or of another store,
or a key that a client sends as a token, is refused; it is no secret and grants nothing, because a
client may start a list after any key.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b

_DIGEST = 6  # bytes: one false match in 2**48


def make_token(bucket: bytes, mark: str) -> str:
    """Make the token for `mark` in lists of this bucket."""
    raw = mark.encode()
    return base64.urlsafe_b64encode(_digest(bucket, raw) + raw).decode().rstrip("=")


def read_token(bucket: bytes, token: bytes) -> str | None:
    """Return the mark in a token; None if it was not made for lists of this bucket."""
    try:
        raw = base64.b64decode(token + b"=" * (-len(token) % 4), b"-_", validate=True)
        mark = raw[_DIGEST:].decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return mark if raw[:_DIGEST] == _digest(bucket, raw[_DIGEST:]) else None


def _digest(bucket: bytes, mark: bytes) -> bytes:
    return blake2b(bucket + b"/" + mark, digest_size=_DIGEST).digest()
