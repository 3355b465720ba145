"""Finds the target of a request that its head alone does not decide, before the lease.

The keys in the body of a DeleteObjects decide, or the answer of the custom router, which is asked
for each of them, and for the source of a copy or a rename.

Rules: a DeleteObjects goes where all of its keys go; if they go to several places, it is split
(`delete_objects`); nothing is sent anywhere before every key has its decision; a router that fails
decides nothing: its request is refused, or the rules decide, as the configuration says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fastpath.custom.answer import Answer, Question, RouterFailed
from fastpath.custom.client import MISSING
from fastpath.errors import MAX_MESSAGE_LENGTH, SERVICE_UNAVAILABLE, S3Error
from fastpath.payload.delete_batch import MAX_BATCH_BYTES, read_batch
from fastpath.request.across import SplitBatch
from fastpath.request.chains import Placed
from fastpath.request.decision import by_reads, placed_by
from fastpath.routing.chain import CUSTOM_ROUTER, Chain, Decision
from fastpath.s3.operations import OPERATIONS

if TYPE_CHECKING:
    from fastpath.composed.request_body import RequestBody
    from fastpath.custom.client import Missing
    from fastpath.request.decision import Undecided
    from fastpath.routing.asked import Asked
    from fastpath.routing.snapshot import Snapshot

# Keys of one batch that the router is asked about at a time, so that others are asked about too.
_AT_ONCE = 100

_READ = OPERATIONS["GetObject"]


class Router(Protocol):
    """Who answers for the custom router."""

    def cached(self, question: Question) -> Answer | Missing | None:
        """Return an answer that is kept; MISSING without one."""

    async def route(self, question: Question) -> Answer | None:
        """Ask the router; None if the rules are to decide. Raises RouterFailed, which is logged."""


class Found(NamedTuple):
    """Where a request goes, and the source of a copy or a rename.

    placed: of a DeleteObjects, where its first key is.
    body: what was read to find that out.
    split: None: all keys of a DeleteObjects are in one place.
    """

    placed: Placed
    source: Chain | None
    body: bytes = b""
    split: SplitBatch | None = None


def known_target(request: Undecided, snapshot: Snapshot, router: Router) -> Found | None:
    """Return what the router has said before about the same request; None: it must be asked."""
    if request.is_batch or request.source is not None or snapshot.custom is None:
        return None
    answer = router.cached(question_of(request.asked, request.understood.operation.name))
    if answer is MISSING:
        return None
    return Found(placed_by_answer(answer, request.asked, snapshot), None)


async def find_target(
    request: Undecided, snapshot: Snapshot, router: Router, body: RequestBody
) -> Found:
    """Find out where the request goes. Raises S3Error."""
    name = request.understood.operation.name
    if request.is_batch:
        return await _find_target_of_batch(request, snapshot, router, body)
    placed, source = request.placed, None
    if request.source is not None:
        found = await _decide(request.source, request.source.operation, snapshot, router)
        source = found.chain
    if placed is None:
        placed = await _decide(request.asked, name, snapshot, router)
    return Found(placed, source)


async def decide_read(asked: Asked, snapshot: Snapshot, router: Router) -> Chain:
    """Decide where reads look, whatever is read. Raises S3Error.

    `asked`: about a bucket, without a key.
    """
    custom = snapshot.custom
    if custom is None:
        return placed_by_rules(asked, snapshot).chain
    chain = by_reads(custom, _READ)
    if chain is not None:
        return chain
    answer = router.cached(question_of(asked, _READ.name))
    if answer is not MISSING:
        return placed_by_answer(answer, asked, snapshot).chain
    return (await _decide(asked, _READ.name, snapshot, router)).chain


async def _find_target_of_batch(
    request: Undecided, snapshot: Snapshot, router: Router, body: RequestBody
) -> Found:
    document = await _document(body)
    entries = read_batch(document).entries if document else ()
    keys = list(dict.fromkeys(entry["Key"].encode() for entry in entries))
    keys = keys or [b""]  # the target refuses such a batch
    batch = request.asked._replace(prefix=None, size=None, content_type=b"")
    asked = [batch._replace(key=key) for key in keys]
    found: list[Placed] = []
    for first in range(0, len(asked), _AT_ONCE):
        found += await _decide_all(asked[first : first + _AT_ONCE], snapshot, router)
    alone = not any(placed.is_along for placed in found)
    if alone and all(placed.decision.is_same_place(found[0].decision) for placed in found):
        return Found(found[0], None, document)
    chains = [placed.chain for placed in found]
    return Found(found[0], None, document, SplitBatch(dict(zip(keys, chains, strict=True))))


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


async def _decide_all(
    asked: Sequence[Asked], snapshot: Snapshot, router: Router
) -> Sequence[Placed]:
    if snapshot.custom is None:
        return [placed_by_rules(one, snapshot) for one in asked]
    if snapshot.custom.reads:
        chain = snapshot.custom.chain_of_reads
        return [Placed(chain, chain.primary)] * len(asked)
    return await asyncio.gather(*(_decide(one, "DeleteObjects", snapshot, router) for one in asked))


async def _decide(asked: Asked, operation: str, snapshot: Snapshot, router: Router) -> Placed:
    """Ask the custom router; `operation`: the client's."""
    custom = snapshot.custom
    assert custom is not None  # nothing else leaves the decision about one key open
    try:
        answer = await router.route(question_of(asked, operation))
    except RouterFailed:  # which it has logged
        if custom.refuses:
            raise S3Error(SERVICE_UNAVAILABLE, retry_after=1) from None
        answer = None
    return placed_by_answer(answer, asked, snapshot)


def question_of(asked: Asked, operation: str) -> Question:
    """Return what the custom router is asked; `operation`: the client's."""
    return Question(
        asked.bucket,
        OPERATIONS[operation].method.encode(),
        asked.size,
        asked.content_type,
        asked.key,
        asked.identity,
        operation,
    )


def placed_by_answer(answer: Answer | None, asked: Asked, snapshot: Snapshot) -> Placed:
    """Return where an answer of the custom router sends a request. Raises S3Error.

    None: the rules decide.
    """
    if answer is None:
        return placed_by_rules(asked, snapshot)
    if not all(target in snapshot.targets for target in answer.targets):
        # A reload has added it since this request began; the next try is on the new configuration.
        raise S3Error(SERVICE_UNAVAILABLE, retry_after=1)
    chain, custom = _by_answer(answer), snapshot.custom
    if custom is not None and custom.reads:  # which say where reads look, whatever is answered
        return Placed(custom.chain_of_reads, chain.primary)
    return Placed(chain, chain.primary)


def _by_answer(answer: Answer) -> Chain:
    """Return the places that an answer of the custom router means."""
    first, *others = answer.targets
    fallbacks = [Decision(target, CUSTOM_ROUTER) for target in others]
    return Chain((Decision(first, CUSTOM_ROUTER, answer.rewrite), *fallbacks))


def placed_by_rules(asked: Asked, snapshot: Snapshot) -> Placed:
    """Return where a request goes that the custom router, if any, leaves to the rules."""
    placed, custom = placed_by(snapshot.routing.plan(asked.bucket), asked), snapshot.custom
    if custom is not None and custom.reads and asked.key:
        # Reads look there whoever decides about writes: what hides a new object must be removed.
        return placed._replace(chain=custom.chain_of_reads)
    return placed
