"""At which targets a missing key must be found missing, in which buckets, and by which key."""

from __future__ import annotations

import re

from gateway.connect.chains import Look, behind_conditions, looks, names_in
from tests.unit.gateway.config.loading import LAKEFS, S3, Desk, desk

__all__ = ["desk"]

OLD = (
    'targets: {old: {endpoint: "http://127.0.0.1:9001", access_key_id: AKID4, '
    "secret_access_key: hidden-4, profile_overrides: {lists: [sorted]}}}\n"
)
LISTED = ["logs-a", "logs-b", "other"]


def found(desk: Desk, routing: str) -> list[Look]:
    return list(looks(desk.model(f"{LAKEFS}{S3}{OLD}routing: {{{routing}}}\n")))


def places(found: list[Look]) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(look.target, look.path[1:]) for look in found]


def test_the_last_of_a_chain_is_not_asked(desk: Desk) -> None:
    rules = "rules: [{pattern: a, target: old}, {pattern: b, target: s3, fallback: [old, lakefs]}]"
    assert places(found(desk, rules)) == [
        ("s3", ("rules", 1, "target")),
        ("old", ("rules", 1, "fallback", 0)),
    ]
    assert places(found(desk, "default_target: s3, fallback: [lakefs, old]")) == [
        ("s3", ("default_target",)),
        ("lakefs", ("fallback", 0)),
    ]


def test_a_rule_with_conditions_is_never_the_last(desk: Desk) -> None:
    rules = "rules: [{pattern: a, target: old, conditions: {max_size: 1}}]"
    assert places(found(desk, rules)) == [("old", ("rules", 0, "target"))]


def test_what_conditions_do_not_match_needs_its_bucket_too(desk: Desk) -> None:
    rules = """
  - {pattern: a, target: old, conditions: {max_size: 1}}
  - {pattern: b, target: old, conditions: {max_size: 1}}
  - {pattern: "b*", target: lakefs, rewrite: {bucket: repo, key_prefix: main/}}
  - {pattern: "c-*", target: old, conditions: {max_size: 1}}
"""
    model = desk.model(f"{LAKEFS}{S3}{OLD}routing:\n  default_target: s3\n  rules:{rules}")
    assert list(behind_conditions(model)) == [
        ("old", "a", 0),
        ("s3", "a", 0),
        ("old", "b", 1),
        ("lakefs", "repo", 1),
    ]


def test_buckets_are_named_or_listed(desk: Desk) -> None:
    (exact,) = found(desk, "rules: [{pattern: a, target: s3, fallback: old}]")
    (many,) = found(desk, "rules: [{pattern: logs-*, target: s3, fallback: old}]")
    (default,) = found(desk, "default_target: s3, fallback: old")
    assert exact.buckets(LISTED) == ["a"]
    assert many.buckets(LISTED) == ["logs-a", "logs-b"]
    assert default.buckets(LISTED) == LISTED


def test_names_are_those_of_the_target(desk: Desk) -> None:
    rewrite = "{bucket: new-bucket, key_prefix: main/, strip_prefix: raw/}"
    rule = (
        f"{{pattern: a, target: s3, keys: [raw/x/*], rewrite: {rewrite}, fallback: [old, lakefs]}}"
    )
    primary, fallback = found(desk, f"rules: [{rule}]")
    assert primary.buckets([]) == ["new-bucket"]
    assert re.fullmatch(r"main/x/s3gateway-check-[0-9a-f]{16}", primary.missing_key())
    assert fallback.buckets([]) == ["a"]
    assert re.fullmatch(r"raw/x/s3gateway-check-[0-9a-f]{16}", fallback.missing_key())


def test_parts_name_no_bucket(desk: Desk) -> None:
    """Which teams there are, nobody says."""
    rewrite = '{bucket: "t-{team}", key_prefix: "{team}/x/"}'
    rule = f'{{pattern: "team-{{team}}", target: s3, rewrite: {rewrite}, fallback: old}}'
    (look,) = found(desk, f"rules: [{rule}]")
    assert look.buckets(["t-red"]) == []
    assert look.missing_key().startswith("s3gateway-check-")


def test_the_names_in_a_list_of_buckets() -> None:
    body = b"<Owner><Name></Name></Owner><Bucket><Name>a-1</Name></Bucket><Name>b &amp;</Name>"
    assert names_in(body) == ["a-1"]
