"""Finds the target of a request: ordered rules, looked up once per bucket and cached.

A *plan* (`plan`) holds the rules that concern one bucket, in file order, up to the first that
always matches. The LRU maps a bucket to its plan, never to a target: the plan is evaluated for the
operation, the identity, the key and the conditions of each request. A plan that depends on none of
them has one fixed decision.

Rules: equal plans are one object, unless a rule names parts of the bucket; a table never changes
after it is made (a reload makes another).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from fastpath.errors import S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import DEFAULT_RULE, Decision
from fastpath.routing.client_names import ClientNames
from fastpath.routing.globs import compile_glob
from fastpath.routing.lru import LRU
from fastpath.routing.plan import Plan
from fastpath.routing.rules import CREATING, Fallback, Kind, Mismatch, Rulebook, Written


class RoutingTable:
    """All rules of one snapshot, and the plans of the most recently used buckets."""

    def __init__(
        self,
        rules: Rulebook,
        default_target: str,
        cached_buckets: int,
        fallback: Fallback | None = None,
    ) -> None:
        """`fallback`: behind the default target."""
        self.default = Decision(default_target, DEFAULT_RULE)
        self.fallback = fallback
        self.client_names = ClientNames(rules)
        self.hits = self.misses = 0  # of the plans that are kept
        self._rules = rules
        self._cache: LRU[bytes, Plan] = LRU(cached_buckets)
        # By the numbers of their rules, and the bucket if a rule names parts of it.
        self._plans: LRU[tuple[bytes, tuple[int, ...]], Plan] = LRU(cached_buckets)

    def prepare(self) -> Iterator[None]:
        """Prepare the rules in steps, so that the first requests need not wait for it."""
        yield from self._rules.prepare()
        yield from self.client_names.prepare()

    def reading_targets(self) -> dict[str, frozenset[str] | None]:
        """Return the targets that the read of some bucket goes to, and whose read; None: all's."""
        found: dict[str, frozenset[str] | None] = {}
        for kind in self._rules.reading_kinds():
            for target in (kind.target, *_targets(kind.fallback)):
                known, who = found.get(target, frozenset()), kind.identities
                found[target] = None if known is None or who is None else known | who
        if self._rules.catch_all is None:
            for target in (self.default.target, *_targets(self.fallback)):
                found[target] = None
        return found

    def plan(self, bucket: bytes) -> Plan:
        """Return the plan of a bucket; no rule concerns a request without one.

        Raises S3Error InvalidBucketName: a rule that names its parts has no name for it.
        """
        cached = self._cache.get(bucket)
        if cached is not None:
            self.hits += 1
            return cached
        self.misses += 1
        numbers = tuple(self._rules.numbers(bucket)) if bucket else ()
        of_bucket = bucket if any(map(self._names_parts, numbers)) else b""
        plan = self._plans.get((of_bucket, numbers))
        if plan is None:
            choices = [self._choice(number, bucket) for number in numbers]
            plan = Plan(choices, (self.default, self.fallback))
            self._plans.put((of_bucket, numbers), plan)
        self._cache.put(bucket, plan)
        return plan

    @property
    def evictions(self) -> int:
        """Plans that made room for others."""
        return self._cache.evictions

    def kind(self, number: int) -> Kind:
        """Return the kind of the rule of that number."""
        return self._rules.kind(number)

    @property
    def renames_buckets(self) -> bool:
        """Whether a read may be of a bucket that has another name at its target."""
        kinds = self._rules.reading_kinds()
        return any(kind.template is not None and kind.template.bucket for kind in kinds)

    def _names_parts(self, number: int) -> bool:
        template = self.kind(number).template
        return template is not None and template.pattern is not None

    def _choice(self, number: int, bucket: bytes) -> tuple[Kind, Decision]:
        kind = self.kind(number)
        rewrite = kind.template.rewrite(bucket) if kind.template is not None else None
        return kind, Decision(kind.target, number, rewrite)


def _targets(fallback: Fallback | None) -> tuple[str, ...]:
    return () if fallback is None else fallback.targets


# Explanations


class Rule(Written, Protocol):
    """One entry of `routing.rules`, as it was written."""

    @property
    def number(self) -> int: ...
    @property
    def line(self) -> int: ...
    @property
    def description(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an explanation."""

    rule: Rule | None
    result: str
    won: bool


def explain(
    table: RoutingTable, rules: Iterable[Rule], asked: Asked, *, is_merged: bool = False
) -> list[Step]:
    """Return every rule in order with its result, up to the last that is asked (the default last).

    A step has won if its target is a place of the request. None has if the request is refused,
    because its keys are in several places; `is_merged`: it is a list, which is merged from them.
    `rules` are those of the table.
    """
    steps: list[Step] = []
    refused = not is_merged and _is_refused(table, asked)
    for rule in rules:
        kind, mismatch = table.kind(rule.number), _mismatch(table, rule, asked)
        if mismatch is None:
            steps.append(Step(rule, _matched(rule, kind, asked), not refused))
            if _is_last(kind, asked):
                return steps
        else:
            is_place = mismatch is Mismatch.ACROSS and is_merged
            words = _words(mismatch, rule, kind, asked, is_merged=is_merged)
            steps.append(Step(rule, words, is_place))
    then = "" if _is_written(asked) else _then(table.fallback)
    default = f"no rule matched: default target {table.default.target}{then}"
    steps.append(Step(None, default, not refused))
    return steps


def _is_refused(table: RoutingTable, asked: Asked) -> bool:
    plan = table.plan(asked.bucket)
    try:
        if asked.operation in CREATING:
            plan.decide(asked)
        else:
            plan.chain(asked)
    except S3Error:
        return True
    return False


def _is_written(asked: Asked) -> bool:
    """Whether the request makes an object, so that one rule takes it; not a list of uploads."""
    return asked.operation in CREATING and asked.prefix is None


def _is_last(kind: Kind, asked: Asked) -> bool:
    """Whether no rule is asked behind one that matches."""
    if asked.operation in CREATING:
        return asked.prefix is None or kind.takes_every_upload
    return kind.conditions is None


def _matched(rule: Rule, kind: Kind, asked: Asked) -> str:
    if _is_written(asked):
        how = "matches" if kind.conditions is None else "matches, its conditions hold"
        return f"{how}: target {rule.target}"
    how = "matches" if _is_last(kind, asked) else "may have it"
    return f"{how}: target {rule.target}{_then(kind.fallback)}"


def _then(fallback: Fallback | None) -> str:
    """Return where a read looks next."""
    return "".join(f", then {target}" for target in _targets(fallback))


class _NoMatch(Enum):
    """Why a rule that has no `Mismatch` does not match a request, in words."""

    NO_BUCKET = "the operation names no bucket"
    BUCKET = "bucket does not match the pattern"
    UPLOADS = "an upload has no known size when it begins, which is above its max_size"


def _mismatch(table: RoutingTable, rule: Rule, asked: Asked) -> Mismatch | _NoMatch | None:
    """Return why a rule does not match the request; None: it does."""
    if not asked.bucket:
        return _NoMatch.NO_BUCKET
    if not compile_glob(rule.pattern).match(asked.bucket):
        return _NoMatch.BUCKET
    kind = table.kind(rule.number)
    if _is_written(asked):
        return kind.mismatch(asked)
    mismatch = kind.mismatch_as_place(asked)
    if mismatch is None and asked.operation in CREATING and not kind.takes_uploads:
        return _NoMatch.UPLOADS
    return mismatch


def _words(
    mismatch: Mismatch | _NoMatch, rule: Rule, kind: Kind, asked: Asked, *, is_merged: bool
) -> str:
    match mismatch:
        case _NoMatch():
            return mismatch.value
        case Mismatch.OPERATION:
            return f"{asked.operation} is not among its operations"
        case Mismatch.IDENTITY:
            return f"identity {asked.identity or '(none)'} is not among its identities"
        case Mismatch.KEY if asked.prefix is None:
            return "the key does not match its keys" if asked.key else "the request names no key"
        case Mismatch.KEY:
            return "no key with this prefix matches its keys"
        case Mismatch.ACROSS if is_merged:
            target = f"target {rule.target}{_then(kind.fallback)}"
            return f"some keys with this prefix match its keys: {target}"
        case Mismatch.ACROSS:
            target = f"those are on target {rule.target}"
            return f"some keys with this prefix match its keys, others do not: {target}"
        case Mismatch.CONDITIONS:
            return kind.conditions.unmet(asked) if kind.conditions is not None else ""
