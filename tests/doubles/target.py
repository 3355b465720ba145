"""A tiny store that stands in for a target: keeps objects, records requests, misbehaves on demand.

Rules: loopback only, port from the kernel, one thread; checks no signature; everything a test
waits for is an event, not a sleep.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self


class Fault(Enum):
    """How a target can fail."""

    NONE = "none"
    SLOW = "slow"  # answers after `delay_seconds`
    HANG = "hang"  # reads the request and never answers
    DIE = "die"  # closes in the middle of the answer's body
    GARBAGE = "garbage"  # answers what is no HTTP
    REFUSE = "refuse"  # resets every connection at once


@dataclass(slots=True)
class Request:
    """What arrived."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Target:
    """The store; use it as a context manager."""

    def __init__(self, name: str = "target") -> None:
        self.name = name  # every answer carries it as x-target
        self.objects: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.fault = Fault.NONE
        # Looks at each request first: a status line and a body, or None for the store's answer.
        self.refusal: Callable[[Request], tuple[str, bytes] | None] = lambda _: None
        self.delay_seconds = 0.0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._changed = threading.Condition()
        self._waiting = 0
        self._gate: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._ready = threading.Event()
        self._stop: asyncio.Event

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
        assert not self._thread.is_alive()

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Within: requests are taken and wait; at the end, all of them are answered."""
        gate = asyncio.Event()
        self._gate = gate
        try:
            yield
        finally:
            self._gate = None
            self._loop.call_soon_threadsafe(gate.set)

    def wait_for_held(self, count: int, seconds: float = 10.0) -> None:
        """Returns when `count` requests wait."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._waiting >= count, seconds), (
                f"{self._waiting} of {count} requests have arrived"
            )

    # In the thread

    def _serve(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._connection(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while self.fault is not Fault.REFUSE:
                request = await self._read(reader, writer)
                if request is None:
                    break
                if not await self._answer(request, writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if self.fault is Fault.REFUSE:
                writer.transport.abort()
            writer.close()

    async def _read(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        start, *lines = head.decode("latin-1").split("\r\n")[:-2]
        method, path, _ = start.split(" ", 2)
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, path, headers, body)
        self.requests.append(request)
        return request

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Writes the answer; whether the connection goes on."""
        gate = self._gate
        if gate is not None:
            self._count(1)
            try:
                await gate.wait()
            finally:
                self._count(-1)
        if self.fault is Fault.SLOW:
            await asyncio.sleep(self.delay_seconds)
        if self.fault is Fault.HANG:
            await self._stop.wait()
        if self.fault is Fault.GARBAGE:
            writer.write(b"\x16\x03\x01 nothing of HTTP\r\n\r\n" * 10)
            await writer.drain()
            return False
        status, body = self.refusal(request) or self._store(request)
        head = (
            f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nx-target: {self.name}\r\n"
            'etag: "0"\r\n\r\n'
        ).encode()
        if request.method == "HEAD":
            body = b""
        if self.fault is Fault.DIE:
            writer.write(head + body[: len(body) // 2])
            await writer.drain()
            return False
        writer.write(head + body)
        await writer.drain()
        return True

    def _count(self, step: int) -> None:
        with self._changed:
            self._waiting += step
            self._changed.notify_all()

    def _store(self, request: Request) -> tuple[str, bytes]:
        path = request.path.partition("?")[0]
        if request.method == "PUT":
            self.objects[path] = request.body
            return "200 OK", b""
        if path not in self.objects:
            return "404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>"
        if request.method == "DELETE":
            del self.objects[path]
            return "204 No Content", b""
        return "200 OK", self.objects[path]
