"""Reads of what several targets may have: the answer of the first place that has it.

Rules: the answer is relayed as the target sent it, and a large body is spliced; a document that
names what the client named otherwise gets the client's names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.composed.calls import error_of
from fastpath.composed.chains.client_headers import (
    forwarded_headers,
    forwarded_query,
    lines_without_body,
)
from fastpath.composed.chains.look import Seen, look
from fastpath.request.across import AlongChain
from fastpath.response.own_answer import OwnAnswer

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest

# What a translation may read of an answer must pass through it as a whole.
_RELAYED = frozenset({"GetObject", "HeadBucket", "HeadObject"})
_MAX_DOCUMENT = 1 << 20  # bytes: tags, grants, attributes of 1,000 parts


async def read(request: ComposedRequest) -> None:
    """Answer with what the first place that has it says."""
    admitted = request.admitted
    assert isinstance(admitted.across, AlongChain)  # `operations` has it so
    address = admitted.address
    async with look(
        request,
        admitted.across.chain,
        admitted.operation.name,
        address.bucket,
        address.key,
        query=forwarded_query(request.head, admitted),
        headers=forwarded_headers(request),
    ) as seen:
        request.served_by(seen.place.decision)
        await _answer(request, seen)


async def _answer(request: ComposedRequest, seen: Seen) -> None:
    place, call, head = seen
    is_error = head.status >= 400 and call.method != b"HEAD"
    if is_error and place.decision.rewrite is not None:
        raise await error_of(request, call, head, place)
    if is_error or request.admitted.operation.name in _RELAYED:
        await request.reply.relay(call)
        return
    document = await call.document(_MAX_DOCUMENT)
    await request.reply.answer(OwnAnswer(head.status, lines_without_body(head), document or b""))
