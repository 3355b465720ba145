"""Matches bucket names with globs: `*`, `?`, `[abc]`, `[!abc]`; case-sensitive, the whole name.

A glob is split into its beginning, the characters before the first special one, and the rest. A
glob of only stars and text needs no regular expression: compiling one takes a hundred times as long
as a match.

Rules: a name matches as `fnmatch.fnmatchcase` says, with or without a regular expression.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

_SPECIAL = re.compile(r"[*?\[]")

Matcher = Callable[[str], object]  # truth: the whole name matches


def compile_glob(pattern: str) -> re.Pattern[bytes]:
    """Compile a regular expression for a whole bucket name."""
    return re.compile(fnmatch.translate(pattern).encode())


def split_glob(pattern: str) -> tuple[str, str]:
    """Return the beginning and the rest: empty for a plain name, `*` for a prefix."""
    found = _SPECIAL.search(pattern)
    at = len(pattern) if found is None else found.start()
    return pattern[:at], pattern[at:]


def only_stars(pattern: str) -> bool:
    """Whether the pattern has no special character but `*`, so that `matches_stars` applies."""
    return "?" not in pattern and "[" not in pattern


def matches_stars(pattern: str, name: str) -> bool:
    """Whether a glob with at least one `*`, and nothing else special, matches the whole name."""
    first, *middle, last = pattern.split("*")
    end = len(name) - len(last)
    if end < len(first) or not name.startswith(first) or not name.endswith(last):
        return False
    at = len(first)
    for part in middle:  # the leftmost match of each part leaves the most for the next ones
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def matcher(pattern: str) -> Matcher:
    """Return a function that matches names with a glob of more than stars."""
    return re.compile(fnmatch.translate(pattern)).match
