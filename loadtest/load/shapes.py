"""How many users there are at each time of a turn: constant, ramp, spike, soak.

Rules: a shape knows shares of the users and shares of the time, so that it fits any number of both;
no clock and no locust here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

# Locust asks a shape once a second: with less there is nothing to be seen of it.
SHORTEST_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Shape:
    """`share` maps 0..1 of the time to 0..1 of the users."""

    name: str
    says: str
    share: Callable[[float], float]

    def users_at(self, second: float, seconds: float, users: int) -> int | None:
        """The users at that second of a turn of `seconds`; None: the turn is over."""
        if second >= seconds:
            return None
        return max(1, math.ceil(users * self.share(max(0.0, second) / seconds)))


def _ramp(at: float) -> float:
    return min(1.0, 0.1 + at / 0.8)  # the last quarter or so has them all


def _spike(at: float) -> float:
    return 1.0 if 0.4 <= at < 0.6 else 0.1


def _soak(at: float) -> float:
    return min(1.0, 0.2 + at / 0.1) if at < 0.1 else 0.7


ALL = (
    Shape("constant", "all users from the beginning", lambda at: 1.0),
    Shape("ramp", "from a tenth to all over three quarters of the time", _ramp),
    Shape("spike", "a tenth, and all of them in the middle fifth", _spike),
    Shape("soak", "all at first, then seven tenths for long", _soak),
)
NAMES = tuple(one.name for one in ALL)


def named(name: str) -> Shape:
    """The shape of that name. Raises KeyError."""
    return {one.name: one for one in ALL}[name]
