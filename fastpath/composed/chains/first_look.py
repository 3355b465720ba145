"""Looks for an object before a request about it goes up: where it is, or what conditions say.

    TO_CHANGE     HEAD along the chain -> the request goes where the object is
    TO_COMPARE    HEAD along the chain -> If-Match and If-None-Match are about what reads see
    TO_MEASURE    HEAD of the source of a copy -> conditions of rules are about its size and type
    TO_UNCOVER    HEAD where reads look before -> what is seen there is removed after the write

Rules: of an object that only a fallback has, the primary knows nothing: If-None-Match is not met,
and If-Match goes up as `If-None-Match: *`, so that the primary refuses if somebody was faster. No
write passes a place that fails, whatever `fallback_on` says of reads.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from fastpath.composed.calls import error_in
from fastpath.composed.chains.look import Absent, look
from fastpath.composed.chains.objects import find_objects
from fastpath.composed.copies.source import find_source
from fastpath.errors import PRECONDITION_FAILED, S3Error
from fastpath.request.across import copy_source
from fastpath.request.chains import Looking, Placed, Why, places_before
from fastpath.request.copies import asked_to_read
from fastpath.request.sources import source_of
from fastpath.s3.addressing import COPY_SOURCE
from fastpath.s3.conditions import has_tag

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import RequestHead
    from fastpath.routing.chain import HidingObject

_MATCH, _NONE_MATCH = b"if-match", b"if-none-match"
_ANY = b"*"


class Looked(NamedTuple):
    """What was found out.

    placed: where the request goes.
    replaces: headers that go up instead of the client's; one without a value does not go up.
    hides: objects that would hide what the request stores.
    """

    placed: Placed
    replaces: Mapping[bytes, bytes]
    hides: Sequence[HidingObject] = ()


async def look_first(request: ComposedRequest, looking: Looking) -> Looked:
    """Find out what a request waits for. Raises S3Error, CallFailed."""
    if looking.why is Why.TO_CHANGE or looking.why is Why.TO_COMPARE:
        return await _look_for_object(request, looking)
    placed, address = looking.placed, looking.understood.address
    if looking.why is Why.TO_MEASURE:
        placed = await _place_of_copy(request, looking)
    hides = await find_objects(request, places_before(placed), address.bucket, address.key)
    return Looked(placed, {}, hides)


async def _look_for_object(request: ComposedRequest, looking: Looking) -> Looked:
    address, chain = looking.understood.address, looking.placed.chain
    strict = chain._replace(passes=frozenset())
    try:
        async with look(request, strict, "HeadObject", address.bucket, address.key) as seen:
            status, fields, place = seen.head.status, seen.head.fields, seen.place
            await seen.call.document(0)  # to its end, so that the connection is kept
    except Absent:
        if looking.why is Why.TO_CHANGE:
            raise
        return Looked(looking.placed, {})
    # 400: it is encrypted with a key of its owner's (SSE-C), which its tags are not.
    if looking.why is Why.TO_CHANGE and status in (200, 400):
        return Looked(Placed(chain, place.decision), {})
    is_deleted = status == 404  # by a delete marker, which the primary decides about
    if status != 200 and not (is_deleted and looking.why is Why.TO_COMPARE):
        raise error_in(request, status, b"", place)
    if is_deleted or place.decision is chain.primary:
        return Looked(looking.placed, {})
    return Looked(looking.placed, _evaluated(looking.understood.head, fields.get(b"etag", b"")))


def _evaluated(head: RequestHead, etag: bytes) -> Mapping[bytes, bytes]:
    """Evaluate conditions on an object that a fallback has. Raises S3Error PreconditionFailed.

    Return the headers to replace.
    """
    if head.fields.get(_NONE_MATCH) == _ANY:
        raise S3Error(PRECONDITION_FAILED, ("Condition", "If-None-Match"))
    match = head.fields.get(_MATCH)
    if not match:
        return {}
    if not has_tag(match, etag, strong=True):
        raise S3Error(PRECONDITION_FAILED, ("Condition", "If-Match"))
    return {_MATCH: b"", _NONE_MATCH: _ANY}


async def _place_of_copy(request: ComposedRequest, looking: Looking) -> Placed:
    """Return where a copy goes: what its source is, it will be. Raises S3Error."""
    head, asked = looking.understood.head, looking.asked
    name = source_of(head, COPY_SOURCE)
    plan = request.snapshot.routing.plan(name.bucket)
    chain = plan.chain(asked_to_read(name, request.caller, asked.time))
    found = await find_source(request, copy_source(head, chain, is_elsewhere=True))
    content_type = found.fields.get(b"content-type", b"")
    if head.fields.get(b"x-amz-metadata-directive", b"").upper() == b"REPLACE":
        content_type = asked.content_type
    of_copy = asked._replace(size=found.size, content_type=content_type)
    decision = request.snapshot.routing.plan(asked.bucket).decide(of_copy)
    return Placed(looking.placed.chain, decision)


def with_replaced(head: RequestHead, replaces: Mapping[bytes, bytes]) -> RequestHead:
    """Return a head with other headers; one without a value is left out."""
    added = [field for field in replaces.items() if field[1]]
    kept = [field for field in head.headers if field[0] not in replaces]
    fields = {name: value for name, value in head.fields.items() if name not in replaces}
    return replace(head, headers=[*kept, *added], fields={**fields, **dict(added)})
