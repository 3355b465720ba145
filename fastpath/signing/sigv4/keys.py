"""Derives signing keys, and caches them for their day and region.

Rules: the cache is bounded and evicts the oldest key; a key enters it only after a signature with
it was valid (`remember`), so that strangers who sign wrongly for a thousand regions evict nobody.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import digest as hmac_digest

MAX_KEYS = 1024  # identities x regions in use within a day, with room; about 1 KiB each

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class SigningKey:
    """A derived key, ready to sign: HMAC-SHA256 (RFC 2104) with both key blocks hashed already.

    Costs 0.6 us a signature, `hmac.digest` 1.5 us (its set-up per call).
    """

    __slots__ = ("_inner", "_outer", "remembered")

    def __init__(self, key: bytes) -> None:
        self.remembered = False
        block = key.ljust(64, b"\0")
        self._inner = sha256(block.translate(_INNER))
        self._outer = sha256(block.translate(_OUTER))

    def sign(self, message: bytes) -> bytes:
        """Return the signature in lower-case hex."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest().encode()


_keys: dict[tuple[bytes, bytes, bytes], SigningKey] = {}


def signing_key(secret: bytes, date: bytes, region: bytes) -> SigningKey:
    """Return the key of one day (yyyyMMdd) and region for service s3, cached or derived."""
    key = _keys.get((secret, date, region))
    return key if key is not None else SigningKey(derive(secret, date, region))


def remember(secret: bytes, date: bytes, region: bytes, key: SigningKey) -> None:
    """Cache a key of `signing_key` after a signature with it was valid."""
    if key.remembered:
        return
    key.remembered = True
    name = (secret, date, region)
    if name in _keys:
        return
    if len(_keys) >= MAX_KEYS:
        del _keys[next(iter(_keys))]
    _keys[name] = key


def derive(secret: bytes, date: bytes, region: bytes) -> bytes:
    """AWS "Calculate the signature": HMACs over date, region, service, terminator; 32 bytes."""
    key = b"AWS4" + secret
    for part in (date, region, b"s3", b"aws4_request"):
        key = hmac_digest(key, part, "sha256")
    return key
