"""A list of all buckets against the decisions about reads of every name that there can be."""

from __future__ import annotations

import re
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.routing.rules import Rulebook
from fastpath.routing.table import RoutingTable
from tests.doubles.http1 import get, ok, read_answers
from tests.doubles.rules import Rewriting, Rule, asked
from tests.doubles.wire import Rig
from tests.property.depth import DEPTH

TARGETS = ("first", "generic")
EVERY_NAME = ["".join(word) for size in (3, 4, 5) for word in product("ab-", repeat=size)]
NAMES = st.sampled_from(EVERY_NAME)
# A pattern, and a bucket that has all of its parts; None: the bucket keeps its name.
SHAPES = st.one_of(
    st.tuples(NAMES, st.none() | NAMES),
    st.sampled_from(
        [
            ("{x}", "a{x}"),
            ("a{x}", "{x}b"),
            ("{x}-{y}", "{y}-{x}"),
            ("{x}a{y}", "{x}{y}"),
            ("b{x}", "{x}-{x}"),
            ("a*", None),
            ("*b", None),
            ("{x}-a", None),
        ]
    ),
)


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    made = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        pattern, bucket = draw(SHAPES)
        # A rewrite that makes no name refuses reads too, even of a rule that takes none.
        operations = st.none() if bucket else st.none() | st.just(frozenset({"PutObject"}))
        made.append(
            Rule(
                number,
                number,
                pattern,
                draw(st.sampled_from(TARGETS)),
                draw(operations),
                rewrite=Rewriting(bucket) if bucket else None,
            )
        )
    return made


def found_by_reads(made: list[Rule], there: dict[str, set[str]]) -> list[str]:
    """The names of which a read goes to a bucket that its target has."""
    table = RoutingTable(Rulebook.of(made), "first", len(EVERY_NAME))
    found = []
    for name in EVERY_NAME:
        try:
            decision = table.plan(name.encode()).decide(asked(name.encode()))
        except S3Error:  # the rewrite makes no bucket's name
            continue
        upstream = decision.rewrite.bucket_up(name.encode()).decode() if decision.rewrite else name
        if upstream in there[decision.target]:
            found.append(name)
    return sorted(found)


def listed(made: list[Rule], there: dict[str, set[str]]) -> list[str]:
    rig = Rig(rules=made)
    client = rig.connect()
    client.says(get("/"))
    for peer in rig.targets:
        (name,) = (name for name in TARGETS if f"host: {name}.test".encode() in peer.heard)
        rows = "".join(f"<Bucket><Name>{one}</Name></Bucket>" for one in sorted(there[name]))
        document = f"<ListAllMyBucketsResult><Buckets>{rows}</Buckets></ListAllMyBucketsResult>"
        peer.says(ok(document.encode()))
    (answer,) = read_answers(client.heard, [b"GET"])
    assert answer.status == 200
    assert not rig.defects
    return re.findall("<Name>(.*?)</Name>", answer.body.decode())


@given(rules(), st.sets(NAMES, max_size=6), st.sets(NAMES, max_size=6))
@settings(max_examples=60 * DEPTH, deadline=None)
def test_a_list_shows_what_reads_find_and_nothing_else(
    made: list[Rule], at_first: set[str], at_generic: set[str]
) -> None:
    there = {"first": at_first, "generic": at_generic}
    shown = listed(made, there)
    assert [name for name in shown if name in EVERY_NAME] == found_by_reads(made, there)
