"""Tells whether one glob matches everything that another one matches, of buckets and of keys.

Both globs are small automata. A state is a position in the pattern: `*` stays, everything else
moves on. A walk over all pairs (position in the inner glob, set of positions in the outer one)
looks for a name that the inner glob accepts and the outer one does not.

A key may have any character. Both globs take those alike that stand in neither of them, nor
directly behind one that does: so a walk tries only these, and one of all others.

Rules: the answer is True only if that is certain; a walk that grows too large ends with False.
"""

from __future__ import annotations

import re
import string
from collections import deque
from functools import lru_cache
from typing import NamedTuple

from fastpath.routing.globs import compile_glob, split_glob

BUCKET_NAMES = frozenset(string.ascii_letters + string.digits + "._-")
MAX_STEPS = 20_000


class _Token(NamedTuple):
    star: bool
    chars: frozenset[str]


def covers(outer: str, inner: str) -> bool:
    """Whether `outer` certainly matches every bucket name that `inner` matches."""
    return outer in ("*", inner) or _covers(outer, inner, BUCKET_NAMES)


def covers_keys(outer: str, inner: str) -> bool:
    """Whether `outer` certainly matches every key that `inner` matches."""
    beginning, rest = split_glob(outer)
    if not split_glob(inner)[0].startswith(beginning):
        return False
    return rest == "*" or outer == inner or _covers(outer, inner, _characters(outer, inner))


def common_key(one: str, other: str) -> str | None:
    """Returns a short key that both globs match; None if there is none."""
    alphabet = _characters(one, other)
    mine, theirs = tokens(one, alphabet), tokens(other, alphabet)
    seen = {(0, 0)}
    todo = deque([(0, 0, "")])
    while todo:
        first, second, key = todo.popleft()
        for here in _closure(mine, frozenset((first,))):
            for there in _closure(theirs, frozenset((second,))):
                if here == len(mine) or there == len(theirs):
                    if (here, there) == (len(mine), len(theirs)):
                        return key
                    continue
                chars = mine[here].chars & theirs[there].chars
                following = (_after(mine, here), _after(theirs, there))
                if chars and following not in seen:
                    seen.add(following)
                    todo.append((*following, key + min(chars, key=_plain_first)))
    return None


def a_bucket(glob: str) -> str:
    """Returns a bucket name that a glob matches; empty if there is none."""
    chosen = [min(token.chars, key=_plain_first, default="") for token in tokens(glob)]
    return "".join(chosen) if all(chosen) else ""


def _covers(outer: str, inner: str, alphabet: frozenset[str]) -> bool:
    mine, theirs = tokens(outer, alphabet), tokens(inner, alphabet)
    if not all(_matcher(outer).match(name) for name in _samples(inner, alphabet)):
        return False
    classes = _representatives(alphabet, mine, theirs)
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
            for char in classes & token.chars:
                following = (_after(theirs, place), _advance(mine, states, char))
                if following not in seen:
                    seen.add(following)
                    todo.append(following)
        if len(seen) > MAX_STEPS:
            return False
    return True


def _characters(*globs: str) -> frozenset[str]:
    """Returns a character of each class that the globs may tell apart.

    A set names characters and ranges: whether it has a character changes only at one that is
    written, or directly behind it. Surrogates are in no key; `x` reads well in an example.
    """
    written = {"\0", "x", *"".join(globs)}
    behind = {min(ord(char) + 1, 0x10FFFF) for char in written}
    return frozenset(written | {chr(0xE000 if 0xD800 <= c <= 0xDFFF else c) for c in behind})


def _plain_first(char: str) -> tuple[bool, bool, str]:
    return char != "x", not char.isalnum(), char


@lru_cache(maxsize=4096)
def tokens(glob: str, alphabet: frozenset[str] = BUCKET_NAMES) -> tuple[_Token, ...]:
    """Parses a glob as fnmatch does, restricted to the characters of an alphabet."""
    result: list[_Token] = []
    index = 0
    while index < len(glob):
        char = glob[index]
        index += 1
        if char == "*":
            if not result or not result[-1].star:
                result.append(_Token(True, alphabet))
        elif char == "{":  # a part: one character or more
            result += (_Token(False, alphabet), _Token(True, alphabet))
            index = glob.index("}", index) + 1
        elif char == "?":
            result.append(_Token(False, alphabet))
        elif char == "[" and (end := _end_of_set(glob, index)) > 0:
            result.append(_Token(False, _members(glob[index:end], alphabet)))
            index = end + 1
        else:
            result.append(_Token(False, frozenset(char) & alphabet))
    return tuple(result)


def can_match(glob: str) -> bool:
    """Whether any bucket name can match."""
    return all(token.star or token.chars for token in tokens(glob))


def _end_of_set(glob: str, start: int) -> int:
    """Returns the index of the closing bracket. As in fnmatch, a first `]` is a member."""
    begin = start + 1 if glob[start : start + 1] == "!" else start
    return glob.find("]", begin + 1)


def _members(body: str, alphabet: frozenset[str]) -> frozenset[str]:
    negated = body.startswith("!")
    if negated:
        body = body[1:]
    chosen: set[str] = set()
    index = 0
    while index < len(body):
        if index + 2 < len(body) and body[index + 1] == "-":
            low, high = body[index], body[index + 2]
            chosen.update(char for char in alphabet if low <= char <= high)
            index += 3
        else:
            chosen.add(body[index])
            index += 1
    return alphabet - chosen if negated else alphabet & chosen


def _closure(pattern: tuple[_Token, ...], states: frozenset[int]) -> frozenset[int]:
    """Adds the states that are reached if stars match nothing."""
    result = set(states)
    for state in states:
        while state < len(pattern) and pattern[state].star:
            state += 1
            result.add(state)
    return frozenset(result)


def _after(pattern: tuple[_Token, ...], state: int) -> int:
    """Returns the state behind a character that the token there matches."""
    return state if pattern[state].star else state + 1


def _advance(pattern: tuple[_Token, ...], states: frozenset[int], char: str) -> frozenset[int]:
    following = {
        _after(pattern, state)
        for state in states
        if state < len(pattern) and char in pattern[state].chars
    }
    return _closure(pattern, frozenset(following))


@lru_cache(maxsize=65536)
def _matcher(glob: str) -> re.Pattern[str]:
    return re.compile(compile_glob(glob).pattern.decode())


@lru_cache(maxsize=65536)
def _samples(glob: str, alphabet: frozenset[str]) -> tuple[str, ...]:
    """Returns two names that the glob matches, for a quick no; few globs expect the second."""
    parsed = tokens(glob, alphabet)
    chosen = ["" if token.star else min(token.chars, default="") for token in parsed]
    odd = ["q-9" if token.star else max(token.chars, default="") for token in parsed]
    return "".join(chosen), "".join(odd)


def _representatives(alphabet: frozenset[str], *patterns: tuple[_Token, ...]) -> frozenset[str]:
    """Returns one character for each class that the patterns tell apart."""
    sets = {token.chars for pattern in patterns for token in pattern}
    kinds: dict[tuple[bool, ...], str] = {}
    for char in sorted(alphabet):
        kinds.setdefault(tuple(char in chosen for chosen in sets), char)
    return frozenset(kinds.values())
