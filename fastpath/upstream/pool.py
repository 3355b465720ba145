"""Keep-alive connections to one target, bounded, the last one used first.

Under TLS a connection is good for the one name that the target proved: its own, or a bucket's in
virtual-host style. All names share one bound.

Rules: never more than `max_connections` open at once, connects included; no holder (an identity, or
the address of a client that is none) has more than its share while others may come; waiters are
served in turn, each within `wait_seconds`, and one too many is told SlowDown at once; a kept
connection that has anything to read (end of stream, stray bytes) is thrown away, not used; the most
recently used one goes first, so that surplus ones grow old and close.

Not here: what is sent (`forward`), whether it may be sent twice (`retry`), what a share is
(`shares`), whose turn it is (`waiting`).
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from typing import TYPE_CHECKING

from fastpath.ipc.counters import Slot
from fastpath.sockets.diagnosis import of_connect
from fastpath.sockets.tls import client_context
from fastpath.upstream.connection import UpstreamConnection
from fastpath.upstream.shares import Shares
from fastpath.upstream.waiting import Line, Waiting

if TYPE_CHECKING:
    from fastpath.routing.snapshot import Route
    from fastpath.sockets.outbox import Outbox
    from fastpath.sockets.splice import Splicer
    from fastpath.upstream.lessee import Lessee

_REUSED = Slot.REUSED  # by itself; `phases` says why


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
        self._connecting: dict[asyncio.Task[None], Line] = {}  # whose waiters each is for
        percent = self._limits.identity_percent
        self._shares = Shares(self._limits.max_connections, percent)  # of what is busy or connects
        self._waiting = Waiting(self._limits.max_waiters, percent)

    def __repr__(self) -> str:
        return (
            f"<Pool {self.name} idle={len(self._idle)} busy={len(self._busy)} "
            f"connecting={len(self._connecting)} waiting={len(self._waiting)}>"
        )

    @property
    def open(self) -> int:
        """Connections open or being opened."""
        return len(self._idle) + len(self._busy) + len(self._connecting)

    def lease(
        self, lessee: Lessee, holder: str, *, fresh: bool = False, name: str | None = None
    ) -> None:
        """Find the lessee a connection: `leased` or `lease_failed` is called, perhaps at once.

        `holder`: whose share it counts to. `fresh` refuses kept ones, for a second try after a kept
        one failed. `name`: what the target must prove under TLS, if not the name of the route.
        """
        shares = self._shares
        if shares.total < shares.uncontested or shares.may_take(holder):
            while not fresh and (connection := self._kept(name)) is not None:
                if connection.silent():
                    self._hand_over(connection, lessee, holder)
                    return
                connection.abort()
            if self._idle and self.open >= self._limits.max_connections:
                self._idle.popleft().abort()  # its place is needed
        if not self._waiting.has_room(holder):
            lessee.lease_failed(f"{self.name}: too many requests wait", overload=True)
            return
        until = self.clock() + self._limits.wait_seconds
        line = self._waiting.add(lessee, holder, name, until)
        if len(line.waiters) > line.connects and self._has_place_for(line):
            self._begin_connect(line)

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
        self._waiting.remove(lessee)

    def take_back(self, connection: UpstreamConnection) -> None:
        """A connection that ended its exchange cleanly."""
        self._busy.discard(connection)
        self._shares.give_back(connection.holder)
        if self._waiting.lines or self.retired:
            self._keep(connection)
        else:  # most
            connection.idle_since = self.clock()
            self._idle.append(connection)

    def _keep(self, connection: UpstreamConnection) -> None:
        """Give a connection to who waits for one, or keep it for the next."""
        line = self._waiting.next_for(connection.name, self._shares) if self._waiting else None
        if self.retired and line is None:
            connection.abort()
        elif line is not None:
            if connection.silent():
                self._serve(line, connection)
            else:
                connection.abort()
        else:
            connection.idle_since = self.clock()
            self._idle.append(connection)
            if self._waiting:
                self._look_after_waiters()

    def _serve(self, line: Line, connection: UpstreamConnection) -> bool:
        """Give a connection to who waited longest in this line; False if nobody does."""
        lessee = self._waiting.first(line)
        if lessee is not None:
            self._hand_over(connection, lessee, line.holder)
        return lessee is not None

    def opened(self) -> None:
        """A connection was made."""
        self._row[Slot.CONNECTS] += 1
        self._row[Slot.UPSTREAM] += 1

    def forget(self, connection: UpstreamConnection) -> None:
        """A connection that was closed, by whichever side."""
        self._row[Slot.UPSTREAM] -= 1
        if connection in self._busy:
            self._busy.discard(connection)
            self._shares.give_back(connection.holder)
        elif connection in self._idle:
            self._idle.remove(connection)
        self._look_after_waiters()

    def retire(self) -> None:
        """Keep nothing from now on: no snapshot knows this route any more."""
        self.retired = True
        self._close_idle(before=float("inf"))

    def sweep(self, now: float) -> None:
        """Close what was idle too long, fail who waited too long, expire what hangs."""
        self._close_idle(before=now - self._limits.idle_seconds)
        for connection in [busy for busy in self._busy if busy.deadline <= now]:
            connection.expire()
        for lessee in self._waiting.expired(now):
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

    def _hand_over(self, connection: UpstreamConnection, lessee: Lessee, holder: str) -> None:
        self._busy.add(connection)
        self._shares.take(holder)
        if connection.uses:
            self._row[_REUSED] += 1
        connection.begin(lessee, holder)
        try:
            lessee.leased(connection)
        except Exception as fault:
            lessee.crash(fault)

    def _has_place_for(self, line: Line) -> bool:
        return self.open < self._limits.max_connections and self._shares.may_take(line.holder)

    def _look_after_waiters(self) -> None:
        """What closed or came back has changed what holders may have: serve them, or connect."""
        while self._waiting:
            line = self._waiting.next_to_connect(self._shares)
            if line is None:
                return
            connection = self._kept(line.name)
            if connection is not None:
                if not connection.silent():
                    connection.abort()
                else:
                    self._serve(line, connection)
                continue
            if self.open >= self._limits.max_connections:
                if not self._idle:
                    return
                self._idle.popleft().abort()  # its place is needed
            self._begin_connect(line)

    def _begin_connect(self, line: Line) -> None:
        """Connect for a line; until that ends, the connection counts to its holder's share."""
        line.connects += 1
        self._shares.take(line.holder)
        task = self._loop.create_task(self._connect(line.name))
        self._connecting[task] = line
        task.add_done_callback(self._end_connect)

    def _end_connect(self, task: asyncio.Task[None]) -> Line | None:
        line = self._connecting.pop(task, None)
        if line is not None:
            line.connects -= 1
            self._shares.give_back(line.holder)
        return line

    async def _connect(self, name: str | None) -> None:
        try:
            connection = await asyncio.wait_for(self._open(name), self.timeouts.connect_seconds)
        except (OSError, ssl.SSLError, TimeoutError, ValueError) as fault:
            self._connect_failed(fault)
            return
        if connection.transport.is_closing():
            self._connect_failed(ConnectionResetError("closed at once"))
            return
        line = self._end_connect(_this_task())
        assert line is not None  # this task's
        if not self._serve(line, connection):
            self._keep(connection)
        self._waiting.tidy(line)

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

    def _connect_failed(self, fault: Exception) -> None:
        line = self._end_connect(_this_task())
        assert line is not None  # this task's
        self._row[Slot.CONNECT_ERRORS] += 1
        lessee = self._waiting.first(line)
        self._waiting.tidy(line)
        if lessee is not None:
            reason = of_connect(fault, tls=self.route.tls is not None)
            place = self.name if line.name is None else f"{self.name} as {line.name}"
            lessee.lease_failed(f"cannot connect to {place}: {reason}", overload=False)
        self._look_after_waiters()


def _this_task() -> asyncio.Task[None]:
    task: asyncio.Task[None] | None = asyncio.current_task()
    assert task is not None  # called from a coroutine that runs as a task
    return task
