"""Limits the share of one holder in something bounded: connections of a pool, or its waiters.

Rules: a holder may have `percent` of what the others leave, and always one while there is one. So a
single holder has nearly everything, a new holder always finds something, and as holders give back
they come to have the same. Every call is O(1).
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
        """Count one more for this holder."""
        self.total += 1
        self._held[holder] += 1

    def give_back(self, holder: str) -> None:
        """Count one less for this holder."""
        self.total -= 1
        left = self._held[holder] - 1
        if left:
            self._held[holder] = left
        else:
            del self._held[holder]


def holder_at(address: str) -> str:
    """The holder that stands for a client's address, if there is no identity.

    Of an IPv6 address only the upper half counts: a client may choose the lower one.
    """
    if ":" not in address:
        return address
    try:
        whole = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address
    mapped = whole.startswith(bytes(10) + b"\xff\xff")  # IPv4 on a socket of both
    return (whole if mapped else whole[:8]).hex(":", 2)
