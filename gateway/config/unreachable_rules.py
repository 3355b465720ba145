"""Reports the rules that can never match because earlier rules take all that they would.

    pattern data-*  keys [raw/*]                              rule 1
    pattern data-x  keys [raw/a/*]                            rule 2 can never match
    pattern data-y  keys [raw/a/*, log/*]                     of rule 3, keys[0] can never match
    pattern data-z                                            rule 4 is left every other key

Rules: a rule is called unreachable only if that is certain: the globs of earlier rules cover its
own, and those rules take all of its operations, identities and keys. One with conditions takes
nothing for certain; it is reached by writes, and by reads only because writes reach it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastpath.routing.rules import keys_of
from gateway.config.globs import covers, covers_keys
from gateway.config.reading import Reader
from gateway.config.rule_index import RuleIndex
from gateway.config.rule_operations import ABOUT_KEYS, ROUTED, WRITES
from gateway.config.rules import LIST
from gateway.config.schema import Rule


def report_unreachable(reader: Reader, rules: Iterable[Rule]) -> None:
    """Reports every rule that can never match, and every glob on keys that cannot."""
    index = RuleIndex()
    for rule in rules:
        keys = keys_of(rule)
        globs: Iterable[str | None] = (None,) if keys is None else keys
        blockers = {glob: _blockers(rule, glob, index) for glob in globs}
        if all(blockers.values()):
            found = {other.number: other for others in blockers.values() for other in others}
            message = f"can never match: {_who_takes(found)} {_what(rule)} it would"
            path = (*LIST, rule.number - 1, "pattern")
            reader.error(path, message, "move it up or remove it")
        for position, glob in enumerate(rule.keys or ()):
            if blockers[glob] and not all(blockers.values()):
                found = {other.number: other for other in blockers[glob]}
                message = f"can never match: {_who_takes(found)} {_what(rule)} it would"
                path = (*LIST, rule.number - 1, "keys", position)
                reader.warn(path, message, "move the rule up or remove this glob")
        if rule.conditions is None:
            index.add(rule)


def _what(rule: Rule) -> str:
    return "all" if rule.conditions is None else "all writes that"


def _who_takes(blockers: Mapping[int, Rule]) -> str:
    first = [blockers[number] for number in sorted(blockers)[:3]]
    names = " and ".join(f"rule {rule.number} (line {rule.line})" for rule in first)
    more = " and others" if len(blockers) > 3 else ""
    return f"{names}{more} {'takes' if len(blockers) == 1 else 'take'}"


def _blockers(rule: Rule, keys: str | None, index: RuleIndex) -> list[Rule]:
    """Returns the earlier rules that together take everything, of one glob on keys if it has any.

    None if something is left.
    """
    everyone: tuple[str | None, ...] = (None,) if rule.identities is None else rule.identities
    own = WRITES if rule.conditions is not None else ROUTED
    wanted = own if rule.operations is None else rule.operations & own
    left = dict.fromkeys(everyone, wanted)
    used: list[Rule] = []
    for other in index.candidates(rule.pattern):
        if not covers(other.pattern, rule.pattern):
            continue
        operations = _taken(other, keys)
        taken = False
        for who, wanted in left.items():
            if other.identities is None or who in other.identities:
                rest = frozenset() if operations is None else wanted - operations
                taken = taken or rest != wanted
                left[who] = rest
        if taken:
            used.append(other)
        if not any(left.values()):
            return used
    return []


def _taken(rule: Rule, keys: str | None) -> frozenset[str] | None:
    """Returns the operations of which a rule takes every request (None: of all).

    Those about keys that a glob matches; without a glob, those about anything.
    """
    own = keys_of(rule)
    if own is None:
        return rule.operations
    if not any(_takes_keys(one, "*" if keys is None else keys) for one in own):
        return frozenset()
    if keys is not None:
        return rule.operations
    # Without a glob there are also requests that name no key, which this rule does not take.
    return ABOUT_KEYS if rule.operations is None else rule.operations & ABOUT_KEYS


def _takes_keys(outer: str, inner: str) -> bool:
    """Whether a rule with the outer glob takes each key, and each list, that is of the inner one.

    Only of a glob that ends in a star is it known that it matches all keys with some prefix.
    """
    if inner.endswith("*") and not outer.endswith("*"):
        return False
    return covers_keys(outer, inner)
