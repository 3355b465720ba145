"""Limits the size of an object's metadata.

Rules: S3 limits bytes, not lines: each name without its prefix and each value count, as they are
sent (UTF-8); the limit holds for every profile, because a store with another one would make objects
that S3 cannot hold.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastpath.errors import METADATA_TOO_LARGE, S3Error
from fastpath.s3.operations import Operation

MAX_METADATA = 2048  # bytes of names and values of one object, of S3 and of lakeFS
METADATA_PREFIX = b"x-amz-meta-"
_MAKE_OBJECTS = frozenset({"PutObject", "CreateMultipartUpload"})


def check_metadata(operation: Operation | None, fields: Mapping[bytes, bytes]) -> None:
    """Refuse a request that would store too much metadata. Raises S3Error."""
    name = operation.name if operation is not None else ""
    if name not in _MAKE_OBJECTS and (
        name != "CopyObject" or fields.get(b"x-amz-metadata-directive") != b"REPLACE"
    ):
        return
    if METADATA_PREFIX not in b" ".join(fields):
        return  # most have none, and need not be looked at one by one (heads: 3,000 instructions)
    check_metadata_size(fields)


def check_metadata_size(fields: Mapping[bytes, bytes]) -> None:
    """Refuse too much metadata in these header fields. Raises S3Error."""
    names = [name for name in fields if name.startswith(METADATA_PREFIX)]
    size = sum([len(name) - len(METADATA_PREFIX) + len(fields[name]) for name in names])
    if size > MAX_METADATA:
        raise S3Error(
            METADATA_TOO_LARGE, ("Size", str(size)), ("MaxSizeAllowed", str(MAX_METADATA))
        )
