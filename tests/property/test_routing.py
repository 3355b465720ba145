"""The compiled table against the plain meaning of the rules: the first that matches, in order."""

from __future__ import annotations

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from fastpath.routing import RoutingTable, Rule

BUCKETS = st.text("ab-", min_size=0, max_size=5)
PATTERNS = st.one_of(
    st.text("ab-", min_size=1, max_size=4),
    st.text("ab-", max_size=3).map(lambda text: text + "*"),
    st.text("ab-*?", min_size=1, max_size=5),
    st.builds("{}[{}]{}".format, st.text("ab*", max_size=2), st.text("ab!", min_size=1), BUCKETS),
)
OPERATIONS = ("GetObject", "PutObject", "DeleteObject")
IDENTITIES = ("", "ann", "bob")


def words(choices: tuple[str, ...]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.one_of(st.none(), st.frozensets(st.sampled_from(choices)))


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    count = draw(st.integers(0, 12))
    return [
        Rule(
            number,
            number,
            draw(PATTERNS),
            draw(words(OPERATIONS)),
            draw(words(IDENTITIES)),
            f"target-{number}",
        )
        for number in range(1, count + 1)
    ]


def first_match(made: list[Rule], bucket: str, operation: str, identity: str) -> int:
    for rule in made:
        if (
            bucket
            and fnmatchcase(bucket, rule.pattern)
            and (rule.operations is None or operation in rule.operations)
            and (rule.identities is None or identity in rule.identities)
        ):
            return rule.number
    return 0


@given(made=rules(), buckets=st.lists(BUCKETS, min_size=1, max_size=6), cached=st.integers(1, 4))
def test_decides_as_the_rules_read(made: list[Rule], buckets: list[str], cached: int) -> None:
    table = RoutingTable(made, "default", cached)
    for bucket in buckets * 2:
        for operation in OPERATIONS:
            for identity in IDENTITIES:
                wanted = first_match(made, bucket, operation, identity)
                decision = table.plan(bucket.encode()).decide(operation, identity)
                assert decision.rule == wanted
                assert decision.target == (f"target-{wanted}" if wanted else "default")
                steps = table.explain(bucket.encode(), operation, identity)
                assert steps[-1].won
                assert (steps[-1].rule.number if steps[-1].rule else 0) == wanted
                assert len(steps) == (wanted or len(made) + 1)
