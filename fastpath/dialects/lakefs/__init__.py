"""lakeFS's way of speaking S3, and S3's.

Rules: pure.

Not here: what of a request must not reach lakeFS at all (`profiles`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastpath.dialects.lakefs import buckets, deletes, lists, reads, tags, uploads, writes
from fastpath.dialects.lakefs.names import check_repository, is_repository
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Asked, Translation

OPERATIONS: Mapping[str, Callable[[Asked], Translation]] = {
    "AbortMultipartUpload": uploads.Abort,
    "CompleteMultipartUpload": uploads.Complete,
    "CopyObject": writes.CopyObject,
    "CreateBucket": buckets.CreateBucket,
    "CreateMultipartUpload": writes.Upload,
    "DeleteObject": deletes.DeleteObject,
    "DeleteObjects": deletes.DeleteObjects,
    "GetObject": reads.Read,
    "GetObjectTagging": tags.GetTags,
    "HeadBucket": buckets.HeadBucket,
    "HeadObject": reads.Read,
    "ListBuckets": lists.ListBuckets,
    "ListMultipartUploads": uploads.ListUploads,
    "ListObjects": lists.ListObjects,
    "ListObjectsV2": lists.ListObjects,
    "ListParts": uploads.ListParts,
    "PutObject": writes.put_object,
    "UploadPart": uploads.UploadPart,
    "UploadPartCopy": uploads.UploadPartCopy,
}


def translate(asked: Asked) -> Translation:
    """How a request goes to lakeFS. Raises S3Error."""
    if asked.operation == "CreateBucket" and not is_repository(asked.bucket):
        raise buckets.no_bucket_is_made()
    if asked.bucket:
        check_repository(asked.bucket)
    return OPERATIONS.get(asked.operation, Request)(asked)
