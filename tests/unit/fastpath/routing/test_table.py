"""Rules to decisions: order, filters, what a plan keeps, what an explanation says."""

from __future__ import annotations

import pytest

from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import DEFAULT_RULE, Decision
from fastpath.routing.globs import compile_glob
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.rules import Kind, Mismatch, Rulebook
from fastpath.routing.table import RoutingTable, explain
from tests.doubles.rules import Conditions, Rewriting, Rule, asked

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


def test_two_candidates_have_no_one_place_but_for_what_is_written() -> None:
    large = Rule(1, 1, "b", "large", conditions=Conditions(min_size=10))
    assert decide(table(large), b"b", "PutObject") == "large"  # of unknown size
    with pytest.raises(S3Error, match="on several storage targets"):
        decide(table(large), b"b", "GetObject")


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


# Keys, rewrites, parts


def keyed(number: int, *keys: str, target: str = "", **said: object) -> Rule:
    said.setdefault("pattern", "b-*")
    return Rule(number, number, target=target or f"t{number}", keys=keys or None, **said)  # type: ignore[arg-type]


def at(key: bytes) -> Asked:
    return asked(b"b-1")._replace(key=key)


def listed(prefix: bytes, operation: str = "ListObjectsV2") -> Asked:
    return asked(b"b-1", operation)._replace(key=b"", prefix=prefix)


def test_the_key_decides() -> None:
    plan = table(keyed(1, "raw/*", "one"), keyed(2, "*.csv"), keyed(3)).plan(b"b-1")
    found = [plan.decide(at(key)).target for key in (b"raw/a.csv", b"one", b"a.csv", b"two")]
    assert found == ["t1", "t1", "t2", "t3"]
    assert plan.decide(asked(b"b-1", "HeadBucket")._replace(key=b"")).target == "t3"


def test_a_list_goes_where_all_of_its_keys_are() -> None:
    plan = table(keyed(1, "raw/*"), keyed(2)).plan(b"b-1")
    assert plan.decide(listed(b"raw/x")).target == "t1"
    assert plan.decide(listed(b"log/")).target == "t2"


@pytest.mark.parametrize("prefix", [b"", b"ra"])
def test_a_list_whose_keys_are_in_several_places_is_refused(prefix: bytes) -> None:
    plan = table(keyed(1, "raw/*"), keyed(2)).plan(b"b-1")
    with pytest.raises(S3Error) as caught:
        plan.decide(listed(prefix))
    assert caught.value.kind is NOT_IMPLEMENTED
    assert "longer prefix" in caught.value.message


def test_a_list_across_rules_that_lead_to_one_place_goes_there() -> None:
    rules = keyed(1, "raw/*", target="t"), keyed(2, "log/*", target="t"), keyed(3, target="t")
    assert table(*rules).plan(b"b-1").decide(listed(b"")).target == "t"


def test_the_same_target_under_another_name_is_another_place() -> None:
    renamed = keyed(1, "raw/*", target="t", rewrite=Rewriting(key_prefix="x/"))
    plan = table(renamed, keyed(2, target="t")).plan(b"b-1")
    with pytest.raises(S3Error):
        plan.decide(listed(b""))


def test_a_rewrite_comes_with_the_decision() -> None:
    rule = keyed(1, rewrite=Rewriting("other", "main/"))
    assert table(rule).plan(b"b-1").fixed == Decision("t1", 1, Rewrite(b"other", b"main/"))


def test_parts_of_the_bucket_stand_in_the_rewrite_of_each_bucket() -> None:
    rule = keyed(
        1, pattern="team-{team}-*", rewrite=Rewriting("all-{team}", "{team}/{team}/", "{team}/")
    )
    routing = table(rule)
    for team in (b"blue", b"red"):
        fixed = routing.plan(b"team-%b-raw" % team).decide(at(b"{team}/k"))
        assert fixed.rewrite == Rewrite(b"all-" + team, team + b"/" + team + b"/", b"{team}/")


@pytest.mark.parametrize(
    ("bucket", "rewrite"),
    [
        ("team-..", Rewriting("all", "{team}/")),
        ("team-.", Rewriting("all", "main/{team}")),
        ("team-..", Rewriting("{team}")),
        ("team-a", Rewriting("{team}")),
        ("team-" + "a" * 250, Rewriting("all-of-{team}")),
    ],
)
def test_a_part_that_makes_no_name_at_the_target_is_refused(
    bucket: str, rewrite: Rewriting
) -> None:
    """A store that normalises paths would go to another bucket, or to another one's part."""
    routing = table(keyed(1, pattern="team-{team}", rewrite=rewrite), keyed(2, pattern="team-*"))
    with pytest.raises(S3Error) as caught:
        routing.plan(bucket.encode())
    assert caught.value.kind.code == "InvalidBucketName"


def test_only_keys_that_lose_their_prefix_belong_to_the_rule() -> None:
    plan = table(keyed(1, rewrite=Rewriting(strip_prefix="a*/")), keyed(2)).plan(b"b-1")
    assert [plan.decide(at(key)).target for key in (b"a*/k", b"ab/k")] == ["t1", "t2"]


def test_an_explanation_of_a_list_across_targets_has_no_winner() -> None:
    """`decide` refuses it; the rules concerned are shown all the same."""
    rules = [Rule(1, 10, "b", "t1", keys=("raw/*",)), rule(2, "b"), rule(3, "b")]
    request = asked(b"b", "ListObjectsV2")._replace(key=b"", prefix=b"ra")
    steps = explain(table(*rules), rules, request)
    assert [(step.rule and step.rule.number, step.won) for step in steps] == [
        (1, False),
        (2, False),
    ]
    assert steps[0].result.endswith("others do not: those are on target t1")
    (only, default) = explain(table(rules[0]), rules[:1], request)
    assert (only.won, default.won) == (False, False)
