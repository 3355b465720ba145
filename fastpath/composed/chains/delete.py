"""Deletes what several targets may have: in reverse order of reads, so that nothing reappears.

    DeleteObject at the last place -> ... -> at the first, whose answer the client gets
        -> of what was written behind it meanwhile

Rules: the first failure ends it, but for a bucket that only some of the places have; what a client
is told is deleted, no read finds any more. While a delete is under way, somebody may write behind,
and then before: the delete meets the newer object alone, and the older one would show. So
candidates behind the first are looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.composed.calls import MAX_ERROR, Fields, Place, call_at, error_in
from fastpath.composed.chains.client_headers import (
    forwarded_headers,
    forwarded_query,
    lines_without_body,
)
from fastpath.composed.chains.objects import delete_at, find_objects, remove
from fastpath.errors import NO_SUCH_BUCKET, S3Error
from fastpath.request.across import AlongChain
from fastpath.response.own_answer import OwnAnswer

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest


async def delete_object(request: ComposedRequest) -> None:
    """Delete the client's object at all places."""
    admitted = request.admitted
    assert isinstance(admitted.across, AlongChain)  # `operations` has it so
    chain, bucket, key = admitted.across.chain, admitted.address.bucket, admitted.address.key
    headers = forwarded_headers(request)
    has_bucket = False  # a place behind the first
    for decision in reversed(chain.places[1:]):
        has_bucket |= await delete_at(request, Place(bucket, key, decision), headers) < 300
    try:
        answer = await _delete_at_first(request, Place(bucket, key, chain.primary), headers)
    except S3Error as error:
        if not has_bucket or error.kind.code != NO_SUCH_BUCKET.code:
            raise
        answer = OwnAnswer(204, [], b"")
    behind = chain.places[1 : chain.candidates]
    if behind:
        for left in reversed(await find_objects(request, behind, bucket, key)):
            await remove(request, left, bucket, key, headers)
    await request.reply.answer(answer)


async def _delete_at_first(request: ComposedRequest, place: Place, headers: Fields) -> OwnAnswer:
    """Delete at the place whose answer the client gets. Raises S3Error, CallFailed."""
    query = forwarded_query(request.head, request.admitted)
    async with call_at(request, "DeleteObject", place, query=query, headers=headers) as call:
        head = await call.answer()
        document = await call.document(MAX_ERROR) or b""
    if head.status >= 400:
        raise error_in(request, head.status, document, place)
    return OwnAnswer(head.status, lines_without_body(head), document)
