"""A rig without sockets: a real service, pools and connections on transports that tests play with.

    client = rig.connect()                                               rig.targets[0]
    client.says(...)  -> ClientConnection -> Pool -> UpstreamConnection -> .heard
    client.heard      <-                                                    <- .says(...)

Rules: the gateway's side is the real code, nothing is patched; transports behave as asyncio's do
(a write after the end is swallowed, a paused transport delivers nothing, what asyncio schedules is
scheduled); time stands still unless a test moves it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, cast

from fastpath.client.connection import ClientConnection
from fastpath.ipc.cells import CLASSES, RecordCell, TargetCounter
from fastpath.ipc.counters import Layout, Page, Slot, TargetCells, WorkerCells
from fastpath.ipc.log import ACCESS, WorkerLog
from fastpath.ipc.meter import Meter
from fastpath.limits import Limits, PoolLimits, Timeouts
from fastpath.routing.rules import pack
from fastpath.routing.snapshot import Snapshot, load_snapshot
from fastpath.worker.state import TICK, WorkerState
from tests.doubles.rules import Rule
from tests.doubles.still_loop import StillLoop

KEY = ("AKIDCLIENT", "client-secret")  # of the identity in `document`
TARGET_KEY = ("AKIDTARGET", "target-secret")
SEAL_KEY = "5e" * 32


def document(
    *,
    mode: str = "open",
    sigv2: str = "presigned",
    regions: Iterable[str] = (),
    anonymous: str = "deny",
    cors: dict[str, Any] | None = None,
    show_decisions: bool = False,
    profile: str = "s3",
    overrides: dict[str, Any] | None = None,
    virtual: bool = False,
    forgets: str = "refuse",
    domains: Iterable[str] = (),
    limits: dict[str, Any] | None = None,
    pool: dict[str, Any] | None = None,
    timeouts: dict[str, Any] | None = None,
    rules: Iterable[Rule] = (Rule(1, 1, "g-*", "generic"),),
    **changes: Any,
) -> dict[str, Any]:
    """A snapshot of two targets; `g-*` buckets go to `generic`, the others to `first`."""

    def target(name: str, kind: str) -> dict[str, Any]:
        return {
            "name": name,
            "profile": kind,
            "profile_overrides": overrides or {},
            "host": f"{name}.test",
            "port": 9000,
            "authority": f"{name}.test:9000",
            "virtual": virtual,
            "forgets": forgets,
            "region": "us-east-1",
            "credentials": name,
            "tls": None,
            "pool": {**asdict(PoolLimits()), **(pool or {})},
            "timeouts": {**asdict(Timeouts()), **(timeouts or {})},
        }

    key = {"access_key_id": TARGET_KEY[0], "secret_access_key": TARGET_KEY[1]}
    return {
        "format": 4,
        "environment": None,
        "instance": "rig",
        "domains": list(domains),
        "auth": {
            "mode": mode,
            "sigv2": sigv2,
            "regions": list(regions),
            "anonymous": anonymous,
            "cors": cors,
            "show_decisions": show_decisions,
        },
        "limits": {**asdict(Limits()), **(limits or {})},
        "certificate": None,
        "seal_keys": [SEAL_KEY],
        "custom": None,
        "identities": [
            {
                "name": "client",
                "keys": [{"access_key_id": KEY[0], "secret_access_key": KEY[1]}],
                "targets": None,
                "allow": None,
                "credentials": {},
                "show_decisions": show_decisions,
            }
        ],
        "credentials": {name: {**key, "token": None} for name in ("first", "generic")},
        "targets": [target("first", profile), target("generic", "generic")],
        "rules": pack(rules),
        "default_target": "first",
        "fallback": {"targets": [], "passes": []},
        "trusted_proxies": [],
        "log": {"sample": 1.0, "slow_seconds": 1.0},
        "list_buckets_failure": "skip",
        **changes,
    }


class WireTransport(asyncio.Transport):
    """The gateway's end of a connection; `Peer` plays the other one.

    While `stuck`, written bytes stay in the buffer, as when the peer's window is full.
    """

    def __init__(self, loop: StillLoop, protocol: asyncio.Protocol, peer: Peer) -> None:
        super().__init__({"peername": (peer.address, 50000)})
        self.peer = peer
        self.stuck = False
        self.aborted = False
        self.lost = False  # the end of the connection is decided; writes are swallowed
        self.ended = False  # the protocol has been told
        self.eof_written = False
        self.reading = True
        self.high, self.low = peer.rig.buffer, peer.rig.buffer // 4
        self._paused = False  # the protocol was told to pause writing
        self._closing = False
        self._loop = loop
        self._protocol = protocol
        self._buffer = bytearray()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.peer.kernel if name == "socket" else super().get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self.reading and not self._closing

    def pause_reading(self) -> None:
        if not self._closing:
            self.reading = False

    def resume_reading(self) -> None:
        if not self._closing and not self.reading:
            self.reading = True
            self._loop.call_soon(self.peer.deliver)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = 65536 if high is None else high
        self.low = self.high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def can_write_eof(self) -> bool:
        return True

    def write(self, data: Any) -> None:
        if self.eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.lost or not data:
            return
        self._buffer += data
        if not self.stuck:
            self.peer.takes(bytes(self._buffer))
            self._buffer.clear()
        elif len(self._buffer) > self.high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def flush(self, count: int | None = None) -> None:
        """The peer takes `count` bytes more, or all there are."""
        moved = bytes(self._buffer[:count])
        del self._buffer[: len(moved)]
        self.peer.takes(moved)
        if self._paused and len(self._buffer) <= self.low:
            self._paused = False
            self._protocol.resume_writing()
        if not self._buffer and self._closing and not self.lost:
            self.lost = True
            self._end(None)

    def write_eof(self) -> None:
        if not self._closing:
            self.eof_written = True

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if not self._buffer:
            self.lost = True
            self._loop.call_soon(self._end, None)

    def abort(self) -> None:
        self.aborted = True
        self.break_off(None)

    def break_off(self, fault: Exception | None) -> None:
        """The connection ends now; what was not sent is lost."""
        if self.lost:
            return
        self._buffer.clear()
        self._closing = self.lost = True
        self._loop.call_soon(self._end, fault)

    def _end(self, fault: Exception | None) -> None:
        self.ended = True
        self._protocol.connection_lost(fault)
        self.peer.kernel.close()


class Kernel:
    """What of a socket is asked for beside the transport: a descriptor to poll, and options."""

    def __init__(self) -> None:
        self.options: list[tuple[int, int, bytes]] = []
        self._ends: list[int] = []

    def fileno(self) -> int:
        if not self._ends:
            ends = socket.socketpair()
            for end in ends:
                end.setblocking(False)
            self._ends = [end.detach() for end in ends]
        return self._ends[0]

    def setsockopt(self, level: int, name: int, value: bytes) -> None:
        self.options.append((level, name, value))

    def put(self, data: bytes) -> None:
        self.fileno()
        os.write(self._ends[1], data)

    def end(self) -> None:
        self.fileno()
        os.close(self._ends.pop())

    def close(self) -> None:
        while self._ends:
            os.close(self._ends.pop())

    __del__ = close


class Peer:
    """The other end: what a client, or a target, says and hears."""

    def __init__(
        self, rig: Rig, factory: Callable[[], asyncio.Protocol], address: str = "192.0.2.1"
    ) -> None:
        self.address = address
        self.kernel = Kernel()
        self.rig = rig
        self.protocol = factory()
        self.transport = WireTransport(rig.loop, self.protocol, self)
        self.heard = b""
        self._waiting: deque[bytes] = deque()  # in the kernel, so to speak; b"" is the end
        self.protocol.connection_made(self.transport)

    @property
    def ended(self) -> bool:
        """Whether nothing more can be heard: the gateway shut down or closed its side."""
        return self.transport.ended or (
            self.transport.eof_written and not self.transport.get_write_buffer_size()
        )

    @property
    def aborted(self) -> bool:
        return self.transport.aborted

    @property
    def reset(self) -> bool:
        """Whether it ended so that the other side cannot take the end for a good one."""
        linger = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return self.transport.aborted and linger in self.kernel.options

    def takes(self, data: bytes) -> None:
        self.heard += data

    def says(self, *pieces: bytes, settle: bool = True) -> None:
        """Send bytes; each piece arrives by itself."""
        self._waiting.extend(piece for piece in pieces if piece)
        self.deliver()
        if settle:
            self.rig.settle()

    def leaves(self) -> None:
        """Send the end of the stream."""
        self._waiting.append(b"")
        if not self.transport.ended:
            self.kernel.end()
        self.deliver()
        self.rig.settle()

    def resets(self, fault: Exception | None = None) -> None:
        """The connection breaks."""
        self.transport.break_off(fault or ConnectionResetError(104, "Connection reset by peer"))
        self.rig.settle()

    def whispers(self, data: bytes) -> None:
        """Send bytes that the loop has not seen yet, only the kernel has."""
        self.kernel.put(data)

    def deliver(self) -> None:
        while self._waiting and self.transport.is_reading():
            data = self._waiting.popleft()
            if data:
                self.protocol.data_received(data)
            elif not self.protocol.eof_received():
                self.transport.close()

    def stalls(self) -> None:
        """Take nothing from now on."""
        self.transport.stuck = True

    def reads(self, count: int | None = None, *, on: bool = False) -> None:
        """Take `count` bytes that waited (default all); `on`: and all that come."""
        if on:
            self.transport.stuck = False
        self.transport.flush(count)
        self.rig.settle()

    def take(self) -> bytes:
        """What was heard since the last time."""
        heard, self.heard = self.heard, b""
        return heard


class Sink:
    """Where the log sends its datagrams; `full` refuses them."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.full = False

    def send(self, data: bytes) -> int:
        if self.full:
            raise BlockingIOError
        self.datagrams.append(data)
        return len(data)


class Rig:
    """One worker's data plane. `targets` are the connections it opened, oldest first.

    `buffer` is the high-water mark of transports that set none; `cells` has the words of control;
    `options` make the snapshot.
    """

    def __init__(
        self,
        *,
        buffer: int = 65536,
        cells: Callable[[str], TargetCells | None] = lambda _: None,
        **options: Any,
    ) -> None:
        self.loop = StillLoop()
        self.buffer = buffer
        self.page = Page(Layout(rows=1, targets=8, identities=8))
        own = WorkerCells(self.page, self.page.acquire())
        self.row = own.row
        self.sink = Sink()
        self.targets: list[Peer] = []
        self.connect_fault: Exception | None = None  # raised instead of connecting
        self.held_connects: deque[asyncio.Future[Any]] | None = None  # connects wait while a deque
        self.log = WorkerLog(
            self.loop, cast("socket.socket", self.sink), self.row, worker=0, access_log="json"
        )
        snapshot = load_snapshot(1, document(**options))
        self._assign(snapshot)
        meter = Meter(own)
        self.worker = WorkerState(self.loop, snapshot, self.log, self.row, cells=cells, meter=meter)
        self.worker.install(snapshot)
        self.loop.answer_connect = self._answer_connect

    def _answer_connect(self, factory: Any) -> Any:
        if self.held_connects is not None:
            future = self.loop.create_future()
            future.add_done_callback(lambda _: None)
            self.held_connects.append(future)
            future.factory = factory  # type: ignore[attr-defined]  # for `open_held`
            return future
        if self.connect_fault is not None:
            raise self.connect_fault
        return self._open(factory)

    def _open(self, factory: Any) -> WireTransport:
        peer = Peer(self, factory)
        self.targets.append(peer)
        return peer.transport

    def hold_connects(self) -> None:
        """Connects wait for `open_held` from now on."""
        self.held_connects = deque()

    def open_held(self, fault: Exception | None = None) -> None:
        """End the oldest connect that waits, well or badly."""
        assert self.held_connects is not None
        future: Any = self.held_connects.popleft()
        if fault is not None:
            future.set_exception(fault)
        else:
            future.set_result(self._open(future.factory))
        self.settle()

    def connect(self, address: str = "192.0.2.1") -> Peer:
        """A client connects."""
        client = Peer(self, lambda: ClientConnection(self.worker), address)
        self.settle()
        return client

    def install(self, **options: Any) -> None:
        """A new configuration."""
        generation = self.worker.snapshot.generation + 1
        snapshot = load_snapshot(generation, document(**options))
        self._assign(snapshot)
        self.worker.install(snapshot)

    def _assign(self, snapshot: Snapshot) -> None:
        self.page.assign(snapshot.targets)
        self.page.assign_identities(caller.name for caller in snapshot.callers.values())

    @property
    def target(self) -> Peer:
        """The connection that was opened last."""
        return self.targets[-1]

    def settle(self) -> None:
        self.loop.settle()

    def pass_time(self, seconds: float) -> None:
        """Let time go by, swept as the worker sweeps it."""
        end = self.loop.now + seconds
        while self.loop.now < end:
            self.loop.now = min(end, self.loop.now + TICK)
            self.settle()
            self.worker.sweep()
            self.settle()

    def lines(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What the log has told so far."""
        self.log.flush()
        told = [
            json.loads(line.removeprefix(ACCESS))
            for data in self.sink.datagrams
            for line in data.split(b"\n")
        ]
        return [line for line in told if kind is None or line["kind"] == kind]

    def count(self, slot: Slot) -> int:
        return int(self.row[slot])

    def counted(self, target: str, counter: TargetCounter) -> int:
        """What is counted of a target."""
        return int(self.worker.meter.target(target)[counter])

    def record(self, target: str, action: str) -> memoryview:
        """What is counted of a class of operations of a target; both may be empty."""
        self.worker.meter.flush()
        block = self.page.block(target) if target else self.page.layout.no_target
        return self.page.target(1, block).records[CLASSES.index(action or "unknown")]

    def bodies(self) -> tuple[int, int]:
        """Bytes of bodies that clients sent, and got."""
        records = [
            self.record(target, action) for target in ("", *self.page.names()) for action in CLASSES
        ]
        came, went = RecordCell.BYTES_IN, RecordCell.BYTES_OUT
        return sum(one[came] for one in records), sum(one[went] for one in records)

    @property
    def defects(self) -> list[str]:
        """Crashes the log or the loop was told of; a test that expects none looks here."""
        told = [line["message"] for line in self.lines("event") if line["level"] == "error"]
        return told + [str(context) for context in self.loop.faults]
