"""Finds the target of a request: ordered rules, looked up once per bucket and cached.

A *plan* holds the rules that concern one bucket, in file order, up to the first that always
matches. The LRU maps a bucket to its plan, never to a target: the plan is evaluated for the
operation, the identity and the key of each request. A plan without conditions has one fixed
decision.

Rules: the first matching rule wins, in file order; a request about many keys that rules would send
to several places is refused; equal plans are one object, unless a rule names parts of the bucket; a
table never changes after it is made (a reload makes another).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.client_names import ClientNames
from fastpath.routing.globs import compile_glob
from fastpath.routing.lru import LRU
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.rules import Kind, Mismatch, Rulebook, Written

DEFAULT_RULE = 0  # the number of "no rule matched, the default target serves"
CUSTOM_ROUTER = "custom"  # instead of a number: the custom router decided
UPLOAD = "upload"  # the same: the request belongs to an upload, which stays where it began


@dataclass(frozen=True, slots=True)
class Decision:
    """The target of a request, and the rule that chose it.

    rule: its number, `DEFAULT_RULE`, `CUSTOM_ROUTER` or `UPLOAD`.
    rewrite: how the target names the bucket and its keys; None: as the client does.
    """

    target: str
    rule: int | str
    rewrite: Rewrite | None = None

    def is_same_place(self, other: Decision) -> bool:
        """Whether the other decision sends a request to the same place under the same name."""
        return self.target == other.target and self.rewrite == other.rewrite


class Plan:
    """The rules that concern one bucket; `fixed` when they do not depend on the request."""

    __slots__ = ("_choices", "_otherwise", "fixed")

    def __init__(self, choices: tuple[tuple[Kind, Decision], ...], otherwise: Decision) -> None:
        self._choices = choices
        self._otherwise = otherwise
        self.fixed: Decision | None = None
        if not choices:
            self.fixed = otherwise
        elif choices[0][0].unconditional:
            self.fixed = choices[0][1]

    def decide(self, asked: Asked) -> Decision:
        """Return the decision for one request. Raises S3Error: its keys are in several places."""
        across: list[Decision] = []  # where some of them are
        chosen = self._otherwise
        for kind, decision in self._choices:
            mismatch = kind.mismatch(asked)
            if mismatch is None:
                chosen = decision
                break
            if mismatch is Mismatch.ACROSS:
                across.append(decision)
        if not all(decision.is_same_place(chosen) for decision in across):
            raise lies_across()
        return chosen


def lies_across() -> S3Error:
    """Return the error for a request about many keys that are in several places."""
    return S3Error(
        NOT_IMPLEMENTED,
        message="The keys that this request asks for are on several storage targets. Please ask "
        "for a longer prefix.",
    )


class RoutingTable:
    """All rules of one snapshot, and the plans of the most recently used buckets."""

    def __init__(self, rules: Rulebook, default_target: str, cached_buckets: int) -> None:
        self.default = Decision(default_target, DEFAULT_RULE)
        self.client_names = ClientNames(rules)
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
            known, who = found.get(kind.target, frozenset()), kind.identities
            found[kind.target] = None if known is None or who is None else known | who
        if self._rules.catch_all is None:
            found[self.default.target] = None
        return found

    def plan(self, bucket: bytes) -> Plan:
        """Return the plan of a bucket; no rule concerns a request without one.

        Raises S3Error InvalidBucketName: a rule that names its parts has no name for it.
        """
        cached = self._cache.get(bucket)
        if cached is not None:
            return cached
        numbers = tuple(self._rules.numbers(bucket)) if bucket else ()
        of_bucket = bucket if any(map(self._names_parts, numbers)) else b""
        plan = self._plans.get((of_bucket, numbers))
        if plan is None:
            choices = [self._choice(number, bucket) for number in numbers]
            plan = Plan(tuple(choices), self.default)
            self._plans.put((of_bucket, numbers), plan)
        self._cache.put(bucket, plan)
        return plan

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


def explain(table: RoutingTable, rules: Iterable[Rule], asked: Asked) -> list[Step]:
    """Return every rule in order with its result, up to the one that matches (the default last).

    None has won if the request is refused, because its keys are in several places. `rules` are
    those of the table.
    """
    steps: list[Step] = []
    try:
        winner: int | str | None = table.plan(asked.bucket).decide(asked).rule
    except S3Error:
        winner = None
    for rule in rules:
        mismatch = _mismatch(table, rule, asked)
        steps.append(
            Step(rule, mismatch or f"matches: target {rule.target}", winner == rule.number)
        )
        if not mismatch:
            return steps
    default = f"no rule matched: default target {table.default.target}"
    steps.append(Step(None, default, winner == DEFAULT_RULE))
    return steps


def _mismatch(table: RoutingTable, rule: Rule, asked: Asked) -> str:
    """Return why a rule does not match the request; empty: it does."""
    if not asked.bucket:
        return "the operation names no bucket"
    if not compile_glob(rule.pattern).match(asked.bucket):
        return "bucket does not match the pattern"
    mismatch = table.kind(rule.number).mismatch(asked)
    return _words(mismatch, rule, asked) if mismatch is not None else ""


def _words(mismatch: Mismatch, rule: Rule, asked: Asked) -> str:
    match mismatch:
        case Mismatch.OPERATION:
            return f"{asked.operation} is not among its operations"
        case Mismatch.IDENTITY:
            return f"identity {asked.identity or '(none)'} is not among its identities"
        case Mismatch.KEY if asked.prefix is None:
            return "the key does not match its keys" if asked.key else "the request names no key"
        case Mismatch.KEY:
            return "no key with this prefix matches its keys"
        case Mismatch.ACROSS:
            target = f"those are on target {rule.target}"
            return f"some keys with this prefix match its keys, others do not: {target}"
