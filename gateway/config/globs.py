"""Tells whether one bucket glob matches everything that another one matches.

Both globs are small automata. A state is a position in the pattern: `*` stays, everything else
moves on. A walk over all pairs (position in the inner glob, set of positions in the outer one)
looks for a name that the inner glob accepts and the outer one does not.

Rules: the answer is True only if that is certain; the alphabet is that of bucket names; a walk that
grows too large ends with False.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache
from typing import NamedTuple

from fastpath.routing.globs import compile_glob

ALPHABET = frozenset(string.ascii_letters + string.digits + "._-")
MAX_STEPS = 20_000


class _Token(NamedTuple):
    star: bool
    chars: frozenset[str]


def covers(outer: str, inner: str) -> bool:
    """Whether `outer` certainly matches every bucket name that `inner` matches."""
    if outer in ("*", inner):
        return True
    mine, theirs = tokens(outer), tokens(inner)
    if not all(_matcher(outer).match(name) for name in _samples(inner)):
        return False
    alphabet = _representatives(mine, theirs)
    start = (0, _closure(mine, frozenset((0,))))
    seen = {start}
    todo = [start]
    while todo:
        position, states = todo.pop()
        for place in _closure(theirs, frozenset((position,))):
            if place == len(theirs):
                if len(mine) not in states:
                    return False
                continue
            token = theirs[place]
            for char in alphabet & token.chars:
                following = (place if token.star else place + 1, _advance(mine, states, char))
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        if len(seen) > MAX_STEPS:
            return False
    return True


@lru_cache(maxsize=4096)
def tokens(glob: str) -> tuple[_Token, ...]:
    """Parses a glob as fnmatch does, restricted to the characters of bucket names."""
    result: list[_Token] = []
    index = 0
    while index < len(glob):
        char = glob[index]
        index += 1
        if char == "*":
            if not result or not result[-1].star:
                result.append(_Token(True, ALPHABET))
        elif char == "{":  # a part: one character or more
            result += (_Token(False, ALPHABET), _Token(True, ALPHABET))
            index = glob.index("}", index) + 1
        elif char == "?":
            result.append(_Token(False, ALPHABET))
        elif char == "[" and (end := _end_of_set(glob, index)) > 0:
            result.append(_Token(False, _members(glob[index:end])))
            index = end + 1
        else:
            result.append(_Token(False, frozenset(char) & ALPHABET))
    return tuple(result)


def can_match(glob: str) -> bool:
    """Whether any bucket name can match."""
    return all(token.star or token.chars for token in tokens(glob))


def _end_of_set(glob: str, start: int) -> int:
    """Returns the index of the closing bracket. As in fnmatch, a first `]` is a member."""
    begin = start + 1 if glob[start : start + 1] == "!" else start
    return glob.find("]", begin + 1)


def _members(body: str) -> frozenset[str]:
    negated = body.startswith("!")
    if negated:
        body = body[1:]
    chosen: set[str] = set()
    index = 0
    while index < len(body):
        if index + 2 < len(body) and body[index + 1] == "-":
            low, high = body[index], body[index + 2]
            chosen.update(char for char in ALPHABET if low <= char <= high)
            index += 3
        else:
            chosen.add(body[index])
            index += 1
    return ALPHABET - chosen if negated else ALPHABET & chosen


def _closure(pattern: tuple[_Token, ...], states: frozenset[int]) -> frozenset[int]:
    """Adds the states that are reached if stars match nothing."""
    result = set(states)
    for state in states:
        while state < len(pattern) and pattern[state].star:
            state += 1
            result.add(state)
    return frozenset(result)


def _advance(pattern: tuple[_Token, ...], states: frozenset[int], char: str) -> frozenset[int]:
    following = {
        state if pattern[state].star else state + 1
        for state in states
        if state < len(pattern) and char in pattern[state].chars
    }
    return _closure(pattern, frozenset(following))


@lru_cache(maxsize=65536)
def _matcher(glob: str) -> re.Pattern[str]:
    return re.compile(compile_glob(glob).pattern.decode())


@lru_cache(maxsize=65536)
def _samples(glob: str) -> tuple[str, ...]:
    """Returns two names that the glob matches, for a quick no; few globs expect the second."""
    chosen = ["" if token.star else min(token.chars, default="") for token in tokens(glob)]
    odd = ["q-9" if token.star else max(token.chars, default="") for token in tokens(glob)]
    return "".join(chosen), "".join(odd)


def _representatives(*patterns: tuple[_Token, ...]) -> frozenset[str]:
    """Returns one character for each class that the patterns tell apart."""
    sets = {token.chars for pattern in patterns for token in pattern}
    kinds: dict[tuple[bool, ...], str] = {}
    for char in sorted(ALPHABET):
        kinds.setdefault(tuple(char in chosen for chosen in sets), char)
    return frozenset(kinds.values())
