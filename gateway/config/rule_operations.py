"""Tells which operations rules are asked about, and which of them name keys.

Rules: requests that name no bucket go to the default target, and the operations of a multipart
upload are routed like the request that began it; an operation that may name a key, or none, is in
neither set.
"""

from __future__ import annotations

from fastpath.s3.operations import OPERATIONS, request_shape

ROUTED = frozenset(
    operation.name
    for operation in OPERATIONS.values()
    if operation.routed_as is operation and operation.name != "ListBuckets"
)

# What makes an object, whose target conditions choose; parts follow their CreateMultipartUpload.
WRITES = frozenset(("CopyObject", "CreateMultipartUpload", "PostObject", "PutObject"))
# What looks along a chain besides deletions.
READS = frozenset(
    operation.name for operation in OPERATIONS.values() if operation.action in ("read", "list")
)


def _level(name: str) -> bytes:
    try:
        return request_shape(OPERATIONS[name])[0][0]
    except KeyError:  # of no fixed shape
        return b""


# About many keys: a list, whose prefix rules compare with their keys, and a batch, each key of
# which has a decision of its own.
ABOUT_MANY_KEYS = frozenset(
    (
        "DeleteObjects",
        "ListMultipartUploads",
        "ListObjectVersions",
        "ListObjects",
        "ListObjectsV2",
    )
)
ABOUT_KEYS = ABOUT_MANY_KEYS | {name for name in ROUTED if _level(name) == b"object"}
ABOUT_NO_KEY = frozenset(
    name for name in ROUTED if _level(name) == b"bucket" and name != "PostObject"
).difference(ABOUT_MANY_KEYS)
