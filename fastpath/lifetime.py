"""When a client's connection has served long enough: by its age, by its requests.

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

    __slots__ = ("_left", "end")

    def __init__(self, limits: Limits, now: float) -> None:
        share = uniform(1 - SPREAD, 1 + SPREAD)
        age, count = limits.connection_seconds * share, limits.connection_requests * share
        self.end = now + age if age else inf
        self._left = max(1, round(count)) if count else 0

    def count(self) -> None:
        """A request begins. Without a limit what is left begins at 0, and is never 0 again."""
        self._left -= 1
        if not self._left:
            self.end = -inf
