"""The worker process: listens, serves, obeys the supervisor's pipe, drains, leaves.

Rules: a worker lives as long as its supervisor's channel is open; the first snapshot comes before
the first accept; a snapshot is compiled, swapped in with one assignment, then acknowledged; the
heartbeat is written by the event loop itself, so a loop that hangs stops it; SIGINT is the
supervisor's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import NoReturn

from fastpath.client.connection import ClientConnection
from fastpath.ipc.core_tasks import CoreTasks
from fastpath.ipc.counters import Slot, WorkerCells, WorkerPhase, in_flight
from fastpath.ipc.frames import Frame, FrameReader, FrameType, encode
from fastpath.ipc.log import WorkerLog
from fastpath.ipc.meter import Meter
from fastpath.payload import checksums
from fastpath.routing.snapshot import Snapshot, load_snapshot
from fastpath.sockets.reuseport import choose_by_hash
from fastpath.sockets.splice import Splicer
from fastpath.sockets.tls import server_context
from fastpath.sockets.unsent_bytes import bound_unsent
from fastpath.worker.state import TICK, WorkerState
from fastpath.worker.tls_listener import TLSListener

EXIT_CLEAN = 0
EXIT_BOOT = 3
EXIT_CUT = 4

_DEFAULT_DRAIN_SECONDS = 30.0

# Without a request for this long, a worker imports what only some requests need.
_IDLE_SECONDS = 1.0

_TICK_NS = int(TICK * 1_000_000_000)
_BEATS = 60  # half a minute: longer than what passes between two scrapes, as a rule

# Handshakes that began before the supervisor shut the door still end in the accept queue; closing a
# listener resets whoever is in it.
_LAST_ACCEPTS_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class WorkerArguments:
    """What the supervisor passes to a worker. Field meanings: docs/processes.md."""

    index: int
    listeners: tuple[socket.socket, ...]
    tls_listeners: tuple[socket.socket, ...]
    backlog: int
    channel: socket.socket
    log: socket.socket
    cells: WorkerCells
    access_log: str  # the form of its lines, or off
    tells_requests: bool  # to control, for the admin plane
    waits: bool = False  # to be told before it takes connections


def run(arguments: WorkerArguments) -> NoReturn:
    """Serve until told to leave.

    Exits 0 after a clean drain, 4 if it cut something, 3 unbooted, 70 if a core task ended.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    silence_loop_warnings()
    try:
        code = _new_runner().run(Worker(arguments).live())
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else EXIT_BOOT
    os._exit(code)


def silence_loop_warnings() -> None:
    """Keep the loop's warnings from standard error: they are about writes to clients that left.

    A TLS transport whose peer is gone says so to its protocol a turn later, and in that turn as
    much may be written to it as the kernel has. What goes wrong comes to `_on_loop_fault`.
    """
    logging.getLogger("asyncio").setLevel(logging.ERROR)


async def _prepare(snapshot: Snapshot) -> None:
    """Finish a snapshot before it is served, a few milliseconds at a time."""
    for _ in snapshot.routing.prepare():
        await asyncio.sleep(0)


def _new_runner() -> asyncio.Runner:
    try:
        import uvloop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


class Worker:
    """One worker process."""

    def __init__(self, arguments: WorkerArguments) -> None:
        self._arguments = arguments
        self._row = arguments.cells.row
        self._frames = FrameReader()
        self._accepting: list[asyncio.Server | TLSListener] = []
        self._left = asyncio.Event()
        self._deadline = asyncio.Event()  # of the drain: what runs then is cut
        self._core = CoreTasks(self._report_crash)
        self._unread: list[Frame] = []  # frames that came together with the first snapshot
        self._state: WorkerState
        self._log: WorkerLog

    async def live(self) -> int:
        """Boot, serve, drain; the process's exit code."""
        loop = asyncio.get_running_loop()
        arguments = self._arguments
        arguments.channel.setblocking(False)
        self._log = WorkerLog(
            loop,
            arguments.log,
            self._row,
            worker=arguments.index,
            access_log=arguments.access_log,
            tells_requests=arguments.tells_requests,
        )
        self._core.start(self._beat())
        snapshot = await self._first_snapshot()
        self._state = WorkerState(
            loop,
            snapshot,
            self._log,
            self._row,
            Splicer(loop),
            arguments.cells.words,
            Meter(arguments.cells),
        )
        self._state.install(snapshot)
        loop.set_exception_handler(self._on_loop_fault)
        loop.add_signal_handler(signal.SIGTERM, self._begin_drain, _DEFAULT_DRAIN_SECONDS)
        self._core.start(self._sweep())
        gc.freeze()  # what is here now stays: keep the collector away from it
        self._bound_listeners()
        if not arguments.waits:
            await self._accept()
        self._row[Slot.STATE] = WorkerPhase.SERVING
        self._tell(FrameType.READY, snapshot.generation)
        self._core.start(self._obey())
        self._import_when_idle()
        await self._left.wait()
        cut = await self._drain()
        await asyncio.sleep(0)  # the coroutines of exchanges that were cut end, and log
        self._core.cancel()
        self._state.close()
        self._log.flush()
        self._tell(FrameType.DRAINED, 0, json.dumps({"cut": cut}).encode())
        return EXIT_CUT if cut else EXIT_CLEAN

    def _report_crash(self, fault: BaseException) -> None:
        """Log why a core task ended, before the process does."""
        self._log.crash(fault)
        self._log.flush()

    # --- boot ---

    async def _first_snapshot(self) -> Snapshot:
        while True:
            self._unread = await self._read_frames()
            while self._unread:
                frame = self._unread.pop(0)
                if frame.type is FrameType.SNAPSHOT:
                    snapshot = self._compile(frame)
                    if snapshot is None:
                        raise SystemExit(EXIT_BOOT)
                    await _prepare(snapshot)
                    return snapshot
                if frame.type is FrameType.DRAIN:
                    raise SystemExit(EXIT_CLEAN)

    def _compile(self, frame: Frame) -> Snapshot | None:
        try:
            snapshot = load_snapshot(frame.generation, json.loads(frame.payload))
            if snapshot.certificate is not None:
                server_context(snapshot.certificate)  # refused now or at every handshake
            return snapshot
        except Exception as fault:
            reason = f"{type(fault).__name__}: {fault}"
            self._tell(FrameType.REJECTED, frame.generation, reason.encode())
            return None

    def _bound_listeners(self) -> None:
        """Set what connections inherit of a listener: before any can be in its queue."""
        for listener in (*self._arguments.listeners, *self._arguments.tls_listeners):
            bound_unsent(listener)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._arguments.listeners:
            self._accepting.append(
                await loop.create_server(
                    lambda: ClientConnection(self._state),
                    sock=listener,
                    backlog=self._arguments.backlog,
                )
            )
        for listener in self._arguments.tls_listeners:
            tls_listener = TLSListener(loop, self._state, listener)
            tls_listener.open()
            self._accepting.append(tls_listener)

    def _import_when_idle(self, started: int = -1) -> None:
        """Import the library of checksums once no request runs and none began since the last look.

        Before READY it would hold up the start, and no thread helps: the import keeps the lock of
        the interpreter. A request that needs it earlier waits for it, and so does the loop.
        """
        row = self._row
        if row[Slot.STARTED] == started and not in_flight(row):
            checksums.library()
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(_IDLE_SECONDS, self._import_when_idle, row[Slot.STARTED])

    # --- the supervisor's channel ---

    async def _read_frames(self) -> list[Frame]:
        data = await asyncio.get_running_loop().sock_recv(self._arguments.channel, 262144)
        if not data:
            os._exit(EXIT_CLEAN)  # the supervisor is gone: nobody would ever stop this process
        return self._frames.feed(data)

    async def _obey(self) -> None:
        frames = self._unread
        while True:
            for frame in frames:
                if frame.type is FrameType.SNAPSHOT:
                    await self._install(frame)
                elif frame.type is FrameType.SERVE:
                    await self._accept()
                elif frame.type is FrameType.DRAIN:
                    self._begin_drain(json.loads(frame.payload)["deadline_seconds"])
            frames = await self._read_frames()

    async def _install(self, frame: Frame) -> None:
        """Swap to a snapshot; frames that come meanwhile wait, so generations stay in order."""
        snapshot = self._compile(frame)
        if snapshot is not None:
            await _prepare(snapshot)
            self._state.install(snapshot)
            self._tell(FrameType.ACK, frame.generation)

    def _tell(self, frame_type: FrameType, generation: int, payload: bytes = b"") -> None:
        # Full or closed: the supervisor notices by its own deadlines.
        with contextlib.suppress(OSError):
            self._arguments.channel.send(encode(frame_type, generation, payload))

    # --- time ---

    async def _beat(self) -> None:
        """Write the heartbeat, and how late it came at most in the last beats."""
        late: deque[int] = deque(maxlen=_BEATS)
        due = time.monotonic_ns()
        while True:
            now = time.monotonic_ns()
            late.append(max(now - due, 0))
            self._row[Slot.HEARTBEAT] = now
            self._row[Slot.LOOP_LAG] = max(late)
            due = now + _TICK_NS
            await asyncio.sleep(TICK)

    async def _sweep(self) -> None:
        while True:
            self._state.sweep()
            await asyncio.sleep(TICK)

    def _on_loop_fault(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        fault = context.get("exception")
        if isinstance(fault, BaseException):
            self._log.crash(fault)
        else:
            self._log.event("error", str(context.get("message", "event loop fault")))

    # --- leaving ---

    def _begin_drain(self, seconds: float) -> None:
        """Leave within that many seconds; a later, shorter word counts as well (stop now)."""
        asyncio.get_running_loop().call_later(seconds, self._deadline.set)
        self._left.set()

    async def _drain(self) -> int:
        """Take what waits in the accept queue, answer what was asked; how many were cut."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._deadline.wait(), _LAST_ACCEPTS_SECONDS)
        self._row[Slot.STATE] = WorkerPhase.DRAINING
        for listener in (*self._arguments.listeners, *self._arguments.tls_listeners):
            choose_by_hash(listener)
        for server in self._accepting:
            server.close()
        self._state.drain()
        ends = [
            asyncio.ensure_future(event.wait()) for event in (self._state.empty, self._deadline)
        ]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        return self._state.cut()
