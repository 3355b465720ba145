"""Names of clients' buckets that rewrites are inverted to, against the rewrites themselves."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.routing.client_names import ClientNames
from fastpath.routing.globs import part_names
from fastpath.routing.rules import Rulebook
from fastpath.routing.table import RoutingTable
from tests.doubles.rules import Rewriting, Rule, asked
from tests.property.depth import DEPTH

TEXT = st.text("ab-", max_size=2)
PARTS = ("{x}", "{y}", "{z}")


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """Text and up to three parts, with text between them."""
    count = draw(st.integers(0, 3))
    pieces = [draw(TEXT)]
    for part in PARTS[:count]:
        pieces += [part, draw(st.text("ab-", min_size=1, max_size=2))]
    return "".join(pieces) or "a"


@st.composite
def rewritten(draw: st.DrawFn, pattern: str) -> str:
    """A bucket with every part of the pattern, in some order, perhaps twice."""
    parts = [f"{{{name}}}" for name in part_names(pattern)]
    order = draw(st.permutations(parts))
    more = draw(st.lists(st.sampled_from(parts), max_size=1)) if parts else []
    return "".join([draw(TEXT)] + [part + draw(TEXT) for part in (*order, *more)]) or "b"


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    made = []
    for number in range(1, draw(st.integers(1, 4)) + 1):
        pattern = draw(patterns())
        rewrite = Rewriting(draw(rewritten(pattern)))
        made.append(Rule(number, number, pattern, "one", rewrite=rewrite))
    return made


@st.composite
def rules_and_bucket(draw: st.DrawFn) -> tuple[list[Rule], str]:
    """Rules, and a name that the pattern of one of them matches."""
    made = draw(rules())
    bucket = draw(st.sampled_from(made)).pattern
    for part in PARTS:
        bucket = bucket.replace(part, draw(st.text("ab-", min_size=1, max_size=3)))
    return made, bucket


@given(rules_and_bucket())
@settings(max_examples=400 * DEPTH, deadline=None)
def test_a_name_that_is_rewritten_is_found_by_the_target_s_name(
    drawn: tuple[list[Rule], str],
) -> None:
    """Whatever names go up to a bucket of the target, the inversion of that bucket has them."""
    made, bucket = drawn
    book = Rulebook.of(made)
    table, names = RoutingTable(book, "two", 10), ClientNames(book)
    try:
        decision = table.plan(bucket.encode()).decide(asked(bucket.encode()))
    except S3Error:  # the rewrite makes no bucket's name
        return
    if decision.rewrite is None:
        return
    upstream = decision.rewrite.bucket_up(bucket.encode())
    found = list(names.of("one", upstream))
    assert bucket.encode() in found
    assert len(found) == len(set(found))
