"""What conditions and fallbacks of a configuration come to, down to a worker's chains."""

from __future__ import annotations

import base64
import zoneinfo

import pytest

from fastpath.routing.chain import Chain
from fastpath.routing.snapshot import load_snapshot
from gateway.config.compile import compile_snapshot
from gateway.config.condition_values import zone_file
from tests.doubles.rules import asked
from tests.unit.gateway.config.loading import LAKEFS, S3, Desk, desk

__all__ = ["desk"]

SORTS = (
    'targets: {old: {endpoint: "http://127.0.0.1:9001", access_key_id: AKID4, '
    "secret_access_key: hidden-4, profile_overrides: {lists: [sorted]}}}\n"
)
CUSTOM = "routing: {custom: 'custom_router:Router', custom_reads: [s3, old]}\n"


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("0", 0),
        ("104857600", 104857600),
        ("100_000", 100_000),
        ("5B", 5),
        ("100MiB", 100 << 20),
        ("100 mib", 100 << 20),
        ("1kB", 1000),
        ("2GB", 2 * 10**9),
        ("5TiB", 5 << 40),
    ],
)
def test_sizes(desk: Desk, written: str, size: int) -> None:
    rule = f"{{pattern: a, target: lakefs, conditions: {{max_size: {written}}}}}"
    (found,) = desk.model(f"{S3}{LAKEFS}routing: {{rules: [{rule}]}}\n").rules
    assert found.conditions is not None
    assert found.conditions.max_size == size


def chain(desk: Desk, routing: str, bucket: bytes) -> Chain:
    """That of a read, as a worker has it."""
    model = desk.model(f"{S3}{LAKEFS}{SORTS}routing:\n{routing}")
    document = {**compile_snapshot(model, {}), "instance": ""}
    return load_snapshot(1, document).routing.plan(bucket).chain(asked(bucket))


def test_a_worker_has_the_fallbacks_in_their_order(desk: Desk) -> None:
    routing = """\
  fallback: [lakefs, old]
  fallback_on: [404, timeout]
  rules:
    - {pattern: own, target: old, fallback: s3, fallback_on: [404]}
    - {pattern: inherits, target: lakefs, fallback: [old, s3]}
    - {pattern: alone, target: old}
"""
    found = {
        name: chain(desk, routing, name.encode()) for name in ("own", "inherits", "alone", "other")
    }
    assert {name: [place.target for place in one.places] for name, one in found.items()} == {
        "own": ["old", "s3"],
        "inherits": ["lakefs", "old", "s3"],
        "alone": ["old"],
        "other": ["s3", "lakefs", "old"],
    }
    assert {one.candidates for one in found.values()} == {1}
    passes = {name: set(one.passes) for name, one in found.items()}
    late = {"timeout"}
    assert passes == {"own": set(), "inherits": late, "alone": set(), "other": late}


def test_a_worker_has_the_candidates_in_the_order_of_their_rules(desk: Desk) -> None:
    routing = """\
  default_target: s3
  fallback: lakefs
  rules:
    - {pattern: "a-*", target: lakefs, conditions: {max_size: 1}}
    - {pattern: "*", target: old, conditions: {time_range: [22, 5], timezone: Europe/Berlin}}
"""
    found = chain(desk, routing, b"a-b")
    assert [place.target for place in found.places] == ["lakefs", "old", "s3"]
    assert found.candidates == 3


def test_the_file_of_a_zone_is_packed_for_workers() -> None:
    packed = zone_file("Europe/Berlin")
    assert base64.b64decode(packed).startswith(b"TZif")
    assert zone_file("Europe/Berlin") is packed
    assert [name for name in zoneinfo.available_timezones() if not zone_file(name)] == []


@pytest.mark.parametrize("name", ["Europe", "../../etc/passwd", "/etc/localtime", "tzdata.zi", ""])
def test_a_name_that_is_no_zone_leads_nowhere(name: str) -> None:
    assert zone_file(name) == ""


def test_a_target_is_probed_before_it_can_be_in_its_chain(desk: Desk) -> None:
    """The error says to probe it, with this file."""
    unknown = SORTS.replace(", profile_overrides: {lists: [sorted]}", "")
    text = S3 + LAKEFS + unknown + "routing: {default_target: s3, fallback: old}\n"
    (told,) = desk.problems(text)
    assert "s3gateway probe --config FILE old --bucket BUCKET" in told
    loaded = desk.load(text, probed="old")
    assert loaded.model is not None
    assert list(loaded.problems) == []


def test_custom_reads_warn_of_lists_that_are_not_sorted(desk: Desk) -> None:
    """An error would have a gateway that served before refuse to start."""
    (desk.directory / "custom_router.py").write_text(
        "class Router:\n    def __init__(self, config): ...\n    def route_request(self, *_): ...\n"
    )
    assert desk.problems(S3 + LAKEFS + SORTS + CUSTOM) == []
    unsorted = SORTS.replace(", profile_overrides: {lists: [sorted]}", "")
    (told,) = desk.problems(S3 + LAKEFS + unsorted + CUSTOM)
    assert told.startswith("routing.custom_reads[1]: warning: nobody knows whether target old")
    assert "every list of objects is refused (501)" in told
    one = CUSTOM.replace("[s3, old]", "old")
    assert desk.problems(S3 + LAKEFS + unsorted + one) == []
