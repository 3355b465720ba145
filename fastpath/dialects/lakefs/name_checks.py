"""Checks the names in a request to lakeFS: the repository, and the ref and the path in each key.

    /repository/ref/path      reads: branch, tag, commit, each with ~N or ^N; branch@, branch$
                              writes: a branch

Rules: a name that cannot exist in lakeFS gets S3's error for a name that does not exist; its
message says what is wrong with it, because S3 has no branches; lakeFS gets no such request, because
it would answer 500, or 404 without a document.
"""

from __future__ import annotations

import re

from fastpath.dialects.translation import ClientRequest
from fastpath.errors import (
    INVALID_REQUEST,
    NO_SUCH_BUCKET,
    NO_SUCH_KEY,
    NO_SUCH_UPLOAD,
    S3Error,
)

_REPOSITORY = re.compile(rb"[a-z0-9][a-z0-9-]{2,62}")
_BRANCH = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_-]*")
_REF = re.compile(rb"[^\s~^@$]+(?:[~^][0-9]{0,9})*|[A-Za-z0-9_][A-Za-z0-9_-]*[@$]")


def is_repository(bucket: bytes) -> bool:
    """Whether a repository can have this name."""
    return _REPOSITORY.fullmatch(bucket) is not None


def check_repository(bucket: bytes) -> None:
    """Check that a repository can have this name. Raises S3Error NoSuchBucket."""
    if not is_repository(bucket):
        raise no_such_bucket(bucket)


def is_branch(ref: bytes) -> bool:
    """Whether a branch can have this name."""
    return _BRANCH.fullmatch(ref) is not None


def check_read(key: bytes, shown: bytes) -> None:
    """Check that an object can have this key. Raises S3Error NoSuchKey with the key `shown`."""
    ref, _, path = key.partition(b"/")
    if not (path and _REF.fullmatch(ref)):
        raise no_such_key(shown)


def check_write(client_request: ClientRequest) -> None:
    """Check that this key can be written. Raises S3Error InvalidRequest or NoSuchBucket."""
    branch, _, path = client_request.upstream.key.partition(b"/")
    if not (branch and path):
        raise no_object()
    if not is_branch(branch):
        raise no_such_branch(client_request)


def check_upload(client_request: ClientRequest) -> None:
    """Check that an upload can have this key. Raises S3Error NoSuchUpload."""
    branch, _, path = client_request.upstream.key.partition(b"/")
    if not (path and is_branch(branch)):
        shown = next((value for name, value in client_request.query if name == b"uploadId"), b"")
        raise S3Error(NO_SUCH_UPLOAD, ("UploadId", shown.decode("utf-8", "replace")))


def no_object() -> S3Error:
    """Return the error for a key that names a branch, or nothing."""
    return S3Error(
        INVALID_REQUEST,
        message="A key of this bucket is a branch, a slash and a path, as in main/path.",
    )


def no_such_key(key: bytes) -> S3Error:
    """Return the error for an object that does not exist."""
    return S3Error(NO_SUCH_KEY, ("Key", _text(key)))


def no_such_bucket(bucket: bytes) -> S3Error:
    """Return the error for a repository that does not exist."""
    return S3Error(NO_SUCH_BUCKET, ("BucketName", _text(bucket)))


def no_such_branch(client_request: ClientRequest) -> S3Error:
    """Return the error for a branch that does not exist: as in lakeFS, a missing bucket."""
    branch, bucket = _text(client_request.key.partition(b"/")[0]), _text(client_request.bucket)
    return S3Error(
        NO_SUCH_BUCKET,
        ("BucketName", bucket),
        message=f"{NO_SUCH_BUCKET.message}: {bucket} has no branch {branch}",
    )


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
