"""docs/logs.md names every field of an access line, in the order of the text form."""

from __future__ import annotations

import re

from fastpath.ipc.access_log import AccessLine
from tests.repo.tree import ROOT

PAGE = (ROOT / "docs" / "logs.md").read_text()


def test_every_field_of_an_access_line_is_told() -> None:
    """D4: a column or member that nobody explains is of no use."""
    rows = re.findall(r"^\| (\d+|JSON) \| ([^|]+) \|", PAGE, re.MULTILINE)
    numbers = [int(number) for number, _ in rows if number != "JSON"]
    assert numbers == list(range(1, 15))
    named = [name for _, names in rows for name in re.findall(r"`(\w+)`", names)]
    assert sorted(named) == sorted(AccessLine._fields)


def test_the_example_has_as_many_words_as_the_table() -> None:
    """D4: it is a line as it is written."""
    example = next(line for line in PAGE.splitlines() if " GetObject " in line)
    assert len(example.split(" ")) == 14
