"""Decides whether what clients were told of a key can be told by one store: linearizability.

Each event of a key has a state that it needs, one that it leaves, and the steps at which it began
and ended. A history is good if the events can be put in an order in which each finds what it needs,
and none comes before one that had ended when it began. An event that failed may have happened,
while its client waited, or not.

Rules: a state is the size of the object, which tells a play which one it is; None: no object. Of
what the gateway does nothing is known here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

State = int | None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a client did with one key, or saw of it.

    needs, excludes: the states in which it can happen (None: each), and those in which not.
    leaves: the states that it may leave; empty: the one that there is.
    is_sure: it happened. Else it may have.
    during: names of what went wrong meanwhile, for `windows`.
    """

    what: str
    began: int
    ended: int
    needs: frozenset[State] | None = None
    excludes: frozenset[State] = frozenset()
    leaves: frozenset[State] = frozenset()
    is_sure: bool = True
    during: frozenset[str] = field(default=frozenset(), compare=False)

    def may_find(self, state: State) -> bool:
        """Whether it can happen in this state."""
        if state in self.excludes:
            return False
        return self.needs is None or state in self.needs

    @property
    def is_read(self) -> bool:
        return not self.leaves

    def __str__(self) -> str:
        return f"[{self.began}-{self.ended}] {self.what}{'' if self.is_sure else ' (failed)'}"


def read(what: str, began: int, ended: int, state: State) -> Event:
    """A read that saw this."""
    return Event(what, began, ended, needs=frozenset({state}))


def write(what: str, began: int, ended: int, state: State, *, is_sure: bool = True) -> Event:
    """A write, or with None a delete."""
    return Event(what, began, ended, leaves=frozenset({state}), is_sure=is_sure)


def has_order(events: Sequence[Event], first: State) -> bool:
    """Whether the events of a key have an order that one store could have gone through."""
    ordered = tuple(sorted(events, key=lambda event: (event.began, event.ended)))
    return _Search(ordered).goes_on(frozenset(range(len(ordered))), first)


class _Search:
    """Looks for an order, depth first; what was tried in vain is not tried again."""

    def __init__(self, events: tuple[Event, ...]) -> None:
        self._events = events
        self._tried: set[tuple[frozenset[int], State]] = set()

    def goes_on(self, left: frozenset[int], state: State) -> bool:
        """Whether the events that are left have an order from this state on."""
        left = self._without_free_reads(left, state)
        if not any(self._events[one].is_sure for one in left):
            return True
        if (left, state) in self._tried:
            return False
        self._tried.add((left, state))
        for one in self._next(left):
            event = self._events[one]
            if not event.may_find(state):
                continue
            rest = self._after(left, one)
            for new in event.leaves or (state,):
                if self.goes_on(rest, new):
                    return True
        return False

    def _next(self, left: Collection[int]) -> list[int]:
        """Those before which no other has to come."""
        events = self._events
        end = min(events[one].ended for one in left if events[one].is_sure)
        return [one for one in sorted(left) if events[one].began <= end]

    def _after(self, left: frozenset[int], taken: int) -> frozenset[int]:
        """What is left: not what failed and had ended before the one that is taken began."""
        events = self._events
        began = events[taken].began
        return frozenset(
            one
            for one in left
            if one != taken and (events[one].is_sure or events[one].ended >= began)
        )

    def _without_free_reads(self, left: frozenset[int], state: State) -> frozenset[int]:
        """Take the reads that see this state, as long as that takes no choice away."""
        is_same = False
        while not is_same and any(self._events[one].is_sure for one in left):
            is_same = True
            for one in self._next(left):
                event = self._events[one]
                if event.is_read and event.may_find(state):
                    rest = self._after(left, one)
                    if len(rest) == len(left) - 1:
                        left, is_same = rest, False
                        break
        return left


def told(events: Sequence[Event], first: State) -> str:
    """A history, for whoever has to find out why it has no order."""
    rows = [f"at first: {first}"]
    rows += [str(event) for event in sorted(events, key=lambda event: (event.began, event.ended))]
    return "\n".join(rows)


def shortest(events: Sequence[Event], first: State) -> list[Event]:
    """As few of the events as have no order either: without any one of them there is one."""
    kept = list(events)
    for event in list(kept):
        rest = [one for one in kept if one is not event]
        # A write is kept: without it, what reads saw of it would have no reason.
        if event.is_read and event.is_sure and not has_order(rest, first):
            kept = rest
    return kept


Histories = Mapping[str, Sequence[Event]]
