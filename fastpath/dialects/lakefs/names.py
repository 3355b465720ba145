"""What a request to lakeFS names: a repository, and in each key a ref and a path.

    /repository/ref/path      reads: branch, tag, commit, each with ~N or ^N; branch@, branch$
                              writes: a branch

Rules: pure; a name that lakeFS cannot have is answered as S3 answers a name that it has not; the
message says what is wrong with it, because S3 has no branches; nothing of it reaches lakeFS, which
would answer 500, or 404 without a document.

Not here: whether what is named exists (lakeFS says it), prefixes of lists (`list_requests`).
"""

from __future__ import annotations

import re

from fastpath.dialects.translation import Asked
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
    """Whether there can be such a repository. Raises S3Error NoSuchBucket."""
    if not is_repository(bucket):
        raise no_such_bucket(bucket)


def is_branch(ref: bytes) -> bool:
    """Whether a branch can have this name."""
    return _BRANCH.fullmatch(ref) is not None


def check_read(key: bytes) -> None:
    """Whether there can be such an object. Raises S3Error NoSuchKey."""
    ref, _, path = key.partition(b"/")
    if not (path and _REF.fullmatch(ref)):
        raise no_such_key(key)


def check_write(asked: Asked) -> None:
    """Whether such an object can be made. Raises S3Error InvalidRequest or NoSuchBucket."""
    branch, _, path = asked.key.partition(b"/")
    if not (branch and path):
        raise no_object()
    if not is_branch(branch):
        raise no_such_branch(asked)


def check_upload(asked: Asked) -> None:
    """Whether an upload can be under way for such a key. Raises S3Error NoSuchUpload."""
    branch, _, path = asked.key.partition(b"/")
    if not (path and is_branch(branch)):
        shown = next((value for name, value in asked.query if name == b"uploadId"), b"")
        raise S3Error(NO_SUCH_UPLOAD, ("UploadId", shown.decode("utf-8", "replace")))


def no_object() -> S3Error:
    """The key names a branch, or nothing."""
    return S3Error(
        INVALID_REQUEST,
        message="A key of this bucket is a branch, a slash and a path, as in main/path.",
    )


def no_such_key(key: bytes) -> S3Error:
    """There is no such object."""
    return S3Error(NO_SUCH_KEY, ("Key", _text(key)))


def no_such_bucket(bucket: bytes) -> S3Error:
    """There is no such repository."""
    return S3Error(NO_SUCH_BUCKET, ("BucketName", _text(bucket)))


def no_such_branch(asked: Asked) -> S3Error:
    """There is no such branch to write to: to lakeFS, and so here, as a missing bucket."""
    branch, bucket = _text(asked.key.partition(b"/")[0]), _text(asked.bucket)
    return S3Error(
        NO_SUCH_BUCKET,
        ("BucketName", bucket),
        message=f"{NO_SUCH_BUCKET.message}: {bucket} has no branch {branch}",
    )


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
