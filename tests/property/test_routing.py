"""The compiled table against the plain meaning of the rules: the first that matches, in order."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fastpath.routing.globs import compile_glob, matches_stars
from fastpath.routing.rules import Rulebook, pack
from fastpath.routing.table import RoutingTable, explain
from tests.doubles.rules import Rule, asked
from tests.property.depth import DEPTH

BUCKETS = st.text("ab-", min_size=0, max_size=5)
PATTERNS = st.one_of(
    st.text("ab-", min_size=1, max_size=4),
    st.text("ab-", max_size=3).map(lambda text: text + "*"),
    st.text("ab-*?", min_size=1, max_size=5),
    st.builds("{}[{}]{}".format, st.text("ab*", max_size=2), st.text("ab!", min_size=1), BUCKETS),
)
OPERATIONS = ("GetObject", "PutObject", "DeleteObject")
IDENTITIES = ("", "ann", "bob")
TARGETS = ("one", "two", "three")  # few, so that rules have things in common


def words(choices: tuple[str, ...]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.one_of(st.none(), st.frozensets(st.sampled_from(choices)))


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    count = draw(st.integers(0, 12))
    made = []
    for number in range(1, count + 1):
        people = draw(words(IDENTITIES))
        made.append(
            Rule(
                number=number,
                line=number,
                pattern=draw(PATTERNS),
                target=draw(st.sampled_from(TARGETS)),
                operations=draw(words(OPERATIONS)),
                identities=None if people is None else tuple(sorted(people)),
            )
        )
    return made


def first_match(made: list[Rule], bucket: str, operation: str, identity: str) -> Rule | None:
    for rule in made:
        if (
            bucket
            and fnmatchcase(bucket, rule.pattern)
            and (rule.operations is None or operation in rule.operations)
            and (rule.identities is None or identity in rule.identities)
        ):
            return rule
    return None


@given(made=rules(), buckets=st.lists(BUCKETS, min_size=1, max_size=6), cached=st.integers(1, 4))
def test_decides_as_the_rules_read(made: list[Rule], buckets: list[str], cached: int) -> None:
    table = RoutingTable(Rulebook(json.loads(json.dumps(pack(made)))), "default", cached)
    for bucket in buckets * 2:
        for operation in OPERATIONS:
            for identity in IDENTITIES:
                wanted = first_match(made, bucket, operation, identity)
                request = asked(bucket.encode(), operation, identity)
                decision = table.plan(request.bucket).decide(request)
                assert decision.rule == (wanted.number if wanted else 0)
                assert decision.target == (wanted.target if wanted else "default")
                steps = explain(table, made, request)
                assert steps[-1].won
                assert steps[-1].rule is wanted
                assert len(steps) == (wanted.number if wanted else len(made) + 1)


@given(made=rules(), bucket=BUCKETS)
def test_finds_every_rule_up_to_the_first_that_always_matches(
    made: list[Rule], bucket: str
) -> None:
    found = []
    for rule in made:
        if fnmatchcase(bucket, rule.pattern):
            found.append(rule.number)
            if rule.operations is None and rule.identities is None:
                break
    assert Rulebook.of(made).numbers(bucket.encode()) == found


@given(pattern=st.text("a*", min_size=1, max_size=7), name=st.text("ab", max_size=4))
@example(pattern="*ab*ab*", name="ab")
@example(pattern="ab*ba", name="aba")
@example(pattern="*a*a", name="a")
@settings(max_examples=150 * DEPTH)
def test_stars_are_judged_as_by_a_regular_expression(pattern: str, name: str) -> None:
    assume("*" in pattern)
    assert matches_stars(pattern, name) is bool(compile_glob(pattern).match(name.encode()))


@given(name=st.binary(max_size=6))
def test_a_name_of_any_bytes_is_looked_up(name: bytes) -> None:
    book = Rulebook.of([Rule(1, 1, "[!a]*", "t"), Rule(2, 2, "a", "t"), Rule(3, 3, "?" * 6, "t")])
    byte = compile_glob("[!a]*").match(name)
    assert (1 in book.numbers(name)) is bool(byte)
    assert (3 in book.numbers(name)) is (not byte and len(name) == 6)
