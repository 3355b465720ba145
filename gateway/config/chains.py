"""Checks conditions and fallbacks as they are written: of one rule, and of `routing` itself.

    rules:                                                       chain of logs-a
    - {pattern: logs-*, target: s3, conditions: {min_size: 1GB}} s3: large objects
    - {pattern: logs-*, target: new, fallback: [old]}            new: the others; old: reads alone

Rules: it looks at what is written; what chains ask of their targets, `chain_targets` checks.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.condition_values import FAILURES
from gateway.config.problems import Path, one_of
from gateway.config.reading import Reader
from gateway.config.rule_operations import READS, ROUTED, WRITES
from gateway.config.schema import Conditions, Routing, Rule

_LIST: Path = ("routing", "rules")
_ALONE = "give it to the rule behind that has no conditions, or to routing.fallback"


# One rule


def check_rule(reader: Reader, path: Path, rule: Rule) -> None:
    """Reports what is wrong with the conditions, or with the fallback, of one rule."""
    if rule.conditions is not None:
        _check_conditions(reader, (*path, "conditions"), rule.conditions)
        if (
            rule.operations is not None
            and rule.operations & ROUTED
            and not rule.operations & WRITES
        ):
            message = "can never match: conditions are about writes, and it takes none"
            reader.error((*path, "operations"), message, "add write, or leave operations out")
        if rule.fallback:
            message = "cannot stand beside conditions: what they do not match goes to later rules"
            reader.error((*path, "fallback"), message, _ALONE)
        if rule.identities is not None:
            message = (
                "belong to a rule with conditions: everybody else neither sees the copies at "
                f"target {rule.target} nor removes them when they write the same key"
            )
            reader.warn((*path, "identities"), message, "leave identities out")
    elif rule.fallback and rule.operations is not None and not rule.operations & READS:
        message = "take no read, and a fallback is for reads"
        reader.error((*path, "operations"), message, "add read, list and delete")
    _check_fallback(reader, path, rule.target, rule.fallback)
    if rule.fallback_on is not None and not rule.fallback:
        reader.error((*path, "fallback_on"), "is of no use without fallback", key=True)
    elif rule.fallback_on is not None:
        _warn_of_failures(reader, (*path, "fallback_on"), rule.fallback_on, rule.target)


def _check_conditions(reader: Reader, path: Path, conditions: Conditions) -> None:
    """Reports conditions that say nothing, or that nothing can match."""
    least, most = conditions.min_size, conditions.max_size
    if least is not None and most is not None and least > most:
        reader.error((*path, "min_size"), "is greater than max_size: no size matches both")
    if least == 0:
        reader.warn((*path, "min_size"), "holds for every write", "leave it out, or write a size")
    if conditions.time_range is not None and _is_whole_day(*conditions.time_range):
        message = "is every hour of the day"
        reader.warn((*path, "time_range"), message, "both hours are included: leave one out")
    if conditions.timezone is not None and conditions.time_range is None:
        reader.error((*path, "timezone"), "is of no use without time_range", key=True)
    elif not conditions.model_fields_set:
        reader.error(path, "has no condition", "leave it out")


def _is_whole_day(first: int, last: int) -> bool:
    return (last + 1) % 24 == first


def _check_fallback(reader: Reader, path: Path, target: str, names: tuple[str, ...]) -> None:
    for index, name in enumerate(names):
        if name == target:
            reader.error(
                _item(reader, (*path, "fallback"), index),
                f"{name} is read before its fallbacks anyway",
                "name another target, or leave it out",
            )


def _warn_of_failures(reader: Reader, path: Path, outcomes: frozenset[str], target: str) -> None:
    """Warns of reads that move on although their target may have a newer object, or a deletion."""
    if failures := [word for word in FAILURES if word in outcomes]:
        message = (
            f"{one_of(failures)}: a read may be stale: while target {target} fails, it gets the "
            f"old copy of what was overwritten or deleted at {target}"
        )
        reader.warn(path, message, "[404] alone if an error is better than old data")


# The default target


def check_routing(reader: Reader, routing: Routing, rules: tuple[Rule, ...]) -> None:
    """Reports what is wrong with `routing.fallback` and `routing.fallback_on`."""
    path: Path = ("routing",)
    _check_fallback(reader, path, routing.default_target, routing.fallback)
    taker = next((rule for rule in rules if _takes_everything(rule)), None)
    if routing.fallback and taker is not None:
        message = f"is never read: {_called(taker)} takes every bucket"
        reader.error((*path, "fallback"), message, "give the fallback to that rule")
    if "fallback_on" not in routing.model_fields_set:
        return
    first = next((rule for rule in rules if rule.fallback and rule.fallback_on is None), None)
    if not routing.fallback and first is None:
        reader.error((*path, "fallback_on"), "is of no use without fallback", key=True)
        return
    target = routing.default_target if routing.fallback or first is None else first.target
    _warn_of_failures(reader, (*path, "fallback_on"), routing.fallback_on, target)


def _takes_everything(rule: Rule) -> bool:
    limits = (rule.operations, rule.identities, rule.keys, rule.conditions)
    strips = rule.rewrite is not None and rule.rewrite.strip_prefix
    return rule.pattern == "*" and not strips and all(limit is None for limit in limits)


def _called(rule: Rule) -> str:
    return f"rule {rule.number} (line {rule.line})"


# Names


def fallback_names(reader: Reader) -> Iterator[tuple[Path, str]]:
    """Yields every target that is named as a fallback, and the path that names it."""
    for path in (("routing",), *((*_LIST, index) for index in reader.items(_LIST))):
        written = reader.tree.get((*path, "fallback"))
        names = written if isinstance(written, list) else [written]
        for index, name in enumerate(names):
            if isinstance(name, str) and name:
                yield _item(reader, (*path, "fallback"), index), str(name)


def _item(reader: Reader, path: Path, index: int) -> Path:
    """Returns the path of an item, of a list that may be written as its only item."""
    return (*path, index) if isinstance(reader.tree.get(path), list) else path
