"""Keeps the answer to a write back until no older object hides the new one.

    HEAD where reads look before -> the write -> what was seen there is deleted -> the answer

Rules: a client is told that its object is stored only once a read would find it; if an older one
cannot be removed, the client is told to try again (503). What the target refuses removes nothing.
Only what was there before the write is removed: who stored an object there since then has written
later, or at the same time, and may know already that it is stored. A target that has conditions on
deletes compares the ETag itself; of another the object is looked at again just before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.composed.calls import Place
from fastpath.composed.chains.objects import delete_at, find_object
from fastpath.errors import NOT_IMPLEMENTED, PRECONDITION_FAILED, SERVICE_UNAVAILABLE, S3Error
from fastpath.response.filters import MAX_ASKED_BYTES, Buffer, Removal, Reply, ResponseFilter
from fastpath.s3.error_documents import read_error
from fastpath.upstream.call import CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead
    from fastpath.response.filters import Step
    from fastpath.routing.chain import HidingObject

_MATCH = b"if-match"


class HidingObjects(ResponseFilter):
    """Decides about the answer to a write that older objects may hide."""

    def head(self, head: ResponseHead) -> Step:
        return Buffer(MAX_ASKED_BYTES) if head.status < 300 else None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        # S3 writes an error into a 200 that has begun (CopyObject, CompleteMultipartUpload).
        return None if read_error(body) else Removal()

    def reply(self, reply: Reply | None) -> Step:
        if reply is None:
            raise S3Error(SERVICE_UNAVAILABLE, retry_after=1)
        return None


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
            await _remove(request, Place(address.bucket, address.key, hiding.place), hiding)
        except S3Error as error:
            what = f"an older object hides a new one, and cannot be removed: {error}"
            request.warn(hiding.place.target, what)
            raise S3Error(SERVICE_UNAVAILABLE, retry_after=1) from None


async def _remove(request: ComposedRequest, place: Place, hiding: HidingObject) -> None:
    """Remove one object, unless somebody has replaced it. Raises S3Error, CallFailed."""
    overlooked = request.snapshot.targets[hiding.place.target].profile.overlooks
    if hiding.etag and _MATCH not in overlooked.get("DeleteObject", ()):
        try:
            await delete_at(request, place, [(_MATCH, hiding.etag)])
        except S3Error as error:
            if error.kind.status == PRECONDITION_FAILED.status:  # as a translation says it
                return
            if error.kind.status != NOT_IMPLEMENTED.status:
                raise
        else:
            return
    if hiding.etag:
        now = await find_object(request, hiding.place, place.bucket, place.key)
        if now is None or now.etag != hiding.etag:
            return
    await delete_at(request, place, ())
