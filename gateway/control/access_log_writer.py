"""Writes the access log: one thread behind a bounded queue, so that nobody waits for the file.

Rules: a disk or pipe that takes nothing stops this thread alone; lines that the queue cannot hold,
or that the file does not take, are lost and counted, and a message says when losses begin and when
they end; a line that was written in part gets its line feed before the next one is written.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
from typing import Final

from fastpath.ipc.counters import Slot
from gateway.control.core_thread import CoreThread
from gateway.supervisor.notices import Notices, plural

STANDARD_OUTPUT: Final = 1

# What may wait for a slow file: twice the workers' socket, or seconds at 10,000 lines a second.
_WAITING_BYTES: Final = 8 << 20
_BATCH_BYTES: Final = 256 << 10  # of one write

_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class AccessLogError(Exception):
    """The file cannot be written; the text is for the operator."""


class AccessLog:
    """The access log: a file, or `-` for standard output."""

    def __init__(self, destination: str, row: memoryview, notices: Notices) -> None:
        """Lines are counted in `row`."""
        self._destination = destination
        self._row = row
        self._notices = notices
        self._sink = -1
        self._torn = False
        self._losing = 0  # lines lost since the last that was written
        self._waiting: list[bytes] = []
        self._size = 0  # bytes that wait
        self._reopens = False
        self._ends = False
        self._changed = threading.Condition()  # guards all of the above from `_waiting` on, and row
        self._thread = CoreThread("access log", self._run)

    def open(self) -> None:
        """Opens the file, or keeps the one that is open. Raises AccessLogError.

        A pipe that nobody reads yet is no error: the next lines try it again.
        """
        if self._destination == "-":
            self._sink = STANDARD_OUTPUT
            return
        try:
            opened = os.open(self._destination, _FLAGS | os.O_NONBLOCK, 0o640)
        except OSError as error:
            if error.errno == errno.ENXIO and _is_pipe(self._destination):
                return
            raise AccessLogError(f"access log {self._destination}: {error.strerror}") from error
        os.set_blocking(opened, True)
        if self._sink > STANDARD_OUTPUT:
            os.close(self._sink)
        self._sink = opened
        self._torn = False

    def start(self) -> None:
        """Starts writing."""
        self._thread.start()

    def put(self, lines: list[bytes]) -> None:
        """Queues lines; those that the queue cannot hold are lost."""
        data = b"\n".join(lines) + b"\n"
        with self._changed:
            if self._size + len(data) > _WAITING_BYTES:
                self._row[Slot.LOG_DROPPED] += len(lines)
                self._note_loss(len(lines), "nothing takes them")
                return
            self._waiting.append(data)
            self._size += len(data)
            self._changed.notify()

    def reopen(self) -> None:
        """Has the file opened again, because it was rotated."""
        with self._changed:
            self._reopens = True
            self._changed.notify()

    def finish(self, seconds: float) -> None:
        """Writes what waits, then ends; gives up after `seconds`."""
        self._thread.leaving = True
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._reopens or self._ends):
                    self._changed.wait()
                data = self._take()
                reopens, self._reopens = self._reopens, False
            if data:
                self._write(data)
            elif not reopens:
                return
            if reopens:
                self._open_again()

    def _take(self) -> bytes:
        """Takes a batch from the queue."""
        count = size = 0
        while count < len(self._waiting) and size < _BATCH_BYTES:
            size += len(self._waiting[count])
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._size -= size
        return b"".join(batch)

    def _open_again(self) -> None:
        try:
            self.open()
        except AccessLogError as error:
            then = "lines are lost until it can be opened"
            if self._sink >= 0:
                then = "lines go on to the file that was open"
            remedy = "make the path writable, then send SIGUSR1 again"
            self._notices.error(f"{error}; {then} ({remedy})")

    def _write(self, data: bytes) -> None:
        torn = b"\n" if self._torn else b""
        rest = memoryview(torn + data)
        fault = None
        try:
            if self._sink < 0:
                self.open()
            while rest and self._sink >= 0:
                rest = rest[_write_some(self._sink, rest) :]
            reason = "nobody reads it" if rest else ""
        except AccessLogError as error:
            fault, reason = error, ""
        except OSError as error:
            reason = error.strerror or str(error)
        written = len(torn) + len(data) - len(rest)
        done = max(bytes(data[: max(written - len(torn), 0)]).count(b"\n"), 0)
        if written:
            self._torn = not (torn + data)[:written].endswith(b"\n")
        lost = data.count(b"\n") - done
        with self._changed:
            self._row[Slot.LOG_WRITTEN] += done
            self._row[Slot.LOG_DROPPED] += lost
            if lost:
                self._note_loss(lost, str(fault) if fault is not None else reason)
            elif self._losing and self._size < _WAITING_BYTES // 2:
                lines = plural(self._losing, "line")
                self._notices.warning(f"access log: written again, {lines} lost")
                self._losing = 0

    def _note_loss(self, count: int, reason: str) -> None:
        if not self._losing:
            self._notices.error(f"access log: lines are lost: {reason}")
        self._losing += count


def _write_some(sink: int, data: memoryview) -> int:
    """Writes a part; waits if another process made the descriptor non-blocking."""
    try:
        return os.write(sink, data)
    except BlockingIOError:
        poll = select.poll()
        poll.register(sink, select.POLLOUT)
        poll.poll()
        return 0


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False
