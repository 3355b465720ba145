"""Starts, watches and replaces the workers: one slot for each, with its listening sockets.

Rules: a slot keeps its listening sockets when its worker dies, so that connections wait in the
queue for the replacement, except in a long back-off; a slot is free when its worker is reaped; the
requests that a worker had in flight are read before its row of counters is retired.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from typing import Final, NoReturn

from fastpath.ipc.counters import Page, PageFull, Slot, WorkerCells, in_flight
from fastpath.ipc.frames import FrameType, encode
from gateway.supervisor import sockets
from gateway.supervisor.back_off import RESTARTS, BackOff
from gateway.supervisor.boot_settings import Boot
from gateway.supervisor.children import Child, fork, how_it_ended
from gateway.supervisor.heartbeat import Heartbeat, Reading
from gateway.supervisor.neighbours import Neighbours
from gateway.supervisor.notices import Notices
from gateway.supervisor.preload import without_collector
from gateway.supervisor.timeouts import (
    LONG_BACK_OFF_SECONDS,
    MUTE_SECONDS,
    STABLE_SECONDS,
    Timeouts,
)

EXIT_CUT: Final = 4  # of a worker: the drain deadline cut something


class Worker(Child):
    """One worker process."""

    __slots__ = (
        "cut",
        "heartbeat",
        "index",
        "killed",
        "mute_since",
        "ready_since",
        "row",
        "row_number",
        "served",
    )

    def __init__(self, index: int, pid: int, channel: socket.socket, row_number: int) -> None:
        super().__init__(f"worker {index}", pid, channel)
        self.index = index
        self.row_number = row_number
        self.row: memoryview = memoryview(b"")
        self.ready_since: float | None = None  # monotonic
        self.served = 0  # generation
        self.cut = 0  # connections, as the worker reports
        self.killed = False  # by the supervisor
        self.mute_since: float | None = None  # monotonic; its channel is closed
        self.heartbeat = Heartbeat()


class WorkerSlot:
    """What stays when a worker is replaced: its index, listeners and back-off."""

    __slots__ = ("back_off", "index", "last_exit", "listeners", "worker")

    def __init__(self, index: int, listeners: list[socket.socket]) -> None:
        self.index = index
        self.listeners = listeners
        self.worker: Worker | None = None
        self.back_off = BackOff(RESTARTS)
        self.last_exit = ""  # of the last worker, until its replacement is there

    def close(self) -> None:
        """Closes the listening sockets; no connection enters a queue meanwhile."""
        for listener in self.listeners:
            sockets.refuse_new(listener)
        for listener in self.listeners:
            listener.close()
        self.listeners = []


class Workers:
    """All slots of a supervisor."""

    def __init__(self, log: socket.socket, timeouts: Timeouts, notices: Notices) -> None:
        self._page: Page  # made when the configuration is known: see `open`
        self._log = log
        self._timeouts = timeouts
        self._notices = notices
        self._slots: list[WorkerSlot] = []
        self._backlog = 0
        self._access_log = "off"
        self._tells_requests = False
        self._trusted_since = 0.0
        self._drain_deadline: float | None = None  # monotonic
        self._neighbours: list[Neighbours] = []
        self.waits = False  # for `accept`: no worker takes connections yet
        self.endpoints: list[sockets.Endpoint] = []
        self.cut = 0  # connections cut while draining

    def open(self, settings: Boot, page: Page, *, beside: bool = False) -> None:
        """Binds the addresses, and makes a slot for each worker. Raises BindError.

        With `beside`, another gateway may have the addresses too. It then has all connections
        until `accept`: what waits in the queues of a start that fails would be lost.
        """
        self._page = page
        self._backlog = settings.backlog
        wanted = settings.access_log != "off"
        self._access_log = settings.log_format if wanted else "off"
        self._tells_requests = settings.admin is not None
        self.endpoints, listeners = sockets.open_all(
            settings.listen,
            settings.workers,
            settings.backlog,
            settings.listen_tls,
            beside=beside,
        )
        self._slots = [WorkerSlot(index, mine) for index, mine in enumerate(listeners)]
        self._neighbours = [
            Neighbours(endpoint, self._all_of(number))
            for number, endpoint in enumerate(self.endpoints)
        ]
        self.waits = beside and self.share
        if beside and not self.waits:
            self._listen()

    def accept(self) -> None:
        """Has the workers that wait for it take connections. Raises BindError."""
        self.waits = False
        self._listen()
        self.send(encode(FrameType.SERVE))

    def _listen(self) -> None:
        for slot in self._slots:
            for endpoint, listener in zip(self.endpoints, slot.listeners, strict=True):
                sockets.listen(listener, endpoint, self._backlog)

    @property
    def share(self) -> bool:
        """Whether another gateway listened at an address when this one came."""
        return any(neighbours.came_first for neighbours in self._neighbours)

    def _all_of(self, number: int) -> list[socket.socket]:
        """Returns the listening sockets of one endpoint."""
        return [slot.listeners[number] for slot in self._slots if slot.listeners]

    def living(self) -> Iterator[Worker]:
        """Returns the workers that are not reaped yet."""
        return (slot.worker for slot in self._slots if slot.worker is not None)

    @property
    def count(self) -> int:
        return sum(1 for _ in self.living())

    def serves(self, generation: int) -> bool:
        """Whether every living worker, and at least one, serves this generation."""
        present = list(self.living())
        return bool(present) and all(worker.served >= generation for worker in present)

    # Spawn

    def spawn_missing(self, frame: bytes, now: float) -> None:
        """Starts a worker in every empty slot whose back-off is over; `frame` is its snapshot."""
        for slot in self._slots:
            if slot.worker is None and now >= slot.back_off.until:
                try:
                    self._spawn(slot, frame)
                except (OSError, PageFull, sockets.BindError) as error:
                    self._notices.error(f"worker {slot.index} cannot be started: {error}")
                    self._postpone(slot, now)
                else:
                    self._report_spawn(slot)

    def _spawn(self, slot: WorkerSlot, frame: bytes) -> None:
        if not slot.listeners:
            slot.listeners = [
                sockets.open_listener(endpoint, self._backlog) for endpoint in self.endpoints
            ]
        row_number = self._page.acquire()
        row = self._page.row(row_number)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)

        def serve() -> NoReturn:
            with without_collector():
                from fastpath.worker import process  # after the fork: not in the supervisor

            process.run(
                process.WorkerArguments(
                    index=slot.index,
                    listeners=self._listeners(slot, tls=False),
                    tls_listeners=self._listeners(slot, tls=True),
                    backlog=self._backlog,
                    channel=theirs,
                    log=self._log,
                    cells=WorkerCells(self._page, row_number),
                    access_log=self._access_log,
                    tells_requests=self._tells_requests,
                    waits=self.waits,
                )
            )

        row[Slot.WORKER] = slot.index
        row[Slot.HEARTBEAT] = time.monotonic_ns()
        keep = [theirs.fileno(), self._log.fileno(), *(one.fileno() for one in slot.listeners)]
        try:
            pid = fork(f"s3gw worker {slot.index}", keep, serve, die_with_parent=True)
        except OSError:
            self._page.retire(row_number)
            ours.close()
            raise
        finally:
            theirs.close()
        row[Slot.PID] = pid
        slot.worker = Worker(slot.index, pid, ours, row_number)
        slot.worker.row = row
        slot.worker.send(frame)

    def _listeners(self, slot: WorkerSlot, *, tls: bool) -> tuple[socket.socket, ...]:
        pairs = zip(self.endpoints, slot.listeners, strict=True)
        return tuple(listener for endpoint, listener in pairs if endpoint.tls is tls)

    def _report_spawn(self, slot: WorkerSlot) -> None:
        pid = slot.worker.pid if slot.worker else 0
        if slot.last_exit:
            self._notices.warning(f"{slot.last_exit}, replaced by pid {pid}")
            slot.last_exit = ""
        else:
            self._notices.debug(f"worker {slot.index} started as pid {pid}")

    # Reap

    def find(self, pid: int) -> Worker | None:
        """The worker with this pid."""
        return next((worker for worker in self.living() if worker.pid == pid), None)

    def dismiss(self, worker: Worker) -> None:
        """Retires the row and frees the slot of a reaped worker."""
        self._page.retire(worker.row_number)
        worker.close()
        self._slots[worker.index].worker = None

    def reap(self, worker: Worker, status: int, now: float) -> None:
        """Frees the slot of a reaped worker, and plans its replacement."""
        self._count_exit(worker, status)
        self.dismiss(worker)
        slot = self._slots[worker.index]
        if now - worker.spawned_monotonic >= STABLE_SECONDS:
            slot.back_off.succeed()
        slot.last_exit = f"worker {worker.index} (pid {worker.pid}) {how_it_ended(status)}"
        self._postpone(slot, now)

    def _count_exit(self, worker: Worker, status: int) -> None:
        killed = Slot.EXITS_KILLED if os.WIFSIGNALED(status) else Slot.EXITS_CRASHED
        self._page.supervisor_row[Slot.EXITS_HUNG if worker.killed else killed] += 1

    def reap_drained(self, worker: Worker, status: int) -> None:
        """Frees the slot of a worker that was reaped while draining; counts what it cut."""
        running = in_flight(worker.row)
        self.dismiss(worker)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return
        # One that had to be killed cut something, if only what waited in its accept queue.
        self.cut += worker.cut or max(running, 1)
        if not (os.WIFEXITED(status) and os.WEXITSTATUS(status) == EXIT_CUT):
            self._notices.warning(
                f"worker {worker.index} (pid {worker.pid}) {how_it_ended(status)} while draining"
            )

    def _postpone(self, slot: WorkerSlot, now: float) -> None:
        delay = slot.back_off.fail(now)
        if delay >= LONG_BACK_OFF_SECONDS:
            slot.close()
        if delay:
            what = slot.last_exit or f"worker {slot.index} is missing"
            self._notices.warning(f"{what}, next start in {delay:g} seconds")
            slot.last_exit = f"worker {slot.index} was missing for {delay:g} seconds"

    # Watch

    def trust_from(self, now: float) -> None:
        """Counts silence from `now` on: the supervisor itself did not run until then.

        After Ctrl-Z and fg, or a pause of the whole machine, every heartbeat is old.
        """
        self._trusted_since = now

    def watch(self, now: float, generation: int, deadline: float | None) -> None:
        """Kills workers that hang, do not get ready, or did not take `generation` by `deadline`."""
        for worker in self.living():
            reason = self._fault(worker, now, generation, deadline)
            if reason and not worker.killed:
                self._notices.error(f"worker {worker.index} (pid {worker.pid}) {reason}")
                worker.killed = True
                worker.kill()

    def _fault(
        self, worker: Worker, now: float, generation: int, deadline: float | None
    ) -> str | None:
        if worker.channel is None:
            worker.mute_since = worker.mute_since or now
            if now - worker.mute_since > MUTE_SECONDS:
                return "closed its channel and stayed"
        if worker.ready_since is None:
            waited = now - max(worker.spawned_monotonic, self._trusted_since)
            return (
                f"is not ready after {waited:.1f} s"
                if waited > self._timeouts.boot_seconds
                else None
            )
        since = max(worker.ready_since, self._trusted_since)
        reading = Reading.take(worker.pid, worker.row)
        hangs = worker.heartbeat.fault(reading, now, since, self._timeouts.heartbeat_seconds)
        if hangs is not None:
            return hangs
        if deadline is not None and now > deadline and worker.served < generation:
            return f"did not take generation {generation} in time"
        return None

    # Send, drain, kill

    def send(self, frame: bytes) -> None:
        """Sends one frame to every worker that is ready; the others get it when they are."""
        for worker in self.living():
            if worker.ready_since is not None:
                worker.send(frame)

    def take_ready(self, worker: Worker, served: int, frame: bytes, generation: int) -> None:
        """Notes that a worker serves, and sends it what was published since its fork."""
        worker.ready_since = time.monotonic()
        worker.served = max(worker.served, served)
        if worker.served < generation:
            worker.send(frame)
        if self._drain_deadline is not None:
            worker.send(_drain_frame(self._drain_deadline - worker.ready_since))

    def drain(self, seconds: float) -> None:
        """Refuses new connections, tells every worker to finish, and closes the sockets.

        The supervisor's copies are closed at once, so that a worker's own close is the last one.
        """
        self._drain_deadline = time.monotonic() + seconds
        for number, neighbours in enumerate(self._neighbours):
            neighbours.prefer(self._all_of(number))
        for listener in (one for slot in self._slots for one in slot.listeners):
            sockets.refuse_new(listener)
        self.send(_drain_frame(seconds))
        for slot in self._slots:
            slot.close()

    def kill(self) -> None:
        """Kills every worker."""
        for worker in self.living():
            worker.killed = True
            worker.kill()


def _drain_frame(seconds: float) -> bytes:
    payload = json.dumps({"deadline_seconds": round(max(seconds, 0.0), 3)})
    return encode(FrameType.DRAIN, 0, payload.encode())
