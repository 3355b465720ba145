"""Says which parameters and elements of which operations name a bucket, a key or an upload.

Rules: a member of S3's model that names one of them is in a table here, or its operation is in
`WITHOUT_RENAMED_BUCKETS` or about the whole bucket, or a test lists it with the reason why it stays
as it is; an operation that is in no table is about the names in its path alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.renaming.names import Names
from fastpath.s3.operations import OPERATIONS, request_shape

PREFIX = b"prefix"
# Parameters that hold a key after which a list goes on. Every list gets all of them renamed: a
# store may read in a list of one version what belongs to another.
MARKERS = frozenset((b"marker", b"start-after", b"key-marker"))
UPLOAD_IDS = frozenset((b"uploadId", b"upload-id-marker"))
LISTS = frozenset(("ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"))


class Member(IntEnum):
    """What an element of a response holds."""

    BUCKET = 0  # the request's
    KEY = 1  # the request's
    UPLOAD_ID = 2  # the request's
    PREFIX = 3  # the request's parameter, and so on
    MARKER = 4
    START_AFTER = 5
    KEY_MARKER = 6
    UPLOAD_ID_MARKER = 7
    LISTED_KEY = 8  # a key or a prefix that the target has found
    NEXT_KEY = 9  # the same, or empty
    NEW_UPLOAD_ID = 10  # of an upload to the request's key
    LISTED_UPLOAD_ID = 11  # of an upload to the key in the same row
    NEXT_UPLOAD_ID = 12  # of an upload to NextKeyMarker, or empty
    MESSAGE = 13  # for people, about the key in the same row


PARAMETERS: Mapping[Member, bytes] = {
    Member.PREFIX: PREFIX,
    Member.MARKER: b"marker",
    Member.START_AFTER: b"start-after",
    Member.KEY_MARKER: b"key-marker",
}

# By the path below the root.
DOCUMENTS: Mapping[str, Mapping[str, Member]] = {
    "ListObjects": {
        "Name": Member.BUCKET,
        "Prefix": Member.PREFIX,
        "Marker": Member.MARKER,
        "NextMarker": Member.NEXT_KEY,
        "Contents/Key": Member.LISTED_KEY,
        "CommonPrefixes/Prefix": Member.LISTED_KEY,
    },
    "ListObjectsV2": {
        "Name": Member.BUCKET,
        "Prefix": Member.PREFIX,
        "StartAfter": Member.START_AFTER,
        "Contents/Key": Member.LISTED_KEY,
        "CommonPrefixes/Prefix": Member.LISTED_KEY,
    },
    "ListObjectVersions": {
        "Name": Member.BUCKET,
        "Prefix": Member.PREFIX,
        "KeyMarker": Member.KEY_MARKER,
        "NextKeyMarker": Member.NEXT_KEY,
        "Version/Key": Member.LISTED_KEY,
        "DeleteMarker/Key": Member.LISTED_KEY,
        "CommonPrefixes/Prefix": Member.LISTED_KEY,
    },
    "ListMultipartUploads": {
        "Bucket": Member.BUCKET,
        "Prefix": Member.PREFIX,
        "KeyMarker": Member.KEY_MARKER,
        "UploadIdMarker": Member.UPLOAD_ID_MARKER,
        "NextKeyMarker": Member.NEXT_KEY,
        "NextUploadIdMarker": Member.NEXT_UPLOAD_ID,
        "Upload/Key": Member.LISTED_KEY,
        "Upload/UploadId": Member.LISTED_UPLOAD_ID,
        "CommonPrefixes/Prefix": Member.LISTED_KEY,
    },
    "ListParts": {"Bucket": Member.BUCKET, "Key": Member.KEY, "UploadId": Member.UPLOAD_ID},
    "CreateMultipartUpload": {
        "Bucket": Member.BUCKET,
        "Key": Member.KEY,
        "UploadId": Member.NEW_UPLOAD_ID,
    },
    "CompleteMultipartUpload": {"Bucket": Member.BUCKET, "Key": Member.KEY},
    # No name in a success, but an error may have the status 200.
    "CopyObject": {},
    "UploadPartCopy": {},
    "DeleteObjects": {
        "Deleted/Key": Member.LISTED_KEY,
        "Error/Key": Member.LISTED_KEY,
        "Error/Message": Member.MESSAGE,
    },
    "ListObjectAnnotations": {"Bucket": Member.BUCKET, "Key": Member.KEY},
    "PutObjectAnnotation": {"Key": Member.KEY},
}
# White space comes before these while the target works, and keeps the connection open.
SLOW = frozenset(("CompleteMultipartUpload", "CopyObject", "UploadPartCopy"))
# These have an element that the client gets another value of, even if no name is rewritten.
WITH_UPLOAD_IDS = frozenset(("CreateMultipartUpload", "ListMultipartUploads", "ListParts"))

# Their documents name a bucket, or bring a client to the target by another way.
WITHOUT_RENAMED_BUCKETS = frozenset(
    (
        "CreateSession",
        "GetBucketAnalyticsConfiguration",
        "GetBucketInventoryConfiguration",
        "GetBucketLogging",
        "GetBucketPolicy",
        "GetBucketReplication",
        "GetObjectTorrent",
        "ListBucketAnalyticsConfigurations",
        "ListBucketInventoryConfigurations",
        "PutBucketAnalyticsConfiguration",
        "PutBucketInventoryConfiguration",
        "PutBucketLogging",
        "PutBucketPolicy",
        "PutBucketReplication",
        "RestoreObject",
        "Unclassified",
        "WriteGetObjectResponse",
    )
)
# What a part of a bucket has. Everything else is about the whole bucket.
OF_A_PART = frozenset(
    (
        "CreateBucket",  # never sent: only whether the bucket exists is asked
        "DeleteObjects",
        "GetBucketLocation",
        "GetBucketVersioning",
        "HeadBucket",
        "PostObject",
        "Preflight",
        *LISTS,
    )
)


def check_operation(operation: str, names: Names) -> None:
    """Refuse an operation that renamed buckets or keys do not have. Raises S3Error."""
    rewrite = names.rewrite
    is_renamed = rewrite.is_part or names.bucket != names.upstream_bucket
    if rewrite.is_part and is_about_whole_bucket(operation):
        raise _refused(operation, "its bucket is a part of another one at the target")
    if is_renamed and operation in WITHOUT_RENAMED_BUCKETS:
        raise _refused(operation, "its bucket has another name at the target")


def is_about_whole_bucket(operation: str) -> bool:
    """Whether an operation reads or changes more of a bucket than a part of its keys."""
    if operation in OF_A_PART:
        return False
    try:
        (level, _, _), _ = request_shape(OPERATIONS[operation])
    except KeyError:
        return True
    return level == b"bucket"


def _refused(operation: str, why: str) -> S3Error:
    error = S3Error(
        NOT_IMPLEMENTED,
        message=f"{operation} is not available on the storage that serves this bucket.",
    )
    error.note = f"{operation} refused: {why} (send it to the target itself)"
    return error
