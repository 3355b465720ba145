"""Every row of docs/trials.md has a test that says so."""

from __future__ import annotations

import functools
import re

from tests.repo.tree import ROOT, tracked

_ROW = re.compile(r"^\| ([A-Z]\d+) \|", re.MULTILINE)
# At the beginning of a docstring or of a case's name: `"""A1: `, `"""A1, A13: `, `"P10: ...`.
_CARRIED = re.compile(r"[\"']((?:[A-Z]\d+, )*[A-Z]\d+)(?::|\"\"\")")


def rows() -> list[str]:
    return _ROW.findall((ROOT / "docs" / "trials.md").read_text())


@functools.cache
def carried() -> frozenset[str]:
    found: set[str] = set()
    for path in tracked("tests/*.py"):
        text = path.read_text()
        for match in _CARRIED.finditer(text):
            found.update(match.group(1).split(", "))
    return frozenset(found)


def test_every_row_has_a_test_by_its_name() -> None:
    assert [row for row in rows() if row not in carried()] == []


def test_no_row_is_lost() -> None:
    assert len(rows()) == len(set(rows())) == 75
