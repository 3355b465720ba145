"""Globs of bucket names: `*`, `?`, `[abc]`, `[!abc]`, case-sensitive; a whole name or nothing.

A glob is told by its *beginning*, the characters before the first special one, and the rest. What
is only made of stars and text needs no regular expression: making one takes a hundred times as long
as trying it.

Rules: a name matches as `fnmatch.fnmatchcase` says, whichever of the two ways is taken.

Not here: which glob is tried when (`rulebook`), whether one covers another (`gateway.config`).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

_SPECIAL = re.compile(r"[*?\[]")

Matcher = Callable[[str], object]  # truth: the whole name matches


def compile_glob(pattern: str) -> re.Pattern[bytes]:
    """A regular expression for a whole bucket name."""
    return re.compile(fnmatch.translate(pattern).encode())


def split_glob(pattern: str) -> tuple[str, str]:
    """The beginning, and the rest: empty for a plain name, `*` for a prefix."""
    found = _SPECIAL.search(pattern)
    at = len(pattern) if found is None else found.start()
    return pattern[:at], pattern[at:]


def only_stars(pattern: str) -> bool:
    """Whether `matches_stars` may judge the pattern."""
    return "?" not in pattern and "[" not in pattern


def matches_stars(pattern: str, name: str) -> bool:
    """Whether a glob with at least one `*`, and nothing else special, matches the whole name."""
    first, *middle, last = pattern.split("*")
    end = len(name) - len(last)
    if end < len(first) or not name.startswith(first) or not name.endswith(last):
        return False
    at = len(first)
    for part in middle:  # the leftmost place of each leaves the most for those that follow
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def matcher(pattern: str) -> Matcher:
    """What judges names by a glob that has more than stars."""
    return re.compile(fnmatch.translate(pattern)).match
