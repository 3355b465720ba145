"""Checks a body against its signed digest, its Content-MD5 or an x-amz-checksum-* value.

Rules: a check reads the decoded body and raises AWS's error at its end (tables 3 and 4 of AWS's
errors; docs/errors.md names the source of each).
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from fastpath.errors import BAD_DIGEST, CONTENT_SHA256_MISMATCH, S3Error
from fastpath.payload.checksums import ALGORITHMS, encode


class Check(Protocol):
    """A check of one body."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Read more of the decoded body."""

    def confirm(self) -> None:
        """Check the complete body. Raises S3Error if it is not the one that was described."""


class DigestCheck:
    """Checks the SHA-256 that was signed (AWS errors 1.34)."""

    __slots__ = ("_expected", "_hash", "update")

    def __init__(self, expected: bytes) -> None:
        self._expected = expected  # lower-case hex
        self._hash = hashlib.sha256()
        self.update = self._hash.update

    def confirm(self) -> None:
        found = self._hash.hexdigest()
        if found.encode() != self._expected:
            raise S3Error(
                CONTENT_SHA256_MISMATCH,
                ("ClientComputedContentSHA256", self._expected.decode()),
                ("S3ComputedContentSHA256", found),
            )


class MD5Check:
    """Checks Content-MD5 (AWS errors 4.6); `in_hex`: how AWS shows the expected value."""

    __slots__ = ("_expected", "_hash", "_in_hex", "update")

    def __init__(self, expected: bytes, *, in_hex: bool) -> None:
        self._expected = expected  # raw
        self._in_hex = in_hex
        self._hash = hashlib.md5(usedforsecurity=False)
        self.update = self._hash.update

    def confirm(self) -> None:
        found = self._hash.digest()
        if found != self._expected:
            expected = self._expected
            raise S3Error(
                BAD_DIGEST,
                ("CalculatedDigest", encode(found).decode()),
                ("ExpectedDigest", expected.hex() if self._in_hex else encode(expected).decode()),
            )


class ChecksumCheck:
    """Checks one x-amz-checksum-* value; that of a trailer is only known at the end."""

    __slots__ = ("_checksum", "_name", "expected", "update")

    def __init__(self, algorithm: bytes, expected: bytes = b"") -> None:
        self._name = algorithm
        self._checksum = ALGORITHMS[algorithm][0]()
        self.expected = expected  # raw
        self.update = self._checksum.update

    def confirm(self) -> None:
        if self._checksum.digest() != self.expected:
            raise S3Error(
                BAD_DIGEST,
                message=f"The {self._name.decode().upper()} you specified did not match the "
                "calculated checksum.",
            )
