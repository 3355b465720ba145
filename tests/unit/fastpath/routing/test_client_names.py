"""`fastpath.routing.client_names`: rewrites of buckets, inverted."""

from __future__ import annotations

import time

import pytest

from fastpath.routing.client_names import MAX_STEPS, ClientNames
from fastpath.routing.rules import Rulebook
from tests.doubles.rules import Rewriting, Rule


def names_of(*rules: tuple[str, str]) -> ClientNames:
    """The names by rules of a pattern and a rewritten bucket, for target `t`."""
    written = [
        Rule(number, number, pattern, "t", rewrite=Rewriting(bucket))
        for number, (pattern, bucket) in enumerate(rules, 1)
    ]
    return ClientNames(Rulebook.of(written))


@pytest.mark.parametrize(
    ("pattern", "bucket", "upstream", "clients"),
    [
        ("old", "new", "new", ["old"]),
        ("old", "new", "old", []),
        ("team-{team}", "lake-{team}", "lake-red", ["team-red"]),
        ("team-{team}", "lake-{team}", "lake-", []),
        ("{x}", "{x}-x", "a-x", ["a"]),
        ("{a}-{b}", "{b}.{a}", "x.y", ["y-x"]),
        ("{a}-{b}", "{b}-{a}", "x-y-z", ["y-z-x", "z-x-y"]),
        ("{a}-{b}", "{a}{b}", "xyz", ["x-yz", "xy-z"]),
        ("{a}", "{a}-{a}", "x-x", ["x"]),
        ("{a}", "{a}-{a}", "x-y", []),
        # What cannot be found: it is not in the target's name.
        ("x-*", "new", "new", []),
        ("x-?", "new", "new", []),
        ("x-{a}", "new", "new", []),
        ("{a}-{b}", "new-{a}", "new-x", []),
        ("{a}-*", "new-{a}", "new-x", []),
    ],
)
def test_names_of_a_bucket(pattern: str, bucket: str, upstream: str, clients: list[str]) -> None:
    found = list(names_of((pattern, bucket)).of("t", upstream.encode()))
    assert found == [name.encode() for name in (upstream, *clients)]


def test_each_name_once_whatever_the_rules() -> None:
    names = names_of(("old", "new"), ("new", "new"), ("old", "new"), ("o{x}", "n{x}"))
    assert list(names.of("t", b"new")) == [b"new", b"old", b"oew"]
    assert list(names.of("other", b"new")) == [b"new"]
    assert [names.renames_any(target) for target in ("t", "other")] == [True, False]


def test_rules_that_take_no_read_give_no_name() -> None:
    new = Rewriting("new")
    rules = [
        Rule(1, 1, "written", "t", frozenset({"PutObject"}), rewrite=new),
        Rule(2, 2, "keyed", "t", keys=("a/*",), rewrite=new),
        Rule(3, 3, "part", "t", rewrite=Rewriting(key_prefix="p/")),
    ]
    names = ClientNames(Rulebook.of(rules))
    assert list(names.of("t", b"new")) == [b"new"]
    assert not names.renames_any("t")


def test_a_name_that_can_be_read_in_too_many_ways_is_left_after_some() -> None:
    parts = [f"{{p{number}}}" for number in range(6)]
    names = names_of(("-".join(parts), "".join(parts)))
    started = time.process_time()
    found = list(names.of("t", b"x" * 63))
    assert 1 < len(found) <= MAX_STEPS
    assert time.process_time() - started < 1


def test_bytes_that_no_rewrite_gives() -> None:
    names = names_of(("team-{t}", "lake-{t}"))
    assert list(names.of("t", "lake-é".encode())) == ["lake-é".encode()]


def test_many_rules_are_read_in_steps_or_at_the_first_question() -> None:
    rules = [(f"old-{number}", f"new-{number}") for number in range(2500)]
    names = names_of(*rules)
    assert len(list(names.prepare())) == 2
    assert list(names.of("t", b"new-2499")) == [b"new-2499", b"old-2499"]
    assert list(names_of(*rules).of("t", b"new-7")) == [b"new-7", b"old-7"]
