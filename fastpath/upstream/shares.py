"""Who has how much of something that many share: connections to a target, places of waiters.

Rules: a holder may have `percent` of what the others leave, and always one while there is one; so
one that is alone has nearly everything, another that comes always finds something, and as things
are given back both come to have the same. Every call is O(1).

Not here: what is shared (`pool`), who waits for it (`waiting`).
"""

from __future__ import annotations

import socket
from collections import defaultdict


class Shares:
    """How many of `limit` each holder has."""

    __slots__ = ("_held", "_limit", "_percent", "total", "uncontested")

    def __init__(self, limit: int, percent: int) -> None:
        self.total = 0
        self._limit = limit
        self._percent = percent
        self.uncontested = limit * percent // 100  # while `total` is below it, all may take
        self._held: defaultdict[str, int] = defaultdict(int)

    def __repr__(self) -> str:
        return f"<Shares {self.total} of {self._limit}: {dict(self._held)}>"

    def may_take(self, holder: str) -> bool:
        """Whether this holder may have one more."""
        held = self._held.get(holder, 0)
        return not held or (held + 1) * 100 <= self._percent * (self._limit - self.total + held)

    def take(self, holder: str) -> None:
        """One more is this holder's."""
        self.total += 1
        self._held[holder] += 1

    def give_back(self, holder: str) -> None:
        """One less."""
        self.total -= 1
        left = self._held[holder] - 1
        if left:
            self._held[holder] = left
        else:
            del self._held[holder]


def holder_at(address: str) -> str:
    """Who is at a client's address, if nothing else is known of them.

    Of IPv6 everybody has the lower half of the address to choose from.
    """
    if ":" not in address:
        return address
    try:
        whole = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    mapped = whole.startswith(bytes(10) + b"\xff\xff")  # IPv4 on a socket of both
    return (whole if mapped else whole[:8]).hex(":", 2)
