"""What `check` says of rules, against the decisions of a worker's routing table."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.request.decision import _BY_PREFIX
from fastpath.routing.asked import Asked
from fastpath.routing.rules import Rulebook
from fastpath.routing.table import RoutingTable
from fastpath.s3.operations import OPERATIONS
from gateway.config import load
from gateway.config.rule_operations import ABOUT_KEYS, ABOUT_MANY_KEYS, ABOUT_NO_KEY
from gateway.config.value_types import EVERY_OPERATION
from gateway.explain.request import place_of, request_of
from tests.doubles.rules import Rewriting, Rule
from tests.property.depth import DEPTH
from tests.property.test_explain import PEOPLE, PLAIN_RULES, RAW_TO_ONE, configuration

CAN_NEVER = re.compile(r"routing\.rules\[(\d+)\]\.(?:pattern|keys\[(\d+)\])$")
BUCKETS = (b"data", b"data-x", b"team-red", b"a")
ASKED = (
    *(("GetObject", key, None) for key in (b"raw/a", b"raw/ab", b"raw/", b"log", b"x", b"-\x01")),
    *(("PutObject", key, None) for key in (b"raw/a", b"log")),
    *(("DeleteObject", key, None) for key in (b"raw/a", b"log")),
    *(("ListObjectsV2", b"", prefix) for prefix in (b"", b"r", b"raw/", b"raw/a", b"log", b"x")),
    ("HeadBucket", b"", None),
    ("CreateBucket", b"", None),
)


def written(rules: list[dict[str, Any]]) -> list[Rule]:
    """The rules as a worker's table takes them; the first has number 1."""
    found = load({"config": "x.yaml"}, {}, configuration(rules))
    assert found.model is None or len(found.model.rules) == len(rules)
    made = []
    for number, rule in enumerate(rules, 1):
        words = rule.get("operations")
        classes = None if words is None else frozenset(itertools.chain(*map(_expanded, words)))
        people, keys = rule.get("identities"), rule.get("keys")
        made.append(
            Rule(
                number,
                number,
                rule["pattern"],
                rule["target"],
                classes,
                None if people is None else tuple(people),
                "",
                None if keys is None else tuple(keys),
                Rewriting(**rule["rewrite"]) if "rewrite" in rule else None,
            )
        )
    return made


def _expanded(word: str) -> set[str]:
    """What a class, a method or an operation means."""
    return {
        name
        for name in EVERY_OPERATION
        if word in (name, OPERATIONS[name].action, OPERATIONS[name].method)
    }


def decisions(rules: list[Rule]) -> dict[tuple[object, ...], object]:
    """Rule of every request; of a refused one the error."""
    table = RoutingTable(Rulebook.of(rules), "two", 100)
    found: dict[tuple[object, ...], object] = {}
    for bucket, who, (operation, key, prefix) in itertools.product(BUCKETS, PEOPLE, ASKED):
        asked = Asked(operation, who, bucket, key, None, b"", 0.0, prefix)
        try:
            found[asked] = table.plan(bucket).decide(asked).rule
        except S3Error as error:
            found[asked] = error.kind.code
    return found


@given(rules=st.lists(PLAIN_RULES, min_size=2, max_size=6))
@example([RAW_TO_ONE, {"pattern": "data", "target": "two", "keys": ["raw/a*"]}])
@example([RAW_TO_ONE, {"pattern": "data", "target": "two", "keys": ["raw/a*", "x"]}])
@example(
    [
        RAW_TO_ONE | {"target": "two"},
        {"pattern": "data", "target": "one", "keys": ["raw/?", "log"]},
    ]
)
@example([RAW_TO_ONE | {"keys": ["*?"]}, {"pattern": "data", "target": "one", "keys": ["?*"]}])
@settings(max_examples=150 * DEPTH, deadline=None)
def test_a_rule_that_can_never_match_decides_nothing(rules: list[dict[str, Any]]) -> None:
    """Nor does a glob on keys that cannot."""
    made = written(rules)
    before = decisions(made)
    for problem in load({"config": "x.yaml"}, {}, configuration(rules)).problems:
        place = CAN_NEVER.match(problem.path)
        if place is None or "can never match: rule" not in problem.message:
            continue
        index = int(place[1])
        if place[2] is None:
            assert index + 1 not in before.values()
        else:
            keys = made[index].keys
            assert keys is not None
            left = tuple(key for at, key in enumerate(keys) if at != int(place[2]))
            after = [*made[:index], replace(made[index], keys=left), *made[index + 1 :]]
            # It decides nothing, but may have had a list refused that now goes through.
            lists = {asked for asked, rule in before.items() if rule == "NotImplemented"}
            changed = {asked for asked, rule in decisions(after).items() if rule != before[asked]}
            assert changed <= lists


def test_operations_name_keys_as_their_requests_do() -> None:
    assert _BY_PREFIX | {"DeleteObjects"} == ABOUT_MANY_KEYS
    for name in ABOUT_KEYS | ABOUT_NO_KEY:
        request = request_of(place_of("bucket", "some/key"), name, "", ())
        at_the_object = request.path == "/bucket/some/key"
        assert at_the_object is (name in ABOUT_KEYS - ABOUT_MANY_KEYS), name
