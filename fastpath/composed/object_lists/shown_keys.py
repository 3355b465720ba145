"""Finds out which keys of a place a list shows: those of which a read would go there.

    keys of a page -> what all of them begin with -> ALL, NONE: decided at once
                                                  -> SOME: each half by itself, at last each key

Rules: a key is shown only if its place is in the chain of the key; a place that shows everything
is never asked about one; the loop goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence

from fastpath.request.across import MergedList
from fastpath.routing.key_globs import Coverage

# Keys looked up one by one rather than by halves.
_FEW = 4
# Ranges decided about between two turns of the loop, so that others are served too: 1 ms, 20 us
# for each of their keys.
_AT_ONCE = 10


class ShownKeys:
    """What one place shows."""

    def __init__(self, merged: MergedList, number: int) -> None:
        """`number`: of the place."""
        self._merged = merged
        self._number = number
        self._place = merged.places[number]

    @property
    def shows_all(self) -> bool:
        """Whether every key is shown."""
        return self._merged.takes_all

    def coverage(self, prefix: bytes) -> Coverage:
        """How many of the keys that begin with `prefix` are shown."""
        if self._merged.takes_all:
            return Coverage.ALL
        return self._merged.coverage(prefix)[self._number]

    async def ranges(self, keys: Sequence[bytes]) -> Sequence[tuple[int, int]]:
        """Return which of these sorted keys are shown: from one number up to another."""
        if self._merged.takes_all or not keys:
            return [(0, len(keys))]
        shown: list[tuple[int, int]] = []
        waiting, decided = [(0, len(keys))], 0
        while waiting:
            first, end = waiting.pop()
            coverage = self.coverage(_common(keys[first], keys[end - 1]))
            if coverage is Coverage.ALL:
                shown.append((first, end))
            elif coverage is Coverage.SOME and end - first > _FEW:
                middle = (first + end) // 2
                waiting += (middle, end), (first, middle)
            elif coverage is Coverage.SOME:
                shown += [(at, at + 1) for at in range(first, end) if self._is_shown(keys[at])]
            decided += 1
            if decided % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return shown

    def hidden_beginning(self, key: bytes, prefix: bytes) -> bytes:
        """Return the shortest beginning of a key, from `prefix` on, that no shown key has.

        Empty: there is none.
        """
        if self._merged.takes_all or self.coverage(key) is not Coverage.NONE:
            return b""
        ends = [at for at in range(len(prefix), len(key) + 1) if _is_between_characters(key, at)]
        at = bisect_left(ends, True, key=lambda end: self.coverage(key[:end]) is Coverage.NONE)
        return key[: ends[at]]

    def _is_shown(self, key: bytes) -> bool:
        places = self._merged.chain_of(key).places
        return any(place.is_same_place(self._place) for place in places)


def first_of(merged: MergedList, key: bytes, numbers: Collection[int]) -> int:
    """Return which of some places, by number, a read of a key comes to first."""
    order: Mapping[int, int] = {
        number: at
        for at, place in enumerate(merged.chain_of(key).places)
        for number in numbers
        if place.is_same_place(merged.places[number])
    }
    return min(numbers, key=lambda number: (order.get(number, len(order)), number))


def _common(first: bytes, last: bytes) -> bytes:
    """Return what two keys begin with, and so all keys between them, in whole characters."""
    most = min(len(first), len(last))
    at = next((at for at in range(most) if first[at] != last[at]), most)
    while at and not (_is_between_characters(first, at) and _is_between_characters(last, at)):
        at -= 1
    return first[:at]


def _is_between_characters(key: bytes, at: int) -> bool:
    return at == len(key) or key[at] & 0xC0 != 0x80
