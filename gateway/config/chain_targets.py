"""Checks what chains ask of their targets: sorted lists, and operations that they must have.

The lists of a chain are merged, which takes lists in the order of the keys' bytes: a target that
has another order, or of which nobody knows, cannot be in one.

Rules: a chain that fallbacks or conditions make is new, so such a target in one is an error; a
target that `custom_reads` names is a warning, because such configurations were taken before, and
all but their lists work; of globs on keys, `check` alone tells. Each target is told of once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fastpath.errors import S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Chain
from fastpath.routing.profiles import PROFILES, Profile, with_overrides
from fastpath.routing.rules import Fallback, Rulebook, keys_of
from fastpath.routing.table import RoutingTable
from gateway.config.globs import a_bucket, common_key
from gateway.config.problems import Path
from gateway.config.reading import Reader
from gateway.config.rules import LIST
from gateway.config.schema import Routing, Rule, Target

SORTED = "sorted"
MAX_RULES = 10_000  # with conditions, of which a bucket is tried: a start must not be held up
_PASTE = "{lists: [sorted, start-after, encoding-type]}"


class _Member(NamedTuple):
    """A target in a chain, and the setting that puts it there."""

    target: str
    path: Path


def report_targets(
    reader: Reader, rules: Sequence[Rule], routing: Routing, targets: Mapping[str, Target]
) -> None:
    """Reports targets that cannot be in the chains that they are in."""
    profiles = {name: _profile(target) for name, target in targets.items()}
    told: set[str] = set()
    members = (*_members(reader, rules, routing), *_of_conditions(rules, routing))
    for target, path in members:
        profile = profiles.get(target)
        if profile is None or target in told:
            continue
        told.add(target)
        if SORTED not in profile.lists:
            reader.error(path, _unsorted(target, profile), _remedy(target, profile))
        if profile.refuses("DeleteObject"):
            message = (
                f"target {target} has no DeleteObject: a deletion goes to each target of a chain, "
                "so that every one of this chain fails"
            )
            reader.warn(path, message, "put the operations right, or leave the target out")
    _warn_of_custom_reads(reader, routing, profiles)


def _profile(target: Target) -> Profile:
    return with_overrides(PROFILES[str(target.profile)], target.overrides)


def _members(reader: Reader, rules: Sequence[Rule], routing: Routing) -> Iterator[_Member]:
    """Yields the targets that fallbacks put into chains."""
    if routing.fallback:
        yield _Member(routing.default_target, ("routing", "default_target"))
    yield from _named(reader, ("routing",), routing.fallback)
    for rule in rules:
        path = (*LIST, rule.number - 1)
        if rule.fallback:
            yield _Member(rule.target, (*path, "target"))
        yield from _named(reader, path, rule.fallback)


def _named(reader: Reader, path: Path, names: Sequence[str]) -> Iterator[_Member]:
    listed = isinstance(reader.tree.get((*path, "fallback")), list)
    for index, name in enumerate(names):
        yield _Member(name, (*path, "fallback", index) if listed else (*path, "fallback"))


def table_of(rules: Sequence[Rule], routing: Routing) -> RoutingTable:
    """Returns the routing table that workers will have, to try requests on."""
    behind = Fallback.of(routing.fallback, routing.fallback_on)
    return RoutingTable(Rulebook.of(rules), routing.default_target, 100, behind)


def _of_conditions(rules: Sequence[Rule], routing: Routing) -> Iterator[_Member]:
    """Yields the targets that conditions put into chains; a bucket of each rule is tried."""
    conditional = [rule for rule in rules if rule.conditions is not None][:MAX_RULES]
    if not conditional:
        return
    table = table_of(rules, routing)
    numbers = {number: rule.number - 1 for number, rule in enumerate(rules, 1)}
    for rule in conditional:
        chain = chain_of_rule(table, rule)
        for decision in chain.places[: chain.candidates] if chain is not None else ():
            number = decision.rule
            at: Path = ("routing", "default_target")
            if isinstance(number, int) and number:
                at = (*LIST, numbers[number], "target")
            yield _Member(decision.target, at)


def chain_of_rule(table: RoutingTable, rule: Rule) -> Chain | None:
    """Returns where an object of the rule's may be; None: there is one place, or no such object."""
    who = rule.identities[0] if rule.identities else ""
    glob = next(iter(keys_of(rule) or ("?*",)))
    bucket, key = a_bucket(rule.pattern).encode(), common_key(glob, "?*")
    if not bucket or key is None:
        return None
    try:
        chain = table.plan(bucket).chain(
            Asked("GetObject", who, bucket, key.encode(), None, b"", 0.0)
        )
    except S3Error:  # the bucket has no name at the target
        return None
    return chain if len(chain.places) > 1 else None


def _unsorted(target: str, profile: Profile) -> str:
    if profile.assumed:
        return f"nobody knows whether target {target} sorts its lists, and those of a chain must be"
    return f"target {target} does not list keys in the order of their bytes, as a chain must"


def _remedy(target: str, profile: Profile) -> str:
    ask = f"s3gateway probe --config FILE {target} --bucket BUCKET"
    paste = f"set targets.{target}.profile_overrides: {_PASTE}"
    return (
        f"ask it: {ask}; if it does, {paste}"
        if profile.assumed
        else f"if {ask} says it does, {paste}"
    )


def _warn_of_custom_reads(
    reader: Reader, routing: Routing, profiles: Mapping[str, Profile]
) -> None:
    """Warns of lists that are refused, because `custom_reads` makes a chain for every bucket."""
    if len(routing.custom_reads) < 2:
        return
    at: Path = ("routing", "custom_reads")
    for index, name in enumerate(routing.custom_reads):
        profile = profiles.get(name)
        if profile is not None and SORTED not in profile.lists:
            message = f"{_unsorted(name, profile)}: every list of objects is refused (501)"
            reader.warn((*at, index), message, _remedy(name, profile))
