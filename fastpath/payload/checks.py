"""What a body is checked against: the signed digest, Content-MD5, an x-amz-checksum-* value.

Rules: a check takes in the decoded body and raises AWS's error at its end (tables 3 and 4 of AWS's
errors; docs/errors.md names the source of each).

Not here: which checks a request asks for (`choose`).
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from fastpath.errors import BAD_DIGEST, CONTENT_SHA256_MISMATCH, S3Error
from fastpath.payload.checksums import ALGORITHMS, encode


class Check(Protocol):
    """One thing a body must agree with."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in more of the decoded body."""

    def confirm(self) -> None:
        """The body is complete. Raises S3Error if it is another one."""


class DigestCheck:
    """The SHA-256 that was signed (AWS errors 1.34)."""

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
    """Content-MD5 (AWS errors 4.6); `in_hex` is how AWS shows what it expected."""

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
    """One x-amz-checksum-* value; that of a trailer is only known at the end."""

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
