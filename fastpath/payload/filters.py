"""Filters a body on its way to the target, so that nothing unverified is ever complete there.

Rules: `feed` returns what may be sent now and keeps the rest; at the last piece it returns all that
it kept, or raises AWS's error, and then not one more byte is sent; a filter serves one body, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from fastpath.errors import INCOMPLETE_BODY, S3Error
from fastpath.payload.body_checks import Check
from fastpath.payload.chunk_signatures import ChunkSignatures
from fastpath.payload.chunks import ChunkParser
from fastpath.payload.framers import Framer
from fastpath.payload.trailers import Trailers
from fastpath.signing.sigv4.chain import Chain


class BodyFilter(Protocol):
    """What a body passes through."""

    def begin(self, chain: Chain) -> None:
        """Take the chain of the signed upstream head, which signs the target's chunks."""

    def feed(self, data: bytes, last: bool) -> bytes:
        """Return what may be sent after `data`; all of it when `last`. Raises S3Error."""


class CheckedBody:
    """Relays a body as it comes; its last piece only if all checks succeed."""

    __slots__ = ("_checks",)

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def begin(self, chain: Chain) -> None:
        """No chunks are made."""

    def feed(self, data: bytes, last: bool) -> bytes:
        for check in self._checks:
            check.update(data)
        if last:
            for check in self._checks:
                check.confirm()
        return data


class StreamedBody:
    """Parses an aws-chunked body, verifies it, and puts it into the form that its target takes."""

    __slots__ = (
        "_announced",
        "_arrived",
        "_checks",
        "_chunk_signatures",
        "_decoded",
        "_digest",
        "_framer",
        "_parser",
        "_payload",
        "_signature",
        "_size",
        "_trailers",
    )

    def __init__(
        self,
        decoded: int,
        parser_signed: bool,
        chunk_signatures: ChunkSignatures | None,
        trailers: Trailers,
        checks: Sequence[Check],
        framer: Framer,
    ) -> None:
        """`decoded` is x-amz-decoded-content-length; an anonymous body has no chunk signatures."""
        self._decoded = decoded
        self._parser = ChunkParser(self, signed=parser_signed)
        self._chunk_signatures = chunk_signatures
        self._trailers = trailers
        self._checks = checks
        self._framer = framer
        self._announced = 0  # bytes of the body that the chunk lines announced
        self._arrived = 0
        self._size = 0  # of the chunk that is read
        self._signature = b""
        self._digest = sha256()
        self._payload: list[memoryview] = []  # verified as far as possible, not yet sent

    def begin(self, chain: Chain) -> None:
        self._framer.begin(chain)

    def feed(self, data: bytes, last: bool) -> bytes:
        self._parser.feed(data)
        if last:
            return self._finish()
        if self._arrived == self._decoded:
            return b""  # nothing goes up until the trailers are verified
        payload, self._payload = self._payload, []
        return self._framer.data(b"".join(payload))

    def _finish(self) -> bytes:
        lines = self._parser.finish()
        if self._announced != self._decoded:
            raise self._wrong_length()
        value = self._trailers.read(lines, self._chunk_signatures)
        for check in self._checks:
            check.confirm()
        return self._framer.data(b"".join(self._payload)) + self._framer.end(value)

    def _wrong_length(self) -> S3Error:
        return S3Error(
            INCOMPLETE_BODY,
            ("NumberBytesExpected", str(self._decoded)),
            ("NumberBytesProvided", str(self._announced)),
            message="You did not provide the number of bytes specified by the Content-Length HTTP "
            "header",
        )

    # --- called by the parser ---

    def chunk_begins(self, size: int, signature: bytes) -> None:
        self._announced += size
        if self._announced > self._decoded:
            raise self._wrong_length()
        if self._chunk_signatures is not None:
            self._size = size
            self._signature = signature
            self._digest = sha256()

    def chunk_data(self, data: memoryview) -> None:
        self._arrived += len(data)
        for check in self._checks:
            check.update(data)
        if self._chunk_signatures is not None:
            self._digest.update(data)
        self._payload.append(data)

    def chunk_ends(self) -> None:
        if self._chunk_signatures is not None:
            digest = self._digest.hexdigest().encode()
            self._chunk_signatures.check_chunk(digest, self._signature)
            self._framer.learn_digest(self._announced - self._size, self._size, digest)
