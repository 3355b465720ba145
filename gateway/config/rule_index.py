"""Finds the rules whose pattern may cover another pattern, among those noted so far.

Rules: it finds every rule whose pattern covers the other one, until it has been asked for
`MAX_COMPARISONS`; a plain bucket name is a pattern too.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastpath.routing.globs import split_glob
from gateway.config.schema import Rule

# The search then ends, because it must not hold up a start.
MAX_COMPARISONS = 500_000


class RuleIndex:
    """Rules by the fixed beginning of their glob, since only those can cover a pattern."""

    def __init__(self) -> None:
        self._by_beginning: dict[str, list[Rule]] = {}
        self._exact: dict[str, list[Rule]] = {}
        self._left = MAX_COMPARISONS

    def add(self, rule: Rule) -> None:
        beginning, rest = split_glob(rule.pattern)
        into = self._by_beginning if rest else self._exact
        into.setdefault(beginning, []).append(rule)

    def candidates(self, pattern: str) -> Iterator[Rule]:
        """Yields the rules that may cover a pattern, in file order."""
        beginning, _ = split_glob(pattern)
        found = list(self._exact.get(pattern, ()))
        for length in range(len(beginning) + 1):
            found += self._by_beginning.get(beginning[:length], ())
        for rule in sorted(found, key=lambda rule: rule.number):
            self._left -= len(rule.keys or "k")
            if self._left < 0:
                return
            yield rule
