"""`fastpath.routing.bucket_lists`: the targets whose buckets a ListBuckets shows."""

from __future__ import annotations

import pytest

from fastpath.routing.bucket_lists import BucketLists, bucket_lists
from fastpath.routing.custom_routing import CustomRouting
from fastpath.routing.rules import Rulebook
from fastpath.routing.table import RoutingTable
from tests.doubles.rules import Rewriting, Rule

TARGETS = ("c", "b", "a", "d")  # in the order of the configuration; `d` is the default


def lists(*rules: Rule, custom: CustomRouting | None = None) -> BucketLists | None:
    table = RoutingTable(Rulebook.of(rules), "d", 10)
    return bucket_lists(table, custom, TARGETS, refuses=False)


def targets(*rules: Rule, custom: CustomRouting | None = None) -> list[str] | None:
    found = lists(*rules, custom=custom)
    return None if found is None else list(found.targets)


def router(*reads: str) -> CustomRouting:
    return CustomRouting(0.05, True, reads, b"r")


READS = frozenset({"GetObject", "HeadObject"})


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ([], None),
        ([Rule(1, 1, "x-*", "d")], None),
        ([Rule(1, 1, "x-*", "d", rewrite=Rewriting(key_prefix="p/"))], None),
        ([Rule(1, 1, "x", "d", rewrite=Rewriting("y"))], ["d"]),
        ([Rule(1, 1, "x-*", "d", rewrite=Rewriting("y"))], ["d"]),
        ([Rule(1, 1, "x-*", "a"), Rule(2, 2, "y", "b")], ["b", "a", "d"]),
        ([Rule(1, 1, "x-*", "a", READS)], ["a", "d"]),
        ([Rule(1, 1, "x-*", "a", frozenset({"PutObject"}))], None),
        ([Rule(1, 1, "x-*", "a", keys=("raw/*",))], None),
        # Nothing comes behind a rule for everything, not even the default target.
        ([Rule(1, 1, "*", "a")], ["a"]),
        ([Rule(1, 1, "*", "d")], None),
        ([Rule(1, 1, "x", "b"), Rule(2, 2, "*", "a"), Rule(3, 3, "y", "c")], ["b", "a"]),
        ([Rule(1, 1, "*", "a", READS)], ["a", "d"]),
    ],
)
def test_targets_of_rules(rules: list[Rule], shown: list[str] | None) -> None:
    assert targets(*rules) == shown


def test_targets_of_a_custom_router() -> None:
    rule = Rule(1, 1, "x-*", "a")
    assert targets(rule, custom=router()) == list(TARGETS)
    assert targets(rule, custom=router("b", "a")) == ["b"]
    assert targets(rule, custom=router("d", "a")) is None


def test_targets_of_rules_for_some() -> None:
    found = lists(
        Rule(1, 1, "x", "a", identities=("ann",)),
        Rule(2, 2, "y", "a", identities=("bob",)),
        Rule(3, 3, "z", "b", identities=("ann",)),
        Rule(4, 4, "z", "b"),
    )
    assert found is not None
    assert found.shown_to("ann") == found.shown_to("bob") == ["b", "a", "d"]
    assert found.shown_to("eve") == ["b", "d"]
