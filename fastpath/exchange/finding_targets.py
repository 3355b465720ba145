"""Finds the target of a request that its head alone does not decide: a coroutine before the lease.

Rules: a DeleteObjects goes where all of its keys go, and is refused if they go to several places;
nothing is sent anywhere before every key has its decision.
"""

from __future__ import annotations

from typing import NamedTuple

from fastpath.composed.request_body import RequestBody
from fastpath.errors import MAX_MESSAGE_LENGTH, NOT_IMPLEMENTED, S3Error
from fastpath.payload.delete_batch import MAX_BATCH_BYTES, keys_of
from fastpath.request.decision import Undecided
from fastpath.routing.asked import Asked
from fastpath.routing.snapshot import Snapshot
from fastpath.routing.table import Decision


class Found(NamedTuple):
    """Where a request goes, and the source of a copy; `body`: what was read to find that out."""

    decision: Decision
    source: Decision | None
    body: bytes


async def find_target(request: Undecided, snapshot: Snapshot, body: RequestBody) -> Found:
    """Find out where the request goes. Raises S3Error."""
    if not request.is_batch:
        raise AssertionError
    document = await _document(body)
    keys = keys_of(document) if document else []
    if not keys:  # the target refuses it
        return Found(snapshot.routing.default, None, document)
    decisions = [_by_rules(request.asked._replace(key=key, prefix=None), snapshot) for key in keys]
    first = decisions[0]
    if not all(decision.is_same_place(first) for decision in decisions):
        raise S3Error(
            NOT_IMPLEMENTED,
            message="Deleting keys that are on several storage targets in one request is not "
            "supported. Please delete them in several.",
        )
    return Found(first, None, document)


async def _document(body: RequestBody) -> bytes:
    """Read a whole document. Raises S3Error MaxMessageLengthExceeded."""
    pieces: list[bytes] = []
    size = 0
    while not body.ended:
        pieces.append(await body.read())
        size += len(pieces[-1])
        if size > MAX_BATCH_BYTES:
            raise S3Error(MAX_MESSAGE_LENGTH, ("MaxMessageLengthBytes", str(MAX_BATCH_BYTES)))
    return b"".join(pieces)


def _by_rules(asked: Asked, snapshot: Snapshot) -> Decision:
    plan = snapshot.routing.plan(asked.bucket)
    return plan.fixed or plan.decide(asked)
