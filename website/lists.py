"""Writes the lists of a document as Python-Markdown wants them, which MkDocs reads pages with.

Documents are CommonMark, as repositories show it: a list may follow a paragraph at once, and what
belongs to an item is indented as far as its first word. Python-Markdown wants a blank line before a
list and four spaces for each level, and takes everything else for text.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt

INDENT: Final = 4
_MARK = re.compile(r" *(?:[-*+]|[0-9]{1,9}[.)])(?: {1,4}(?=\S)| )?")


def written_anew(text: str) -> str:
    """Returns the document with each item's lines indented by its depth, and lists set apart."""
    lines = text.split("\n")
    # Of each line the items that it is in, outermost first: where their words begin.
    items: list[list[int]] = [[] for _ in lines]
    first: set[int] = set()
    apart: set[int] = set()
    ends: dict[int, int] = {}  # the line behind an item -> its first one
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.map is None:
            continue
        start, end = token.map
        if token.type == "list_item_open":
            begins = _begins(lines[start], items[start])
            for number in range(start, end):
                items[number].append(begins)
            first.add(start)
            # An item of several paragraphs ends with a blank line, or the next is part of it.
            if start in ends and not all(map(str.strip, lines[ends[start] : start])):
                apart.add(start)
            ends[end] = start
        elif token.type.endswith("list_open") and not items[start] and start:
            apart.add(start)
    found = []
    for number, line in enumerate(lines):
        if number in apart and lines[number - 1].strip():
            found.append("")
        found.append(_indented(line, items[number], is_first=number in first))
    return "\n".join(found)


def _begins(line: str, outer: list[int]) -> int:
    """Returns the column of the first word of an item."""
    column = outer[-1] if outer else 0
    mark = _MARK.match(line, column)
    assert mark is not None, line
    return mark.end()


def _indented(line: str, items: list[int], *, is_first: bool) -> str:
    if not items or not line.strip():
        return line
    if is_first:
        return " " * INDENT * (len(items) - 1) + line[items[-2] if items[1:] else 0 :].lstrip()
    indented = len(line) - len(line.lstrip(" "))
    return " " * INDENT * len(items) + line[min(indented, items[-1]) :]
