"""Reads what the workers send: writes events and repair lines, passes on access lines, recent
requests, and requests for credentials.

Rules: one thread that never waits for a disk or a pipe, so that access lines do not delay an event
or a request for credentials; text that comes from a client is escaped, so that no request can forge
a line or move a terminal's cursor. A repair line is written whatever the level of messages, and in
text form it is the whole message: `gateway.repair` takes none that stands elsewhere.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote

from fastpath.ipc.log import ACCESS, RECENT
from fastpath.ipc.repair_lines import KIND as REPAIR
from gateway.control.access_log_writer import AccessLog
from gateway.control.core_thread import CoreThread
from gateway.supervisor.notices import LEVELS, Notices

# Words of an event.
_SAFE: Final = "!#$&'()*+,/:;=?@[]{}|^~`<>"  # printable ASCII but space, quote, backslash, percent

_DATAGRAM_BYTES: Final = 262144
_BATCH: Final = 256  # datagrams between two checks whether to stop

Entry = Mapping[str, object]


def as_json(entry: Entry) -> str:
    """One line as JSON: as the worker wrote it, non-ASCII escaped."""
    return json.dumps(entry, separators=(",", ":"))


def event_text(entry: Entry) -> str:
    """Returns the message of an event; the other fields follow as name=value."""
    rest = (
        f"{name}={_word(value)}"
        for name, value in entry.items()
        if name not in ("kind", "level", "message", "worker", "time") and value not in ("", None)
    )
    message = "".join(c if c.isprintable() else "?" for c in str(entry.get("message", "")))
    return " ".join((f"worker {_number(entry.get('worker'))}: {message}", *rest))


def parse(line: bytes) -> Entry | None:
    """Parses a line that is no access line; None if it is no JSON object."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


class LogReader:
    """Reads what workers send, until `stop` is called."""

    def __init__(
        self,
        source: socket.socket,
        access_log: AccessLog | None,
        form: str,
        notices: Notices,
        request_credentials: Callable[[str], None] = lambda _: None,
        remember: Callable[[Entry], None] = lambda _: None,
    ) -> None:
        """Calls `request_credentials` with each target that a worker needs credentials for.

        Calls `remember` with each request that a worker tells of.
        """
        self._request_credentials = request_credentials
        self._remember = remember
        self._source = source
        self._access_log = access_log
        self._json = form == "json"
        self._notices = notices
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = CoreThread("logs", self._run)

    def start(self) -> None:
        """Starts reading, and the access log's writing."""
        self._source.setblocking(False)
        if self._access_log is not None:
            self._access_log.start()
        self._thread.start()

    def reopen(self) -> None:
        """Opens the access log again: it was rotated."""
        if self._access_log is not None:
            self._access_log.reopen()

    def stop(self, seconds: float) -> None:
        """Writes all that has arrived, then ends; gives up after `seconds`."""
        until = time.monotonic() + seconds
        self._thread.leaving = True
        os.write(self._wake_write, b"q")
        self._thread.join(seconds)
        if self._access_log is not None:
            self._access_log.finish(max(until - time.monotonic(), 0.0))

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll()]
            while self._take():
                if self._wake_read not in ready:
                    break
            if self._wake_read in ready:
                return

    def _take(self) -> bool:
        """Handles a batch of datagrams; returns whether there was any."""
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
        if lines and self._access_log is not None:
            self._access_log.put(lines)
        return seen

    def _sort(self, entry: Entry) -> None:
        if entry.get("kind") == "event":
            level = str(entry.get("level"))
            if level not in LEVELS:
                level = "warning"
            if not self._json:
                self._notices.say(level, event_text(entry), _time(entry))
            elif self._notices.wants(level):
                self._notices.line(as_json(entry))
        elif entry.get("kind") == REPAIR:
            if self._json:
                self._notices.line(as_json(entry))
            else:
                self._notices.say("info", as_json(entry), _time(entry), always=True)
        elif entry.get("kind") == "refresh":
            self._request_credentials(str(entry.get("target")))
        elif entry.get("kind") == RECENT:
            self._remember(entry)


def _time(entry: Entry) -> float | None:
    at = entry.get("time")
    return at if isinstance(at, float) else None


def _word(value: object) -> str:
    return quote(str(value), safe=_SAFE) if value not in ("", None) else "-"


def _number(value: object) -> str:
    return str(value) if isinstance(value, int) else "-"
