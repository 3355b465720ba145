"""Reads the trailers of an aws-chunked body: one checksum, and in signed modes its signature.

Rules: the trailers must be those that x-amz-trailer declared, no more and no fewer; codes and texts
are AWS's (AWS errors 3.3 to 3.5, 3.10 to 3.14, 3.22; versitygw SignedStreamingPayloadTrailer_*).
"""

from __future__ import annotations

from collections.abc import Sequence

from fastpath.errors import INCOMPLETE_BODY, INVALID_REQUEST, MALFORMED_TRAILER, S3Error
from fastpath.payload.body_checks import ChecksumCheck
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX, decode, encoded_size
from fastpath.payload.chunk_signatures import ChunkSignatures

_SIGNATURE = b"x-amz-trailer-signature"


class Trailers:
    """The trailers that one body must have; `check` is for the declared checksum."""

    __slots__ = ("_allowed", "_name", "_signed", "_size", "algorithm", "check")

    def __init__(self, declared: bytes | None, *, allowed: bool, signed: bool) -> None:
        """`declared` is the value of x-amz-trailer. Raises S3Error when it names no checksum."""
        self._allowed = allowed
        self._signed = signed
        self._name = b""
        self._size = 0
        self.algorithm = b""
        self.check: ChecksumCheck | None = None
        if allowed and declared is not None:
            self._declare(declared.lower())

    def _declare(self, name: bytes) -> None:
        algorithm = name.removeprefix(HEADER_PREFIX)
        if not name.startswith(HEADER_PREFIX) or algorithm not in ALGORITHMS:
            raise S3Error(
                INVALID_REQUEST,
                message="The value specified in the x-amz-trailer header is not supported",
            )
        self._name, self.algorithm = name, algorithm
        self._size = ALGORITHMS[algorithm][1]
        self.check = ChecksumCheck(algorithm)

    @property
    def shape(self) -> tuple[bytes, int] | None:
        """The declared name, and the length of its value in characters."""
        return (self._name, encoded_size(self._size)) if self._name else None

    def read(self, lines: Sequence[bytes], chunk_signatures: ChunkSignatures | None) -> bytes:
        """Return the value of the checksum, and set it in `check`. Raises S3Error."""
        if not self._allowed:
            if lines:
                raise S3Error(INCOMPLETE_BODY)
            return b""
        fields = [self._field(line) for line in lines]
        if self._signed:
            if not fields or fields[-1][0] != _SIGNATURE or not (self._name or fields[:-1]):
                raise S3Error(INCOMPLETE_BODY)
            signature = fields.pop()[1]
            if len(signature) != 64:
                raise S3Error(INCOMPLETE_BODY)
            if chunk_signatures is not None:
                chunk_signatures.check_trailers(fields, signature)
        if [name for name, _ in fields] != ([self._name] if self._name else []):
            raise S3Error(MALFORMED_TRAILER)
        return self._value(fields[0][1]) if fields else b""

    def _field(self, line: bytes) -> tuple[bytes, bytes]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise S3Error(MALFORMED_TRAILER if self._signed else INCOMPLETE_BODY)
        return name.lower(), value.strip(b" \t")

    def _value(self, text: bytes) -> bytes:
        raw = decode(text, self._size)
        if raw is None:
            raise S3Error(
                INVALID_REQUEST,
                message=f"Value for {self._name.decode()} trailing header is invalid.",
            )
        assert self.check is not None  # there is a name
        self.check.expected = raw
        return text
