"""Asks the custom router's process, over a socket of the supervisor's, and keeps its answers.

    route -> waiting -> one message for all questions of a turn -> router -> answer -> route

Rules: a question ends by its deadline whatever the router does, and leaves nothing behind when it
is cancelled; so many questions wait at a time and no more; a question whose connection ends goes
up once more and no oftener, so that one that ends routers ends two at most; the supervisor and the
router belong to the user that the worker belongs to, or nothing is asked.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol

from fastpath.custom.answer import Answer, Question, RouterFailed, read_answer
from fastpath.custom.messages import MessageFault, MessageReader, encode
from fastpath.ipc.counters import Slot
from fastpath.routing.lru import LRU
from fastpath.sockets.peer_user import peer_user

if TYPE_CHECKING:
    from fastpath.routing.custom_routing import CustomRouting
    from fastpath.routing.snapshot import Snapshot

# Questions of one worker at a time: as many as may wait for a connection to one target.
MAX_WAITING: Final = 1024
# Answers that are kept: as many as buckets are (`limits.cached_buckets`).
MAX_CACHED: Final = 10000
# One line in so many seconds stands for many failures.
LINE_SECONDS: Final = 1.0

_TRIES: Final = 2
_READ_BYTES: Final = 262144


class Missing(Enum):
    """The type of MISSING."""

    MISSING = 0


MISSING: Final = Missing.MISSING


class Events(Protocol):
    """The log of the worker."""

    def event(self, level: str, message: str, **facts: str) -> None:
        """Log something an operator should know."""


@dataclass(slots=True)
class _Waiting:
    """A question without its answer."""

    question: Question
    future: asyncio.Future[object]
    until: float  # monotonic
    tries: int = 0


Cache = LRU[Question, tuple[float, Answer | None]]  # until when, by the loop's clock


def connect(address: bytes) -> socket.socket:
    """Connect to an abstract socket address of a process of the same user. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.connect(b"\0" + address)
        if peer_user(connection) != os.geteuid():
            raise PermissionError("another user listens there")
    except OSError:
        connection.close()
        raise
    return connection


class RouterClient:
    """What one worker asks the router; without `routing.custom` it does nothing."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        log: Events,
        row: memoryview,
        connect: Callable[[bytes], socket.socket] = connect,
    ) -> None:
        self._loop = loop
        self._log = log
        self._row = row
        self._connect = connect
        self._custom: CustomRouting | None = None
        self._targets: frozenset[str] = frozenset()
        self._socket: socket.socket | None = None
        self._reader = MessageReader()
        self._greeted = False  # by the router at the other end of this connection
        self._unwritten = memoryview(b"")
        self._numbered = 0
        self._waiting: dict[int, _Waiting] = {}
        self._unsent: dict[int, None] = {}  # numbers, in order
        self._planned = False  # a flush
        self._cache_seconds = 0.0
        self._cache: Cache = LRU(MAX_CACHED)
        self._reported_at = -LINE_SECONDS
        self._unreported = 0

    def install(self, snapshot: Snapshot) -> None:
        """Ask by this snapshot from now on. Nothing that was answered before it is kept."""
        self._custom = snapshot.custom
        self._targets = frozenset(snapshot.targets)
        self._cache = LRU(MAX_CACHED)

    def cached(self, question: Question) -> Answer | Missing | None:
        """Return the answer that is kept; MISSING without one, and `route` is to be asked."""
        if not self._cache_seconds:
            return MISSING
        kept = self._cache.get(question)
        if kept is None or kept[0] < self._loop.time():
            return MISSING
        self._row[Slot.ROUTER_CACHED] += 1
        return kept[1]

    async def route(self, question: Question) -> Answer | None:
        """Ask the router; None if the rules are to decide. Raises RouterFailed, which is logged."""
        self._row[Slot.ROUTER_ASKED] += 1
        try:
            return await self._ask(question)
        except RouterFailed as failure:
            self._row[Slot.ROUTER_FAILED] += 1
            self._report(failure, question)
            raise

    def close(self) -> None:
        """Close the connection; who waits is told that the router failed."""
        self._disconnect()
        self._fail_all("the worker leaves")

    # Questions

    async def _ask(self, question: Question) -> Answer | None:
        custom = self._custom
        if custom is None:
            raise RouterFailed("there is no custom router")
        if len(self._waiting) >= MAX_WAITING:
            raise RouterFailed(f"{MAX_WAITING} questions wait for it")
        targets, cache = self._targets, self._cache
        self._numbered += 1
        number = self._numbered
        future: asyncio.Future[object] = self._loop.create_future()
        until = time.monotonic() + custom.timeout_seconds
        self._waiting[number] = _Waiting(question, future, until)
        self._unsent[number] = None
        self._plan()
        timer = self._loop.call_later(custom.timeout_seconds, self._expire, number, custom)
        try:
            value = await future
        finally:
            timer.cancel()
            self._waiting.pop(number, None)
            self._unsent.pop(number, None)
        answer = read_answer(value, targets)
        if self._cache_seconds and cache is self._cache:
            cache.put(question, (self._loop.time() + self._cache_seconds, answer))
        return answer

    def _expire(self, number: int, custom: CustomRouting) -> None:
        seconds = custom.timeout_seconds
        reason = f"it did not answer within {seconds * 1000:g} ms (routing.custom_timeout_ms)"
        self._fail(number, reason if self._greeted else f"{reason}: its process is not there yet")

    def _fail(self, number: int, reason: str) -> None:
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.future.done():
            waiting.future.set_exception(RouterFailed(reason))

    def _fail_all(self, reason: str) -> None:
        for number in list(self._waiting):
            self._fail(number, reason)
        self._unsent.clear()

    def _report(self, failure: RouterFailed, question: Question) -> None:
        """Log a failure, at intervals: a router that is down must not flood the log."""
        now = self._loop.time()
        if now < self._reported_at + LINE_SECONDS:
            self._unreported += 1
            return
        more, self._reported_at, self._unreported = self._unreported, now, 0
        self._log.event(
            "warning",
            f"the custom router failed: {failure}",
            bucket=question.bucket.decode("latin-1"),
            operation=question.s3_operation,
            untold=str(more) if more else "",
        )

    # Connection

    def _plan(self) -> None:
        """Have all questions of this turn of the loop written together."""
        if not self._planned:
            self._planned = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._planned = False
        if not self._unsent or self._unwritten:
            return  # what the kernel does not take now is written later, with what comes until then
        if self._socket is None and not self._open():
            return
        questions = []
        for number in self._unsent:
            waiting = self._waiting[number]
            if not waiting.future.done():
                waiting.tries += 1
                questions.append([number, waiting.until, *waiting.question.as_arguments()])
        self._unsent.clear()
        if questions:
            self._unwritten = memoryview(encode(questions))
            self._write()

    def _open(self) -> bool:
        """Connect; when that fails, everybody who waits is told."""
        if self._custom is None:  # a reload has removed it while somebody waited
            self._fail_all("there is no custom router any more")
            return False
        try:
            self._socket = self._connect(self._custom.address)
        except OSError as error:
            self._fail_all(f"its process cannot be reached: {error.strerror or error}")
            return False
        self._reader = MessageReader()
        self._loop.add_reader(self._socket, self._read)
        return True

    def _write(self) -> None:
        assert self._socket is not None
        try:
            sent = self._socket.send(self._unwritten)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lose("its process ended")
            return
        self._unwritten = self._unwritten[sent:]
        if self._unwritten:
            self._loop.add_writer(self._socket, self._write)
        else:
            self._loop.remove_writer(self._socket)
            self._plan()

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose("its process ended")
            return
        try:
            for message in self._reader.feed(data):
                self._take(message)
        except (MessageFault, ValueError, KeyError, TypeError) as fault:
            self._lose(f"its process sent {fault}")

    def _take(self, message: Any) -> None:
        """Take a message: the router's greeting, or answers."""
        if isinstance(message, dict):
            seconds = message["cache_seconds"]
            self._cache_seconds = 0.0 if seconds is None else float(seconds)
            self._cache = LRU(MAX_CACHED)
            self._greeted = True
            return
        for number, answered, value in message:
            waiting = self._waiting.get(number)
            if waiting is None or waiting.future.done():
                continue  # too late
            if answered:
                waiting.future.set_result(value)
            else:
                waiting.future.set_exception(RouterFailed(str(value)))

    def _lose(self, reason: str) -> None:
        """Have the questions of a connection that ended asked again on another, once."""
        self._disconnect()
        for number, waiting in self._waiting.items():
            if waiting.tries >= _TRIES:
                self._fail(number, reason)
            else:
                self._unsent[number] = None
        if self._unsent:
            self._plan()

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None
        self._unwritten = memoryview(b"")
        self._greeted = False
        self._cache_seconds = 0.0  # another router may answer otherwise
        self._cache = LRU(MAX_CACHED)
