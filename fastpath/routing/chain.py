"""Says where a request goes: to one place, or along a chain of places in a fixed order.

    places      candidate  candidate  ...  fallback  fallback
    reads       ------------------------------------------->   the first that has the key
    a write     to one candidate, by the conditions of the rules
    deletes     <-------------------------------------------   all of them

Rules: no two places of a chain are the same; candidates stand before fallbacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from fastpath.routing.rewrite import Rewrite

DEFAULT_RULE = 0  # the number of "no rule matched, the default target serves"
CUSTOM_ROUTER = "custom"  # instead of a number: the custom router decided
UPLOAD = "upload"  # the same: the request belongs to an upload, which stays where it began

# What besides a 404 may move a read on to the next place: `fallback_on`.
FAILURES = ("5xx", "timeout", "refused")


@dataclass(frozen=True, slots=True)
class Decision:
    """The target of a request, and the rule that chose it.

    rule: its number, `DEFAULT_RULE`, `CUSTOM_ROUTER` or `UPLOAD`.
    rewrite: how the target names the bucket and its keys; None: as the client does.
    """

    target: str
    rule: int | str
    rewrite: Rewrite | None = None

    def is_same_place(self, other: Decision) -> bool:
        """Whether the other decision sends a request to the same place under the same name."""
        return self.target == other.target and self.rewrite == other.rewrite


class HidingObject(NamedTuple):
    """An object that a new one would lie behind, as it was seen before the new one was stored.

    etag: empty: the place did not say.
    """

    place: Decision
    etag: bytes


class Chain(NamedTuple):
    """The places of one key, or of one bucket, in the order in which reads look.

    candidates: how many of them, from the first, a write may go to.
    passes: those of FAILURES that move a read on as a 404 does.
    """

    places: tuple[Decision, ...]
    candidates: int = 1
    passes: frozenset[str] = frozenset()

    @property
    def primary(self) -> Decision:
        """The place where reads look first; that of writes, if there is one candidate."""
        return self.places[0]

    def before(self, place: Decision) -> tuple[Decision, ...]:
        """Return the places where reads look before `place`; none if it is not in the chain."""
        for index, other in enumerate(self.places):
            if other.is_same_place(place):
                return self.places[:index]
        return ()


def chain_of(
    candidates: list[Decision], fallbacks: list[Decision], passes: frozenset[str]
) -> Chain:
    """Make a chain of these places, each once, where it comes first."""
    places = _each_once(candidates)
    count = len(places)
    return Chain(tuple(_each_once([*places, *fallbacks])), count, passes)


def _each_once(places: list[Decision]) -> list[Decision]:
    found: list[Decision] = []
    for place in places:
        if not any(place.is_same_place(other) for other in found):
            found.append(place)
    return found
