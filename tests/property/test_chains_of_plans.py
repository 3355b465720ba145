"""Chains against the plain meaning of the rules: where a key may be, and where a write goes."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Chain, Decision
from fastpath.routing.rules import CREATING, Fallback, Rulebook
from fastpath.routing.table import RoutingTable
from tests.doubles.rules import Conditions, Rule
from tests.property.depth import DEPTH

TARGETS = ("one", "two", "three", "four")
OPERATIONS = ("GetObject", "PutObject", "DeleteObject", "HeadObject")
IDENTITIES = ("ann", "bob")
KEYS = (b"a/1", b"a/2", b"b/1")
TYPES = (b"", b"image/png", b"text/plain")
some = st.sampled_from

CONDITIONS = st.builds(
    Conditions,
    max_size=st.none() | st.integers(0, 20),
    min_size=st.none() | st.integers(0, 20),
    content_types=st.none() | some([("image/*",), ("text/plain", "image/png")]),
).filter(lambda one: one != Conditions())


@st.composite
def books(draw: st.DrawFn) -> tuple[list[Rule], Fallback | None]:
    rules = []
    for number in range(1, draw(st.integers(0, 6)) + 1):
        target = draw(some(TARGETS))
        conditions = draw(st.none() | CONDITIONS)
        others = st.lists(some([one for one in TARGETS if one != target]), max_size=2, unique=True)
        rules.append(
            Rule(
                number,
                number,
                "b",
                target,
                operations=draw(st.none() | st.frozensets(some(OPERATIONS), min_size=1)),
                identities=draw(st.none() | some([("ann",), ("bob",)])),
                keys=draw(st.none() | some([("a/*",), ("b/*", "a/1")])),
                conditions=conditions,
                fallback=() if conditions else tuple(draw(others)),
                fallback_on=draw(some([frozenset({"404"}), frozenset({"404", "5xx"})])),
            )
        )
    behind = draw(st.lists(some(TARGETS[1:]), max_size=2, unique=True))
    return rules, Fallback.of(behind, ["404", "timeout"])


REQUESTS = st.builds(
    Asked,
    some(OPERATIONS),
    some(IDENTITIES),
    st.just(b"b"),
    some(KEYS),
    st.none() | st.integers(0, 21),
    some(TYPES),
    st.just(0.0),
    st.none(),
)


def concerns(rule: Rule, asked: Asked) -> bool:
    key = asked.key.decode()
    return (rule.identities is None or asked.identity in rule.identities) and (
        rule.keys is None or any(fnmatchcase(key, glob) for glob in rule.keys)
    )


def holds(rule: Rule, asked: Asked) -> bool:
    """Whether the conditions of a rule take a write."""
    found = rule.conditions
    if found is None:
        return True
    size = float("inf") if asked.size is None else asked.size
    kind = asked.content_type.decode()
    types = found.content_types
    return (
        (found.max_size is None or size <= found.max_size)
        and (found.min_size is None or size >= found.min_size)
        and (types is None or any(fnmatchcase(kind, one) for one in types))
    )


def takes(rule: Rule, operation: str) -> bool:
    return rule.operations is None or operation in rule.operations


def meant(rules: Sequence[Rule], behind: Fallback | None, asked: Asked) -> Chain:
    """The chain that the rules mean, said as the documentation says it."""
    candidates, fallbacks = [], list(behind.targets) if behind else []
    passes = behind.passes if behind else frozenset[str]()
    for rule in (rule for rule in rules if concerns(rule, asked)):
        is_write = asked.operation in CREATING
        if rule.conditions is not None and (not is_write or takes(rule, asked.operation)):
            candidates.append(rule.target)
        elif rule.conditions is None and takes(rule, asked.operation):
            candidates.append(rule.target)
            fallbacks, passes = list(rule.fallback), rule.fallback_on - {"404"}
            break
    else:
        candidates.append("one")
    first = list(dict.fromkeys(candidates))
    every = list(dict.fromkeys([*first, *fallbacks]))
    return Chain(
        tuple(Decision(name, 0) for name in every), len(first), passes if fallbacks else frozenset()
    )


def names(places: Sequence[Decision]) -> list[str]:
    return [place.target for place in places]


@settings(max_examples=100 * DEPTH, deadline=None)
@given(books(), REQUESTS)
def test_a_chain_is_what_the_rules_mean(
    book: tuple[list[Rule], Fallback | None], asked: Asked
) -> None:
    rules, behind = book
    plan = RoutingTable(Rulebook.of(rules), "one", 10, behind).plan(b"b")
    expected = meant(rules, behind, asked)
    if plan.fixed is not None:
        assert names(expected.places) == [plan.fixed.target]
        return
    found = plan.chain(asked)
    assert names(found.places) == names(expected.places)
    assert (found.candidates, found.passes) == (expected.candidates, expected.passes)


@settings(max_examples=100 * DEPTH, deadline=None)
@given(books(), REQUESTS)
def test_a_write_goes_to_the_first_rule_that_takes_it(
    book: tuple[list[Rule], Fallback | None], asked: Asked
) -> None:
    rules, behind = book
    plan = RoutingTable(Rulebook.of(rules), "one", 10, behind).plan(b"b")
    if asked.operation not in CREATING:
        try:
            found = plan.decide(asked) if plan.fixed is None else plan.fixed
        except S3Error:
            assert meant(rules, behind, asked).candidates > 1
            return
        assert found.target == meant(rules, behind, asked).primary.target
        return
    winner = next(
        (
            rule
            for rule in rules
            if concerns(rule, asked) and takes(rule, asked.operation) and holds(rule, asked)
        ),
        None,
    )
    found = plan.decide(asked) if plan.fixed is None else plan.fixed
    assert (found.target, found.rule) == ((winner.target, winner.number) if winner else ("one", 0))
    if plan.fixed is None:  # where reads of everybody who may write look
        assert found.target in names(plan.chain(asked).places)
