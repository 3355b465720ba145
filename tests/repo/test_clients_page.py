"""docs/clients.md: its snippets parse, and are those that the tests run."""

from __future__ import annotations

import ast
import re
import subprocess

import pytest

from tests.compat.document import LANGUAGES, SECTIONS, SNIPPETS, section
from tests.repo.tree import ROOT

PAGE = (ROOT / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(("language", "text"), BLOCKS)
def test_a_snippet_parses(language: str, text: str) -> None:
    assert language in LANGUAGES.values()
    if language == "python":
        assert ast.parse(text).body
    elif language == "sh":
        assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0
    else:
        duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (extra `dev`)")
        assert len(duckdb.extract_statements(text)) == text.count(";\n")


@pytest.mark.parametrize("client", SECTIONS, ids=lambda client: client.title)
def test_the_page_shows_what_the_tests_run(client) -> None:
    assert section(client) in PAGE, "the page is old: make clients"


def test_nothing_else_is_shown() -> None:
    shown = {text for _, text in BLOCKS}
    assert shown == {path.read_text() for path in SNIPPETS.iterdir() if path.is_file()}
