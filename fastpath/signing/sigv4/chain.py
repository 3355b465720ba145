"""Signatures of chunks: each is over the one before, the first over the request's own.

AWS "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".

Rules: one chain serves one body, in order; whoever verifies compares in constant time.

Not here: how chunks travel (`payload`), where the seed comes from (`verify`, `sign`).
"""

from __future__ import annotations

from hashlib import sha256

from fastpath.signing.sigv4.keys import SigningKey

EMPTY_DIGEST = sha256().hexdigest().encode()


class Chain:
    """Signs or verifies the chunks of one body."""

    __slots__ = ("_key", "_place", "previous")

    def __init__(self, key: SigningKey, timestamp: bytes, scope: bytes, seed: bytes) -> None:
        self._key = key
        self._place = b"%b\n%b\n" % (timestamp, scope)
        self.previous = seed

    def __repr__(self) -> str:
        return "<Chain>"

    def chunk_text(self, digest: bytes) -> bytes:
        """The string to sign of the next chunk, whose data has this SHA-256 (hex)."""
        return b"AWS4-HMAC-SHA256-PAYLOAD\n%b%b\n%b\n%b" % (
            self._place,
            self.previous,
            EMPTY_DIGEST,
            digest,
        )

    def trailer_text(self, digest: bytes) -> bytes:
        """The string to sign of the trailers: SHA-256 (hex) over `name:value LF` of each."""
        return b"AWS4-HMAC-SHA256-TRAILER\n%b%b\n%b" % (self._place, self.previous, digest)

    def sign(self, text: bytes) -> bytes:
        """The signature of a text made here; the next one is over it."""
        self.previous = self._key.sign(text)
        return self.previous
