"""Decides which checksums of a request its target gets.

A store may hold every part to the algorithm that its upload was created with, and refuse a part
without a checksum. So a target gets the algorithm of an upload only if it can get the checksums of
the parts too: if it keeps them, and accepts a trailer, because SDKs send a part's checksum as one.

Rules: only the profile, the connection to the target and the algorithm decide, so that any worker
treats all requests of one upload alike; a checksum that is not sent was verified here, except for
that of a whole object in parts, which no single request has; an algorithm or type that S3 does not
have is refused here if the target does not get it.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastpath.errors import INVALID_REQUEST, S3Error
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX, NOT_VALUES
from fastpath.routing.profiles import Profile
from fastpath.signing.sigv4.verify import STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER

_ALGORITHM = HEADER_PREFIX + b"algorithm"
_TYPE = HEADER_PREFIX + b"type"
SDK_ALGORITHM = b"x-amz-sdk-checksum-algorithm"
_OF_AN_UPLOAD = frozenset({"CompleteMultipartUpload", "CreateMultipartUpload", "UploadPart"})
_OF_OBJECTS = _OF_AN_UPLOAD | {"PutObject"}
# AWS "Checking object integrity": algorithms for a whole object in parts, and for its parts only.
_FULL_OBJECT = frozenset({b"crc32", b"crc32c", b"crc64nvme"})
_COMPOSITE = frozenset(ALGORITHMS) - {b"crc64nvme"}


def drops_checksums_of_parts(profile: Profile, *, secure: bool) -> bool:
    """Whether an upload to this target is begun without the algorithm that its client asked for.

    Its parts then go up without their checksums. `secure`: the connection is encrypted.
    """
    return not profile.keeps_every_checksum and not _takes_trailers(profile, secure=secure)


def _takes_trailers(profile: Profile, *, secure: bool) -> bool:
    """Whether a target takes checksums in trailers; over a plain connection they must be signed."""
    streaming = profile.streaming
    return STREAMING_SIGNED_TRAILER in streaming or (
        secure and STREAMING_UNSIGNED_TRAILER in streaming
    )


class ChecksumSupport:
    """The checksums that a target accepts which does not accept all."""

    __slots__ = ("_algorithms", "_trailers")

    def __init__(self, profile: Profile, *, secure: bool, drops: bool) -> None:
        """`drops`: the upload was begun without an algorithm."""
        self._algorithms = profile.checksums
        self._trailers = not drops and _takes_trailers(profile, secure=secure)

    def accepts(self, operation: str, algorithm: bytes) -> bool:
        """Whether the target gets a checksum of this algorithm; in a document it always does."""
        if operation not in _OF_OBJECTS:
            return True
        return algorithm in self._algorithms and (self._trailers or operation not in _OF_AN_UPLOAD)

    def unsupported_headers(
        self, operation: str, fields: Mapping[bytes, bytes]
    ) -> tuple[bytes, ...]:
        """Return the names of the headers that the target does not get. Raises S3Error."""
        if operation == "CreateMultipartUpload":
            return self._of_a_new_upload(fields)
        names = [
            name
            for name in fields
            if name.startswith(HEADER_PREFIX)
            and name not in NOT_VALUES
            and not self.accepts(operation, name[len(HEADER_PREFIX) :])
        ]
        if operation == "CompleteMultipartUpload" and (names or not self._trailers):
            names.append(_TYPE)
        elif names:
            names.append(SDK_ALGORITHM)
        return tuple(names)

    def _of_a_new_upload(self, fields: Mapping[bytes, bytes]) -> tuple[bytes, ...]:
        sent = fields.get(_ALGORITHM)
        if sent is None:
            return ()
        algorithm = sent.lower()
        if self.accepts("CreateMultipartUpload", algorithm):
            return ()
        _check_type(algorithm, fields.get(_TYPE))
        return (_ALGORITHM, _TYPE, SDK_ALGORITHM)


def checksum_support_of(
    profile: Profile, *, secure: bool, drops: bool = False
) -> ChecksumSupport | None:
    """Return what such a target accepts; None: everything.

    `drops`: the request belongs to an upload that was begun without an algorithm.
    """
    if profile.keeps_every_checksum and not drops:
        return None
    return ChecksumSupport(profile, secure=secure, drops=drops)


def _check_type(algorithm: bytes, kind: bytes | None) -> None:
    """Refuse an algorithm or type that S3 does not have (AWS errors 3.19; versitygw s3err)."""
    if algorithm not in ALGORITHMS:
        known = ", ".join(sorted(name.decode().upper() for name in ALGORITHMS))
        raise S3Error(
            INVALID_REQUEST,
            message="Checksum algorithm provided is unsupported. Please try again with any of the "
            f"valid types: [{known}]",
        )
    types = {b"FULL_OBJECT": _FULL_OBJECT, b"COMPOSITE": _COMPOSITE}
    if kind is None:
        return
    if kind.upper() not in types:
        raise S3Error(INVALID_REQUEST, message="Value for x-amz-checksum-type header is invalid.")
    if algorithm not in types[kind.upper()]:
        raise S3Error(
            INVALID_REQUEST,
            message=f"The {kind.decode().upper()} checksum type cannot be used with the "
            f"{algorithm.decode()} checksum algorithm.",
        )
