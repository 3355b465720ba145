"""Places of many keys, for lists and for uploads, against the chain of each single key."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Decision
from fastpath.routing.key_globs import Coverage
from fastpath.routing.rules import Fallback, Rulebook
from fastpath.routing.table import RoutingTable, explain
from tests.doubles.rules import Conditions, Rewriting, Rule
from tests.property.depth import DEPTH

TARGETS = ("one", "two", "three")
PREFIXES = (b"", b"a", b"a/", b"a/1", b"b", b"c")
KEYS = (b"a/1", b"a/12", b"a/2", b"a0", b"b/1", b"b", b"c")
some = st.sampled_from


@st.composite
def books(draw: st.DrawFn) -> list[Rule]:
    """Rules that no operation and no identity tells apart: a list is of what reads find."""
    made = []
    for number in range(1, draw(st.integers(0, 5)) + 1):
        target = draw(some(TARGETS))
        conditions = draw(some([None, None, Conditions(max_size=3), Conditions(min_size=4)]))
        others = st.lists(some([one for one in TARGETS if one != target]), max_size=2, unique=True)
        made.append(
            Rule(
                number,
                number,
                "b",
                target,
                keys=draw(some([None, None, ("a/*",), ("b*", "a/1*"), ("a/1",)])),
                rewrite=draw(some([None, None, Rewriting(key_prefix="new/")])),
                conditions=conditions,
                fallback=() if conditions else tuple(draw(others)),
            )
        )
    return made


def table_of(rules: list[Rule], behind: list[str]) -> RoutingTable:
    return RoutingTable(Rulebook.of(rules), "one", 10, Fallback.of(behind, ["404", "5xx"]))


def asked_of(operation: str, key: bytes = b"", prefix: bytes | None = None) -> Asked:
    return Asked(operation, "", b"b", key, None, b"", 0.0, prefix)


def a_rule(number: int, target: str, **said: object) -> Rule:
    return Rule(number, number, "b", target, **said)  # type: ignore[arg-type]


SMALL = Conditions(max_size=3)
# What one target has only of some keys, it has of all keys as a later place: its keys come later.
FIRST_AND_LAST = [
    a_rule(1, "one", keys=("a/*",), conditions=SMALL),
    a_rule(2, "two", conditions=SMALL),
    a_rule(3, "one"),
]
BEHIND = [FIRST_AND_LAST[0], a_rule(2, "two", fallback=("one",))]


@given(rules=books(), behind=some([[], ["two"], ["three", "two"]]), prefix=some(PREFIXES))
@example(FIRST_AND_LAST, [], b"")
@example(BEHIND, [], b"")
@settings(max_examples=100 * DEPTH)
def test_a_list_is_of_the_places_where_reads_of_its_keys_look(
    rules: list[Rule], behind: list[str], prefix: bytes
) -> None:
    plan = table_of(rules, behind).plan(b"b")
    found = plan.places(asked_of("ListObjectsV2", prefix=prefix))
    places = [place for place, _ in found]
    assert Coverage.NONE not in [coverage for _, coverage in found]
    for key in (key for key in KEYS if key.startswith(prefix)):
        chain = plan.chain(asked_of("GetObject", key)).places
        assert all(is_among(place, places) for place in chain)
        for place, coverage in found:
            assert coverage is not Coverage.ALL or is_among(place, chain)
        if all(coverage is Coverage.ALL for _, coverage in found):  # no key is looked up
            assert names(chain) == names(places)


@given(rules=books(), behind=some([[], ["two"]]), prefix=some(PREFIXES))
@example([a_rule(1, "one", keys=("a/*",)), a_rule(2, "one", conditions=SMALL)], ["two"], b"")
@example(
    [a_rule(1, "one", keys=("a/*",)), a_rule(2, "one", conditions=SMALL), a_rule(3, "two")], [], b""
)
@settings(max_examples=100 * DEPTH)
def test_uploads_are_listed_at_one_place_if_all_that_may_be_under_way_are_there(
    rules: list[Rule], behind: list[str], prefix: bytes
) -> None:
    """Each begins at an unknown size; `a_rule(1)` of the examples has some elsewhere."""
    table = table_of(rules, behind)
    plan = table.plan(b"b")
    asked = asked_of("CreateMultipartUpload", prefix=prefix)
    begun = [
        plan.decide(asked_of("CreateMultipartUpload", key))
        for key in KEYS
        if key.startswith(prefix)
    ]
    try:
        place = plan.decide(asked)
    except S3Error:
        assert not any(step.won for step in explain(table, rules, asked))
        return
    assert names(begun) == names([place] * len(begun))
    assert explain(table, rules, asked)[-1].won


@given(rules=books(), behind=some([[], ["two"]]), key=some(KEYS), prefix=some(PREFIXES))
@settings(max_examples=100 * DEPTH)
def test_the_rules_that_have_won_are_those_of_the_places(
    rules: list[Rule], behind: list[str], key: bytes, prefix: bytes
) -> None:
    """Of reads and of merged lists; of a write the one rule that takes it has won."""
    table = table_of(rules, behind)
    plan = table.plan(b"b")
    own = {0: "one", **{rule.number: rule.target for rule in rules}}

    def check(asked: Asked, places: list[Decision], *, is_merged: bool = False) -> None:
        steps = explain(table, rules, asked, is_merged=is_merged)
        won = {step.rule.number if step.rule else 0 for step in steps if step.won}
        assert {place.rule for place in places} <= won
        assert all(any(place.target == own[number] for place in places) for number in won)

    read = asked_of("GetObject", key)
    check(read, list(plan.chain(read).places))
    listed = asked_of("ListObjectsV2", prefix=prefix)
    check(listed, [place for place, _ in plan.places(listed)], is_merged=True)
    for size in (None, 3, 4):
        put = asked_of("PutObject", key)._replace(size=size)
        check(put, [plan.decide(put)])


def names(places: list[Decision] | tuple[Decision, ...]) -> list[tuple[str, object]]:
    return [(place.target, place.rewrite) for place in places]


def is_among(place: Decision, places: list[Decision] | tuple[Decision, ...]) -> bool:
    return any(place.is_same_place(other) for other in places)
