"""Finds where the upload began that a request names, and seals the ids of new ones.

Rules: an id that no key of this gateway sealed for this bucket and key is unknown; nothing is read
of it; an upload whose target is no longer configured is unknown too.
"""

from __future__ import annotations

from typing import NamedTuple

from fastpath.errors import NO_SUCH_UPLOAD, SERVICE_UNAVAILABLE, S3Error
from fastpath.renaming.queries import first_value
from fastpath.request.understood import Understood
from fastpath.routing.sealed_ids import Sealer, UploadOrigin
from fastpath.routing.snapshot import Snapshot
from fastpath.s3.operations import OPERATIONS

_LIST_UPLOADS = OPERATIONS["ListMultipartUploads"]


class Upload(NamedTuple):
    """The upload that a request names: where it began, and its id there and for the client."""

    origin: UploadOrigin
    upstream_id: bytes
    upload_id: bytes


class SealedIds(NamedTuple):
    """Makes the upload ids that clients see: renaming.names.UploadIds. `bucket`: the client's."""

    sealer: Sealer
    origin: UploadOrigin
    bucket: bytes

    def seal(self, upload_id: bytes, client_key: bytes, /) -> bytes:
        """Return the client's id for a target's. Raises S3Error: it cannot be sealed."""
        try:
            return self.sealer.seal(self.origin, upload_id, self.bucket, client_key)
        except ValueError as fault:
            error = S3Error(SERVICE_UNAVAILABLE, retry_after=1)
            error.note = f"gave an upload id that cannot be sealed: {fault}"
            raise error from None


def upload_of(request: Understood, snapshot: Snapshot) -> Upload | None:
    """Return the upload that a request names; None: it names none. Raises S3Error NoSuchUpload."""
    operation, address = request.operation, request.address
    if operation is _LIST_UPLOADS:
        key = first_value(request.query, b"key-marker")
        upload_id = first_value(request.query, b"upload-id-marker")
        if not key or not upload_id:  # a marker of uploads means nothing without one of keys
            return None
    elif operation.routed_as is not operation:
        key, upload_id = address.key, first_value(request.query, b"uploadId")
    else:
        return None
    opened = snapshot.sealer.open(upload_id, address.bucket, key)
    if opened is None or opened[0].target not in snapshot.targets:
        raise S3Error(NO_SUCH_UPLOAD, ("UploadId", upload_id.decode("utf-8", "replace")))
    origin, upstream_id = opened
    return Upload(origin, upstream_id, upload_id)
