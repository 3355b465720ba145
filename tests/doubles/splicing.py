"""A worker's data plane in this process, on real loopback sockets, so that the kernel can splice.

    client socket -> ClientConnection -> Pool -> UpstreamConnection -> target socket

Rules: the gateway's side is the real code on a real loop of its own thread; the test plays client
and target with blocking sockets; how many bytes the kernel moved is read from the worker's counter.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar, cast

from fastpath.client.connection import ClientConnection
from fastpath.ipc.counters import SLOTS, Slot
from fastpath.ipc.log import WorkerLog
from fastpath.routing.snapshot import load_snapshot
from fastpath.sockets.splice import MAX_PIPES, Splicer
from fastpath.worker.state import TICK, WorkerState
from tests.doubles.wire import Sink, document

Answer = TypeVar("Answer")

SECONDS = 20.0  # after which a test hangs
_LAST_TURNS = 10  # of the loop, in which aborted transports close their sockets


class LiveWorker:
    """One worker before two targets that the test plays: `first`, and `generic` for `g-*`."""

    def __init__(
        self,
        new_loop: Callable[[], asyncio.AbstractEventLoop],
        splice_bytes: int,
        max_pipes: int = MAX_PIPES,
        timeouts: dict[str, float] | None = None,
        **limits: int | float,
    ) -> None:
        self.row = memoryview(bytearray(SLOTS * 8)).cast("Q")
        self.sink = Sink()
        self._targets = {
            name: socket.create_server(("127.0.0.1", 0)) for name in ("first", "generic")
        }
        self._loop = new_loop()
        self._max_pipes = max_pipes
        self._document = document(
            limits={"splice_bytes": splice_bytes, **limits}, timeouts=timeouts
        )
        for target in self._document["targets"]:
            listener = self._targets[target["name"]]
            listener.settimeout(SECONDS)
            target["host"], target["port"] = listener.getsockname()
        self._port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        for listener in self._targets.values():
            listener.close()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        log = WorkerLog(
            loop, cast("socket.socket", self.sink), self.row, worker=0, access_log="json"
        )
        splicer = Splicer(loop, self._max_pipes)
        self.worker = WorkerState(loop, load_snapshot(1, self._document), log, self.row, splicer)
        self.worker.install(self.worker.snapshot)
        server = loop.run_until_complete(
            loop.create_server(lambda: ClientConnection(self.worker), "127.0.0.1", 0)
        )
        self._port = server.sockets[0].getsockname()[1]
        sweep = loop.create_task(self._sweep())
        self._ready.set()
        loop.run_forever()
        sweep.cancel()
        server.close()
        self.worker.cut()
        self.worker.close()
        for _ in range(_LAST_TURNS):
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    async def _sweep(self) -> None:
        while True:
            self.worker.sweep()
            await asyncio.sleep(TICK)

    def client(self, receive_buffer: int = 0) -> socket.socket:
        """A client's connection; a small receive buffer makes it a slow reader."""
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(SECONDS)
        connection.connect(("127.0.0.1", self._port))
        return connection

    def target(self, name: str = "first") -> socket.socket:
        """The next connection that the gateway opens to this target."""
        connection, _ = self._targets[name].accept()
        connection.settimeout(SECONDS)
        return connection

    def wait_for_no_client(self) -> None:
        """Return when every client's connection has ended."""
        deadline = time.monotonic() + SECONDS
        while self.row[Slot.CONNECTIONS]:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def forget_pipes(self) -> None:
        """Close the pipes that are kept for later."""
        assert self.worker.splicer is not None
        self.between_turns(self.worker.splicer.forget_pipes)

    def spliced(self) -> int:
        """Bytes that the kernel moved.

        Asked between two turns of the worker: the kernel gives the last bytes to their reader
        before the worker's thread has counted them.
        """
        return self.between_turns(lambda: int(self.row[Slot.SPLICED]))

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Within: the worker does nothing, so that what comes meanwhile comes in one turn."""
        stands, goes_on = threading.Event(), threading.Event()

        def stand() -> None:
            stands.set()
            goes_on.wait(SECONDS)

        self._loop.call_soon_threadsafe(stand)
        assert stands.wait(SECONDS)
        try:
            yield
        finally:
            goes_on.set()

    def between_turns(self, ask: Callable[[], Answer]) -> Answer:
        """What it answers in the worker's thread, between two turns of its loop."""
        answer: Future[Answer] = Future()
        self._loop.call_soon_threadsafe(lambda: answer.set_result(ask()))
        return answer.result(SECONDS)


def head_and_rest(connection: socket.socket) -> tuple[bytes, bytes]:
    """Read until a head is whole: the head and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        assert piece, f"the connection ended in a head: {data!r}"
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def read(connection: socket.socket, count: int, begun: bytes = b"") -> bytes:
    """Read until there are `count` bytes, or the connection ends or breaks."""
    pieces, size = [begun], len(begun)
    while size < count:
        try:
            piece = connection.recv(min(65536, count - size))
        except ConnectionResetError:
            break
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def drained(connection: socket.socket) -> bytes:
    """What has arrived; also of a connection that was reset."""
    connection.setblocking(False)
    pieces = []
    with contextlib.suppress(BlockingIOError, ConnectionResetError):
        while piece := connection.recv(262144):
            pieces.append(piece)
    return b"".join(pieces)


def send(connection: socket.socket, data: bytes, cuts: list[int]) -> None:
    """Send data in pieces; stops silently where the other side has had enough."""
    at = 0
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        for size in [*cuts, len(data)]:
            connection.sendall(data[at : at + size])
            at += size
            if at >= len(data):
                return


def reset(connection: socket.socket) -> None:
    """Close with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()
