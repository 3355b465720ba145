"""The one writer of the access log and of the workers' messages.

Rules: one thread, so that a slow disk or a full pipe delays no reload; a line that cannot be
written is lost, and the first of a series of losses is reported; text that comes from a client is
escaped, so that no request can forge a line or move a terminal's cursor.

Not here: what a line says (`fastpath.journal`), the forms of access lines (`fastpath.accesslog`),
dropping under load (the datagram socket).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from fastpath.journal import ACCESS
from gateway.supervisor.notices import LEVELS, Notices

# Words of an event.
_SAFE: Final = "!#$&'()*+,/:;=?@[]{}|^~`<>"  # printable ASCII but space, quote, backslash, percent

_DATAGRAM_BYTES: Final = 262144
_BATCH: Final = 256  # datagrams between two looks at the commands
_STANDARD_OUTPUT: Final = 1

Entry = Mapping[str, object]


def as_json(entry: Entry) -> str:
    """One line as JSON: as the worker wrote it, non-ASCII escaped."""
    return json.dumps(entry, separators=(",", ":"))


def event_text(entry: Entry) -> str:
    """The message of an event; what else the worker knows follows as name=value."""
    rest = (
        f"{name}={_word(value)}"
        for name, value in entry.items()
        if name not in ("kind", "level", "message", "worker", "time") and value not in ("", None)
    )
    message = "".join(c if c.isprintable() else "?" for c in str(entry.get("message", "")))
    return " ".join((f"worker {_number(entry.get('worker'))}: {message}", *rest))


def parse(line: bytes) -> Entry | None:
    """The JSON object of a line that is no access line; None if it is none."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


class LogWriter:
    """Writes what workers send until told to stop."""

    def __init__(
        self,
        source: socket.socket,
        destination: str,
        form: str,
        notices: Notices,
        wishes: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`wishes` hears the name of a target that a worker wants fresh credentials for."""
        self._wishes = wishes
        self._source = source
        self._destination = destination
        self._json = form == "json"
        self._notices = notices
        self._sink = -1
        self._losing = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)

    def start(self) -> None:
        """Opens the file and starts writing."""
        self._source.setblocking(False)
        self._open()
        self._thread.start()

    def reopen(self) -> None:
        """Opens the file again: it was rotated."""
        os.write(self._wake_write, b"r")

    def stop(self, seconds: float) -> None:
        """Writes what has arrived, then ends; gives up after `seconds`."""
        os.write(self._wake_write, b"q")
        self._thread.join(seconds)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            poll.poll()
            self._take()
            with contextlib.suppress(BlockingIOError):
                commands = os.read(self._wake_read, 64)
                if b"q" in commands:
                    while self._take():
                        pass
                    return
                if b"r" in commands:
                    self._open()

    def _take(self) -> bool:
        """Writes a batch of what is there; whether there was anything."""
        lines: list[bytes] = []
        seen = False
        for _ in range(_BATCH):
            try:
                datagram = self._source.recv(_DATAGRAM_BYTES)
            except OSError:
                break
            if not datagram:
                break
            seen = True
            for line in datagram.split(b"\n"):
                if line.startswith(ACCESS):
                    lines.append(line[len(ACCESS) :])
                elif (entry := parse(line)) is not None:
                    self._sort(entry)
        if lines:
            self._write(b"\n".join(lines) + b"\n")
        return seen

    def _sort(self, entry: Entry) -> None:
        if entry.get("kind") == "event":
            level = str(entry.get("level"))
            if level not in LEVELS:
                level = "warning"
            if not self._json:
                self._notices.say(level, event_text(entry))
            elif self._notices.wants(level):
                self._notices.line(as_json(entry))
        elif entry.get("kind") == "refresh":
            self._wishes(str(entry.get("target")))

    def _open(self) -> None:
        """Opens the destination; on failure the old one stays, if there is one."""
        if self._destination in ("off", ""):
            return
        if self._destination == "-":
            self._sink = _STANDARD_OUTPUT
            return
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            opened = os.open(self._destination, flags, 0o640)
        except OSError as error:
            self._notices.error(f"access log {self._destination}: {error.strerror}")
            return
        if self._sink > _STANDARD_OUTPUT:
            os.close(self._sink)
        self._sink = opened
        self._losing = False

    def _write(self, data: bytes) -> None:
        if self._sink < 0:
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._sink, rest) :]
        except OSError as error:
            if not self._losing:
                self._notices.error(f"access log: lines are lost: {error.strerror}")
            self._losing = True
        else:
            self._losing = False


def _word(value: object) -> str:
    return quote(str(value), safe=_SAFE) if value not in ("", None) else "-"


def _number(value: object) -> str:
    return str(value) if isinstance(value, int) else "-"
