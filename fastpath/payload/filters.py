"""What stands between a client's body and its target: nothing unverified completes.

Rules: `feed` returns what may go up now and keeps the rest; at the last piece it returns all that
was kept, or raises AWS's error, and then not a byte more goes up; a filter serves one body, once.

Not here: what a request's filter is (`choose`), holding back the head (`exchange`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

from fastpath.errors import INCOMPLETE_BODY, S3Error
from fastpath.payload.checks import Check
from fastpath.payload.chunks import ChunkParser
from fastpath.payload.framers import Framer
from fastpath.payload.seals import Seals
from fastpath.payload.trailers import Trailers
from fastpath.signing.sigv4.chain import Chain


class BodyFilter(Protocol):
    """A body's way up."""

    def begin(self, chain: Chain) -> None:
        """The head of a reframed body is signed; chunks made for the target are chained to it."""

    def feed(self, data: bytes, last: bool) -> bytes:
        """What may go up now that `data` came; all of it when `last`. Raises S3Error."""


class CheckedBody:
    """A body that goes up as it comes; the last piece only if it is all that was said of it."""

    __slots__ = ("_checks",)

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def begin(self, chain: Chain) -> None:
        """Never reframed."""

    def feed(self, data: bytes, last: bool) -> bytes:
        for check in self._checks:
            check.update(data)
        if last:
            for check in self._checks:
                check.confirm()
        return data


class StreamedBody:
    """An aws-chunked body: taken apart, verified, put into the form its target takes."""

    __slots__ = (
        "_announced",
        "_arrived",
        "_checks",
        "_decoded",
        "_digest",
        "_framer",
        "_parser",
        "_payload",
        "_seals",
        "_signature",
        "_size",
        "_trailers",
    )

    def __init__(
        self,
        decoded: int,
        parser_signed: bool,
        seals: Seals | None,
        trailers: Trailers,
        checks: Sequence[Check],
        framer: Framer,
    ) -> None:
        """`decoded` is x-amz-decoded-content-length; no `seals` where nobody is verified."""
        self._decoded = decoded
        self._parser = ChunkParser(self, signed=parser_signed)
        self._seals = seals
        self._trailers = trailers
        self._checks = checks
        self._framer = framer
        self._announced = 0  # bytes of the body, by the chunk lines
        self._arrived = 0
        self._size = 0  # of the chunk that is read
        self._signature = b""
        self._digest = sha256()
        self._payload: list[memoryview] = []  # verified as far as it can be, not yet sent

    def begin(self, chain: Chain) -> None:
        self._framer.begin(chain)

    def feed(self, data: bytes, last: bool) -> bytes:
        self._parser.feed(data)
        if last:
            return self._finish()
        if self._arrived == self._decoded:
            return b""  # held until what follows is good
        payload, self._payload = self._payload, []
        return self._framer.data(b"".join(payload))

    def _finish(self) -> bytes:
        lines = self._parser.finish()
        if self._announced != self._decoded:
            raise self._wrong_length()
        value = self._trailers.read(lines, self._seals)
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

    # --- what the parser tells ---

    def chunk_begins(self, size: int, signature: bytes) -> None:
        self._announced += size
        if self._announced > self._decoded:
            raise self._wrong_length()
        if self._seals is not None:
            self._size = size
            self._signature = signature
            self._digest = sha256()

    def chunk_data(self, data: memoryview) -> None:
        self._arrived += len(data)
        for check in self._checks:
            check.update(data)
        if self._seals is not None:
            self._digest.update(data)
        self._payload.append(data)

    def chunk_ends(self) -> None:
        if self._seals is not None:
            digest = self._digest.hexdigest().encode()
            self._seals.check_chunk(digest, self._signature)
            self._framer.know(self._announced - self._size, self._size, digest)
