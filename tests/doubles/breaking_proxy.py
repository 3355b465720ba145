"""A TCP proxy before a store that breaks, refuses or delays what passes, when it is told to.

    with BreakingProxy("127.0.0.1", 9000) as proxy:
        proxy.begin(Fault(FaultKind.ANSWER_BREAKS, after=500))
        ...                              # requests to proxy.url
        assert proxy.end() == 1          # the fault struck once

Rules: loopback only, port from the kernel, one thread. Once `end` has returned, the store is done
with all that it was sent: an answer of which one byte has come was decided by the store, and of a
connection that broke the store's end is waited for. So whoever looks at the store then sees what it
will hold, and nothing comes later.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

STALL_SECONDS = 0.2
SETTLED_SECONDS = 20.0  # in which a store ends what it was sent
_PIECE = 65536
_END_OF_HEAD = b"\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the connection is reset, not closed

_SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
_ANSWER = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n" % len(_SLOW_DOWN)
)


class FaultKind(Enum):
    """What happens behind a number of bytes."""

    REQUEST_BREAKS = "the connection is reset, and the store has a part of the request"
    ANSWER_BREAKS = "the connection is closed, and the store has answered"
    SLOW_DOWN = "503 SlowDown, and the store has at most a part of the request"
    STALLS = "nothing passes for a moment"
    REFUSES = "all connections are reset, and no other is accepted"


@dataclass(frozen=True, slots=True)
class Fault:
    """after: bytes that pass before, of all requests since it began; of answers: ANSWER_BREAKS.

    times: how often it strikes; from the second time on at once.
    """

    kind: FaultKind
    after: int = 0
    times: int = 1


class _Link:
    """One connection of a client, and the one to the store."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        down: asyncio.StreamReader,
        up: asyncio.StreamWriter,
    ) -> None:
        self.reader, self.writer = reader, writer  # the client's
        self.down, self.up = down, up  # the store's
        self.is_new = True  # the next byte of the client begins a request
        self.is_head = False  # the request is a HEAD
        self.passed = b""  # of the request, without its body
        self.is_broken = False  # nothing passes any more

    def count(self, data: bytes) -> None:
        """Take notice of what passes to the store."""
        if _END_OF_HEAD not in self.passed:
            self.passed += data

    def leave_store(self) -> None:
        """End what goes to the store: it gets no more of the request.

        A head that is not whole ends with a reset: some servers take what ends otherwise for a
        head. What follows a head is closed, so that the store's end of it can be waited for.
        """
        self.is_broken = True
        if self.passed and _END_OF_HEAD not in self.passed:
            _reset(self.up)
        else:
            with contextlib.suppress(OSError):
                self.up.write_eof()

    def reset(self) -> None:
        """Break both connections."""
        self.leave_store()
        _reset(self.writer)

    def slow_down(self) -> None:
        """Answer for the store, whose connection breaks; the client ends its own."""
        self.leave_store()
        self.writer.write(_ANSWER + (b"" if self.is_head else _SLOW_DOWN))


class BreakingProxy:
    """The proxy; use it as a context manager."""

    def __init__(self, host: str, port: int) -> None:
        self._store = host, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="breaking-proxy", daemon=True)
        self._ready = threading.Event()
        self._stop: asyncio.Event
        # Keeps the port while nobody listens there.
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: Fault | None = None
        self._left = 0  # bytes that pass before it strikes
        self._struck = 0
        self._meanwhile: Callable[[], object] | None = None
        self._undecided: set[_Link] = set()  # the store has a request, or a part, and no answer
        self._settled: asyncio.Event

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._holder.close()
        assert not self._thread.is_alive()

    def begin(self, fault: Fault, meanwhile: Callable[[], object] | None = None) -> None:
        """Have a fault strike from now on; `meanwhile`: called, in a thread, when it first does."""
        asyncio.run_coroutine_threadsafe(self._begin(fault, meanwhile), self._loop).result(10)

    def end(self) -> int:
        """Return how often the fault struck; once the store is done with what it was sent."""
        return asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(2 * SETTLED_SECONDS)

    # In the thread

    def _serve(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        self._stop, self._settled = asyncio.Event(), asyncio.Event()
        self._settled.set()
        await self._listen()
        self._ready.set()
        await self._stop.wait()
        self._refuse()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, sock=_bound(self.port))

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._connected(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _refuse(self) -> None:
        """Reset all connections, and accept no other."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in self._links:
            link.reset()

    async def _begin(self, fault: Fault, meanwhile: Callable[[], object] | None) -> None:
        self._fault, self._left, self._struck = fault, fault.after, 0
        self._meanwhile = meanwhile

    async def _end(self) -> int:
        self._fault = None
        if self._server is None:
            await self._listen()
        async with asyncio.timeout(SETTLED_SECONDS):
            await self._settled.wait()
        struck, self._struck = self._struck, 0
        return struck

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(reader, writer, *await asyncio.open_connection(*self._store))
        self._links.add(link)
        try:
            if self._server is None:  # since it was accepted
                link.reset()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_requests(link))
                both.create_task(self._pass_answers(link))
        finally:
            self._links.discard(link)
            self._decided(link)
            writer.close()

    async def _pass_requests(self, link: _Link) -> None:
        """Pass on what the client sends, and how it ends."""
        try:
            while data := await link.reader.read(_PIECE):
                if link.is_new:
                    link.is_new, link.is_head, link.passed = False, data.startswith(b"HEAD "), b""
                if not (link.is_broken or link.up.is_closing()):
                    await self._pass_request(link, data)
        except ConnectionError:
            pass  # it has ended all the same
        link.leave_store()

    async def _pass_request(self, link: _Link, data: bytes) -> None:
        fault, passing = await self._counted(len(data), of_answer=False)
        kind = fault.kind if fault is not None else None
        if kind is FaultKind.STALLS:
            await asyncio.sleep(STALL_SECONDS)
            passing = len(data)
        if passing:
            self._undecided.add(link)
            self._settled.clear()
            link.count(data[:passing])
            link.up.write(data[:passing])
            await link.up.drain()
        if kind is FaultKind.REQUEST_BREAKS:
            link.reset()
        elif kind is FaultKind.SLOW_DOWN:
            link.slow_down()
        elif kind is FaultKind.REFUSES:
            self._refuse()

    async def _pass_answers(self, link: _Link) -> None:
        """Pass on what the store answers; to the end, whether the client is still there or not."""
        with contextlib.suppress(ConnectionError):
            while data := await link.down.read(_PIECE):
                self._decided(link)
                link.is_new = True
                await self._pass_answer(link, data)
        self._decided(link)
        if not link.is_broken:  # otherwise the client still sends, and ends the connection
            link.is_broken = True
            link.writer.close()
        link.up.close()

    async def _pass_answer(self, link: _Link, data: bytes) -> None:
        if link.is_broken or link.writer.is_closing():
            return
        fault, passing = await self._counted(len(data), of_answer=True)
        with contextlib.suppress(ConnectionError):
            link.writer.write(data[:passing])
            await link.writer.drain()
        if fault is not None:
            link.is_broken = True
            link.writer.close()

    async def _counted(self, size: int, *, of_answer: bool) -> tuple[Fault | None, int]:
        """Return the fault if it strikes within so many bytes, and how many of them pass before."""
        fault = self._fault
        if fault is None or of_answer != (fault.kind is FaultKind.ANSWER_BREAKS):
            return None, size
        passing = min(size, self._left)
        self._left -= passing
        if passing == size or self._struck == fault.times:
            return None, size
        self._struck += 1
        if self._meanwhile is not None and self._struck == 1:
            await asyncio.to_thread(self._meanwhile)
        return fault, passing

    def _decided(self, link: _Link) -> None:
        """The store has answered, or left."""
        self._undecided.discard(link)
        if not self._undecided:
            self._settled.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def _bound(port: int) -> socket.socket:
    """A socket on this port, which may have others."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind(("127.0.0.1", port))
    return found
