"""Writes messages to the operator: one line each on standard error, one write each.

    2026-11-28T23:57:59.123Z s3gateway: warning: worker 0 (pid 17) killed by SIGKILL

Rules: nothing here raises or waits: a line that standard error does not take at once is lost and
counted, and the next line that it takes follows one that says how many were lost; callers pass no
secret; a line is one `write`, shorter than PIPE_BUF where possible, so that lines of several
processes do not mix.
"""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import threading
import time
from datetime import UTC, datetime
from typing import Final

from fastpath.ipc.counters import Slot

LEVELS: Final = ("debug", "info", "warning", "error")

_STANDARD_ERROR: Final = 2


class Notices:
    """Writes the messages of one process."""

    __slots__ = ("_form", "_lock", "_lost", "_row", "_threshold", "_torn", "_uncounted")

    def __init__(self, level: str = "info", form: str = "text") -> None:
        self.configure(level, form)
        self._lock = threading.Lock()  # threads of control share it
        self._row: memoryview | None = None
        self._lost = 0  # lines since the last one that was written
        self._uncounted = 0  # lines that were lost before there was a row
        self._torn = False  # that one was written in part

    def configure(self, level: str, form: str) -> None:
        """Sets level and form; unknown words mean info and text."""
        self._threshold = LEVELS.index(level) if level in LEVELS else LEVELS.index("info")
        self._form = form

    def count_in(self, row: memoryview) -> None:
        """Counts lost lines in this row of counters, those that were lost before included."""
        with self._lock:
            self._row = row
            row[Slot.NOTICES_LOST] += self._uncounted
            self._uncounted = 0

    def wants(self, level: str) -> bool:
        """Whether a message of this level is written."""
        return LEVELS.index(level) >= self._threshold

    def debug(self, message: str) -> None:
        self.say("debug", message)

    def info(self, message: str) -> None:
        self.say("info", message)

    def warning(self, message: str) -> None:
        self.say("warning", message)

    def error(self, message: str) -> None:
        self.say("error", message)

    def say(
        self, level: str, message: str, at: float | None = None, *, always: bool = False
    ) -> None:
        """Writes one message unless its level is below the threshold; `at` is in epoch seconds.

        always: whatever the threshold.
        """
        if always or self.wants(level):
            self.line(self._formed(level, message, time.time() if at is None else at))

    def line(self, text: str) -> None:
        """Writes one line as it is."""
        with self._lock:
            if not (self._tell_losses() and self._put(text)):
                self._lost += 1
                if self._row is None:
                    self._uncounted += 1
                else:
                    self._row[Slot.NOTICES_LOST] += 1

    def _tell_losses(self) -> bool:
        """Writes how many lines were lost; returns whether standard error takes lines again."""
        if self._lost:
            lost = plural(self._lost, "message")
            text = f"{lost} lost: standard error was full or closed"
            if not self._put(self._formed("warning", text, time.time())):
                return False
            self._lost = 0
        return True

    def _formed(self, level: str, message: str, at: float) -> str:
        flat = message.replace("\n", "; ")
        if self._form == "json":
            return json.dumps({"time": round(at, 3), "level": level, "message": flat})
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
        return f"{moment[:23]}Z s3gateway: {level}: {flat}"

    def _put(self, text: str) -> bool:
        """Writes a line, after the end of one that was cut off; returns whether all was written."""
        torn = b"\n" if self._torn else b""
        data = torn + text.encode("utf-8", "replace") + b"\n"
        written = _write_at_once(data)
        if written > len(torn):
            self._torn = written < len(data)
        elif written:
            self._torn = False
        return written == len(data)


def _write_at_once(data: bytes) -> int:
    """Writes without waiting; returns how many of the bytes standard error took.

    Other processes may share the open file, so its flags stay: it is blocking where `descriptors`
    could not open it again. A pipe that poll reports as writable takes at least PIPE_BUF.
    """
    written = 0
    try:
        if stat.S_ISSOCK(os.fstat(_STANDARD_ERROR).st_mode):
            with socket.socket(fileno=os.dup(_STANDARD_ERROR)) as connection:
                return connection.send(data, socket.MSG_DONTWAIT)
        poll = select.poll()
        poll.register(_STANDARD_ERROR, select.POLLOUT)
        while written < len(data) and poll.poll(0):
            written += os.write(_STANDARD_ERROR, data[written : written + select.PIPE_BUF])
    except OSError:
        pass  # nobody reads standard error, and there is no other place for messages
    return written


def plural(count: int, noun: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
