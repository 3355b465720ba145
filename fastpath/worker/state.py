"""The state that all connections of one worker share: snapshot in force, pools, clock, counters.

Rules: `snapshot` changes in one assignment. A pool outlives snapshots as long as its route stays
the same. `now` is the loop's clock, at most `TICK` seconds old, so that no connection asks for the
time for every piece of a body.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import resource
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from fastpath.client.pipelining import Turns
from fastpath.composed.operations import OPERATIONS
from fastpath.custom.client import RouterClient
from fastpath.exchange.form_upload import FormMemory
from fastpath.ipc.counters import Slot, WorkerCells
from fastpath.ipc.meter import Meter
from fastpath.sockets.outbox import Outbox
from fastpath.sockets.unsent_bytes import unsent
from fastpath.upstream.breakers import Breakers
from fastpath.upstream.bucket_regions import BucketRegions
from fastpath.upstream.credential_refresh import CredentialRefresh
from fastpath.upstream.pool import Pool
from fastpath.worker import memory
from fastpath.worker.connection_limit import REFUSED_AT_ONCE, is_out, most_connections

if TYPE_CHECKING:
    from fastpath.client.worker_protocol import Connection
    from fastpath.composed.operation import Operations
    from fastpath.ipc.counters import TargetCells
    from fastpath.ipc.log import WorkerLog
    from fastpath.routing.snapshot import Route, Snapshot
    from fastpath.routing.table import RoutingTable
    from fastpath.sockets.splice import Splicer

_LINE_SECONDS = 60.0  # between two lines about the same shortage
# To undo at a target what a request has left there; what is not done by then, a repair line names.
AFTERWARDS_SECONDS = 60.0
_LOOK_UPS = (Slot.CACHE_HITS, Slot.CACHE_MISSES, Slot.CACHE_EVICTIONS)
# From so many closed connections on, their memory is worth giving back; so seldom, as it takes some
# milliseconds and connections may be closed all the time.
_MANY_CLOSED, _GIVE_BACK_SECONDS = 16, 10.0
TICK = 0.5  # seconds between two checks of every deadline


class WorkerState:
    """The state of one worker."""

    def __init__(  # noqa: PLR0913 (what a worker is made of)
        self,
        loop: asyncio.AbstractEventLoop,
        snapshot: Snapshot,
        log: WorkerLog,
        row: memoryview,
        splicer: Splicer | None = None,
        cells: Callable[[str], TargetCells | None] = lambda _: None,
        meter: Meter | None = None,
    ) -> None:
        """Without a `splicer` every body is copied; `cells` are those of a target, by its name.

        Without a `meter`, nobody reads what is counted by target and identity.
        """
        self.outbox = Outbox(loop)
        self.turns = Turns(loop, snapshot.limits.requests_per_turn)
        self.splicer = splicer
        self.snapshot = snapshot
        self.log = log
        log.sampling = snapshot.sampling
        self.row = row
        self.meter = meter or Meter(WorkerCells.apart())
        self.clock = loop.time
        self.now = loop.time()
        self.draining = False
        self.connections: set[Connection] = set()
        self._descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._shortage_logged_at = -_LINE_SECONDS
        self.max_connections = most_connections(snapshot.limits.connections, self._descriptors)
        self.handshakes = 0  # clients' TLS handshakes under way
        self.breakers = Breakers(log, loop.time, cells)
        self.barred: Mapping[str, str] = self.breakers.barred
        self.bucket_regions = BucketRegions()
        self.form_memory = FormMemory()
        self.composed: Operations = OPERATIONS
        self.custom = RouterClient(loop, log, row)  # asked if the snapshot has a `custom`
        self.credential_refresh = CredentialRefresh(log, loop.time)
        self.empty = asyncio.Event()  # set once a draining worker has no connection left
        self._tasks: set[asyncio.Task[None]] = set()  # of exchanges
        self._afterwards: set[asyncio.Task[None]] = set()  # work that outlives its request
        self._loop = loop
        self._pools: dict[str, Pool] = {}  # by Route.key
        self._gave_back = 0, 0.0  # at how many closed connections, and when
        self._looked_up = (0, 0, 0)  # of the table in force: hits, misses, evictions
        self._owners: dict[str, str] = {}  # by Route.key: the first target that has it
        self._prefix = os.urandom(4).hex().upper()
        self._requests = 0
        seed = hashlib.sha512(os.urandom(16)).digest()
        self.host_id = base64.b64encode(seed[:57]).decode()

    def next_request_id(self) -> str:
        """16 of 0-9A-F: unique in this worker; ids of one worker begin alike (AWS errors 6.4)."""
        self._requests += 1
        return f"{self._prefix}{self._requests & 0xFFFFFFFF:08X}"

    def install(self, snapshot: Snapshot) -> None:
        """Serve this snapshot from now on; requests in flight end on the one they began with."""
        self._count_look_ups(self.snapshot.routing)
        self._looked_up = (0, 0, 0)
        self.snapshot = snapshot
        self.log.sampling = snapshot.sampling
        self.turns.at_once = snapshot.limits.requests_per_turn
        self.max_connections = most_connections(snapshot.limits.connections, self._descriptors)
        known = {target.route.key for target in snapshot.targets.values()}
        known |= self.bucket_regions.keep(known)
        for key, pool in self._pools.items():
            if key not in known:
                pool.retire()
            else:
                pool.retired = False  # a reload may bring a route back
                pool.splice_from = snapshot.limits.splice_bytes
        self._own_pools(snapshot)
        self.breakers.install(snapshot)
        self.row[Slot.GENERATION] = snapshot.generation
        self.credential_refresh.install(snapshot)
        self.custom.install(snapshot)

    def _own_pools(self, snapshot: Snapshot) -> None:
        """Have each pool count for the first target that has its route."""
        names = (caller.name for caller in snapshot.callers.values())
        self.meter.install(snapshot.targets, names)
        self._owners = {}
        for name, target in snapshot.targets.items():
            self._owners.setdefault(target.route.key, name)
        for key, pool in self._pools.items():
            owner = self._owners.get(key, pool.target)
            pool.count_for(owner, self.meter.target(owner))

    def pool(self, route: Route, target: str) -> Pool:
        """The pool of a route, made when a request for `target` first needs it."""
        pool = self._pools.get(route.key)
        if pool is None:
            splice_from = self.snapshot.limits.splice_bytes
            breaker = self.breakers.of(route)
            pool = Pool(
                self._loop, route, self.row, breaker, self.outbox, self.splicer, splice_from
            )
            owner = self._owners.get(route.key, target)
            pool.count_for(owner, self.meter.target(owner))
            self._pools[route.key] = pool
        return pool

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have a coroutine run as a task, whose end a drain waits for.

        One that is cancelled may still have something to undo: see `afterwards`.
        """
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end_task)
        return task

    def _end_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._check_empty()

    def afterwards(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that outlives its request, for AFTERWARDS_SECONDS; a drain waits for it."""
        task = self._loop.create_task(asyncio.wait_for(work, AFTERWARDS_SECONDS))
        self._afterwards.add(task)
        task.add_done_callback(partial(self._end_afterwards, work))

    def _end_afterwards(self, work: Coroutine[Any, Any, None], task: asyncio.Task[None]) -> None:
        self._afterwards.discard(task)
        work.close()  # Python complains of one that was cancelled before it began
        fault = None if task.cancelled() else task.exception()
        if fault is not None and not isinstance(fault, TimeoutError):
            self.log.crash(fault)
        self._check_empty()

    def enter(self, connection: Connection) -> bool:
        """Register a connection; False if the worker has as many as it may."""
        self.connections.add(connection)
        self.row[Slot.ACCEPTED] += 1
        self.row[Slot.CONNECTIONS] = len(self.connections)
        if len(self.connections) <= self.max_connections:
            return True
        self.report_shortage(f"{self.max_connections} connections are open")
        return False

    @property
    def full(self) -> bool:
        """Whether the next client would be turned away."""
        return len(self.connections) >= self.max_connections

    @property
    def overfull(self) -> bool:
        """Whether a refused client cannot even be given time to read its refusal."""
        return len(self.connections) > self.max_connections + REFUSED_AT_ONCE

    def report_shortage(self, what: str) -> None:
        """Log, once a minute, that clients are turned away and what helps."""
        if self.now < self._shortage_logged_at + _LINE_SECONDS:
            return
        self._shortage_logged_at = self.now
        remedy = "router.limits.connections"
        if self.max_connections < self.snapshot.limits.connections:
            remedy = f"the limit of {self._descriptors} descriptors (ulimit -n, LimitNOFILE)"
        self.log.event("warning", f"clients are turned away: {what}; raise {remedy}")

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self.connections.discard(connection)
        self.row[Slot.CONNECTIONS] = len(self.connections)
        self._check_empty()

    def begin_handshake(self) -> bool:
        """Count a TLS handshake; False if as many are under way as there may be connections."""
        if self.handshakes >= self.max_connections:
            self.report_shortage(f"{self.max_connections} handshakes run")
            return False
        self.handshakes += 1
        return True

    def end_handshake(self) -> None:
        """Count the end of a TLS handshake."""
        self.handshakes -= 1
        self._check_empty()

    def count_aborted(self) -> None:
        """Count a client that left before its answer was whole."""
        self.row[Slot.ABORTED] += 1

    def sweep(self) -> None:
        """End everything that is past its deadline; called every `TICK` seconds."""
        now = self.now = self.clock()
        self.credential_refresh.sweep(now)
        self.breakers.sweep(now)
        if is_out():
            self.report_shortage("no descriptor is left")
        members: list[Connection | Pool] = [*self.connections, *self._pools.values()]
        for member in members:
            try:
                member.sweep(now)
            except Exception as fault:  # one bad member must not stop the clock of all others
                self.log.crash(fault)
        for key, pool in list(self._pools.items()):
            if pool.retired and not pool.open:
                del self._pools[key]
                self.breakers.forget(key)
        self.meter.show_pools(self._pools.values())
        self.meter.flush()
        self._count_look_ups(self.snapshot.routing)
        self._give_memory_back()

    def _give_memory_back(self) -> None:
        """After many connections to targets were closed: a burst is over."""
        closed = self.row[Slot.CONNECTS] - self.row[Slot.UPSTREAM]
        closed_before, given_at = self._gave_back
        if closed - closed_before >= _MANY_CLOSED and self.now - given_at >= _GIVE_BACK_SECONDS:
            self._gave_back = closed, self.now
            memory.give_back()

    def _count_look_ups(self, table: RoutingTable) -> None:
        """Count what the cache of plans did since the last time."""
        now = table.hits, table.misses, table.evictions
        for slot, more, before in zip(_LOOK_UPS, now, self._looked_up, strict=True):
            self.row[slot] += more - before
        self._looked_up = now

    def drain(self) -> None:
        """Begin to drain: every answer from now on is the last of its connection."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()
        self._check_empty()

    def _check_empty(self) -> None:
        is_busy = self.connections or self.handshakes or self._tasks or self._afterwards
        if self.draining and not is_busy:
            self.empty.set()

    def cut(self) -> int:
        """Break off all exchanges; returns how many connections were cut.

        An answer that is complete for the gateway may not have reached its client yet.
        """
        cut = 0
        for connection in list(self.connections):
            exchange = connection.exchange
            if exchange is not None:
                exchange.cut()
            if exchange is not None or unsent(connection.transport):
                cut += 1
            connection.abort()
        return cut

    def close(self) -> None:
        """Drop all connections to targets, and to the custom router; write the last times."""
        self.meter.flush()
        for task in self._afterwards:
            task.cancel()
        self.custom.close()
        for pool in self._pools.values():
            pool.close()
        if self.splicer is not None:
            self.splicer.close()
