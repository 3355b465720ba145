"""Translates between S3 and lakeFS's S3 gateway: `OPERATIONS` has a translation for each operation.

Any other operation gets `request.Request`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastpath.dialects.lakefs import buckets, deletes, lists, reads, tags, uploads, writes
from fastpath.dialects.lakefs.name_checks import check_repository, is_repository
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import ClientRequest, Translation

OPERATIONS: Mapping[str, Callable[[ClientRequest], Translation]] = {
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


def translate(client_request: ClientRequest) -> Translation:
    """Translate a request for lakeFS. Raises S3Error."""
    bucket = client_request.upstream.bucket
    if client_request.operation == "CreateBucket" and not is_repository(bucket):
        raise buckets.cannot_create_bucket()
    if bucket:
        check_repository(bucket)
    return OPERATIONS.get(client_request.operation, Request)(client_request)
