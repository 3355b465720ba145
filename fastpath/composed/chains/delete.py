"""Deletes what several targets may have: in reverse order of reads, so that nothing reappears.

    DeleteObject at the last place -> ... -> at the first, whose answer the client gets

    a write to a place -> DeleteObject at each place where reads look before it -> acknowledged

Rules: the first failure ends it; what a client is told is deleted, no read finds any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastpath.composed.calls import MAX_ERROR, Place, call_at, error_in
from fastpath.composed.chains.client_headers import forwarded_headers, forwarded_query
from fastpath.request.across import AlongChain
from fastpath.s3.error_documents import read_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastpath.composed.operation import ComposedRequest
    from fastpath.routing.chain import Decision

_NOT_THERE = frozenset({"NoSuchBucket", "NoSuchKey"})


async def delete_object(request: ComposedRequest) -> None:
    """Delete the client's object at all places."""
    admitted = request.admitted
    assert isinstance(admitted.across, AlongChain)  # `operations` has it so
    chain, address = admitted.across.chain, admitted.address
    headers = forwarded_headers(request)
    await _delete_at(request, reversed(chain.places[1:]), address.bucket, address.key, headers)
    place = Place(address.bucket, address.key, chain.primary)
    query = forwarded_query(request.head, admitted)
    async with call_at(request, "DeleteObject", place, query=query, headers=headers) as call:
        head = await call.answer()
        if head.status >= 400:
            document = await call.document(MAX_ERROR)
            raise error_in(request, head.status, document or b"", place)
        await request.reply.relay(call)


async def remove_hiding(
    request: ComposedRequest, places: Iterable[Decision], bucket: bytes, key: bytes
) -> None:
    """Remove a key where reads look before the place it was stored at. Raises S3Error, CallFailed.

    An object there would hide the one that the client is told is stored.
    """
    await _delete_at(request, places, bucket, key, ())


async def _delete_at(
    request: ComposedRequest,
    places: Iterable[Decision],
    bucket: bytes,
    key: bytes,
    headers: Sequence[tuple[bytes, bytes]],
) -> None:
    for decision in places:
        place = Place(bucket, key, decision)
        async with call_at(request, "DeleteObject", place, headers=headers) as call:
            head = await call.answer()
            document = await call.document(MAX_ERROR) or b""
        if head.status < 300:
            continue
        if head.status == 404 and read_error(document).get("Code", "") in _NOT_THERE:
            continue
        raise error_in(request, head.status, document, place)
