"""`gateway.config.globs`: what two globs have in common, against brute force."""

from __future__ import annotations

import fnmatch
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.routing.key_globs import KeyGlobs
from gateway.config.globs import a_bucket, can_match, common_key, covers, covers_keys
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


# `~` and `\u00e9` are in no bucket name; `[b-a]` matches nothing, `[!b-a]` everything.
KEY_PIECES = [
    "/",
    "~",
    "*",
    "?",
    "[~/]",
    "[!~]",
    "[/-~]",
    "[b-a]",
    "[!b-a]",
    "[~-\u00e9]",
    "\u00ea",
]
KEYS = [
    "".join(letters)
    for size in range(5)
    for letters in itertools.product("/~\u00e9\u00ea\U0001f600", repeat=size)
]
KEY_GLOBS = st.lists(st.sampled_from(KEY_PIECES), max_size=2).map("".join)


def keys(glob: str) -> set[str]:
    return {key for key in KEYS if KeyGlobs([glob]).match(key.encode())}


@given(outer=KEY_GLOBS, inner=KEY_GLOBS)
@settings(max_examples=200 * DEPTH, deadline=None)
def test_agrees_with_trying_every_short_key(outer: str, inner: str) -> None:
    # A set of one character is no fixed beginning, and the answer then may be a cautious no.
    if covers_keys(outer, inner):
        assert keys(inner) <= keys(outer)
    elif "[" not in outer + inner:
        assert not keys(inner) <= keys(outer)


@given(one=KEY_GLOBS, other=KEY_GLOBS)
@settings(max_examples=200 * DEPTH, deadline=None)
def test_a_common_key_is_found_if_there_is_one(one: str, other: str) -> None:
    found = common_key(one, other)
    assert (found is not None) == bool(keys(one) & keys(other))
    if found is not None:
        assert KeyGlobs([one]).match(found.encode()) or not found
        assert KeyGlobs([other]).match(found.encode()) or not found


@pytest.mark.parametrize(
    ("outer", "inner", "does"),
    [
        ("raw/*", "raw/a/*", True),
        ("raw/?*", "raw/a/*", True),
        ("raw/[!.]*", "raw/a*", True),
        ("*.[pP]ng", "img/*.png", True),
        ("[\u0000-\U0010ffff]*", "?", True),
        ("[\u0000-z]", "?", False),
        ("raw/*", "raw*", False),
        ("raw/[a-z]*", "raw/[a-\u00e9]", False),
        ("raw/[!\u00e9]", "raw/?", False),
        ("Raw/*", "raw/*", False),
    ],
)
def test_covers_keys(outer: str, inner: str, does: bool) -> None:
    assert covers_keys(outer, inner) is does


@given(glob=st.lists(st.sampled_from([*PIECES, "{a}"]), max_size=4).map("".join))
def test_an_example_of_a_bucket_matches(glob: str) -> None:
    bucket = a_bucket(glob.replace("{a}{a}", "{a}"))
    assert covers(glob.replace("{a}", "?*"), bucket) or not bucket
