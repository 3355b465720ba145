"""Verifies the client's signatures inside a body: of each chunk and of the trailers.

Rules: signatures are compared in constant time; the error for a wrong one is AWS's, with the string
to sign of the chunk and the canonical request that the chain began with (AWS errors 3.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest

from fastpath.signing.sigv4.chain import Chain
from fastpath.signing.sigv4.keys import signing_key
from fastpath.signing.sigv4.verify import Proof, signature_mismatch


class ChunkSignatures:
    """Verifies the signatures of one body, in order."""

    __slots__ = ("_chain", "_proof")

    def __init__(self, proof: Proof) -> None:
        key = signing_key(proof.identity.secret, proof.date, proof.region)
        scope = b"%b/%b/s3/aws4_request" % (proof.date, proof.region)
        self._chain = Chain(key, proof.timestamp, scope, proof.seed_signature)
        self._proof = proof

    def check_chunk(self, digest: bytes, signature: bytes) -> None:
        """Verify a chunk by the SHA-256 (hex) of its data. Raises SignatureDoesNotMatch."""
        self._check(self._chain.chunk_text(digest), signature)

    def check_trailers(self, fields: Iterable[tuple[bytes, bytes]], signature: bytes) -> None:
        """Verify the trailers. Raises SignatureDoesNotMatch."""
        lines = b"".join(b"%b:%b\n" % field for field in fields)
        digest = sha256(lines).hexdigest().encode()
        self._check(self._chain.trailer_text(digest), signature)

    def _check(self, text: bytes, signature: bytes) -> None:
        if not compare_digest(self._chain.sign(text), signature):
            proof = self._proof
            raise signature_mismatch(proof.identity.access_key_id, text, signature, proof.canonical)
