"""Records where a list continues if lakeFS does not write the last key exactly.

    keys a, b\\x01, b\\x02, c, two a page    lakeFS writes a and b\\ufffd, and would continue after
                                           b\\ufffd: after c
                                           here: after a, and the first row is left out

Rules: a position is after the last key that lakeFS writes exactly, and counts the rows that were
shown after it, common prefixes and keys separately, because lakeFS lists them separately; where the
order of the two is not known, it is where the page began, and all of its rows.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# lakeFS reads a name up to its first line break, and writes U+FFFD for what XML cannot hold.
INEXACT = "\n\ufffd"
_POSITION = re.compile(r"([^\n]*)\n([0-9]{1,5}) ([0-9]{1,5})")


class Position(NamedTuple):
    """After `mark`, and then after so many common prefixes and keys."""

    mark: str
    prefixes: int = 0
    keys: int = 0

    @property
    def text(self) -> str:
        """How a token holds it; a plain mark has no line break."""
        return f"{self.mark}\n{self.prefixes} {self.keys}"


def read_position(text: str) -> Position | None:
    """Return the position in a token, or None if it holds a plain mark."""
    found = _POSITION.fullmatch(text)
    return Position(found[1], int(found[2]), int(found[3])) if found else None


def is_exact(name: str) -> bool:
    """Whether lakeFS writes this name exactly, and can continue after it."""
    return not any(sign in name for sign in INEXACT)


class PageProgress:
    """Counts the rows of one page."""

    def __init__(self, begin: Position) -> None:
        self._begin = begin
        self._prefixes = _RowCount(begin.prefixes)
        self._keys = _RowCount(begin.keys)

    def count_prefix(self, name: str) -> bool:
        """Count a common prefix; whether it was on an earlier page."""
        return self._prefixes.count(name)

    def count_key(self, name: str) -> bool:
        """Count a key; whether it was on an earlier page."""
        return self._keys.count(name)

    @property
    def position(self) -> Position:
        """The position after all rows so far."""
        prefixes, keys = self._prefixes, self._keys
        if keys.exact > prefixes.exact and not prefixes.inexact:
            return Position(keys.exact, keys=keys.inexact)
        if prefixes.exact > keys.exact and not keys.inexact:
            return Position(prefixes.exact, prefixes=prefixes.inexact)
        return Position(self._begin.mark, prefixes.total, keys.total)


class _RowCount:
    """Rows of one kind: the last exact name, and how many rows came after it."""

    def __init__(self, left_out: int) -> None:
        self.exact = ""
        self.inexact = 0
        self.total = 0
        self._left_out = left_out

    def count(self, name: str) -> bool:
        self.total += 1
        if is_exact(name):
            self.exact, self.inexact = name, 0
        else:
            self.inexact += 1
        return self.total <= self._left_out
