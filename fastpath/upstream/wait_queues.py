"""Queues of lessees that wait for a connection: one queue for each holder, served in turn.

Rules: a queue serves the first waiter first. Queues take turns, except that a queue whose holder
has its share already is passed over. A holder has a share of all waiters too, so that there is room
for others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastpath.upstream.shares import Shares

if TYPE_CHECKING:
    from fastpath.upstream.lessee import Lessee


class WaitQueue:
    """The waiters of one holder for connections to one TLS name, each with its deadline."""

    __slots__ = ("connects", "holder", "name", "waiters")

    def __init__(self, holder: str, name: str | None) -> None:
        self.holder = holder
        self.name = name
        self.waiters: OrderedDict[Lessee, float] = OrderedDict()
        self.connects = 0  # under way for it


class WaitQueues:
    """All queues of one pool."""

    def __init__(self, limit: int, percent: int) -> None:
        self._limit = limit
        self._shares = Shares(limit, percent)
        self.queues: OrderedDict[tuple[str, str | None], WaitQueue] = OrderedDict()  # in turn
        self._queue_of: dict[Lessee, WaitQueue] = {}

    def __len__(self) -> int:
        return len(self._queue_of)

    def has_room(self, holder: str) -> bool:
        """Whether one more lessee of this holder may wait."""
        return len(self) < self._limit and self._shares.may_take(holder)

    def add(self, lessee: Lessee, holder: str, name: str | None, deadline: float) -> WaitQueue:
        """Add a waiter; returns its queue."""
        key = (holder, name)
        queue = self.queues.get(key)
        if queue is None:
            queue = self.queues[key] = WaitQueue(holder, name)
        queue.waiters[lessee] = deadline
        self._queue_of[lessee] = queue
        self._shares.take(holder)
        return queue

    def remove(self, lessee: object) -> None:
        """Remove a waiter, if it waits."""
        queue = self._queue_of.pop(lessee, None)  # type: ignore[call-overload]  # any object may ask
        if queue is not None:
            del queue.waiters[lessee]
            self._shares.give_back(queue.holder)
            self.tidy(queue)

    def tidy(self, queue: WaitQueue) -> None:
        """Drop a queue without waiters and without connects under way."""
        key = (queue.holder, queue.name)
        if not queue.waiters and not queue.connects and self.queues.get(key) is queue:
            del self.queues[key]

    def first(self, queue: WaitQueue) -> Lessee | None:
        """Take out the first waiter of this queue; the queue's next turn is after the others'."""
        if not queue.waiters:
            return None
        lessee = next(iter(queue.waiters))
        self.queues.move_to_end((queue.holder, queue.name))
        self.remove(lessee)
        return lessee

    def next_for(self, name: str | None, shares: Shares) -> WaitQueue | None:
        """The queue whose turn it is for a connection to this name."""
        for queue in self.queues.values():
            if queue.waiters and queue.name == name and shares.may_take(queue.holder):
                return queue
        return None

    def next_to_connect(self, shares: Shares) -> WaitQueue | None:
        """The queue whose turn it is to get a connect for a waiter without one."""
        for queue in self.queues.values():
            if len(queue.waiters) > queue.connects and shares.may_take(queue.holder):
                return queue
        return None

    def expired(self, now: float) -> Iterator[Lessee]:
        """Take out the waiters that are past their deadline."""
        for queue in list(self.queues.values()):
            while queue.waiters:
                lessee, deadline = next(iter(queue.waiters.items()))
                if deadline > now:
                    break
                self.remove(lessee)
                yield lessee
