"""Keep-alive connections to one target, bounded, the last one used first.

Under TLS a connection is good for the one name that the target proved: its own, or a bucket's in
virtual-host style. All names share one bound.

Rules: never more than `max_connections` open at once, connects included; waiters are served in the
order they came, each within `wait_seconds`, and one too many is told SlowDown at once; a kept
connection that has anything to read (end of stream, stray bytes) is thrown away, not used; the most
recently used one goes first, so that surplus ones grow old and close.

Not here: what is sent (`forward`), whether it may be sent twice (`retry`).
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import Counter, deque
from typing import TYPE_CHECKING, NamedTuple

from fastpath.causes import of_connect
from fastpath.counters import Slot
from fastpath.tls import client_context
from fastpath.upstream import Lessee, UpstreamConnection

if TYPE_CHECKING:
    from fastpath.outgoing import Outbox
    from fastpath.snapshot import Route
    from fastpath.splice import Splicer

_REUSED = Slot.REUSED  # by itself; `phases` says why


class Waiter(NamedTuple):
    """Who waits for a connection, until when (loop time), and to which TLS name."""

    lessee: Lessee
    deadline: float
    name: str | None


class Pool:
    """The connections of one route, of one worker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        route: Route,
        row: memoryview,
        outbox: Outbox,
        splicer: Splicer | None = None,
        splice_from: float = math.inf,
    ) -> None:
        """`splice_from`: bytes of an answer from which its rest is spliced."""
        self.name = f"{route.host}:{route.port}"
        self.route = route
        self.timeouts = route.timeouts
        self.clock = loop.time
        self.soon = loop.call_soon
        self.outbox = outbox
        self.splicer = splicer
        self.splice_from = splice_from
        self.retired = False
        self._loop = loop
        self._row = row  # the worker's counters
        self._limits = route.pool
        self._context: ssl.SSLContext | None = None
        self._idle: deque[UpstreamConnection] = deque()
        self._busy: set[UpstreamConnection] = set()
        self._connecting: dict[asyncio.Task[None], str | None] = {}  # the name each is for
        self._waiters: deque[Waiter] = deque()

    def __repr__(self) -> str:
        return (
            f"<Pool {self.name} idle={len(self._idle)} busy={len(self._busy)} "
            f"connecting={len(self._connecting)} waiting={len(self._waiters)}>"
        )

    @property
    def open(self) -> int:
        """Connections open or being opened."""
        return len(self._idle) + len(self._busy) + len(self._connecting)

    def lease(self, lessee: Lessee, *, fresh: bool = False, name: str | None = None) -> None:
        """Find the lessee a connection: `leased` or `lease_failed` is called, perhaps at once.

        `fresh` refuses kept ones, for a second try after a kept one failed. `name`: what the target
        must prove under TLS, if not the name of the route.
        """
        while not fresh and (connection := self._kept(name)) is not None:
            if connection.silent():
                self._hand_over(connection, lessee)
                return
            connection.abort()
        if self._idle and self.open >= self._limits.max_connections:
            self._idle.popleft().abort()  # its place is needed
        if len(self._waiters) >= self._limits.max_waiters:
            lessee.lease_failed(f"{self.name}: too many requests wait", overload=True)
            return
        self._waiters.append(Waiter(lessee, self.clock() + self._limits.wait_seconds, name))
        self._connect_if_needed()

    def _kept(self, name: str | None) -> UpstreamConnection | None:
        """Take out the last used connection to this name."""
        idle = self._idle
        if not idle:
            return None
        if idle[-1].name == name:
            return idle.pop()
        for connection in reversed(idle):
            if connection.name == name:
                idle.remove(connection)
                return connection
        return None

    def give_up(self, lessee: object) -> None:
        """The lessee does not want a connection any more."""
        self._waiters = deque(waiter for waiter in self._waiters if waiter.lessee is not lessee)

    def take_back(self, connection: UpstreamConnection) -> None:
        """A connection that ended its exchange cleanly."""
        self._busy.discard(connection)
        waiter = self._next(connection.name) if self._waiters else None
        if waiter is not None and connection.silent():
            self._waiters.remove(waiter)
            self._hand_over(connection, waiter.lessee)
        elif self.retired or len(self._connecting) < len(self._waiters):
            connection.abort()  # its place is needed
        else:
            connection.idle_since = self.clock()
            self._idle.append(connection)

    def _next(self, name: str | None) -> Waiter | None:
        """Who waited longest for a connection to this name."""
        return next((waiter for waiter in self._waiters if waiter.name == name), None)

    def opened(self) -> None:
        """A connection was made."""
        self._row[Slot.CONNECTS] += 1
        self._row[Slot.UPSTREAM] += 1

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection that was closed, by whichever side."""
        self._row[Slot.UPSTREAM] -= 1
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect_if_needed()

    def retire(self) -> None:
        """Keep nothing from now on: no snapshot knows this route any more."""
        self.retired = True
        self._close_idle(before=float("inf"))

    def sweep(self, now: float) -> None:
        """Close what was idle too long, fail who waited too long, expire what hangs."""
        self._close_idle(before=now - self._limits.idle_seconds)
        for connection in [busy for busy in self._busy if busy.deadline <= now]:
            connection.expire()
        while self._waiters and self._waiters[0].deadline <= now:
            lessee = self._waiters.popleft().lessee
            lessee.lease_failed(f"{self.name}: no connection became free", overload=True)

    def close(self) -> None:
        """Drop everything; lessees are told that their connection is lost."""
        self.retired = True
        for task in self._connecting:
            task.cancel()
        for connection in [*self._idle, *self._busy]:
            connection.transport.abort()

    def _close_idle(self, before: float) -> None:
        while self._idle and self._idle[0].idle_since < before:
            self._idle.popleft().abort()

    def _hand_over(self, connection: UpstreamConnection, lessee: Lessee) -> None:
        self._busy.add(connection)
        if connection.uses:
            self._row[_REUSED] += 1
        connection.begin(lessee)
        try:
            lessee.leased(connection)
        except Exception as fault:
            lessee.crash(fault)

    def _connect_if_needed(self) -> None:
        """A connect for each waiter that none is under way for, as far as the bound goes."""
        if not self._waiters or self.open >= self._limits.max_connections:
            return
        wanted = Counter(self._connecting.values())
        for waiter in self._waiters:
            if self.open >= self._limits.max_connections:
                return
            if wanted[waiter.name]:
                wanted[waiter.name] -= 1
                continue
            task = self._loop.create_task(self._connect(waiter.name))
            self._connecting[task] = waiter.name
            task.add_done_callback(lambda done: self._connecting.pop(done, None))

    async def _connect(self, name: str | None) -> None:
        try:
            connection = await asyncio.wait_for(self._open(name), self.timeouts.connect_seconds)
        except (OSError, ssl.SSLError, TimeoutError, ValueError) as fault:
            self._connecting.pop(_this_task(), None)
            self._connect_failed(fault, name)
            return
        self._connecting.pop(_this_task(), None)
        waiter = self._next(name)
        if connection.transport.is_closing():
            self._connect_failed(ConnectionResetError("closed at once"), name)
        elif waiter is not None:
            self._waiters.remove(waiter)
            self._hand_over(connection, waiter.lessee)
        else:
            self.take_back(connection)

    async def _open(self, name: str | None) -> UpstreamConnection:
        route = self.route
        if route.tls is not None and self._context is None:
            self._context = client_context(route.tls)
        _, connection = await self._loop.create_connection(
            lambda: UpstreamConnection(self, name),
            route.host,
            route.port,
            ssl=self._context,
            server_hostname=(name or route.tls.server_name) if route.tls is not None else None,
        )
        return connection

    def _connect_failed(self, fault: Exception, name: str | None) -> None:
        self._row[Slot.CONNECT_ERRORS] += 1
        waiter = self._next(name)
        if waiter is not None:
            self._waiters.remove(waiter)
            reason = of_connect(fault, tls=self.route.tls is not None)
            place = self.name if name is None else f"{self.name} as {name}"
            waiter.lessee.lease_failed(f"cannot connect to {place}: {reason}", overload=False)
        self._connect_if_needed()


def _this_task() -> asyncio.Task[None]:
    task: asyncio.Task[None] | None = asyncio.current_task()
    assert task is not None  # called from a coroutine that runs as a task
    return task
