"""Where a list goes on if lakeFS cannot say it, because it does not tell the last key as it is.

    keys a, b\\x01, b\\x02, c, two a page    lakeFS tells a and b\\ufffd, and would go on behind
                                           b\\ufffd: behind c
                                           here: behind a, and the first row is left out

Rules: pure; a position is behind the last key that lakeFS tells as it is, and counts the rows that
were shown behind that, common prefixes and keys each for themselves, because lakeFS lists them
apart; where the two cannot be put in order, it is where the page began, and all of its rows.

Not here: how a position is made opaque (`tokens`), plain marks (`list_requests`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

# lakeFS reads a name up to its first line break, and writes U+FFFD for what XML cannot hold.
UNTOLD = "\n\ufffd"
_POSITION = re.compile(r"([^\n]*)\n([0-9]{1,5}) ([0-9]{1,5})")


class Position(NamedTuple):
    """Behind `mark`, and then behind so many common prefixes and keys."""

    mark: str
    prefixes: int = 0
    keys: int = 0

    @property
    def text(self) -> str:
        """As it stands in a token; a mark by itself has no line break."""
        return f"{self.mark}\n{self.prefixes} {self.keys}"


def read_position(text: str) -> Position | None:
    """The position that a token holds, or None if that is a mark by itself."""
    found = _POSITION.fullmatch(text)
    return Position(found[1], int(found[2]), int(found[3])) if found else None


def is_told(name: str) -> bool:
    """Whether lakeFS writes this name as it is, and can go on behind it."""
    return not any(sign in name for sign in UNTOLD)


class Progress:
    """The rows of one page, as they come."""

    def __init__(self, begin: Position) -> None:
        self._begin = begin
        self._prefixes = _Rows(begin.prefixes)
        self._keys = _Rows(begin.keys)

    def pass_prefix(self, name: str) -> bool:
        """Count a common prefix; whether it was on an earlier page."""
        return self._prefixes.count(name)

    def pass_key(self, name: str) -> bool:
        """Count a key; whether it was on an earlier page."""
        return self._keys.count(name)

    @property
    def position(self) -> Position:
        """Behind all rows so far."""
        prefixes, keys = self._prefixes, self._keys
        if keys.told > prefixes.told and not prefixes.untold:
            return Position(keys.told, keys=keys.untold)
        if prefixes.told > keys.told and not keys.untold:
            return Position(prefixes.told, prefixes=prefixes.untold)
        return Position(self._begin.mark, prefixes.total, keys.total)


class _Rows:
    """Rows of one kind: the last that was told as it is, and how many came behind it."""

    def __init__(self, left_out: int) -> None:
        self.told = ""
        self.untold = 0
        self.total = 0
        self._left_out = left_out

    def count(self, name: str) -> bool:
        self.total += 1
        if is_told(name):
            self.told, self.untold = name, 0
        else:
            self.untold += 1
        return self.total <= self._left_out
