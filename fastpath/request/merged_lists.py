"""Says which places a list of objects is merged from.

Rules: a list that one place answers is no merged list, unless it goes on behind a token that the
gateway has made; which keys a place shows, the chains of reads say.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastpath.renaming.queries import first_value
from fastpath.request.across import MergedList
from fastpath.request.understood import Query, Understood
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Chain
from fastpath.routing.key_globs import Coverage
from fastpath.routing.plan import Plan
from fastpath.routing.snapshot import Snapshot
from fastpath.s3.continuation_tokens import merged_scope, read_token
from fastpath.s3.operations import OPERATIONS

LIST_V2 = OPERATIONS["ListObjectsV2"]
LISTS = (OPERATIONS["ListObjects"], LIST_V2)
_READ = "GetObject"


def merged_list(request: Understood, asked: Asked, snapshot: Snapshot) -> MergedList | None:
    """Return where the objects are that a list shows; None: one place lists them."""
    if request.operation not in LISTS:
        return None
    custom = snapshot.custom
    if custom is None:
        return list_by_rules(request, snapshot.routing.plan(asked.bucket), asked)
    return list_of_chain(custom.chain_of_reads) if len(custom.reads) > 1 else None


def list_by_rules(request: Understood, plan: Plan, asked: Asked) -> MergedList | None:
    """Return where the rules have the objects that a list shows; None: one place lists them."""
    places = [plan.fixed] if plan.fixed else [place for place, _ in plan.places(asked)]
    if len(places) == 1:
        # A target would take a token of the gateway's for a place to go on at, and leave out keys.
        is_continued = has_own_token(request.query, asked.bucket)
        return list_of_chain(Chain((places[0],))) if is_continued else None
    read = asked._replace(operation=_READ)

    def coverage(prefix: bytes) -> Sequence[Coverage]:
        found = plan.places(read._replace(prefix=prefix))
        return [
            next((some for one, some in found if one.is_same_place(place)), Coverage.NONE)
            for place in places
        ]

    def chain_of(key: bytes) -> Chain:
        return plan.chain(read._replace(key=key, prefix=None))

    takes_all = all(some is Coverage.ALL for some in coverage(asked.prefix or b""))
    return MergedList(places, takes_all, chain_of, coverage)


def has_own_token(query: Query, bucket: bytes) -> bool:
    """Whether a list goes on that was merged when it began: a reload has moved the bucket since."""
    token = first_value(query, b"continuation-token")
    return bool(token) and read_token(merged_scope(bucket), token) is not None


def list_of_chain(chain: Chain) -> MergedList:
    """Return where the objects are, if each place may have each key."""
    every = [Coverage.ALL] * len(chain.places)
    return MergedList(chain.places, True, lambda key: chain, lambda prefix: every)
