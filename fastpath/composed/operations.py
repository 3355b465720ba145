"""The operations that a composed operation answers, if one target alone cannot."""

from __future__ import annotations

from fastpath.composed.bucket_lists.list_buckets import list_buckets
from fastpath.composed.chains.delete import delete_object
from fastpath.composed.chains.read import read
from fastpath.composed.copies.copy_object import copy_object
from fastpath.composed.copies.copy_part import copy_part
from fastpath.composed.delete_objects import delete_objects
from fastpath.composed.object_lists.list_objects import list_objects
from fastpath.composed.operation import Composed, Operations

OPERATIONS: Operations = {
    "CopyObject": Composed(copy_object),
    "DeleteObject": Composed(delete_object),
    "DeleteObjects": Composed(delete_objects),
    "GetBucketLocation": Composed(read),
    "GetObject": Composed(read),
    "GetObjectAcl": Composed(read),
    "GetObjectAttributes": Composed(read),
    "GetObjectTagging": Composed(read),
    "GetObjectTorrent": Composed(read),
    "HeadBucket": Composed(read),
    "HeadObject": Composed(read),
    "ListBuckets": Composed(list_buckets),
    "ListObjects": Composed(list_objects),
    "ListObjectsV2": Composed(list_objects),
    "UploadPartCopy": Composed(copy_part),
}
