"""Each window is documented, and excuses no more than it says."""

from __future__ import annotations

import re

import pytest

from tests.property.chains.history import Event, read, write
from tests.property.chains.windows import WINDOWS, explained
from tests.repo.tree import ROOT


def test_each_window_has_a_heading_in_the_page_of_chains() -> None:
    page = (ROOT / "docs/chains.md").read_text()
    windows = page.partition("\n## Windows\n")[2].partition("\n## ")[0]
    headings = re.findall(r"^### (.+)$", windows, re.MULTILINE)
    known = {heading.lower().replace(" ", "-") for heading in headings}
    assert {window.anchor for window in WINDOWS} - known == set()


# Events, and the windows that explain them; the state is 1 at first.
CASES: dict[str, tuple[list[Event], list[str] | None]] = {
    "one store": ([write("put", 0, 1, 2), read("get", 2, 3, 2)], []),
    "seen early": (
        [write("put", 0, 9, 2), read("get", 1, 2, 2), read("get", 3, 4, 1)],
        ["a write shows before it is acknowledged"],
    ),
    "of three writes the second, then the first": (
        [
            write("delete", 0, 9, None),
            write("put", 1, 2, 2),
            write("put", 3, 6, 3),
            read("get", 7, 8, 3),
            read("get", 10, 11, 2),
        ],
        None,
    ),
    "the same in another order of the writes": (
        [
            write("delete", 0, 9, None),
            write("put", 1, 6, 2),
            write("put", 3, 5, 3),
            read("get", 7, 8, 3),
            read("get", 10, 11, 2),
        ],
        ["overlapping writes show in any order"],
    ),
    "a condition that a delete made untrue": (
        [
            write("delete", 2, 3, None),
            Event("match", 0, 5, needs=frozenset({1}), leaves=frozenset({2})),
            read("get", 3, 4, None),
            read("get", 6, 7, 2),
        ],
        ["a write shows before it is acknowledged", "a condition was true of a fallback"],
    ),
    "a lost write": ([write("put", 0, 1, 2), read("get", 2, 3, 1)], None),
    "a deleted object": ([write("delete", 0, 1, None), read("get", 2, 3, 1)], None),
    "a lost write among others": (
        [write("put", 0, 5, 2), write("put", 1, 6, 3), read("get", 7, 8, 1)],
        None,
    ),
    "an object that nobody deleted": (
        [write("put", 0, 5, 2), write("put", 1, 6, 3), read("get", 7, 8, None)],
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_window_excuses_no_more_than_it_says(name: str) -> None:
    events, windows = CASES[name]
    assert explained(events, 1) == windows


def test_a_store_without_conditions_may_lose_one_of_the_writes_that_overlap() -> None:
    events = [
        write("delete", 0, 9, None),
        write("put", 1, 2, 2),
        write("put", 3, 6, 3),
        read("get", 10, 11, 2),
    ]
    assert explained(events, 1, has_conditions=True) is None
    assert explained(events, 1, has_conditions=False) == ["a delete undoes the newer of two writes"]
