"""The operations that a composed operation may answer instead of the relay, and when it does."""

from __future__ import annotations

from fastpath.composed.bucket_lists.list_buckets import list_buckets
from fastpath.composed.copies.copy_object import copy_object
from fastpath.composed.copies.copy_part import copy_part
from fastpath.composed.delete_objects import delete_objects
from fastpath.composed.object_lists.list_objects import list_objects
from fastpath.composed.operation import Composed, Operations
from fastpath.request.admitted import Admitted


def _is_across(admitted: Admitted) -> bool:
    return admitted.is_across


OPERATIONS: Operations = {
    "CopyObject": Composed(copy_object, _is_across),
    "DeleteObjects": Composed(delete_objects, _is_across),
    "ListBuckets": Composed(list_buckets, _is_across),
    "ListObjects": Composed(list_objects, _is_across),
    "ListObjectsV2": Composed(list_objects, _is_across),
    "UploadPartCopy": Composed(copy_part, _is_across),
}
