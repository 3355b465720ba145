"""Matches names with globs: `*`, `?`, `[abc]`, `[!abc]`, `{part}`; case-sensitive, the whole name.

`{part}` matches one character or more, and names them. A glob is split into its beginning, the
characters before the first special one, and the rest. A glob of only stars and text needs no
regular expression: compiling one takes a hundred times as long as a match.

Rules: without named parts, a name matches as `fnmatch.fnmatchcase` says, with or without a regular
expression; a named part is as short as the rest of the glob allows, parts on the left first; no
match backtracks over more than the last star or part.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping

_SPECIAL = re.compile(r"[*?\[{]")
_PART = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")
_TOKEN = re.compile(
    r"(?P<star>\*+)|\{(?P<part>[A-Za-z][A-Za-z0-9_]*)\}|\[!?\]?[^\]]*\]|.", re.DOTALL
)

Matcher = Callable[[str], object]  # truth: the whole name matches


def compile_glob(pattern: str) -> re.Pattern[bytes]:
    """Compile a regular expression for a whole name."""
    return re.compile(_expression(pattern).encode())


def part_names(pattern: str) -> list[str]:
    """Return the names of the parts of a glob, in order."""
    return [found["part"] for found in _TOKEN.finditer(pattern) if found["part"]]


def parts_of(pattern: str, name: str) -> Mapping[str, str]:
    """Return what the named parts of a glob match in a name that it matches."""
    found = re.fullmatch(_expression(pattern), name)
    return found.groupdict() if found is not None else {}


def split_parts(pattern: str) -> list[str] | None:
    """Return text, name of a part, text, and so on, a text last.

    None: the pattern has something else, so that its names are not made of its parts alone.
    """
    pieces = _PART.split(pattern)
    return None if any(map(_SPECIAL.search, pieces[::2])) else pieces


def _expression(pattern: str) -> str:
    """Return a regular expression for a glob.

    What a star or a part matches ends at the first place where the text behind it fits, which
    leaves the most for the rest: so each is in an atomic group, but for the last one.
    """
    if "{" not in pattern:
        return fnmatch.translate(pattern)
    groups: list[tuple[str, str]] = [("", "")]  # a star or a part, and the fixed text behind it
    for found in _TOKEN.finditer(pattern):
        if found["star"]:
            groups.append((".*", ""))
        elif found["part"]:
            groups.append((f"(?P<{found['part']}>.+)", ""))
        else:
            groups[-1] = (groups[-1][0], groups[-1][1] + _fixed(found[0]))
    (_, beginning), *middle = groups
    last = "".join(middle.pop()) if middle else ""
    inner = "".join(f"(?>{_shortest(free)}{fixed})" for free, fixed in middle)
    return f"(?s:{beginning}{inner}{last})\\Z"


def _fixed(token: str) -> str:
    """Return the expression for one character of a name."""
    if token[0] != "[":
        return re.escape(token) if token != "?" else "."
    translated = fnmatch.translate(token)
    return translated[translated.index(":") + 1 : translated.rindex(")")]


def _shortest(free: str) -> str:
    return free.replace(".*", ".*?").replace(".+", ".+?")


def literal_glob(text: str) -> str:
    """Return a glob that matches this text alone."""
    return _SPECIAL.sub(r"[\g<0>]", text)


def split_glob(pattern: str) -> tuple[str, str]:
    """Return the beginning and the rest: empty for a plain name, `*` for a prefix."""
    found = _SPECIAL.search(pattern)
    at = len(pattern) if found is None else found.start()
    return pattern[:at], pattern[at:]


def only_stars(pattern: str) -> bool:
    """Whether the pattern has no special character but `*`, so that `matches_stars` applies."""
    return "?" not in pattern and "[" not in pattern and "{" not in pattern


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
    return re.compile(_expression(pattern)).match


class GlobStates:
    """The places in a glob at which a name may be that has been read so far."""

    __slots__ = ("_places", "_tokens")

    def __init__(self, pattern: str) -> None:
        self._tokens: list[Callable[[str], object] | None] = []  # None: a star
        for found in _TOKEN.finditer(pattern):
            if found["part"]:
                self._tokens += (_any_character, None)
            else:
                self._tokens.append(None if found["star"] else matcher(found[0]))
        self._places = self._with_stars({0})

    def read(self, name: str) -> None:
        """Read characters of the name."""
        tokens = self._tokens
        for char in name:
            if not self._places:
                return
            following = set()
            for place in self._places:
                if place < len(tokens):
                    token = tokens[place]
                    if token is None:
                        following.add(place)
                    elif token(char):
                        following.add(place + 1)
            self._places = self._with_stars(following)

    def _with_stars(self, places: set[int]) -> set[int]:
        """Add the places that are reached if stars match nothing."""
        for place in sorted(places):
            while place < len(self._tokens) and self._tokens[place] is None:
                place += 1
                places.add(place)
        return places

    @property
    def are_left(self) -> bool:
        """Whether the glob may match a name that begins so."""
        return bool(self._places)

    @property
    def take_anything(self) -> bool:
        """Whether the glob certainly matches every name that begins so."""
        last = len(self._tokens) - 1
        return last in self._places and self._tokens[last] is None


def _any_character(_: str) -> bool:
    return True
