"""Places of requests about many keys, and of uploads: what admission says of them.

Rules: no composed operation runs here; where a list or a write goes is in the admitted request.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import parse_request_head
from fastpath.limits import Limits
from fastpath.request.across import MergedList
from fastpath.request.admission import admit
from fastpath.request.admitted import Admitted
from fastpath.request.chains import Looking, Why, places_before
from fastpath.request.decision import Undecided, decided, placed_by
from fastpath.request.trail import Trail
from fastpath.routing.chain import CUSTOM_ROUTER, UPLOAD, Chain, Decision, chain_of
from fastpath.routing.key_globs import Coverage
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.snapshot import Snapshot, load_snapshot
from tests.doubles.http1 import get, put
from tests.doubles.rules import Conditions, Rule
from tests.doubles.uploads import sealed
from tests.doubles.wire import document

RAW = Rule(1, 1, "b-b", "generic", keys=("raw/*",))
LARGE = Rule(1, 1, "b-b", "generic", conditions=Conditions(min_size=10))
SMALL = Rule(1, 1, "b-b", "generic", conditions=Conditions(max_size=9))
ROUTER: dict[str, Any] = {"timeout_seconds": 1, "refuses": True, "reads": [], "address": ""}


def snapshot_of(**options: Any) -> Snapshot:
    return load_snapshot(1, document(**options))


def found(raw: bytes, snapshot: Snapshot) -> Admitted | Undecided | Looking:
    head = parse_request_head(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", Limits())
    admitted = admit(head, snapshot, time.time(), Trail())
    assert isinstance(admitted, Admitted | Undecided | Looking)
    return admitted


def merged(path: str, **options: Any) -> MergedList | None:
    """Where a list is merged from; None: one target lists it."""
    admitted = found(get(path), snapshot_of(**options))
    assert isinstance(admitted, Admitted)
    assert admitted.across is None or isinstance(admitted.across, MergedList)
    return admitted.across


def targets(places: Any) -> list[str]:
    return [place.target for place in places]


# Lists


@pytest.mark.parametrize("version", ["", "list-type=2&"])
def test_a_list_of_keys_in_several_places_says_how_many_of_them_each_shows(version: str) -> None:
    assert merged(f"/b-b?{version}prefix=raw/", rules=[RAW]) is None
    assert merged(f"/b-b?{version}prefix=log/", rules=[RAW]) is None
    list_of_all = merged(f"/b-b?{version}prefix=r", rules=[RAW])
    assert list_of_all is not None
    assert targets(list_of_all.places) == ["generic", "first"]
    assert not list_of_all.takes_all
    assert list(list_of_all.coverage(b"raw/")) == [Coverage.ALL, Coverage.NONE]
    assert list(list_of_all.coverage(b"rx")) == [Coverage.NONE, Coverage.ALL]
    assert list(list_of_all.coverage(b"ra")) == [Coverage.SOME, Coverage.SOME]
    assert targets(list_of_all.chain_of(b"raw/1").places) == ["generic"]
    assert targets(list_of_all.chain_of(b"rx").places) == ["first"]


def test_a_list_of_one_chain_looks_up_no_key() -> None:
    listed = merged("/b-b?list-type=2", rules=[LARGE])
    assert listed is not None
    assert (targets(listed.places), listed.takes_all) == (["generic", "first"], True)


def test_keys_are_shown_where_reads_of_this_caller_look_and_not_where_lists_may() -> None:
    reads = Rule(1, 1, "b-b", "generic", operations=frozenset({"GetObject"}), keys=("raw/*",))
    lists = Rule(2, 2, "b-b", "generic", operations=frozenset({"ListObjectsV2"}), keys=("log/*",))
    listed = merged("/b-b?list-type=2", rules=[reads, lists])
    assert listed is not None
    assert targets(listed.places) == ["generic", "first"]
    assert targets(listed.chain_of(b"raw/1").places) == ["generic"]
    assert targets(listed.chain_of(b"log/1").places) == ["first"]


def by_router(said: Chain | None, rules: list[Rule]) -> MergedList | None:
    """Where a list is merged from if the custom router says that; None: the rules decide."""
    snapshot = snapshot_of(rules=rules, custom=ROUTER)
    undecided = found(get("/b-b?list-type=2"), snapshot)
    assert isinstance(undecided, Undecided)
    plan = snapshot.routing.plan(b"b-b")
    placed = placed_by(plan, undecided.asked)
    if said is not None:
        placed = placed._replace(chain=said, decision=said.primary)
    admitted = decided(undecided, placed, None, snapshot, Trail())
    assert isinstance(admitted, Admitted)
    assert admitted.across is None or isinstance(admitted.across, MergedList)
    return admitted.across


def test_a_list_that_a_custom_router_leaves_to_the_rules_is_merged_by_them() -> None:
    """Not by the chain of those keys that no rule takes: others may be at its places as well."""
    keys_at_first = Rule(1, 1, "b-b", "first", keys=("raw/*",))
    rest = Rule(2, 2, "b-b", "first", fallback=("generic",))
    listed = by_router(None, [keys_at_first, rest])
    assert listed is not None
    assert not listed.takes_all
    assert targets(listed.chain_of(b"raw/1").places) == ["first"]
    only_those = by_router(
        None, [Rule(1, 1, "b-b", "first", keys=("raw/*",), fallback=("generic",))]
    )
    assert only_those is not None
    assert targets(only_those.places) == ["first", "generic"]


def test_a_list_that_a_custom_router_sends_along_a_chain_is_merged_from_it() -> None:
    places = [Decision(name, CUSTOM_ROUTER) for name in ("generic", "first")]
    listed = by_router(chain_of(places[:1], places[1:], frozenset()), [])
    assert listed is not None
    assert (targets(listed.places), listed.takes_all) == (["generic", "first"], True)
    assert by_router(Chain((places[0],)), []) is None


# Uploads


@pytest.mark.parametrize(
    ("rule", "target"), [(LARGE, "generic"), (SMALL, "first")], ids=["min_size", "max_size"]
)
def test_an_upload_begins_where_an_unknown_size_goes(rule: Rule, target: str) -> None:
    raw = put("/b-b/k?uploads", b"", method="POST")  # which says that its length is 0
    admitted = found(raw, snapshot_of(rules=[rule]))
    assert isinstance(admitted, Admitted)
    assert admitted.decision.target == target
    listed = found(get("/b-b?uploads"), snapshot_of(rules=[rule]))
    assert isinstance(listed, Admitted)
    assert listed.decision.target == target


def test_uploads_are_not_listed_if_some_may_be_elsewhere() -> None:
    snapshot = snapshot_of(
        rules=[Rule(1, 1, "b-b", "generic", conditions=Conditions(None, None, ("a/b",)))]
    )
    with pytest.raises(S3Error, match="on several storage targets"):
        found(get("/b-b?uploads"), snapshot)


def completed(rules: list[Rule], began_at: str) -> Admitted | Looking:
    raw = put(f"/b-b/k?uploadId={sealed(target=began_at)}", b"<x/>", method="POST")
    admitted = found(raw, snapshot_of(rules=rules))
    assert isinstance(admitted, Admitted | Looking)
    return admitted


def test_an_upload_is_completed_where_it_began_and_what_would_hide_it_is_looked_for() -> None:
    looking = completed([SMALL], "first")
    assert isinstance(looking, Looking)
    assert looking.why is Why.TO_UNCOVER
    assert (looking.placed.decision.target, looking.placed.decision.rule) == ("first", UPLOAD)
    assert targets(places_before(looking.placed)) == ["generic"]


def test_nothing_hides_an_upload_at_the_first_place_or_at_one_that_is_in_no_chain() -> None:
    at_the_first = completed([LARGE], "generic")
    assert isinstance(at_the_first, Admitted)
    assert (at_the_first.decision.target, at_the_first.decision.rule) == ("generic", UPLOAD)
    moved = completed([Rule(1, 1, "b-b", "first", fallback=())], "generic")
    assert isinstance(moved, Admitted)
    assert moved.decision.target == "generic"


# Chains


def test_a_place_is_in_a_chain_once_where_it_comes_first() -> None:
    one, other, renamed = Decision("s", 1), Decision("s", 2), Decision("s", 3, Rewrite(b"new"))
    chain = chain_of([one, renamed, other], [other, Decision("old", 2)], frozenset({"5xx"}))
    assert chain.places == (one, renamed, Decision("old", 2))
    assert (chain.candidates, chain.primary, chain.passes) == (2, one, {"5xx"})
    assert chain.before(renamed) == (one,)
    assert chain.before(other) == ()
    assert chain.before(Decision("elsewhere", 1)) == ()
