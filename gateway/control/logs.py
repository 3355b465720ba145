"""The one writer of the access log and of the workers' messages.

Rules: one thread, so that a slow disk or a full pipe delays no reload; a line that cannot be
written is lost, and the first of a series of losses is reported; text that comes from a client is
escaped, so that no request can forge a line or move a terminal's cursor.

Not here: what a line says (`fastpath.journal`), dropping under load (the datagram socket).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from gateway.supervisor.notices import LEVELS, Notices

# Text form of an access line. Space-separated, one word each, "-" for nothing:
# time remote identity method bucket/key operation target#rule status code bytes_in bytes_out
# seconds request_id worker#generation
_SAFE: Final = "!#$&'()*+,/:;=?@[]{}|^~`<>"  # printable ASCII but space, quote, backslash, percent

_DATAGRAM_BYTES: Final = 262144
_BATCH: Final = 256  # datagrams between two looks at the commands
_STANDARD_OUTPUT: Final = 1

Entry = Mapping[str, object]


def access_text(entry: Entry) -> str:
    """One access line as text."""
    rule = entry.get("rule")
    target = _word(entry.get("target"))
    words = (
        _time(entry.get("time")),
        _word(entry.get("remote")),
        _word(entry.get("identity")),
        _word(entry.get("method")),
        _path(entry),
        _word(entry.get("operation")),
        f"{target}#{_word(rule)}" if rule else target,
        _word(entry.get("status")),
        _word(entry.get("code")),
        _number(entry.get("bytes_in")),
        _number(entry.get("bytes_out")),
        _seconds(entry.get("seconds")),
        _word(entry.get("request_id")),
        f"{_number(entry.get('worker'))}#{_number(entry.get('generation'))}",
    )
    return " ".join(words)


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


def entries(datagram: bytes) -> Iterable[Entry]:
    """The JSON objects in a datagram; what is none is skipped."""
    for line in datagram.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


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
        lines: list[str] = []
        seen = False
        for _ in range(_BATCH):
            try:
                datagram = self._source.recv(_DATAGRAM_BYTES)
            except OSError:
                break
            if not datagram:
                break
            seen = True
            for entry in entries(datagram):
                self._sort(entry, lines)
        if lines:
            self._write("".join(lines).encode("utf-8", "replace"))
        return seen

    def _sort(self, entry: Entry, lines: list[str]) -> None:
        if entry.get("kind") == "access":
            lines.append((as_json(entry) if self._json else access_text(entry)) + "\n")
        elif entry.get("kind") == "event":
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


def _path(entry: Entry) -> str:
    bucket, key = entry.get("bucket"), entry.get("key")
    if not bucket:
        return "-"
    return _word(f"{bucket}/{key}" if key else bucket)


def _number(value: object) -> str:
    return str(value) if isinstance(value, int) else "-"


def _seconds(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, (int, float)) else "-"


def _time(value: object) -> str:
    seconds = float(value) if isinstance(value, (int, float)) else 0.0
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
