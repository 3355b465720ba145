"""Rules to decisions: order, filters, what a plan keeps, what an explanation says."""

from __future__ import annotations

import pytest

from fastpath.routing.globs import compile_glob
from fastpath.routing.rules import Kind, Mismatch, Rulebook
from fastpath.routing.table import DEFAULT_RULE, Decision, RoutingTable, explain
from tests.doubles.rules import Rule, asked

READS = frozenset({"GetObject", "HeadObject"})


def rule(
    number: int,
    pattern: str,
    target: str = "t",
    operations: frozenset[str] | None = None,
    identities: frozenset[str] | None = None,
) -> Rule:
    people = None if identities is None else tuple(identities)
    return Rule(number, number * 10, pattern, f"{target}{number}", operations, people)


def table(*rules: Rule, cached: int = 100) -> RoutingTable:
    return RoutingTable(Rulebook.of(rules), "default", cached)


def decide(
    routing: RoutingTable, bucket: bytes, operation: str = "GetObject", who: str = ""
) -> str:
    return routing.plan(bucket).decide(asked(bucket, operation, who)).target


def test_no_rule_means_the_default_target() -> None:
    assert table().plan(b"any").decide(asked(b"any")) == Decision("default", DEFAULT_RULE)


def test_the_first_matching_rule_wins_whatever_its_form() -> None:
    routing = table(rule(1, "a?c"), rule(2, "abc"), rule(3, "ab*"), rule(4, "*"))
    assert decide(routing, b"abc") == "t1"
    assert decide(routing, b"abd") == "t3"
    assert decide(routing, b"xyz") == "t4"
    routing = table(rule(1, "*"), rule(2, "abc"))
    assert decide(routing, b"abc") == "t1"
    routing = table(rule(1, "abcd*"), rule(2, "ab*"), rule(3, "abcde"))
    assert decide(routing, b"abcde") == "t1"
    assert decide(routing, b"abc") == "t2"


@pytest.mark.parametrize(
    ("pattern", "hits", "misses"),
    [
        ("logs", [b"logs"], [b"logs-a", b"alogs", b"LOGS"]),
        ("logs-*", [b"logs-", b"logs-a", b"logs-a-b"], [b"logs", b"xlogs-a"]),
        ("*-logs", [b"-logs", b"a-logs"], [b"a-logs-b"]),
        ("a*b*c", [b"abc", b"axxbxxc"], [b"ab", b"bac"]),
        ("log?", [b"logs"], [b"log", b"logss"]),
        ("log[12]", [b"log1", b"log2"], [b"log3", b"log"]),
        ("log[!12]", [b"log3"], [b"log1", b"log"]),
        ("log[1-3]", [b"log2"], [b"log4"]),
        ("a.b", [b"a.b"], [b"axb"]),
        ("a+(b)|c", [b"a+(b)|c"], [b"aab"]),
        ("**", [b"x", b""], []),
    ],
)
def test_globs(pattern: str, hits: list[bytes], misses: list[bytes]) -> None:
    glob = compile_glob(pattern)
    routing = table(rule(1, pattern))
    for bucket in hits:
        assert glob.match(bucket), bucket
        assert not bucket or decide(routing, bucket) == "t1"
    for bucket in misses:
        assert not glob.match(bucket), bucket
        assert decide(routing, bucket) == "default"


def test_filters_on_operation_and_identity() -> None:
    routing = table(
        rule(1, "b", operations=READS),
        rule(2, "b", identities=frozenset({"ann"})),
        rule(3, "b", operations=frozenset({"PutObject"}), identities=frozenset({"bob"})),
    )
    assert decide(routing, b"b", "GetObject", "ann") == "t1"
    assert decide(routing, b"b", "PutObject", "ann") == "t2"
    assert decide(routing, b"b", "PutObject", "bob") == "t3"
    assert decide(routing, b"b", "PutObject", "eve") == "default"
    assert decide(routing, b"b", "PutObject", "") == "default"


def test_an_empty_filter_admits_nobody() -> None:
    routing = table(rule(1, "b", operations=frozenset()), rule(2, "b", identities=frozenset()))
    assert decide(routing, b"b") == "default"


def test_a_request_without_a_bucket_has_no_rules() -> None:
    assert decide(table(rule(1, "*")), b"", "ListBuckets") == "default"


def test_a_plan_is_cut_after_the_first_rule_that_always_matches() -> None:
    routing = table(rule(1, "b", operations=READS), rule(2, "*"), rule(3, "b"), rule(4, "b*"))
    plan = routing.plan(b"b")
    assert plan.fixed is None
    assert plan is routing.plan(b"b")
    assert [decision.rule for _, decision in plan._choices] == [1, 2]


def test_a_plan_without_a_choice_holds_its_decision_ready() -> None:
    routing = table(rule(1, "b", operations=READS), rule(2, "*"))
    assert routing.plan(b"other").fixed == Decision("t2", 2)
    assert table().plan(b"x").fixed == Decision("default", DEFAULT_RULE)


def test_equal_plans_are_one_object() -> None:
    routing = table(rule(1, "logs-*", operations=READS))
    assert routing.plan(b"logs-1") is routing.plan(b"logs-2")
    assert routing.plan(b"logs-1") is not routing.plan(b"other")


def test_an_evicted_plan_is_found_again() -> None:
    routing = table(*(rule(n, f"b{n}") for n in range(1, 20)), cached=2)
    for _ in range(2):
        for n in range(1, 20):
            assert decide(routing, b"b%d" % n) == f"t{n}"


@pytest.mark.parametrize(
    ("operations", "identities", "mismatch"),
    [
        (None, None, None),
        (READS, frozenset({"ann"}), None),
        (frozenset({"PutObject"}), None, Mismatch.OPERATION),
        (None, frozenset({"bob"}), Mismatch.IDENTITY),
        (frozenset(), frozenset(), Mismatch.OPERATION),  # the first reason there is
    ],
)
def test_a_kind_says_why_it_does_not_match(
    operations: frozenset[str] | None,
    identities: frozenset[str] | None,
    mismatch: Mismatch | None,
) -> None:
    assert Kind("t", operations, identities).mismatch(asked(b"b", "GetObject", "ann")) is mismatch


def verdicts(rules: list[Rule], bucket: bytes, operation: str, who: str) -> list[str]:
    steps = explain(table(*rules), rules, asked(bucket, operation, who))
    assert [step.won for step in steps] == [False] * (len(steps) - 1) + [True]
    return [step.result for step in steps]


def test_an_explanation_ends_with_the_winner() -> None:
    rules = [
        rule(1, "other"),
        rule(2, "b", operations=frozenset({"PutObject"})),
        rule(3, "b", identities=frozenset({"ann"})),
        rule(4, "b"),
        rule(5, "*"),
    ]
    assert verdicts(rules, b"b", "GetObject", "bob") == [
        "bucket does not match the pattern",
        "GetObject is not among its operations",
        "identity bob is not among its identities",
        "matches: target t4",
    ]
    assert verdicts(rules, b"b", "GetObject", "")[2].startswith("identity (none) ")


def test_an_explanation_ends_with_the_default() -> None:
    assert verdicts([rule(1, "a")], b"b", "GetObject", "") == [
        "bucket does not match the pattern",
        "no rule matched: default target default",
    ]
    assert verdicts([rule(1, "*")], b"", "ListBuckets", "") == [
        "the operation names no bucket",
        "no rule matched: default target default",
    ]
