"""A worker sends its log to control: access lines, events, repair lines and requests for fresh
credentials.

Rules: the datagram socket is bounded and lossy, so that a worker never waits for its log: a full
socket drops lines, and the worker counts them. A datagram holds several lines in at most
MAX_DATAGRAM bytes: an access line in its final form behind ACCESS, any other line as a JSON object.
A repair line is sent at once, and its caller is told whether it was. No line holds a secret, a
signature or a body.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import time
import traceback
from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

from fastpath.ipc.access_log import CALL, FORMS, OF_CLIENT, AccessLine
from fastpath.ipc.counters import Slot
from fastpath.ipc.process_identity import ProcessIdentity, this_process
from fastpath.ipc.repair_lines import BEGUN, DONE, LEFT, LeftUpload, RepairLine, written

if TYPE_CHECKING:
    from fastpath.errors import S3Error
    from fastpath.ipc.sampling import Sampling

MAX_DATAGRAM = 32768  # bytes; well below the default AF_UNIX socket buffer of 212,992
FLUSH_SECONDS = 0.1
# A misconfigured health check or load balancer makes the same mistake every second or so.
SAME_MISTAKE_SECONDS = 60.0
# One event in so many seconds stands for many failed authentications; each has its access line.
FAILED_AUTHENTICATION_SECONDS = 1.0
# A line about each way in which a target fails in so many seconds: a dead one fails thousands.
SAME_FAILURE_SECONDS = 5.0
_MAX_REASONS = 8  # of one target in that time
_MAX_TARGETS = 1024  # more than configurations have; reloads bring others
_MAX_DROPPED = 256  # pairs of a target and dropped headers; clients choose among 20 headers
ACCESS = b"="  # an access line begins with it: control writes the rest of the line as it is
_FLUSH_LINES = 64

RECENT = "recent"  # the kind of a line that tells control of a request, for whoever looks now
# Requests that a worker tells of in a second, and failed ones besides: people read no more.
RECENT_A_SECOND = 10
RECENT_ERRORS_A_SECOND = 20

# As globals: an attribute of an enumeration costs a descriptor call.
_REQUESTS = Slot.REQUESTS


class Logged(Protocol):
    """The facts of an exchange, or of a call, that its log lines need."""

    request_id: str
    status: int
    code: str
    bytes_in: int
    bytes_out: int

    @property
    def remote(self) -> str:
        """The client's address and port."""

    @property
    def target_name(self) -> str:
        """The target it was admitted to; empty before that."""

    @property
    def bucket_name(self) -> str:
        """The client's bucket; empty if none is known."""

    @property
    def unverified_key_id(self) -> str:
        """The access key id that a client claimed without proof; empty if there is none."""

    def access_line(self, worker: int) -> AccessLine:
        """Its line in the access log of this worker."""


class _ToldFailures:
    """What has been said of one target's failures since a moment."""

    __slots__ = ("reasons", "since", "untold", "untold_before")

    def __init__(self, since: float, untold_before: int) -> None:
        self.since = since
        self.reasons: set[str] = set()
        self.untold = 0  # failures since then that left no line
        self.untold_before = untold_before  # of the time before, which the next line tells


class WorkerLog:
    """The log of one worker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sink: socket.socket,
        row: memoryview,
        *,
        worker: int,
        access_log: str,
        tells_requests: bool = False,
    ) -> None:
        """`access_log` is a form of `access_log`, or `off`.

        tells_requests: control is told of some, for the admin plane.
        """
        self._loop = loop
        self._sink = sink
        self._row = row
        self._worker = worker
        self._form = FORMS.get(access_log)
        self.sampling: Sampling | None = None  # None: every access line is written
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._unverified_at = -math.inf  # when the last failed authentication was logged
        self._unverified_since = 0  # failed authentications that were not logged since
        # By target and headers: when the drop was logged last, and how many requests since.
        self._dropped: dict[tuple[str, str], tuple[float, int]] = {}
        self._failures: dict[str, _ToldFailures] = {}  # by target
        self._mistakes: dict[str, float] = {}  # clients' mistakes: when each was logged last
        self._process: ProcessIdentity | None = None  # this one, once a repair line needs it
        # In this second, requests and errors to tell of besides those that were.
        self._recent_left = RECENT_A_SECOND if tells_requests else 0
        self._errors_left = RECENT_ERRORS_A_SECOND if tells_requests else 0
        self._refill: asyncio.TimerHandle | None = None
        self._ended_when_told = self._ended()  # requests that had ended when the last was told

    def exchange_ended(self, exchange: Logged, how: Slot = _REQUESTS) -> None:
        """Count an exchange as finished, or as CUT, and log it if there is an access log."""
        row = self._row
        row[how] += 1
        if exchange.status >= 400:
            row[Slot.ERRORS_4XX if exchange.status < 500 else Slot.ERRORS_5XX] += 1
            if key_id := exchange.unverified_key_id:
                self._authentication_failed(exchange, key_id)
            if self._errors_left:
                self._errors_left -= 1
                self._tell(exchange.access_line(self._worker))
        elif self._recent_left:
            self._recent_left -= 1
            self._tell(exchange.access_line(self._worker))
        if self._form is not None:
            if self.sampling is None:
                self._take(ACCESS + self._form(exchange.access_line(self._worker), OF_CLIENT))
            else:
                self._take_share(exchange.access_line(self._worker), OF_CLIENT, self.sampling)

    def _tell(self, line: AccessLine) -> None:
        """Tell control of a request, for whoever looks at the last ones."""
        if self._refill is None:
            self._refill = self._loop.call_later(1.0, self._tell_more)
        last, self._ended_when_told = self._ended_when_told, self._ended()
        left_out = self._ended_when_told - last - 1
        self._write({"kind": RECENT, "left_out": left_out, **line._asdict()})

    def _ended(self) -> int:
        """Returns how many requests of clients have ended in this worker."""
        return self._row[_REQUESTS] + self._row[Slot.CUT]

    def _tell_more(self) -> None:
        self._refill = None
        self._recent_left, self._errors_left = RECENT_A_SECOND, RECENT_ERRORS_A_SECOND

    def call_ended(self, call: Logged) -> None:
        """Count a request of the gateway's own to a target, and log it."""
        self._row[Slot.CALLS] += 1
        if call.code:
            self._row[Slot.CALLS_FAILED] += 1
        if self._form is not None:
            if self.sampling is None:
                self._take(ACCESS + self._form(call.access_line(self._worker), CALL))
            else:
                self._take_share(call.access_line(self._worker), CALL, self.sampling)

    def _take_share(self, line: AccessLine, kind: str, sampling: Sampling) -> None:
        """Log a line, or count that it is left out."""
        if sampling.leaves_out(line):
            self._row[Slot.SAMPLED] += 1
        elif self._form is not None:
            self._take(ACCESS + self._form(line, kind))

    def _authentication_failed(self, exchange: Logged, key_id: str) -> None:
        """Log a failed authentication, at intervals: a flood of them must not flood the log."""
        now = self._loop.time()
        if now < self._unverified_at + FAILED_AUTHENTICATION_SECONDS:
            self._unverified_since += 1
            return
        more, self._unverified_at, self._unverified_since = self._unverified_since, now, 0
        self.event(
            "warning",
            f"authentication failed: {exchange.code}",
            access_key_id=key_id,
            remote=exchange.remote,
            request_id=exchange.request_id,
            untold=str(more) if more else "",
        )

    def head_refused(self, remote: str, request_id: str, fault: S3Error) -> None:
        """Count and log a head that was not understood or not read: only its sender is known."""
        self._row[Slot.STARTED] += 1
        self._row[Slot.REQUESTS] += 1
        self._row[Slot.ERRORS_4XX if fault.kind.status < 500 else Slot.ERRORS_5XX] += 1
        if self._form is not None or self._errors_left:
            line = AccessLine(
                time=time.time(),
                request_id=request_id,
                remote=remote,
                method="",
                operation="",
                bucket="",
                key="",
                identity="",
                target="",
                rule=None,
                status=fault.kind.status,
                code=fault.kind.code,
                bytes_in=None,
                bytes_out=None,
                seconds=None,
                generation=None,
                worker=self._worker,
            )
            if self._errors_left:
                self._errors_left -= 1
                self._tell(line)
            if self._form is not None:
                self._take(ACCESS + self._form(line, OF_CLIENT))

    def target_failed(self, exchange: Logged, reason: str) -> None:
        """Log how a target failed a request, unless it did so a moment ago, to others.

        A target that is down fails every request; each has its access line.
        """
        name, now = exchange.target_name, self._loop.time()
        told = self._failures.get(name)
        if told is None or now >= told.since + SAME_FAILURE_SECONDS:
            if len(self._failures) >= _MAX_TARGETS:
                self._failures.clear()
            before = 0 if told is None else told.untold
            told = self._failures[name] = _ToldFailures(now, before)
        if reason in told.reasons or len(told.reasons) >= _MAX_REASONS:
            told.untold += 1
            return
        told.reasons.add(reason)
        untold, told.untold_before = told.untold_before, 0
        facts = {"request_id": exchange.request_id, "target": name}
        self.event("warning", reason, **facts, untold=str(untold) if untold else "")

    def bucket_found(self, exchange: Logged, region: str) -> None:
        """Log that a target named the region of a bucket."""
        self.event(
            "info",
            "the bucket is in another region",
            request_id=exchange.request_id,
            target=exchange.target_name,
            bucket=exchange.bucket_name,
            region=region,
        )

    def request_credentials(self, target: str) -> None:
        """Ask control for fresh credentials of this target, now."""
        self._write({"kind": "refresh", "target": target, "worker": self._worker})
        self.flush()

    def repair(self, upload: LeftUpload) -> bool:
        """Log, at once, that an upload was begun which may be left; whether the line was sent.

        If it was not, nobody would know of the upload: its caller gives it up. A line that was sent
        is in the socket, which outlives this process and control.
        """
        self.flush()  # what happened before stands before it
        return self._send([self._repair_line(upload, BEGUN)])

    def repaired(self, upload: LeftUpload) -> None:
        """Log that such an upload is over: completed or aborted."""
        self._take(self._repair_line(upload, DONE))

    def left(self, upload: LeftUpload) -> None:
        """Count and log that such an upload is left: its copy failed, and could not abort it."""
        self._row[Slot.UPLOADS_LEFT] += 1
        self._take(self._repair_line(upload, LEFT))

    def _repair_line(self, upload: LeftUpload, state: str) -> bytes:
        if self._process is None:
            self._process = this_process()
        return written(RepairLine(upload, state, time.time(), self._worker, self._process))

    def headers_dropped(self, exchange: Logged, names: Collection[bytes]) -> None:
        """Count, and log at intervals, that headers were dropped which the target ignores."""
        self._row[Slot.FORGOTTEN] += 1
        headers = ", ".join(sorted(name.decode() for name in names))
        about, now = (exchange.target_name, headers), self._loop.time()
        last, count = self._dropped.get(about, (-math.inf, 0))
        if now < last + SAME_MISTAKE_SECONDS:
            self._dropped[about] = (last, count + 1)
            return
        if len(self._dropped) >= _MAX_DROPPED:
            self._dropped.clear()
        self._dropped[about] = (now, 0)
        self.event(
            "warning",
            "dropped headers that the target would forget (forgets: drop)",
            request_id=exchange.request_id,
            target=exchange.target_name,
            bucket=exchange.bucket_name,
            headers=headers,
            requests=str(count + 1),  # since the last such line
        )

    def list_failed(self, request_id: str, target: str, reason: str, *, refused: bool) -> None:
        """Count and log that a target did not list its buckets for a list of all.

        `refused`: the client gets no list at all.
        """
        self._row[Slot.LISTS_FAILED] += 1
        then = "the list is refused" if refused else "they are missing from the list"
        message = f"the target does not list its buckets: {reason}; {then}"
        self.event("warning", message, request_id=request_id, target=target)

    def client_mistaken(self, mistake: str, remote: str) -> None:
        """Log, at intervals, that a client speaks another protocol than its listener."""
        now = self._loop.time()
        if now >= self._mistakes.get(mistake, -math.inf) + SAME_MISTAKE_SECONDS:
            self._mistakes[mistake] = now  # bounded: mistakes are constants
            self.event("warning", mistake, remote=remote)

    def crash(self, fault: BaseException, request_id: str = "") -> None:
        """Log a defect of the gateway: what was raised and where, in one line."""
        frames = list(traceback.walk_tb(fault.__traceback__))  # reads no source, as others would
        where = f" at {frames[-1][0].f_code.co_filename}:{frames[-1][1]}" if frames else ""
        message = f"internal error: {type(fault).__name__}: {fault}{where}"
        self.event("error", message, request_id=request_id)

    def event(self, level: str, message: str, **facts: str) -> None:
        """Log something an operator should know."""
        self._write(
            {
                "kind": "event",
                "time": time.time(),
                "level": level,
                "worker": self._worker,
                "message": message,
                **facts,
            }
        )

    def _write(self, line: dict[str, object]) -> None:
        self._take(json.dumps(line, separators=(",", ":")).encode())

    def _take(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) >= _FLUSH_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Send the lines that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        batch: list[bytes] = []
        size = 0
        for line in lines:
            if size + len(line) > MAX_DATAGRAM and batch:
                self._send(batch)
                batch, size = [], 0
            batch.append(line)
            size += len(line) + 1
        if batch:
            self._send(batch)

    def _send(self, batch: list[bytes]) -> bool:
        """Send a datagram; whether it was taken."""
        try:
            self._sink.send(b"\n".join(batch))
        except OSError:  # full, or control is away: lossy by design
            self._row[Slot.LOG_DROPPED] += len(batch)
            return False
        return True
