"""Finds the operations that a request's headers imply, so that their permission is checked as well.

    PutObject with x-amz-acl: public-read     needs PutObjectAcl as well, as on AWS

Rules: the table is by header name, and a test compares it with botocore's model; it applies to
every operation that changes something, whether the model has the header there or not, because a
store may read it all the same; a value without an effect needs no further right.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from fastpath.s3.operations import OPERATIONS, Operation

# Header -> the operations with the same effect, by the permissions that AWS requires (API
# reference, "Permissions" of CreateBucket, PutObject and CopyObject).
_OF_AN_OBJECT: Mapping[bytes, tuple[str, ...]] = {
    b"x-amz-acl": ("PutObjectAcl",),
    b"x-amz-bypass-governance-retention": ("PutObjectRetention",),
    b"x-amz-grant-full-control": ("PutObjectAcl",),
    b"x-amz-grant-read": ("PutObjectAcl",),
    b"x-amz-grant-read-acp": ("PutObjectAcl",),
    b"x-amz-grant-write": ("PutObjectAcl",),
    b"x-amz-grant-write-acp": ("PutObjectAcl",),
    b"x-amz-object-annotation-directive": ("PutObjectAnnotation",),
    b"x-amz-object-lock-event-hold": ("PutObjectRetention",),
    b"x-amz-object-lock-event-hold-duration-days": ("PutObjectRetention",),
    b"x-amz-object-lock-event-hold-duration-years": ("PutObjectRetention",),
    b"x-amz-object-lock-legal-hold": ("PutObjectLegalHold",),
    b"x-amz-object-lock-mode": ("PutObjectRetention",),
    b"x-amz-object-lock-retain-until-date": ("PutObjectRetention",),
    b"x-amz-rename-source": ("DeleteObject",),  # it deletes the source
    b"x-amz-tagging": ("PutObjectTagging",),
}
_OF_A_BUCKET: Mapping[bytes, tuple[str, ...]] = {
    b"x-amz-acl": ("PutBucketAcl",),
    b"x-amz-bucket-object-lock-enabled": ("PutObjectLockConfiguration", "PutBucketVersioning"),
    b"x-amz-grant-full-control": ("PutBucketAcl",),
    b"x-amz-grant-read": ("PutBucketAcl",),
    b"x-amz-grant-read-acp": ("PutBucketAcl",),
    b"x-amz-grant-write": ("PutBucketAcl",),
    b"x-amz-grant-write-acp": ("PutBucketAcl",),
    b"x-amz-object-ownership": ("PutBucketOwnershipControls",),
}
# Values that mean the same as no header. `private` is the default: it grants nobody anything (AWS
# says so of a bucket; rclone sends it with every upload).
_NO_EFFECT: Mapping[bytes, bytes] = {
    b"x-amz-acl": b"private",
    b"x-amz-bucket-object-lock-enabled": b"false",
    b"x-amz-bypass-governance-retention": b"false",
}

_ON_A_BUCKET = frozenset({"CreateBucket", "PutBucketAcl"})
_CHANGING = frozenset({"write", "delete", "admin"})


def _headers_of(operation: Operation) -> Mapping[bytes, tuple[str, ...]]:
    if operation.action not in _CHANGING:
        return {}
    table = _OF_A_BUCKET if operation.name in _ON_A_BUCKET else _OF_AN_OBJECT
    return {name: others for name, others in table.items() if operation.name not in others}


_HEADERS = {operation.name: _headers_of(operation) for operation in OPERATIONS.values()}
_NAMES = {name: frozenset(headers) for name, headers in _HEADERS.items()}


def implied(
    operation: Operation, fields: Mapping[bytes, bytes], query: Sequence[tuple[bytes, bytes]]
) -> Collection[str]:
    """Return the operations that a request implies besides its own; usually none.

    `query` counts as well: a store may read a parameter as the header of this name, even if the
    request is not presigned.
    """
    names = _NAMES[operation.name]
    if not names or (names.isdisjoint(fields) and not query):
        return ()
    headers = _HEADERS[operation.name]
    sent = [*fields.items(), *((name.lower(), value) for name, value in query)]
    return {
        other
        for name, value in sent
        if name in names and value != _NO_EFFECT.get(name)
        for other in headers[name]
    }
