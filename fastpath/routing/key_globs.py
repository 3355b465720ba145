"""Tells which keys, and which lists of keys, belong to a rule.

    keys ["raw/*"]     key raw/a       matches
                       prefix raw/x/   ALL keys that begin so match
                       prefix ra       SOME may: raw/a does, rat does not
                       prefix log/     NONE does

Rules: ALL and NONE are said only if they are certain; a key is UTF-8, and a `?` or a set matches
one character of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from fastpath.routing.globs import GlobStates, matcher, split_glob


class Coverage(Enum):
    """How many of the keys that begin with a prefix match."""

    NONE = 0
    SOME = 1
    ALL = 2


class KeyGlobs:
    """The globs of one rule: a key matches if one of them does."""

    __slots__ = ("_beginnings", "_exact", "_globs", "patterns")

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        split = [(split_glob(pattern), pattern) for pattern in patterns]
        # `raw/*` and plain keys, which most are, need no regular expression.
        self._beginnings = tuple(first.encode() for (first, rest), _ in split if rest == "*")
        self._exact = frozenset(first.encode() for (first, rest), _ in split if not rest)
        self._globs = [
            (matcher(pattern), pattern) for (_, rest), pattern in split if rest not in ("", "*")
        ]

    def match(self, key: bytes) -> bool:
        """Whether the key matches."""
        if key.startswith(self._beginnings) or key in self._exact:
            return True
        if not self._globs:
            return False
        name = _text(key)
        return any(matches(name) for matches, _ in self._globs)

    def coverage(self, prefix: bytes) -> Coverage:
        """How many of the keys that begin with `prefix` match."""
        if prefix.startswith(self._beginnings):
            return Coverage.ALL
        some = any(one.startswith(prefix) for one in (*self._beginnings, *self._exact))
        name = _text(prefix)
        for _, pattern in self._globs:
            states = GlobStates(pattern)
            states.read(name)
            if states.take_anything:
                return Coverage.ALL
            some = some or states.are_left
        return Coverage.SOME if some else Coverage.NONE


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
