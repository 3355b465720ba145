"""Compares two configurations: which buckets' requests move, and which objects are then not found.

For each pattern of either one it takes buckets that the pattern matches and no narrower one does,
keys that their rules tell apart, and each identity that a rule names beside one that none names;
and asks the workers' own plans where reads look, where writes and deletes go, and what lists show.

Rules: it is worked out from the two configurations alone, and nobody is asked; a place is an
endpoint and the names there, so that a target may be renamed; examples stand for their pattern:
what differs inside of what two patterns share is tried for few patterns only (PAIRED).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from fastpath.errors import S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import DEFAULT_RULE, Decision
from fastpath.routing.key_globs import Coverage
from fastpath.routing.plan import Plan
from fastpath.routing.rules import Rulebook, keys_of
from gateway.config.globs import BUCKET_NAMES, common_key, covers, tokens
from gateway.config.load import without_collector
from gateway.config.schema import Config, Rule
from gateway.explain.trial import snapshot_of

# Of patterns that are compared with each other: 2,500 pairs take a second.
PAIRED: Final = 50
# Keys that the rules of one bucket tell apart.
MAX_KEYS: Final = 20

_FILLERS: Final = ("x", "q-9", "other.7")  # what a `*` is replaced by
_OTHER_KEY: Final = "any-other-key"
_ANY: Final = "*"


class Place(NamedTuple):
    """Where a bucket's objects are. Equal `where`s are one place, whatever the target's name.

    when: the conditions under which writes go there.
    """

    name: str
    where: tuple[object, ...]
    when: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.when})" if self.when else self.name


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Where requests about one key go by one configuration; an empty tuple: they are refused.

    reads: in the order in which reads look; a delete goes to all of them.
    writes: one place, or those that conditions choose among.
    uncovers: a write removes the key wherever reads look before.
    """

    reads: tuple[Place, ...]
    writes: tuple[Place, ...]
    lists: tuple[Place, ...]
    deletes: tuple[Place, ...]
    uncovers: bool = False

    def as_dict(self) -> dict[str, list[str]]:
        """The form of `--format json`."""
        return {name: [str(one) for one in getattr(self, name)] for name in WORDS}


WORDS: Final = ("reads", "writes", "lists", "deletes")


@dataclass(frozen=True, slots=True)
class Move:
    """Requests that go elsewhere.

    pattern: of the bucket; `bucket` is an example.
    key: an example; None: all keys alike.
    identities: that rules name, or empty for those that none names; None: everybody.
    """

    pattern: str
    bucket: str
    key: str | None
    identities: tuple[str, ...] | None
    old: Behaviour
    new: Behaviour

    @property
    def changed(self) -> tuple[str, ...]:
        """Which kinds of requests move."""
        old, new = self.old, self.new
        return tuple(word for word in WORDS if _ways(old, word) != _ways(new, word))


def moves(old: Config, new: Config) -> list[Move]:
    """Returns what moves, pattern by pattern."""
    with without_collector():
        sides = _Side(old), _Side(new)
        found: list[Move] = []
        for pattern, bucket in _examples(sides):
            found += _moves_of(sides, pattern, bucket)
        return _once(found)


def warnings(move: Move) -> Iterator[str]:
    """Yields what a move may lose sight of, and what to do instead."""
    old, new = move.old, move.new
    yield from _of_writes(new)
    for place in _missing(old.reads, new.reads):
        yield (
            f"reads do not look at {place} any more: objects that are only there are not found "
            f"(copy them first, or keep {place} as a fallback)"
        )
    for before, behind in _swapped(old.reads, new.reads):
        yield (
            f"reads look at {before} before {behind} now: where both have a key, what is at "
            f"{before} hides what is at {behind}, be it older (remove old copies from {before})"
        )
    for place in _missing(new.writes, (*old.reads, *old.writes)):
        yield (
            f"while replicas differ, those with the old configuration do not find what is written "
            f"to {place} (first have reads look there everywhere, then move the writes: "
            "docs/operations.md, Several replicas)"
        )


def remarks(old: Config, new: Config) -> Iterator[str]:
    """Yields what cannot be seen in the moves."""
    if old.routing.custom or new.routing.custom:
        yield (
            "routing.custom decides before the rules do: what it says is not compared, only where "
            "routing.custom_reads looks, and what happens where it leaves a request to the rules"
        )
    for name in sorted(set(old.targets) & set(new.targets)):
        before, now = old.targets[name].endpoint, new.targets[name].endpoint
        if before != now:
            yield f"target {name} is at another endpoint: {before} -> {now}"


def _of_writes(new: Behaviour) -> Iterator[str]:
    for place in new.writes:
        at = [one.where for one in new.reads]
        if place.where not in at:
            yield f"what is written to {place} is not found: reads do not look there"
        elif at.index(place.where) >= len(new.writes) and not new.uncovers:
            first = new.reads[0]
            yield (
                f"writes go to {place}, but reads look at {first} first: an old copy at {first} "
                "hides what is written"
            )


def _missing(places: Iterable[Place], among: Iterable[Place]) -> Iterator[Place]:
    known = {place.where for place in among}
    return (place for place in places if place.where not in known)


def _swapped(old: Sequence[Place], new: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """Yields pairs (first, second) of the new order that stood the other way round."""
    stood = {place.where: index for index, place in enumerate(old)}
    both = [place for place in new if place.where in stood]
    for index, first in enumerate(both):
        for second in both[index + 1 :]:
            if stood[second.where] < stood[first.where]:
                yield first, second


# One configuration


class _Side:
    """One of the two configurations."""

    def __init__(self, model: Config) -> None:
        self.model = model
        self.rules: Mapping[int, Rule] = dict(enumerate(model.rules, 1))
        self.patterns = list(dict.fromkeys(rule.pattern for rule in model.rules))
        self.people = {name for rule in model.rules for name in rule.identities or ()}
        snapshot = snapshot_of(model)
        self._table, self._custom = snapshot.routing, snapshot.custom
        self._book = Rulebook.of(model.rules)

    def rules_of(self, bucket: str) -> list[Rule]:
        """Returns the rules that concern a bucket."""
        return [self.rules[number] for number in self._book.numbers(bucket.encode())]

    def behaviour(self, bucket: str, key: str, identity: str) -> Behaviour:
        """Returns where the requests of an identity about a key go."""
        try:
            plan = self._table.plan(bucket.encode())
        except S3Error:  # a part of the bucket's name is none at the target
            return Behaviour((), (), (), ())

        def asked(operation: str, prefix: bytes | None = None) -> Asked:
            name = b"" if prefix is not None else key.encode()
            now = time.time()
            return Asked(operation, identity, bucket.encode(), name, None, b"", now, prefix)

        if self._custom is not None and self._custom.reads:
            reads = tuple(map(self._place, self._custom.chain_of_reads.places))
            return Behaviour(reads, self._writes(plan, asked("PutObject")), reads, reads, True)
        return Behaviour(
            reads=self._chain(plan, asked("GetObject")),
            writes=self._writes(plan, asked("PutObject")),
            lists=self._lists(plan, asked("ListObjectsV2", b"")),
            deletes=self._chain(plan, asked("DeleteObject")),
        )

    def _chain(self, plan: Plan, asked: Asked) -> tuple[Place, ...]:
        try:
            return tuple(self._place(decision) for decision in plan.chain(asked).places)
        except S3Error:
            return ()

    def _writes(self, plan: Plan, asked: Asked) -> tuple[Place, ...]:
        try:
            chain = plan.chain(asked)
            if chain.candidates == 1:
                return (self._place(plan.decide(asked)),)
        except S3Error:
            return ()
        candidates = chain.places[: chain.candidates]
        return tuple(self._place(one, self._when(one)) for one in candidates)

    def _lists(self, plan: Plan, asked: Asked) -> tuple[Place, ...]:
        found = plan.places(asked)
        return tuple(self._place(one) for one, known in found if known is not Coverage.NONE)

    def _place(self, decision: Decision, when: str = "") -> Place:
        target = self.model.targets.get(decision.target)
        endpoint = str(target.endpoint) if target is not None else decision.target
        return Place(decision.target, (endpoint, decision.rewrite), when)

    def _when(self, decision: Decision) -> str:
        """Returns the conditions of the rule that names a place, as they are written."""
        if not isinstance(decision.rule, int) or decision.rule == DEFAULT_RULE:
            return ""
        conditions = self.rules[decision.rule].conditions
        if conditions is None:
            return ""
        written = conditions.model_dump(exclude_none=True)
        return ", ".join(f"{name} {_words(value)}" for name, value in written.items())


def _words(value: object) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(str, value))}]"
    return str(value)


# Examples


def _examples(sides: tuple[_Side, _Side]) -> Iterator[tuple[str, str]]:
    """Yields patterns, and buckets for which they stand."""
    patterns = list(dict.fromkeys((*sides[1].patterns, *sides[0].patterns, _ANY)))
    seen: set[str] = set()
    for pattern in patterns:
        for bucket in dict.fromkeys(_filled(pattern, filler) for filler in _FILLERS):
            if bucket and bucket not in seen and not _is_narrowed(sides, pattern, bucket):
                seen.add(bucket)
                yield pattern, bucket
    for one, other in _pairs(patterns):
        bucket = common_key(one, other) or ""
        if bucket and bucket not in seen and set(bucket) <= BUCKET_NAMES:
            seen.add(bucket)
            yield f"{one} and {other}", bucket


def _filled(pattern: str, filler: str) -> str:
    """Returns a bucket that a pattern matches; empty if there is none."""
    pieces = [filler if one.star else min(one.chars, default="") for one in tokens(pattern)]
    return "".join(pieces) if all(pieces) else ""


def _is_narrowed(sides: tuple[_Side, _Side], pattern: str, bucket: str) -> bool:
    """Whether a narrower pattern matches the bucket, which is an example of that one then."""
    others = {rule.pattern for side in sides for rule in side.rules_of(bucket)} - {pattern}
    return any(covers(pattern, other) for other in others)


def _pairs(patterns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields pairs of which neither covers the other."""
    if len(patterns) > PAIRED:
        return
    for index, one in enumerate(patterns):
        for other in patterns[index + 1 :]:
            if not covers(one, other) and not covers(other, one):
                yield one, other


def _keys(sides: tuple[_Side, _Side], bucket: str) -> list[str]:
    """Returns keys that the rules of a bucket tell apart; the last one is none of theirs."""
    globs = (
        glob for side in sides for rule in side.rules_of(bucket) for glob in keys_of(rule) or ()
    )
    found = [common_key(glob, _ANY) for glob in dict.fromkeys(globs)]
    named = list(dict.fromkeys(key for key in found if key))
    return [*named[:MAX_KEYS], _OTHER_KEY]


# What moves


def _moves_of(sides: tuple[_Side, _Side], pattern: str, bucket: str) -> Iterator[Move]:
    keys = _keys(sides, bucket)
    people = ["", *sorted(sides[0].people | sides[1].people)]
    for key in keys:
        alike: dict[tuple[Behaviour, Behaviour], list[str]] = {}
        for identity in people:
            both = tuple(side.behaviour(bucket, key, identity) for side in sides)
            alike.setdefault((both[0], both[1]), []).append(identity)
        for (old, new), whose in alike.items():
            everybody = len(whose) == len(people)
            move = Move(
                pattern,
                bucket,
                key if len(keys) > 1 else None,
                None if everybody else tuple(whose),
                old,
                new,
            )
            if move.changed:
                yield move


def _once(found: Iterable[Move]) -> list[Move]:
    """Leaves out what the examples of one pattern have in common."""
    kept: dict[tuple[object, ...], Move] = {}
    for move in found:
        kept.setdefault((move.pattern, move.key, move.identities, move.old, move.new), move)
    return list(kept.values())


def _ways(behaviour: Behaviour, word: str) -> list[tuple[object, ...]]:
    places: tuple[Place, ...] = getattr(behaviour, word)
    return [(place.where, place.when) for place in places]
