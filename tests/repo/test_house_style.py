"""Sizes, docstrings and words that the house style promises."""

from __future__ import annotations

import ast
import re

import pytest

from tests.repo.tree import ROOT, Module, modules, tracked

MAX_FILE = 500
MAX_FUNCTION = 60

# The glossary's words have one name each (ARCHITECTURE.md). `server` and `host` stay usable where
# they mean a protocol's own thing (TLS server name, asyncio.Server).
BANNED = re.compile(r"\b(backends?|frontends?|utils?|helpers?|managers?)\b", re.IGNORECASE)


@pytest.mark.parametrize("path", tracked("*.py"), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_500_lines(path) -> None:
    assert path.read_text().count("\n") <= MAX_FILE


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_every_module_says_what_it_owns(module: Module) -> None:
    docstring = ast.get_docstring(module.tree)
    assert docstring, f"{module.name} has no docstring"
    if module.path.name not in ("__main__.py",):
        assert "Rules:" in docstring, f"{module.name}: the docstring names no rules"
        assert "Not here:" in docstring, (
            f"{module.name}: the docstring does not say what is not here"
        )


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_functions_fit_on_a_screen(module: Module) -> None:
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION
    ]
    assert not long


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_the_glossary_is_kept(module: Module) -> None:
    text = module.path.read_text().replace("email.utils", "")  # the standard library's name
    found = {match.group(0) for match in BANNED.finditer(text)}
    assert not found, f"{module.name} says {sorted(found)}"
