"""The workers: one place for each, with its listeners, its present worker and its crash record.

Rules: a place keeps its listening sockets open over the death of its worker, so that connections
wait in the queue for the replacement, except in a long back-off; a worker is freed only when it is
reaped; what a worker had in flight is read before its row is folded.

Not here: phases, signals, control (`supervisor`); numbering snapshots (`broadcast`).
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from typing import Final, NoReturn

from fastpath.ipc.counters import Page, PageFull, Slot, in_flight
from fastpath.ipc.frames import FrameType, encode
from gateway.supervisor import sockets
from gateway.supervisor.back_off import RESTARTS, BackOff
from gateway.supervisor.boot import Boot
from gateway.supervisor.children import Child, fork, how_it_ended
from gateway.supervisor.notices import Notices
from gateway.supervisor.preload import uncollected
from gateway.supervisor.pulse import Pulse, Reading
from gateway.supervisor.tempo import (
    LONG_BACK_OFF_SECONDS,
    MUTE_SECONDS,
    STABLE_SECONDS,
    Tempo,
)

EXIT_CUT: Final = 4  # of a worker: the drain deadline cut something


class Worker(Child):
    """One incarnation of a worker."""

    __slots__ = (
        "cut",
        "index",
        "killed",
        "mute_since",
        "pulse",
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
        self.cut = 0  # connections, as it says itself
        self.killed = False  # by us
        self.mute_since: float | None = None  # monotonic; its channel is closed
        self.pulse = Pulse()


class Place:
    """What outlives a worker: its index, listeners and crash record."""

    __slots__ = ("back_off", "epitaph", "index", "listeners", "worker")

    def __init__(self, index: int, listeners: list[socket.socket]) -> None:
        self.index = index
        self.listeners = listeners
        self.worker: Worker | None = None
        self.back_off = BackOff(RESTARTS)
        self.epitaph = ""  # of the last worker, until its replacement is there

    def close(self) -> None:
        """Gives up the listening sockets without letting a new connection in between."""
        for listener in self.listeners:
            sockets.refuse_new(listener)
        for listener in self.listeners:
            listener.close()
        self.listeners = []


class Crew:
    """All places of a supervisor."""

    def __init__(self, log: socket.socket, tempo: Tempo, notices: Notices) -> None:
        self._page: Page  # made when the configuration is known: see `open`
        self._log = log
        self._tempo = tempo
        self._notices = notices
        self._places: list[Place] = []
        self._backlog = 0
        self._access_log = "off"
        self._trusted_since = 0.0
        self._drain_deadline: float | None = None  # monotonic
        self.endpoints: list[sockets.Endpoint] = []
        self.cut = 0  # connections cut while draining

    def open(self, settings: Boot, page: Page) -> None:
        """Binds. Raises BindError."""
        self._page = page
        self._backlog = settings.backlog
        wanted = settings.access_log != "off"
        self._access_log = settings.log_format if wanted else "off"
        self.endpoints, listeners = sockets.open_all(
            settings.listen, settings.workers, settings.backlog, settings.listen_tls
        )
        self._places = [Place(index, mine) for index, mine in enumerate(listeners)]

    def workers(self) -> Iterator[Worker]:
        """The workers that are not reaped yet."""
        return (place.worker for place in self._places if place.worker is not None)

    @property
    def count(self) -> int:
        return sum(1 for _ in self.workers())

    def serves(self, generation: int) -> bool:
        """Whether every living worker, and at least one, serves this generation."""
        present = list(self.workers())
        return bool(present) and all(worker.served >= generation for worker in present)

    # Spawn

    def spawn_missing(self, frame: bytes, now: float) -> None:
        """Starts a worker in every empty place whose time has come; `frame` is its snapshot."""
        for place in self._places:
            if place.worker is None and now >= place.back_off.until:
                try:
                    self._spawn(place, frame)
                except (OSError, PageFull, sockets.BindError) as error:
                    self._notices.error(f"worker {place.index} cannot be started: {error}")
                    self._postpone(place, now)
                else:
                    self._report_spawn(place)

    def _spawn(self, place: Place, frame: bytes) -> None:
        if not place.listeners:
            place.listeners = [
                sockets.open_listener(endpoint, self._backlog) for endpoint in self.endpoints
            ]
        row_number = self._page.acquire()
        row = self._page.row(row_number)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)

        def serve() -> NoReturn:
            with uncollected():
                from fastpath.worker import process  # after the fork: not in the supervisor

            process.run(
                process.Seat(
                    index=place.index,
                    listeners=self._listeners(place, tls=False),
                    tls_listeners=self._listeners(place, tls=True),
                    backlog=self._backlog,
                    channel=theirs,
                    log=self._log,
                    row=row,
                    access_log=self._access_log,
                )
            )

        row[Slot.WORKER] = place.index
        row[Slot.HEARTBEAT] = time.monotonic_ns()
        keep = [theirs.fileno(), self._log.fileno(), *(one.fileno() for one in place.listeners)]
        try:
            pid = fork(f"s3gw worker {place.index}", keep, serve, leash=True)
        except OSError:
            self._page.retire(row_number)
            ours.close()
            raise
        finally:
            theirs.close()
        row[Slot.PID] = pid
        place.worker = Worker(place.index, pid, ours, row_number)
        place.worker.row = row
        place.worker.send(frame)

    def _listeners(self, place: Place, *, tls: bool) -> tuple[socket.socket, ...]:
        pairs = zip(self.endpoints, place.listeners, strict=True)
        return tuple(listener for endpoint, listener in pairs if endpoint.tls is tls)

    def _report_spawn(self, place: Place) -> None:
        pid = place.worker.pid if place.worker else 0
        if place.epitaph:
            self._notices.warning(f"{place.epitaph}, replaced by pid {pid}")
            place.epitaph = ""
        else:
            self._notices.debug(f"worker {place.index} started as pid {pid}")

    # Reap

    def find(self, pid: int) -> Worker | None:
        """The worker with this pid."""
        return next((worker for worker in self.workers() if worker.pid == pid), None)

    def dismiss(self, worker: Worker) -> None:
        """Frees what a reaped worker had."""
        self._page.retire(worker.row_number)
        worker.close()
        self._places[worker.index].worker = None

    def bury(self, worker: Worker, status: int, now: float) -> None:
        """Frees the place of a reaped worker and sets the time of its replacement."""
        self.dismiss(worker)
        place = self._places[worker.index]
        if now - worker.spawned_monotonic >= STABLE_SECONDS:
            place.back_off.succeed()
        place.epitaph = f"worker {worker.index} (pid {worker.pid}) {how_it_ended(status)}"
        self._postpone(place, now)

    def bury_drained(self, worker: Worker, status: int) -> None:
        """The same while draining: nobody follows, and what was cut counts."""
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

    def _postpone(self, place: Place, now: float) -> None:
        delay = place.back_off.fail(now)
        if delay >= LONG_BACK_OFF_SECONDS:
            place.close()
        if delay:
            what = place.epitaph or f"worker {place.index} is missing"
            self._notices.warning(f"{what}, next start in {delay:g} seconds")
            place.epitaph = f"worker {place.index} was missing for {delay:g} seconds"

    # Watch

    def trust_from(self, now: float) -> None:
        """Counts silence from now on: the supervisor itself was not running until now.

        After Ctrl-Z and fg, or a pause of the whole machine, every heartbeat is old.
        """
        self._trusted_since = now

    def watch(self, now: float, generation: int, deadline: float | None) -> None:
        """Kills workers that hang, do not get ready, or did not take `generation` by `deadline`."""
        for worker in self.workers():
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
                f"is not ready after {waited:.1f} s" if waited > self._tempo.boot_seconds else None
            )
        since = max(worker.ready_since, self._trusted_since)
        reading = Reading.take(worker.pid, worker.row)
        hangs = worker.pulse.fault(reading, now, since, self._tempo.heartbeat_seconds)
        if hangs is not None:
            return hangs
        if deadline is not None and now > deadline and worker.served < generation:
            return f"did not take generation {generation} in time"
        return None

    # Broadcast, drain, end

    def send(self, frame: bytes) -> None:
        """Sends one frame to every worker that is ready; the others are told when they are."""
        for worker in self.workers():
            if worker.ready_since is not None:
                worker.send(frame)

    def take_ready(self, worker: Worker, served: int, frame: bytes, generation: int) -> None:
        """A worker serves: sends it what it has missed since its fork."""
        worker.ready_since = time.monotonic()
        worker.served = max(worker.served, served)
        if worker.served < generation:
            worker.send(frame)
        if self._drain_deadline is not None:
            worker.send(_drain_frame(self._drain_deadline - worker.ready_since))

    def drain(self, seconds: float) -> None:
        """Turns new connections away, tells every worker to finish, gives up the sockets.

        Our copies go at once, so that a worker's own close is the last one.
        """
        self._drain_deadline = time.monotonic() + seconds
        for listener in (one for place in self._places for one in place.listeners):
            sockets.refuse_new(listener)
        self.send(_drain_frame(seconds))
        for place in self._places:
            place.close()

    def kill(self) -> None:
        """Kills every worker."""
        for worker in self.workers():
            worker.killed = True
            worker.kill()


def _drain_frame(seconds: float) -> bytes:
    payload = json.dumps({"deadline_seconds": round(max(seconds, 0.0), 3)})
    return encode(FrameType.DRAIN, 0, payload.encode())
