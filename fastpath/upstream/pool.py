"""Keep-alive connections to one target, bounded; the most recently used one serves first.

Under TLS a connection serves only the one name that the target proved: its own, or a bucket's in
virtual-host style. All names share one bound.

Rules: at most `max_connections` are open or being opened. No holder (an identity, or the address of
a client without one) has more than its share while others may come. Waiters are served in turn,
each within `wait_seconds`; one waiter too many gets SlowDown at once. A kept connection that has
anything to read (end of stream, stray bytes) is dropped, not used. The most recently used one goes
first, so that surplus ones grow old and close. While the breaker is open, a lease fails at once,
and so do those that wait when it opens.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastpath.ipc.cells import TargetCounter
from fastpath.ipc.counters import Slot
from fastpath.ipc.meter import observe_connect
from fastpath.sockets.connecting import ConnectFailed, Endpoint
from fastpath.sockets.diagnosis import is_own_shortage, of_connect
from fastpath.sockets.tls import client_context
from fastpath.upstream.connection import UpstreamConnection
from fastpath.upstream.lessee import Failure
from fastpath.upstream.shares import Shares
from fastpath.upstream.wait_queues import WaitQueue, WaitQueues

if TYPE_CHECKING:
    from fastpath.routing.snapshot import Route
    from fastpath.sockets.outbox import Outbox
    from fastpath.sockets.splice import Splicer
    from fastpath.upstream.breaker import Breaker
    from fastpath.upstream.lessee import Lessee

# An idle connection under TLS keeps the buffers of its largest body, 0.6 MiB, and after a burst
# many are idle: of those that nobody used for some seconds, no more than a few are kept.
TLS_SPARE, TLS_SPARE_SECONDS = 16, 5.0
_REUSES = int(TargetCounter.REUSES)  # as a global: see `exchange.states`


class Pool:
    """The connections of one route, of one worker."""

    def __init__(  # noqa: PLR0913 (what a pool is made of)
        self,
        loop: asyncio.AbstractEventLoop,
        route: Route,
        row: memoryview,
        breaker: Breaker,
        outbox: Outbox,
        splicer: Splicer | None = None,
        splice_from: float = math.inf,
    ) -> None:
        """`splice_from`: bytes of an answer from which its rest is spliced.

        Whoever makes the pool has it `count_for` a target.
        """
        self.name = f"{route.host}:{route.port}"
        self.route = route
        self.timeouts = route.timeouts
        self.clock = loop.time
        self.soon: Callable[..., object] = loop.call_soon
        self.outbox = outbox
        self.splicer = splicer
        self.splice_from = splice_from
        self.retired = False
        self.breaker = breaker
        self._loop = loop
        self._endpoint = Endpoint(loop, route.host, route.port)
        self.target = ""  # whose connections these are, for counters
        self._cells: memoryview  # of that target
        self._row = row  # the worker's counters
        self._limits = route.pool
        self._context: ssl.SSLContext | None = None
        self._idle: deque[UpstreamConnection] = deque()
        self._busy: set[UpstreamConnection] = set()
        self._connecting: dict[asyncio.Task[None], WaitQueue] = {}  # a queue for each connect
        percent = self._limits.identity_percent
        self._shares = Shares(
            self._limits.max_connections, percent
        )  # of connections that are busy or being opened
        self._waiting = WaitQueues(self._limits.max_waiters, percent)

    def __repr__(self) -> str:
        return (
            f"<Pool {self.name} idle={len(self._idle)} busy={len(self._busy)} "
            f"connecting={len(self._connecting)} waiting={len(self._waiting)}>"
        )

    @property
    def open(self) -> int:
        """Connections open or being opened."""
        return len(self._idle) + len(self._busy) + len(self._connecting)

    @property
    def connections(self) -> tuple[int, int, int, int]:
        """How many are idle, busy and being opened, and how many requests wait for one."""
        return len(self._idle), len(self._busy), len(self._connecting), len(self._waiting)

    def count_for(self, target: str, cells: memoryview) -> None:
        """Count for this target, in its cells, from now on."""
        self.target, self._cells = target, cells

    def lease(
        self, lessee: Lessee, holder: str, *, fresh: bool = False, name: str | None = None
    ) -> None:
        """Find a connection for the lessee: calls `leased` or `lease_failed`, perhaps at once.

        The connection counts to the share of `holder`. `fresh` refuses kept connections, for a
        second try after a kept one failed. `name`: the name that the target must prove under TLS,
        if not the name of the route.
        """
        if self.breaker.failures and not self._may_try(lessee):
            return
        shares = self._shares
        if shares.total < shares.uncontested or shares.may_take(holder):
            while not fresh and (connection := self._kept(name)) is not None:
                if connection.silent():
                    self._hand_over(connection, lessee, holder)
                    return
                connection.abort()
            if self._idle and self.open >= self._limits.max_connections:
                self._idle.popleft().abort()  # to make room
        if not self._waiting.has_room(holder):
            self.breaker.give_back(lessee)
            lessee.lease_failed(f"{self.name}: too many requests wait", how=Failure.OVERLOAD)
            return
        until = self.clock() + self._limits.wait_seconds
        queue = self._waiting.add(lessee, holder, name, until)
        if len(queue.waiters) > queue.connects and self._has_place_for(queue):
            self._begin_connect(queue)
        else:
            self._cells[TargetCounter.POOL_WAITS] += 1

    def _may_try(self, lessee: Lessee) -> bool:
        """Whether the breaker lets this lessee try; tells it if not."""
        breaker = self.breaker
        if breaker.admits(self.clock(), lessee):
            return True
        lessee.lease_failed(self._refusal(), how=Failure.REFUSED)
        return False

    def _refusal(self) -> str:
        return f"{self.name}: not asked since it failed ({self.breaker.reason})"

    def _refuse_waiters(self) -> None:
        """Let nobody wait for a target whose breaker has opened."""
        if not self.breaker.admits_none:
            return
        for lessee in self._waiting.expired(math.inf):
            lessee.lease_failed(self._refusal(), how=Failure.REFUSED)

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
        """Let the lessee wait no longer."""
        self.breaker.give_back(lessee)
        self._waiting.remove(lessee)

    def take_back(self, connection: UpstreamConnection) -> None:
        """Keep a connection that ended its exchange cleanly."""
        self._busy.discard(connection)
        self._shares.give_back(connection.holder)
        if self._waiting.queues or self.retired:
            self._keep(connection)
        else:  # the usual case
            connection.idle_since = self.clock()
            self._idle.append(connection)

    def _keep(self, connection: UpstreamConnection) -> None:
        """Give a connection to a waiter, or keep it for the next lessee."""
        if self.breaker.failures:
            self._refuse_waiters()
        queue = self._waiting.next_for(connection.name, self._shares) if self._waiting else None
        if self.retired and queue is None:
            connection.abort()
        elif queue is not None:
            if connection.silent():
                self._serve(queue, connection)
            else:
                connection.abort()
        else:
            connection.idle_since = self.clock()
            self._idle.append(connection)
            if self._waiting:
                self._look_after_waiters()

    def _serve(self, queue: WaitQueue, connection: UpstreamConnection) -> bool:
        """Give a connection to the first waiter of this queue; False if there is none."""
        lessee = self._waiting.first(queue)
        if lessee is not None:
            self._hand_over(connection, lessee, queue.holder)
        return lessee is not None

    def opened(self) -> None:
        """Count a connection that was made."""
        self._row[Slot.CONNECTS] += 1
        self._row[Slot.UPSTREAM] += 1

    def forget(self, connection: UpstreamConnection) -> None:
        """Drop a connection that is closed, by whichever side."""
        self._row[Slot.UPSTREAM] -= 1
        if connection in self._busy:
            self._busy.discard(connection)
            self._shares.give_back(connection.holder)
        elif connection in self._idle:
            self._idle.remove(connection)
        self._look_after_waiters()

    def retire(self) -> None:
        """Keep no connection from now on: no snapshot has this route any more."""
        self.retired = True
        self._close_idle(before=float("inf"))

    def sweep(self, now: float) -> None:
        """Close, fail and expire connections and waiters that are past their deadline."""
        self._close_idle(before=now - self._limits.idle_seconds)
        if self.route.tls is not None:
            self._close_idle(before=now - TLS_SPARE_SECONDS, keep=TLS_SPARE)
        for connection in [busy for busy in self._busy if busy.deadline <= now]:
            connection.expire()
        for lessee in self._waiting.expired(now):
            self.breaker.give_back(lessee)
            lessee.lease_failed(f"{self.name}: no connection became free", how=Failure.OVERLOAD)

    def close(self) -> None:
        """Drop all connections; lessees are told that theirs is lost."""
        self.retired = True
        self._endpoint.close()
        for task in self._connecting:
            task.cancel()
        for connection in [*self._idle, *self._busy]:
            connection.transport.abort()

    def _close_idle(self, before: float, keep: int = 0) -> None:
        while len(self._idle) > keep and self._idle[0].idle_since < before:
            self._idle.popleft().abort()

    def _hand_over(self, connection: UpstreamConnection, lessee: Lessee, holder: str) -> None:
        self._busy.add(connection)
        self._shares.take(holder)
        if connection.uses:
            self._cells[_REUSES] += 1
        connection.begin(lessee, holder)
        try:
            lessee.leased(connection)
        except Exception as fault:
            lessee.crash(fault)

    def _has_place_for(self, queue: WaitQueue) -> bool:
        return self.open < self._limits.max_connections and self._shares.may_take(queue.holder)

    def _look_after_waiters(self) -> None:
        """Serve waiters, or connect for them, after a connection closed or came back."""
        if self.breaker.failures:
            self._refuse_waiters()
        while self._waiting:
            queue = self._waiting.next_to_connect(self._shares)
            if queue is None:
                return
            connection = self._kept(queue.name)
            if connection is not None:
                if not connection.silent():
                    connection.abort()
                else:
                    self._serve(queue, connection)
                continue
            if self.open >= self._limits.max_connections:
                if not self._idle:
                    return
                self._idle.popleft().abort()  # to make room
            self._begin_connect(queue)

    def _begin_connect(self, queue: WaitQueue) -> None:
        """Connect for a queue; until that ends, the connection counts to its holder's share."""
        queue.connects += 1
        self._shares.take(queue.holder)
        task = self._loop.create_task(self._connect(queue.name))
        self._connecting[task] = queue
        task.add_done_callback(self._end_connect)

    def _end_connect(self, task: asyncio.Task[None]) -> WaitQueue | None:
        queue = self._connecting.pop(task, None)
        if queue is not None:
            queue.connects -= 1
            self._shares.give_back(queue.holder)
        return queue

    async def _connect(self, name: str | None) -> None:
        try:
            connection = await self._open(name)
        except (OSError, ssl.SSLError, ValueError) as fault:
            self._connect_failed(fault, name)
            return
        if connection.transport.is_closing():
            self._connect_failed(ConnectionResetError("closed at once"), name)
            return
        queue = self._end_connect(_this_task())
        assert queue is not None  # this task's
        if not self._serve(queue, connection):
            self._keep(connection)
        self._waiting.tidy(queue)

    async def _open(self, name: str | None) -> UpstreamConnection:
        tls = self.route.tls
        if tls is not None and self._context is None:
            self._context = client_context(tls)
        began = time.perf_counter()
        _, connection = await self._endpoint.connect(
            lambda: UpstreamConnection(self, name),
            self.timeouts.connect_seconds,
            context=self._context,
            server_name=(name or tls.server_name) if tls is not None else None,
        )
        observe_connect(self._cells, time.perf_counter() - began)
        return connection

    def _connect_failed(self, fault: Exception, name: str | None) -> None:
        queue = self._end_connect(_this_task())
        assert queue is not None  # this task's
        self._row[Slot.CONNECT_ERRORS] += 1
        self._cells[TargetCounter.CONNECT_ERRORS] += 1
        lessee = self._waiting.first(queue)
        self._waiting.tidy(queue)
        place = self.name if name is None else f"{self.name} as {name}"
        reason = f"cannot connect to {place}: {of_connect(fault, tls=self.route.tls is not None)}"
        if _says_something(fault, name):
            self.breaker.failed(self.clock(), lessee, reason)
        elif lessee is not None:
            self.breaker.give_back(lessee)
        if lessee is not None:
            is_late = isinstance(fault, TimeoutError)
            lessee.lease_failed(reason, how=Failure.TIMEOUT if is_late else Failure.REFUSED)
        self._look_after_waiters()


def _says_something(fault: Exception, name: str | None) -> bool:
    """Whether a failed connect says that the target is down.

    A shortage of this machine does not; nor does a certificate that is not for the bucket whose
    name a client chose.
    """
    faults = [one for _, one in fault.by_address] if isinstance(fault, ConnectFailed) else [fault]
    is_about_name = name is not None and all(
        isinstance(one, ssl.SSLError | ValueError) for one in faults
    )
    return not (is_about_name or is_own_shortage(fault))


def _this_task() -> asyncio.Task[None]:
    task: asyncio.Task[None] | None = asyncio.current_task()
    assert task is not None  # called from a coroutine that runs as a task
    return task
