"""Finds the names that clients may have for a target's bucket: the rewrites of rules, inverted.

    rule      pattern "team-{team}", rewrite bucket "lake-{team}"
    target    lake-red
    client    team-red

A name can be found if its rule's pattern is a name, or text and named parts that all stand in the
bucket of the rewrite. What a `*` matched, or a part that stands elsewhere, is in no bucket's name.

Rules: a name that is found may be wrong, because another rule may come first: whoever asks looks
it up in the routing table; a target's bucket that can be read in many ways (`{a}{b}`) costs
MAX_STEPS at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fastpath.routing.globs import split_parts
from fastpath.routing.rules import Rulebook

# Three parts without text between them are read in 1,891 ways in a name of 63 characters.
MAX_STEPS = 2000

_AT_ONCE = 1000  # rules between two pauses: a millisecond


class _Inverse(NamedTuple):
    """A rewrite of parts: text, part, text, and so on, of the client's name and the target's."""

    client: Sequence[str]
    target: Sequence[str]


class ClientNames:
    """The names of all buckets that rules rename."""

    def __init__(self, rules: Rulebook) -> None:
        self._plain: dict[tuple[str, str], list[str]] = {}  # by target and its bucket
        # By target and the text that its bucket begins with, whose lengths are there too.
        self._inverses: dict[tuple[str, str], list[_Inverse]] = {}
        self._lengths: dict[str, set[int]] = {}
        self._renaming: set[str] = set()
        self._reading = self._read(rules)

    def prepare(self) -> Iterator[None]:
        """Read the rules, some at each step; what is not read by then, the first question reads."""
        return self._reading

    def renames_any(self, target: str) -> bool:
        """Whether rules give other names to buckets of a target, of which some may be found."""
        self._finish()
        return target in self._renaming

    def of(self, target: str, bucket: bytes) -> Iterator[bytes]:
        """Yield names, each once, the target's own first."""
        self._finish()
        yield bucket
        if target not in self._renaming or not bucket.isascii():
            return  # a rewrite gives ASCII alone
        name = bucket.decode("latin-1")  # as the rules are read
        seen = {name}
        for found in self._found(target, name):
            if found not in seen:
                seen.add(found)
                yield found.encode("latin-1")

    def _found(self, target: str, name: str) -> Iterator[str]:
        yield from self._plain.get((target, name), ())
        for length in sorted(self._lengths.get(target, ())):
            for inverse in self._inverses.get((target, name[:length]), ()):
                for parts in _read_parts(inverse.target, name, {}, iter(range(MAX_STEPS))):
                    yield _written(inverse.client, parts)

    def _finish(self) -> None:
        for _ in self._reading:
            pass

    def _read(self, rules: Rulebook) -> Iterator[None]:
        for count, (pattern, target, template) in enumerate(rules.renamed_buckets(), 1):
            if not count % _AT_ONCE:
                yield
            client, upstream = split_parts(pattern), split_parts(template.bucket)
            if client is None or upstream is None or not set(client[1::2]) <= set(upstream[1::2]):
                continue
            self._renaming.add(target)
            if len(client) == 1:
                self._plain.setdefault((target, template.bucket), []).append(pattern)
                continue
            beginning = upstream[0]
            self._inverses.setdefault((target, beginning), []).append(_Inverse(client, upstream))
            self._lengths.setdefault(target, set()).add(len(beginning))


def _read_parts(
    pieces: Sequence[str], name: str, known: Mapping[str, str], steps: Iterator[int]
) -> Iterator[Mapping[str, str]]:
    """Yield the parts of a name, in each way in which it can be read; `steps` are those left."""
    text = pieces[0]
    if not name.startswith(text) or next(steps, None) is None:
        return
    rest = name[len(text) :]
    if len(pieces) == 1:
        if not rest:
            yield known
        return
    part, following = pieces[1], pieces[2:]
    for value in _values(rest, known.get(part), following):
        yield from _read_parts(following, rest[len(value) :], {**known, part: value}, steps)


def _values(name: str, known: str | None, following: Sequence[str]) -> Iterator[str]:
    """Yield what a part at the beginning of a name may be, before the pieces that follow it."""
    text = following[0]
    if known is not None:
        if name.startswith(known):
            yield known
    elif len(following) == 1:  # it takes all but the last text
        end = len(name) - len(text)
        if end > 0 and name.endswith(text):
            yield name[:end]
    else:
        end = name.find(text, 1)
        while 0 < end < len(name):
            yield name[:end]
            end = name.find(text, end + 1)


def _written(pieces: Sequence[str], parts: Mapping[str, str]) -> str:
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(pieces))
