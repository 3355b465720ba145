"""Decides when a client's connection has served long enough: by age, requests and refusals.

A connection stays with the worker that accepted it; ending some of them spreads clients anew.

Rules: the answer that reaches a limit says `Connection: close` and is the last; no exchange is cut.
A silent connection is not closed for its age, because a request may be on its way
(`idle_seconds` ends it). The limits of two connections differ a little, so that connections made
together do not end together.
"""

from __future__ import annotations

from math import inf
from random import uniform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastpath.limits import Limits

SPREAD = 0.1  # of a limit, to either side


class Lifetime:
    """One connection's lifetime; an answer given from `end` on (the loop's clock) is the last."""

    __slots__ = ("_left", "_max_refused", "_refused", "_refused_at", "end")

    def __init__(self, limits: Limits, now: float) -> None:
        share = uniform(1 - SPREAD, 1 + SPREAD)
        age, count = limits.connection_seconds * share, limits.connection_requests * share
        self.end = now + age if age else inf
        self._left = max(1, round(count)) if count else 0
        self._max_refused = limits.refused_requests
        self._refused = 0  # requests in a row
        self._refused_at = 0  # what was left then

    def count(self) -> None:
        """Count a request. Without a limit `_left` begins at 0 and never is 0 again."""
        self._left -= 1
        if not self._left:
            self.end = -inf

    def refuse(self) -> None:
        """Count a refusal of an unknown sender; too many in a row end the connection."""
        in_a_row = self._refused and self._left == self._refused_at - 1
        self._refused = self._refused + 1 if in_a_row else 1
        self._refused_at = self._left
        if self._refused == self._max_refused:
            self.end = -inf
