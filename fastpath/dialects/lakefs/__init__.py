"""lakeFS's way of speaking S3, and S3's.

Rules: pure.

Not here: what of a request must not reach lakeFS at all (`profiles`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastpath.dialects.lakefs import deletes, lists, uploads
from fastpath.dialects.translation import Asked, Translation

OPERATIONS: Mapping[str, Callable[[Asked], Translation]] = {
    "AbortMultipartUpload": uploads.Abort,
    "CompleteMultipartUpload": uploads.Complete,
    "DeleteObject": deletes.DeleteObject,
    "ListBuckets": lists.ListBuckets,
    "ListMultipartUploads": uploads.ListUploads,
    "ListObjects": lists.ListObjects,
    "ListObjectsV2": lists.ListObjects,
    "ListParts": uploads.ListParts,
    "UploadPart": uploads.UploadPart,
    "UploadPartCopy": uploads.UploadPartCopy,
}
