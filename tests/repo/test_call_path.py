"""ARCHITECTURE.md, "Life of a request": how many calls a request makes, in how many files."""

from __future__ import annotations

import re

import pytest

from tests.doubles.call_path import REQUESTS, path
from tests.repo.tree import ROOT


def test_the_page_names_the_files_of_a_get_in_order() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    found = re.search(r"^```\n(client/connection >.*?)\n```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    files = [file.removesuffix(".py") for file, _ in path("GET, signed")]
    assert found[1].replace(">", " ").split() == [*dict.fromkeys(files)]


@pytest.mark.parametrize("name", [*REQUESTS])
def test_the_page_says_what_a_request_costs_in_calls(name: str) -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    row = re.search(rf"^\| {re.escape(name)} \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    assert row is not None
    calls = path(name)
    assert (len(calls), len({file for file, _ in calls})) == (int(row[1]), int(row[2]))
