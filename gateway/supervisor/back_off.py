"""Decides when something that failed is tried again: workers, control, sources of credentials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# Before the first, second, ... restart in a row; a lone crash costs nothing.
RESTARTS: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# Before a source that has no credentials is asked again: metadata services count requests.
CREDENTIALS: Final = (60.0, 120.0, 240.0, 480.0, 900.0)


class BackOff:
    """Counts the failures in a row of one thing, and says when it may be tried again."""

    __slots__ = ("_delays", "failures", "until")

    def __init__(self, delays: Sequence[float]) -> None:
        """`delays` are seconds after the first, second, ... failure; the last one stays."""
        self._delays = delays
        self.failures = 0  # in a row
        self.until = 0.0  # no try before; by the clock of the caller of `fail`

    def fail(self, now: float, at_least: float = 0.0) -> float:
        """Counts a failure; returns the seconds to wait from `now` on."""
        self.failures += 1
        delay = max(self._delays[min(self.failures, len(self._delays)) - 1], at_least)
        self.until = now + delay
        return delay

    def succeed(self) -> None:
        """Ends the series: the next failure is the first one again."""
        self.failures = 0
