"""The documented windows: what a chain may show that one store never would, each with its reason.

Rules: a window is a row of docs/chains.md; a history that one store explains needs none; what no
window explains is a fault of the gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from tests.property.chains.history import Event, State, has_order

_GONE: frozenset[State] = frozenset({None})


class Needs(Enum):
    """What a chain has that a window is of."""

    NOTHING = "any chain"
    PASSES = "failures that move a read on"
    NO_CONDITIONS = "a target that does not delete with If-Match"


@dataclass(frozen=True, slots=True)
class Window:
    """One of them: its name, its heading in docs/chains.md, and what a history is but for it."""

    name: str
    anchor: str
    relaxed: Callable[[Sequence[Event]], list[Event]]
    of: Needs = Needs.NOTHING


def _sees(event: Event) -> frozenset[State]:
    """What a read saw; nothing, if it is none."""
    return event.needs or frozenset() if event.is_read and event.is_sure else frozenset()


def _overlap(one: Event, other: Event) -> bool:
    return one.began <= other.ended and other.began <= one.ended


def _without_early_sight(events: Sequence[Event]) -> list[Event]:
    """Leave out the reads that saw what a write under way was about to leave."""

    def is_early(event: Event) -> bool:
        seen = _sees(event)
        return any(_overlap(write, event) for write in events if write.leaves & seen)

    return [event for event in events if not is_early(event)]


def _crowds(events: Sequence[Event]) -> list[list[Event]]:
    """Writes in groups, of which each overlaps another of its own; not those that are alone."""
    found: list[list[Event]] = []
    end = -1
    for write in sorted((one for one in events if not one.is_read), key=lambda one: one.began):
        if write.began > end:
            found.append([])
        found[-1].append(write)
        end = max(end, write.ended)
    return [crowd for crowd in found if len(crowd) > 1]


def _without_crowds(events: Sequence[Event]) -> list[Event]:
    """Leave out the reads that saw one of several writes while these were not all done."""
    crowds = _crowds(events)

    def is_within(event: Event, crowd: Sequence[Event]) -> bool:
        began, ended = crowd[0].began, max(write.ended for write in crowd)
        is_during = event.began <= ended and began <= event.ended
        return is_during and any(write.leaves & _sees(event) for write in crowd)

    return [event for event in events if not any(is_within(event, crowd) for crowd in crowds)]


def _with_undone(events: Sequence[Event]) -> list[Event]:
    """Let each write that overlaps a delete be undone by it, so that an older one shows."""
    deletes = [event for event in events if event.leaves == _GONE]
    return [
        replace(event, is_sure=False)
        if event.is_sure
        and event.leaves - _GONE
        and any(_overlap(event, delete) for delete in deletes)
        else event
        for event in events
    ]


def _with_removed(events: Sequence[Event]) -> list[Event]:
    """Let each write that overlaps another be removed by that, until the last of them has ended."""
    ends = {
        id(one): max(write.ended for write in crowd) for crowd in _crowds(events) for one in crowd
    }
    return [
        event
        if id(event) not in ends
        else replace(event, ended=ends[id(event)])
        if event.leaves == _GONE
        else replace(event, is_sure=False)
        for event in events
    ]


def _without_stale(events: Sequence[Event]) -> list[Event]:
    """Leave out the reads that saw an object while something failed."""
    return [
        event
        for event in events
        if not (event.during and _sees(event) - _GONE and "List" not in event.what)
    ]


def _with_loose_conditions(events: Sequence[Event]) -> list[Event]:
    """Let a write with a condition forget it, if another write or a delete overlaps it."""
    writes = [event for event in events if event.leaves]
    return [
        replace(event, needs=None)
        if event.leaves
        and event.needs is not None
        and any(_overlap(event, write) for write in writes if write is not event)
        else event
        for event in events
    ]


WINDOWS: tuple[Window, ...] = (
    # A write to a later place is there before it has removed what hides it. A read that had passed
    # the places before sees it, and another one, that begins then, sees what hides it.
    Window("a write shows before it is acknowledged", "writes-that-overlap", _without_early_sight),
    # A delete has passed the place of one write when that comes, and then removes what hid it: of
    # three that overlap, a read sees the second, and later ones see the first.
    Window("overlapping writes show in any order", "writes-that-overlap", _without_crowds),
    # A place that failed may have had a newer object than the one that the read came to then.
    Window(
        "a read passed a place that failed",
        "a-stale-read-by-your-own-choice",
        _without_stale,
        of=Needs.PASSES,
    ),
    # The primary is asked for no more than that it has no object: a delete between is not noticed.
    Window(
        "a condition was true of a fallback", "a-condition-on-a-fallback", _with_loose_conditions
    ),
    # A delete has passed the last place when a write comes there, and then another one before it:
    # what it removes is the second, and the first shows again.
    Window(
        "a delete undoes the newer of two writes",
        "removals-at-a-store-without-conditions",
        _with_undone,
        of=Needs.NO_CONDITIONS,
    ),
    # A write to a later place is stored, and then deleted or overwritten; another client stores the
    # key at an earlier place, and then the first removes it there, as what hides its own.
    Window(
        "a write removes a newer one",
        "removals-at-a-store-without-conditions",
        _with_removed,
        of=Needs.NO_CONDITIONS,
    ),
)


def explained(
    events: Sequence[Event], first: State, *, has_conditions: bool = True, passes: bool = False
) -> list[str] | None:
    """The windows that it takes to explain a history; None: no windows do.

    has_conditions: each target deletes with If-Match. passes: `fallback_on` has more than 404.
    """
    known = {Needs.NOTHING, *([Needs.PASSES] if passes else [])}
    known |= set() if has_conditions else {Needs.NO_CONDITIONS}
    left, names = list(events), list[str]()
    if has_order(left, first):
        return names
    for window in WINDOWS:
        if window.of not in known:
            continue
        relaxed = window.relaxed(left)
        if relaxed != left:
            left = relaxed
            names.append(window.name)
            if has_order(left, first):
                return names
    return None
