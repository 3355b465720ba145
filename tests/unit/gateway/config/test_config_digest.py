"""The digest of a configuration: what changes it, and what does not."""

from __future__ import annotations

import pytest

from fastpath.routing.rules import pack
from gateway.config.digest import digest
from tests.unit.gateway.config.loading import LAKEFS, S3, Desk

TEXT = f"""
auth:
  identities:
    - {{name: reader, access_key_id: A, secret_access_key: first-secret,
       allow: [{{actions: [read]}}]}}
{S3}{LAKEFS}
routing:
  rules:
    - {{pattern: "x-*", operations: [write], target: lakefs, description: "versioned"}}
    - {{pattern: "x-a*", target: s3}}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("first-secret", "second-secret"),
        ("hidden-2", "other-secret"),
        ('description: "versioned"', "description: other words"),
        ("\nrouting:", "\n# a comment\nrouting:"),
        ("name: reader, access_key_id: A", "access_key_id: A, name: reader"),
        ("\nrouting:", "\nrouter: {workers: 3, listen_address: 127.0.0.1:7}\nrouting:"),
    ],
)
def test_what_decides_no_request_differently(desk: Desk, old: str, new: str) -> None:
    assert old in TEXT
    assert digest(desk.model(TEXT)) == digest(desk.model(TEXT.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: reader", "name: other"),
        ("actions: [read]", "actions: [write]"),
        ("127.0.0.1:8000", "127.0.0.1:8001"),
        ("AKID2", "AKID3"),
        ("hidden-2}", "hidden-2, timeouts: {connect_seconds: 7}}"),
        ("operations: [write]", "operations: [delete]"),
        ('pattern: "x-a*", target: s3', 'pattern: "y-*", target: s3'),
        ("\nrouting:", "\nrouting:\n  default_target: lakefs"),
        ("\nrouting:", "\nrouter: {limits: {connections: 7}}\nrouting:"),
    ],
)
def test_what_does(desk: Desk, old: str, new: str) -> None:
    assert old in TEXT
    assert digest(desk.model(TEXT)) != digest(desk.model(TEXT.replace(old, new)))


def test_the_order_of_rules_counts(desk: Desk) -> None:
    *above, first, second, _ = TEXT.split("\n")
    swapped = "\n".join([*above, second, first, ""])
    assert digest(desk.model(TEXT)) != digest(desk.model(swapped))


def test_where_the_file_is_does_not_count(desk: Desk, tmp_path_factory: pytest.TempPathFactory):
    other = Desk(tmp_path_factory.mktemp("replica"))
    assert digest(desk.model(TEXT)) == digest(other.model(TEXT))


def test_a_time_zone_counts_by_its_name(desk: Desk) -> None:
    """Its file differs from machine to machine."""
    hours = "conditions: {time_range: [2, 6], timezone: Europe/Berlin}, target: lakefs"
    text = TEXT.replace("target: lakefs, description", f"{hours}, description")
    assert text != TEXT
    berlin = digest(desk.model(text))
    assert digest(desk.model(text.replace("Berlin", "Paris"))) != berlin
    rules = pack(desk.model(text).rules)
    assert rules["zones"]
    assert digest(desk.model(text), {**rules, "zones": ["another file"]}) == berlin
