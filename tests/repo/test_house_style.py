"""The docstrings, sizes and words that the house style promises."""

from __future__ import annotations

import ast
import re

from tests.repo.tree import modules

MAX_FUNCTION = 60

# What the field calls by another name (ARCHITECTURE.md, Glossary), or nothing at all.
BANNED = re.compile(
    r"\b(backends?|frontends?|utils?|helpers?|managers?"
    # now: response filter; classify a refusal; question, call; credential refresh; worker arguments
    r"|holdback|held back|verdicts?|judge[sd]?|judging|judgements?|inquir(?:y|ies)|renewals?"
    r"|subrequests?|learnt|wish(?:es)?|stuck|hush|bury|buried|epitaphs?|last words|leash|seats?"
    r"|journals?)\b",
    re.IGNORECASE,
)
# Documented: the key of a JSON answer, the standard library's name.
KNOWN = ('"verdict"', "email.utils")


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
    found = set()
    for module in modules():
        text = module.path.read_text()
        for known in KNOWN:
            text = text.replace(known, "")
        found |= {f"{module.name}: {match.group(0)}" for match in BANNED.finditer(text)}
    assert not found
