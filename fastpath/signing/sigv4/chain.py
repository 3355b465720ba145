"""Signs chunks: each signature covers the one before, the first the request's own.

AWS "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".

Rules: one chain serves one body, in order; a caller that verifies compares in constant time.
"""

from __future__ import annotations

from hashlib import sha256

from fastpath.signing.sigv4.keys import SigningKey

EMPTY_DIGEST = sha256().hexdigest().encode()


class Chain:
    """Signs or verifies the chunks of one body."""

    __slots__ = ("_date_and_scope", "_key", "previous")

    def __init__(self, key: SigningKey, timestamp: bytes, scope: bytes, seed: bytes) -> None:
        self._key = key
        self._date_and_scope = b"%b\n%b\n" % (timestamp, scope)
        self.previous = seed

    def __repr__(self) -> str:
        return "<Chain>"

    def chunk_text(self, digest: bytes) -> bytes:
        """Return the string to sign of the next chunk, whose data has this SHA-256 (hex)."""
        return b"AWS4-HMAC-SHA256-PAYLOAD\n%b%b\n%b\n%b" % (
            self._date_and_scope,
            self.previous,
            EMPTY_DIGEST,
            digest,
        )

    def trailer_text(self, digest: bytes) -> bytes:
        """Return the string to sign of the trailers: SHA-256 (hex) over `name:value LF` of each."""
        return b"AWS4-HMAC-SHA256-TRAILER\n%b%b\n%b" % (self._date_and_scope, self.previous, digest)

    def sign(self, text: bytes) -> bytes:
        """Sign a text; the next text will cover this signature."""
        self.previous = self._key.sign(text)
        return self.previous
