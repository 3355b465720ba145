"""Which target serves a request: ordered rules, compiled once, cached per bucket.

A *plan* is what concerns one bucket: its rules in file order, cut after the first that always
matches. The LRU maps a bucket to its plan, never to a target: operation and identity are looked at
for each request, on the plan. A plan with nothing to look at holds its one decision ready.

Rules: the first matching rule wins, in file order; equal plans are one object; a table never
changes after it is made (a reload makes another).

Not here: who may do what (`identities`), how a bucket is found in a request (`addressing`).
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge

from fastpath.lru import LRU

DEFAULT_RULE = 0  # the number of "no rule matched, the default target serves"

_EXACT = re.compile(r"[^*?\[]+\Z")
_PREFIX = re.compile(r"[^*?\[]+\*\Z")


def compile_glob(pattern: str) -> re.Pattern[bytes]:
    """A matcher for a whole bucket name: `*`, `?`, `[abc]`, `[!abc]`, case-sensitive."""
    return re.compile(fnmatch.translate(pattern).encode())


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a request goes, and the rule that said so (`DEFAULT_RULE` for none)."""

    target: str
    rule: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of `routing.rules`; `number` counts from 1 in file order, `line` is its line."""

    number: int
    line: int
    pattern: str
    operations: frozenset[str] | None
    identities: frozenset[str] | None
    target: str
    description: str = ""

    @property
    def unconditional(self) -> bool:
        return self.operations is None and self.identities is None

    def admits(self, operation: str, identity: str) -> bool:
        """Whether the rule's filters let this request through (the bucket matched already)."""
        if self.operations is not None and operation not in self.operations:
            return False
        return self.identities is None or identity in self.identities


class Plan:
    """The rules that concern one bucket; `fixed` when they do not depend on the request."""

    __slots__ = ("_choices", "_otherwise", "fixed")

    def __init__(self, rules: tuple[Rule, ...], otherwise: Decision) -> None:
        self._choices = tuple((rule, Decision(rule.target, rule.number)) for rule in rules)
        self._otherwise = otherwise
        self.fixed: Decision | None = None
        if not rules:
            self.fixed = otherwise
        elif rules[0].unconditional:
            self.fixed = self._choices[0][1]

    def decide(self, operation: str, identity: str) -> Decision:
        """The decision for one request."""
        if self.fixed is not None:
            return self.fixed
        for rule, decision in self._choices:
            if rule.admits(operation, identity):
                return decision
        return self._otherwise


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an explanation."""

    rule: Rule | None
    verdict: str
    won: bool


class RoutingTable:
    """All rules of one snapshot.

    A cold look-up costs what the bucket's own length costs, not the number of rules, as long as
    patterns are exact names or prefixes (`name`, `name-*`); each other glob is one regex to try.
    """

    def __init__(self, rules: Iterable[Rule], default_target: str, cached_buckets: int) -> None:
        self.rules = tuple(rules)
        self.default = Decision(default_target, DEFAULT_RULE)
        self._cache: LRU[bytes, Plan] = LRU(cached_buckets)
        self._plans: LRU[tuple[int, ...], Plan] = LRU(cached_buckets)
        self._exact: dict[bytes, list[int]] = {}
        self._prefix: dict[bytes, list[int]] = {}
        self._globs: list[tuple[int, re.Pattern[bytes]]] = []
        for index, rule in enumerate(self.rules):
            self._file(index, rule.pattern)
        self._prefix_lengths = sorted({len(prefix) for prefix in self._prefix})

    def _file(self, index: int, pattern: str) -> None:
        if _EXACT.match(pattern):
            self._exact.setdefault(pattern.encode(), []).append(index)
        elif pattern == "*" or _PREFIX.match(pattern):
            self._prefix.setdefault(pattern[:-1].encode(), []).append(index)
        else:
            self._globs.append((index, compile_glob(pattern)))

    def plan(self, bucket: bytes) -> Plan:
        """The plan of one bucket; the empty name (no bucket in the request) has no rules."""
        cached = self._cache.get(bucket)
        if cached is not None:
            return cached
        indexes = tuple(self._concerning(bucket)) if bucket else ()
        plan = self._plans.get(indexes)
        if plan is None:
            plan = Plan(tuple(self.rules[index] for index in indexes), self.default)
            self._plans.put(indexes, plan)
        self._cache.put(bucket, plan)
        return plan

    def _concerning(self, bucket: bytes) -> Iterator[int]:
        """Indexes of the rules whose pattern matches, up to the first that always matches."""
        for index in merge(*self._matches(bucket)):
            yield index
            if self.rules[index].unconditional:
                return

    def _matches(self, bucket: bytes) -> Iterator[Iterable[int]]:
        yield self._exact.get(bucket, ())
        for length in self._prefix_lengths:
            if length > len(bucket):
                break
            yield self._prefix.get(bucket[:length], ())
        yield (index for index, glob in self._globs if glob.match(bucket))

    def explain(self, bucket: bytes, operation: str, identity: str) -> list[Step]:
        """Every rule in order with its verdict, and the one that won (the default last)."""
        steps: list[Step] = []
        winner = self.plan(bucket).decide(operation, identity)
        for rule in self.rules:
            won = rule.number == winner.rule
            steps.append(Step(rule, _verdict(rule, bucket, operation, identity), won))
            if won:
                return steps
        steps.append(Step(None, f"no rule matched: default target {self.default.target}", True))
        return steps


def _verdict(rule: Rule, bucket: bytes, operation: str, identity: str) -> str:
    if not bucket:
        return "the operation names no bucket"
    if not compile_glob(rule.pattern).match(bucket):
        return "bucket does not match the pattern"
    if rule.operations is not None and operation not in rule.operations:
        return f"{operation} is not among its operations"
    if rule.identities is not None and identity not in rule.identities:
        return f"identity {identity or '(none)'} is not among its identities"
    return f"matches: target {rule.target}"
