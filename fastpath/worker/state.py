"""What all connections of one worker share: the snapshot in force, pools, clock, counters.

Rules: `snapshot` changes in one assignment; pools outlive snapshots as long as their route stays
the same; `now` is the loop's clock, at most `TICK` seconds old, so that no connection needs to ask
for the time on every piece of a body.

Not here: the process (`worker`), what happens on a connection (`downstream`).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import resource
from typing import TYPE_CHECKING

from fastpath.exchange.form_upload import GatheringMemory
from fastpath.ipc.counters import Slot
from fastpath.sockets.outbox import Outbox
from fastpath.sockets.send_queue import unsent
from fastpath.upstream.bucket_regions import Places
from fastpath.upstream.credential_refresh import Renewals
from fastpath.upstream.pool import Pool
from fastpath.worker.descriptors import REFUSED_AT_ONCE, is_out, most_connections
from fastpath.worker.turns import Turns

if TYPE_CHECKING:
    from fastpath.client.connection import DownstreamConnection
    from fastpath.ipc.log import Journal
    from fastpath.routing.snapshot import Route, Snapshot
    from fastpath.sockets.splice import Splicer

_LINE_SECONDS = 60.0  # between two lines that say the same of a lack that goes on
TICK = 0.5  # seconds between two looks at every deadline


class Service:
    """The state of one worker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        snapshot: Snapshot,
        journal: Journal,
        row: memoryview,
        splicer: Splicer | None = None,
    ) -> None:
        """Without a `splicer` every body is copied."""
        self.outbox = Outbox(loop)
        self.turns = Turns(loop, snapshot.limits.requests_per_turn)
        self.splicer = splicer
        self.snapshot = snapshot
        self.journal = journal
        self.row = row
        self.clock = loop.time
        self.now = loop.time()
        self.draining = False
        self.connections: set[DownstreamConnection] = set()
        self._descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._told_short = -_LINE_SECONDS  # when that was
        self.most = most_connections(snapshot.limits.connections, self._descriptors)  # at a time
        self.handshakes = 0  # TLS handshakes of clients that run
        self.places = Places()
        self.form_memory = GatheringMemory()
        self.renewals = Renewals(journal, loop.time)
        self.empty = asyncio.Event()  # set once a draining worker has no connection left
        self._loop = loop
        self._pools: dict[str, Pool] = {}  # by Route.key
        self._prefix = os.urandom(4).hex().upper()
        self._requests = 0
        seed = hashlib.sha512(os.urandom(16)).digest()
        self.host_id = base64.b64encode(seed[:57]).decode()

    def next_request_id(self) -> str:
        """16 of 0-9A-F: unique in this worker, all of one worker begin alike (AWS errors 6.4)."""
        self._requests += 1
        return f"{self._prefix}{self._requests & 0xFFFFFFFF:08X}"

    def install(self, snapshot: Snapshot) -> None:
        """Serve this snapshot from now on; requests in flight end on theirs."""
        self.snapshot = snapshot
        self.turns.at_once = snapshot.limits.requests_per_turn
        self.most = most_connections(snapshot.limits.connections, self._descriptors)
        known = {target.route.key for target in snapshot.targets.values()}
        known |= self.places.keep(known)
        for key, pool in self._pools.items():
            if key not in known:
                pool.retire()
            else:
                pool.retired = False  # a reload may bring a route back
                pool.splice_from = snapshot.limits.splice_bytes
        self.row[Slot.GENERATION] = snapshot.generation
        self.renewals.look(snapshot)

    def pool(self, route: Route) -> Pool:
        """The pool of a route, made when it is first needed."""
        pool = self._pools.get(route.key)
        if pool is None:
            splice_from = self.snapshot.limits.splice_bytes
            pool = Pool(self._loop, route, self.row, self.outbox, self.splicer, splice_from)
            self._pools[route.key] = pool
        return pool

    def enter(self, connection: DownstreamConnection) -> bool:
        """A client connected; False when this worker has as many connections as it may."""
        self.connections.add(connection)
        self.row[Slot.ACCEPTED] += 1
        self.row[Slot.CONNECTIONS] = len(self.connections)
        if len(self.connections) <= self.most:
            return True
        self.short_of(f"{self.most} connections are open")
        return False

    @property
    def full(self) -> bool:
        """Whether the next client would be turned away."""
        return len(self.connections) >= self.most

    @property
    def overfull(self) -> bool:
        """Whether there is no room even for waiting until a client has read its refusal."""
        return len(self.connections) > self.most + REFUSED_AT_ONCE

    def short_of(self, what: str) -> None:
        """Clients are turned away: one line a minute says so."""
        if self.now < self._told_short + _LINE_SECONDS:
            return
        self._told_short = self.now
        remedy = "limits.connections"
        if self.most < self.snapshot.limits.connections:
            remedy = f"the limit of {self._descriptors} descriptors (ulimit -n, LimitNOFILE)"
        self.journal.event("warning", f"clients are turned away: {what}; raise {remedy}")

    def leave(self, connection: DownstreamConnection) -> None:
        """A client's connection is closed."""
        self.connections.discard(connection)
        self.row[Slot.CONNECTIONS] = len(self.connections)
        self._check_empty()

    def begin_handshake(self) -> bool:
        """A client wants TLS; False when as many shake hands as there may be connections."""
        if self.handshakes >= self.most:
            self.short_of(f"{self.most} handshakes run")
            return False
        self.handshakes += 1
        return True

    def end_handshake(self) -> None:
        """It is a connection now, or failed."""
        self.handshakes -= 1
        self._check_empty()

    def count_aborted(self) -> None:
        """A client left before its answer was whole."""
        self.row[Slot.ABORTED] += 1

    def count_retry(self) -> None:
        """A request goes up a second time."""
        self.row[Slot.RETRIES] += 1

    def sweep(self) -> None:
        """Hold everybody to their deadlines; called every `TICK` seconds."""
        now = self.now = self.clock()
        self.renewals.sweep(now)
        if is_out():
            self.short_of("no descriptor is left")
        members: list[DownstreamConnection | Pool] = [*self.connections, *self._pools.values()]
        for member in members:
            try:
                member.sweep(now)
            except Exception as fault:  # one bad member must not stop the clock of all others
                self.journal.crash(None, fault)
        for key, pool in list(self._pools.items()):
            if pool.retired and not pool.open:
                del self._pools[key]

    def drain(self) -> None:
        """Take no new connection's second request: every answer from now on says close."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()
        self._check_empty()

    def _check_empty(self) -> None:
        if self.draining and not self.connections and not self.handshakes:
            self.empty.set()

    def cut(self) -> int:
        """Break off what still runs; how many connections were cut.

        An answer that has ended for the gateway may not have reached its client yet.
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
        """Drop all upstream connections."""
        for pool in self._pools.values():
            pool.close()
        if self.splicer is not None:
            self.splicer.close()
