"""A document that says which test shows something names one that is there."""

from __future__ import annotations

import re

import pytest

from tests.repo.tree import ROOT, tracked

_NAMED = re.compile(r"\b(tests/[\w/]+\.py)(?:::(\w+))?")
PAGES = ("docs/security-model.md", "docs/reliability.md")  # whose subject it is


def missing(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    found = []
    for match in _NAMED.finditer(text):
        file, name = match.groups()
        path = ROOT / file
        if not path.is_file() or (name and f"def {name}(" not in path.read_text()):
            found.append(match.group(0))
    return found


def test_every_test_that_a_document_names_is_there() -> None:
    broken = {path.name: missing(path.read_text()) for path in tracked(":(glob)docs/*.md")}
    assert {page: names for page, names in broken.items() if names} == {}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_is_about_them_names_many(page: str) -> None:
    assert len(_NAMED.findall((ROOT / page).read_text())) > 20


def test_one_that_is_not_there_is_found() -> None:
    here = "tests/repo/test_named_tests.py"
    assert missing(f"`{here}::test_one_that_is_not_there_is_found` and `{here}`") == []
    assert missing(f"`{here}::test_another`") == [f"{here}::test_another"]
    assert missing("tests/repo/" + "nowhere.py") == ["tests/repo/" + "nowhere.py"]
