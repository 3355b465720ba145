"""Derived signing keys, kept for the day and region they are good for.

Rules: bounded, the oldest goes first; a key enters the cache only when its caller found the secret
to be of use (`remember`), so that strangers who sign badly for a thousand regions evict nobody.

Not here: what is signed with them (`verify`, `sign`).
"""

from __future__ import annotations

from hmac import digest as hmac_digest

MAX_KEYS = 4096  # identities x regions in use within a day, with room; about 300 bytes each

_keys: dict[tuple[bytes, bytes, bytes], bytes] = {}


def signing_key(secret: bytes, date: bytes, region: bytes) -> bytes:
    """The SigV4 key of one day (yyyyMMdd) and region for service s3; from the cache if there."""
    key = _keys.get((secret, date, region))
    return key if key is not None else _derive(secret, date, region)


def remember(secret: bytes, date: bytes, region: bytes, key: bytes) -> None:
    """Keeps what `signing_key` gave; called once it has proved good."""
    name = (secret, date, region)
    if name in _keys:
        return
    if len(_keys) >= MAX_KEYS:
        del _keys[next(iter(_keys))]
    _keys[name] = key


def _derive(secret: bytes, date: bytes, region: bytes) -> bytes:
    key = b"AWS4" + secret
    for part in (date, region, b"s3", b"aws4_request"):
        key = hmac_digest(key, part, "sha256")
    return key
