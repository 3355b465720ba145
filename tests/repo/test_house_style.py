"""The docstrings, sizes and words that the house style promises."""

from __future__ import annotations

import ast
import re

from tests.repo.tree import modules

MAX_FUNCTION = 60

# The glossary's words have one name each (ARCHITECTURE.md). `server` and `host` stay usable where
# they mean a protocol's own thing (TLS server name, asyncio.Server).
BANNED = re.compile(r"\b(backends?|frontends?|utils?|helpers?|managers?)\b", re.IGNORECASE)


def test_every_module_says_in_a_sentence_what_it_does() -> None:
    silent = []
    for module in modules():
        sentence = (ast.get_docstring(module.tree) or "").partition("\n\n")[0]
        if not sentence.endswith((".", ":", "?")):
            silent.append(module.name)
    assert not silent


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{module.name}.{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION
    ]
    assert not long


def test_the_glossary_is_kept() -> None:
    found = {
        f"{module.name}: {match.group(0)}"
        for module in modules()
        # The standard library's name.
        for match in BANNED.finditer(module.path.read_text().replace("email.utils", ""))
    }
    assert not found
