"""`gateway.config.globs`: whether one glob covers another, against brute force."""

from __future__ import annotations

import fnmatch
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.globs import can_match, covers
from tests.property.depth import DEPTH

PIECES = ["a", "b", "*", "?", "[ab]", "[!a]", "[a-b]"]
NAMES = ["".join(letters) for size in range(7) for letters in itertools.product("abc", repeat=size)]


def names(glob: str) -> set[str]:
    return set(filter(re.compile(fnmatch.translate(glob)).match, NAMES))


@given(
    outer=st.lists(st.sampled_from(PIECES), max_size=3).map("".join),
    inner=st.lists(st.sampled_from(PIECES), max_size=3).map("".join),
)
@settings(max_examples=200 * DEPTH, deadline=None)
def test_agrees_with_trying_every_short_name(outer: str, inner: str) -> None:
    # If a glob of three pieces matches more than another one does, then already among the names
    # of up to six letters: one for each piece of both; `c` stands for what neither glob names.
    assert covers(outer, inner) == (names(inner) <= names(outer))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("*", "x"),
        ("data-*", "data-raw-*"),
        ("*-backup", "db-backup"),
        ("*a*", "*b*a*c*"),
        ("[a-z]*", "data"),
        ("[!0-9]*", "[a-c]?"),
        ("a**", "a*"),
        ("???*", "*???"),
        ("[]a]x", "ax"),
    ],
)
def test_covers(outer: str, inner: str) -> None:
    assert covers(outer, inner)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("data-*", "dat*"),
        ("*-backup", "*-backup-*"),
        ("a?", "a*"),
        ("?*", "*"),
        ("[a-y]*", "[a-z]*"),
        ("Data-*", "data-*"),
        ("*a*b*", "*b*a*"),
        ("a", "b"),
    ],
)
def test_does_not_cover(outer: str, inner: str) -> None:
    assert not covers(outer, inner)


def test_gives_up_on_what_is_too_large_to_be_certain() -> None:
    inner = "*a" + "?" * 24 + "*b" + "?" * 24
    outer = "*" + "[ab]*" + "?" * 12 + "*a" + "?" * 24
    assert covers(outer, inner) in (True, False)  # it ends


@pytest.mark.parametrize(
    ("glob", "can"), [("[~]", False), ("a[!~]", True), ("*", True), ("[9-0]", False)]
)
def test_knows_sets_that_no_bucket_name_has(glob: str, can: bool) -> None:
    assert can_match(glob) is can
