"""An event loop in which time stands still and nothing runs unless a test says so.

Rules: as much of asyncio's interface as the data plane and asyncio's own tasks ask for; callbacks
run in the order they were scheduled.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from typing import Any


class StillLoop(asyncio.AbstractEventLoop):
    """As much of a loop as the data plane asks for. Nothing runs but in `settle`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.faults: list[dict[str, Any]] = []
        self.connects: list[tuple[str, int]] = []
        self.names: list[str | None] = []  # what each must prove under TLS
        self.answer_connect: Callable[[Any], asyncio.Transport] = lambda factory: factory()
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._running = False

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.faults.append(context)

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """asyncio tells its loop; the handle knows it by itself."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, **options)

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """A name is its only address."""
        return [(2, 1, 6, "", (host, port))]

    async def create_connection(
        self, factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        """Opens what `answer_connect` opens, or raises what it raises."""
        self.connects.append((host, port))
        self.names.append(options.get("server_hostname"))
        made = self.answer_connect(factory)
        if isinstance(made, asyncio.Future):
            made = await made
        return made, made.get_protocol()

    def turn(self) -> None:
        """Run what is due now, and nothing that it schedules."""
        asyncio._set_running_loop(self)
        try:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(None)

    def settle(self) -> None:
        """Run what is due until nothing is; within that, do nothing."""
        if self._running or not (self._ready or self._due()):
            return
        self._running = True
        asyncio._set_running_loop(self)
        try:
            while self._ready or self._due():
                while self._timers and self._timers[0][0] <= self.now:
                    self._ready.append(heapq.heappop(self._timers)[2])
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            self._running = False
            asyncio._set_running_loop(None)

    def _due(self) -> bool:
        return bool(self._timers) and self._timers[0][0] <= self.now
