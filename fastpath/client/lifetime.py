"""When a client's connection has served long enough: by its age, by its requests, by refusals.

Connections stay with the worker that accepted them; one that ends now and then is dealt anew.

Rules: the end is told before it comes: the answer that reaches a limit says `Connection: close`,
and the connection is closed after it, never within an exchange; a silent connection is not closed
for its age, because a request may be on its way to it (`idle_seconds` ends it); the limits of two
connections are a little apart, so that those that came together do not come back together.

Not here: saying so (`course`, `exchange`), closing (`downstream`), draining (`service`).
"""

from __future__ import annotations

from math import inf
from random import uniform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastpath.limits import Limits

SPREAD = 0.1  # of a limit, to either side


class Lifetime:
    """One connection's. `end`, on the loop's clock: an answer given from then on is the last."""

    __slots__ = ("_left", "_patience", "_refused", "_refused_at", "end")

    def __init__(self, limits: Limits, now: float) -> None:
        share = uniform(1 - SPREAD, 1 + SPREAD)
        age, count = limits.connection_seconds * share, limits.connection_requests * share
        self.end = now + age if age else inf
        self._left = max(1, round(count)) if count else 0
        self._patience = limits.refused_requests
        self._refused = 0  # requests in a row
        self._refused_at = 0  # what was left then

    def count(self) -> None:
        """A request begins. Without a limit what is left begins at 0, and is never 0 again."""
        self._left -= 1
        if not self._left:
            self.end = -inf

    def refuse(self) -> None:
        """Nobody knows who sent the request that was counted last. So many in a row are the end."""
        in_a_row = self._refused and self._left == self._refused_at - 1
        self._refused = self._refused + 1 if in_a_row else 1
        self._refused_at = self._left
        if self._refused == self._patience:
            self.end = -inf
