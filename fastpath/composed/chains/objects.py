"""Finds an object at places of a chain, and deletes it at one of them.

Rules: a place is asked by itself, whatever others have; a deleted object (404, with or without
x-amz-delete-marker) is not there; a place that says neither, or nothing, is a failure. What was
seen is removed only while it is still the same: a target that has conditions on deletes compares
the ETag itself; at another, or if that says no, the object is looked at again just before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastpath.composed.calls import MAX_ERROR, Place, call_at, error_in
from fastpath.errors import NOT_IMPLEMENTED, PRECONDITION_FAILED, SERVICE_UNAVAILABLE, S3Error
from fastpath.routing.chain import HidingObject
from fastpath.s3.error_documents import read_error

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.routing.chain import Decision

Fields = Sequence[tuple[bytes, bytes]]

_MATCH = b"if-match"
NOT_THERE = frozenset({"NoSuchBucket", "NoSuchKey"})  # codes of a place that has no such object


async def find_objects(
    request: ComposedRequest, places: Sequence[Decision], bucket: bytes, key: bytes
) -> list[HidingObject]:
    """Return the objects of a key at these places, in their order. Raises S3Error, CallFailed."""
    if len(places) == 1:  # a group would wrap what fails
        found = [await find_object(request, places[0], bucket, key)]
    else:
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(find_object(request, place, bucket, key)) for place in places
            ]
        found = [task.result() for task in asked]
    return [one for one in found if one is not None]


async def find_object(
    request: ComposedRequest, decision: Decision, bucket: bytes, key: bytes
) -> HidingObject | None:
    """Ask one place for an object; None: it has none. Raises S3Error, CallFailed."""
    place = Place(bucket, key, decision)
    try:
        async with call_at(request, "HeadObject", place) as call:
            head = await call.answer()
            await call.document(0)
    except S3Error as error:  # of a translation
        if error.kind.status == 404:
            return None
        raise
    if head.status == 404:
        return None
    # 400: it is encrypted with a key of its owner's (SSE-C), without which its ETag is not shown.
    if head.status in (200, 400):
        return HidingObject(decision, head.fields.get(b"etag", b"") if head.status == 200 else b"")
    raise error_in(request, head.status, b"", place)


async def delete_at(request: ComposedRequest, place: Place, headers: Fields) -> int:
    """Delete an object at one place. Raises S3Error, CallFailed: it may be there still.

    Return the status of the answer: 412 if a condition of `headers` was not met.
    """
    try:
        async with call_at(request, "DeleteObject", place, headers=headers) as call:
            head = await call.answer()
            document = await call.document(MAX_ERROR) or b""
    except S3Error as error:  # of a translation
        if error.kind.code in NOT_THERE or error.kind is PRECONDITION_FAILED:
            return error.kind.status
        raise
    said = read_error(document)
    is_missing = head.status == 404 and said.get("Code", "") in NOT_THERE
    if head.status < 300 or head.status == 412 or is_missing:
        return head.status
    if head.status == 404 and not said:  # of a proxy, perhaps; a client would take it for success
        raise S3Error(SERVICE_UNAVAILABLE, retry_after=1)
    raise error_in(request, head.status, document, place)


async def remove(
    request: ComposedRequest,
    seen: HidingObject,
    bucket: bytes,
    key: bytes,
    headers: Fields = (),
) -> None:
    """Remove an object that was seen, unless somebody has replaced it since.

    Raises S3Error, CallFailed: it may be there still.
    """
    place = Place(bucket, key, seen.place)
    profile = request.snapshot.targets[seen.place.target].profile
    compares = _MATCH not in profile.overlooks.get("DeleteObject", ())
    if seen.etag and compares and not profile.assumed:
        try:
            status = await delete_at(request, place, [*headers, (_MATCH, seen.etag)])
        except S3Error as error:
            if error.kind.status != NOT_IMPLEMENTED.status:
                raise
        else:
            if status != PRECONDITION_FAILED.status:
                return
            # It was replaced, or the store refuses the ETag that it showed itself (a proxy has made
            # it a weak one): then the object would hide the new one for good.
    if seen.etag:
        now = await find_object(request, seen.place, bucket, key)
        if now is None or now.etag != seen.etag:
            return
    await delete_at(request, place, headers)
