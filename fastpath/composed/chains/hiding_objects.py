"""Keeps the answer to a write back until no older object hides the new one.

    HEAD where reads look before -> the write -> what was seen there is deleted -> the answer

Rules: a client is told that its object is stored only once a read would find it; if an older one
cannot be removed, the client is told to try again (503). What the target refuses removes nothing,
nor does an answer without the ETag of the new object: that may be a page of a proxy.
Only what was there before the write is removed: who stored an object there since then has written
later, or at the same time, and may know already that it is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.composed.chains.objects import remove
from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.response.filters import MAX_ASKED_BYTES, Buffer, Removal, Reply, ResponseFilter
from fastpath.s3.error_documents import read_error
from fastpath.upstream.call import CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead
    from fastpath.response.filters import Step

_ETAG = b"ETag>"  # in the document of a copy, or of an upload in parts


class HidingObjects(ResponseFilter):
    """Decides about the answer to a write that older objects may hide."""

    def __init__(self) -> None:
        self._has_etag = False

    def head(self, head: ResponseHead) -> Step:
        self._has_etag = b"etag" in head.fields
        return Buffer(MAX_ASKED_BYTES) if head.status < 300 else None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        # S3 writes an error into a 200 that has begun (CopyObject, CompleteMultipartUpload).
        if read_error(body):
            return None
        if not self._has_etag and _ETAG not in body:
            raise _unclear()
        return Removal()

    def reply(self, reply: Reply | None) -> Step:
        if reply is None:
            raise S3Error(SERVICE_UNAVAILABLE, retry_after=1)
        return None


def _unclear() -> S3Error:
    """Return the error for an answer that does not say that an object was stored."""
    error = S3Error(SERVICE_UNAVAILABLE, retry_after=1)
    error.note = (
        "gave no ETag for a new object, so that the older one which hides it stays (is its "
        "endpoint an S3 endpoint, or a page of a proxy?)"
    )
    return error


async def removed(request: ComposedRequest) -> Reply | None:
    """Remove what hides the new object of a request; None: it is still there."""
    try:
        await remove_hiding(request)
    except (CallFailed, S3Error):  # which was logged
        return None
    return Reply(204, b"", {})


async def remove_hiding(request: ComposedRequest) -> None:
    """Remove what hides the new object of a request.

    The last is removed first, or an object between would show. Raises S3Error ServiceUnavailable,
    CallFailed.
    """
    address = request.admitted.address
    for hiding in reversed(request.admitted.hides):
        try:
            await remove(request, hiding, address.bucket, address.key)
        except S3Error as error:
            what = f"an older object hides a new one, and cannot be removed: {error}"
            request.warn(hiding.place.target, what)
            raise S3Error(SERVICE_UNAVAILABLE, retry_after=1) from None
