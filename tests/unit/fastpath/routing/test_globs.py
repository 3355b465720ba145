"""Named parts of globs, and what a glob says about keys that begin alike."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.routing.globs import (
    GlobStates,
    compile_glob,
    literal_glob,
    matcher,
    part_names,
    parts_of,
    split_glob,
)
from fastpath.routing.key_globs import Coverage, KeyGlobs


@pytest.mark.parametrize(
    ("pattern", "name", "parts"),
    [
        ("team-{team}-*", "team-blue-raw", {"team": "blue"}),
        ("team-{team}-*", "team-blue-raw-2", {"team": "blue"}),
        ("team-{team}", "team-blue-raw", {"team": "blue-raw"}),
        ("{a}-{b}", "x-y-z", {"a": "x", "b": "y-z"}),
        ("{a}.{b}.data", "x.y.z.data", {"a": "x", "b": "y.z"}),
        ("*-{team}", "a-b-c", {"team": "b-c"}),
        ("a?{x}", "abcd", {"x": "cd"}),
        ("a[!b]{x}-*", "aczz-", {"x": "zz"}),
    ],
)
def test_parts_are_as_short_as_the_rest_allows_from_the_left(
    pattern: str, name: str, parts: dict[str, str]
) -> None:
    assert parts_of(pattern, name) == parts
    assert compile_glob(pattern).match(name.encode())
    assert part_names(pattern) == list(parts)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("team-{team}-*", "team--"), ("team-{team}", "team-"), ("{a}-{b}", "xy"), ("a{x}", "ba")],
)
def test_a_part_is_never_empty_and_the_whole_name_counts(pattern: str, name: str) -> None:
    assert not matcher(pattern)(name)


def test_a_pattern_with_parts_is_no_plain_name() -> None:
    assert split_glob("team-{team}-x") == ("team-", "{team}-x")


def test_a_name_that_fits_badly_costs_no_more_than_its_length() -> None:
    pattern = "-".join(f"{{p{number}}}" for number in range(12)) + "-x"
    name = "-".join("a" * 120)[:250] + "y"
    began = time.process_time()
    assert not matcher(pattern)(name)
    assert time.process_time() - began < 1  # without atomic groups: for ever


_TEXT = st.text("ab/*?[]{}", max_size=8)
_PIECES = ["a", "b", "/", "*", "?", "[ab]", "[!a]"]
_GLOB = st.lists(st.sampled_from(_PIECES), max_size=6).map("".join)


@given(_TEXT)
def test_a_literal_glob_matches_its_text_alone(text: str) -> None:
    assert fnmatch.fnmatchcase(text, literal_glob(text))
    assert not fnmatch.fnmatchcase(f"{text}x", literal_glob(text))


@given(st.lists(_GLOB.filter(bool), min_size=1, max_size=3), st.text("ab/", max_size=5))
def test_a_key_matches_as_fnmatch_says(globs: list[str], key: str) -> None:
    expected = any(fnmatch.fnmatchcase(key, glob) for glob in globs)
    assert KeyGlobs(globs).match(key.encode()) is expected


@given(
    st.lists(_GLOB.filter(bool), min_size=1, max_size=3),
    st.text("ab/", max_size=4),
    st.lists(st.text("ab/", max_size=5), max_size=10),
)
def test_coverage_is_true_of_every_key_that_begins_so(
    globs: list[str], prefix: str, rests: list[str]
) -> None:
    keys = KeyGlobs(globs)
    matches = {keys.match((prefix + rest).encode()) for rest in rests}
    match keys.coverage(prefix.encode()):
        case Coverage.ALL:
            assert False not in matches
        case Coverage.NONE:
            assert True not in matches
        case Coverage.SOME:
            assert not all(GlobStates(glob).take_anything for glob in globs)


@pytest.mark.parametrize(
    ("prefix", "coverage"),
    [
        (b"raw/", Coverage.ALL),
        (b"raw/x/y", Coverage.ALL),
        (b"ra", Coverage.SOME),
        (b"", Coverage.SOME),
        (b"log/", Coverage.NONE),
        (b"one", Coverage.SOME),
        (b"one-", Coverage.NONE),
        (b"x/1/tmp/", Coverage.ALL),
        (b"x/1/tmq/", Coverage.SOME),
        (b"caf\xc3\xa9/", Coverage.ALL),
    ],
)
def test_coverage_of_a_prefix(prefix: bytes, coverage: Coverage) -> None:
    assert KeyGlobs(["raw/*", "one", "x/*/tmp/*", "caf?/*"]).coverage(prefix) is coverage
