"""What a worker tells control: access lines, events, wishes, over a bounded, lossy datagram socket.

Rules: a worker never waits for its log (a full socket drops lines, and counts them); several lines
to a datagram of at most MAX_DATAGRAM bytes: an access line in its final form behind ACCESS,
anything else as a JSON object; a line says what happened and to whom, never a secret, a signature
or a body.

Not here: the forms of an access line (`accesslog`), files, rotation (`gateway.control.logs`).
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import time
import traceback
from collections.abc import Collection
from typing import TYPE_CHECKING

from fastpath.ipc.access_log import FORMS, AccessLine
from fastpath.ipc.counters import Slot
from fastpath.routing.identities import UNVERIFIED
from fastpath.sockets.diagnosis import Cause, of_request

if TYPE_CHECKING:
    from fastpath.client.connection import DownstreamConnection
    from fastpath.errors import S3Error
    from fastpath.exchange.base import Course

MAX_DATAGRAM = 32768  # bytes; well below the default AF_UNIX socket buffer of 212,992
FLUSH_SECONDS = 0.1
# A misconfigured health check or load balancer makes the same mistake every second or so.
SAME_MISTAKE_SECONDS = 60.0
# As rarely is one of many failed authentications told; each has its access line.
FAILED_AUTHENTICATION_SECONDS = 1.0
_MAX_FORGOTTEN = 256  # pairs of a target and what it forgets; clients choose among 20 headers
ACCESS = b"="  # what an access line begins with: control writes the rest of it as it is
_FLUSH_LINES = 64

# Members by themselves; `phases` says why.
_REQUESTS, _BYTES_IN, _BYTES_OUT = Slot.REQUESTS, Slot.BYTES_IN, Slot.BYTES_OUT


class Journal:
    """One worker's lines."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sink: socket.socket,
        row: memoryview,
        *,
        worker: int,
        access_log: str,
    ) -> None:
        """`access_log` is a form of `accesslog`, or `off`."""
        self._loop = loop
        self._sink = sink
        self._row = row
        self._worker = worker
        self._form = FORMS.get(access_log)
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._unverified_at = -math.inf  # when a failed authentication was told last
        self._unverified_since = 0  # that were not told since
        # By target and headers: when that was told, and how many requests since.
        self._forgotten: dict[tuple[str, str], tuple[float, int]] = {}
        self._told: dict[Cause, float] = {}  # clients' mistakes, and when they were told last

    def exchange_ended(self, exchange: Course, how: Slot = _REQUESTS) -> None:
        """Count an exchange as finished, or as CUT, and log it if there is an access log."""
        row = self._row
        row[how] += 1
        if exchange.bytes_in:
            row[_BYTES_IN] += exchange.bytes_in
        row[_BYTES_OUT] += exchange.bytes_out
        if exchange.status >= 400:
            row[Slot.ERRORS_4XX if exchange.status < 500 else Slot.ERRORS_5XX] += 1
            if exchange.admission.caller.name.startswith(UNVERIFIED):
                self._unverified(exchange)
        if self._form is not None:
            self._take(ACCESS + self._form(self._access_line(exchange)))

    def _unverified(self, exchange: Course) -> None:
        """Somebody's authentication failed: told at intervals, or it floods."""
        now = self._loop.time()
        if now < self._unverified_at + FAILED_AUTHENTICATION_SECONDS:
            self._unverified_since += 1
            return
        more, self._unverified_at, self._unverified_since = self._unverified_since, now, 0
        self.event(
            "warning",
            f"authentication failed: {exchange.code}",
            access_key_id=exchange.admission.caller.name.removeprefix(UNVERIFIED),
            remote=exchange.remote,
            request_id=exchange.request_id,
            untold=str(more) if more else "",
        )

    def head_refused(
        self, connection: DownstreamConnection, request_id: str, fault: S3Error, came: bytes
    ) -> None:
        """A head that was not understood or not read: nothing but its sender and what `came`."""
        self.client_mistaken(of_request(came), connection.remote)
        self._row[Slot.STARTED] += 1
        self._row[Slot.REQUESTS] += 1
        self._row[Slot.ERRORS_4XX if fault.kind.status < 500 else Slot.ERRORS_5XX] += 1
        if self._form is not None:
            line = AccessLine(
                time=time.time(),
                request_id=request_id,
                remote=connection.remote,
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
            self._take(ACCESS + self._form(line))

    def upstream_fault(self, exchange: Course, reason: str) -> None:
        """A target failed a request."""
        target = exchange.admission.target
        self.event(
            "warning",
            reason,
            request_id=exchange.request_id,
            target=target.name if target is not None else "",
        )

    def bucket_found(self, exchange: Course, region: str) -> None:
        """A target said in which region a bucket is."""
        admission = exchange.admission
        self.event(
            "info",
            "the bucket is in another region",
            request_id=exchange.request_id,
            target=admission.target.name if admission.target is not None else "",
            bucket=admission.address.bucket.decode() if admission.address is not None else "",
            region=region,
        )

    def refresh_wanted(self, target: str) -> None:
        """Control should get fresh credentials for this target, now."""
        self._write({"kind": "refresh", "target": target, "worker": self._worker})
        self.flush()

    def forgotten(self, exchange: Course, names: Collection[bytes]) -> None:
        """Headers were dropped that the target would forget: told at intervals, counted always."""
        self._row[Slot.FORGOTTEN] += 1
        target, address = exchange.admission.target, exchange.admission.address
        assert target is not None  # admitted
        assert address is not None
        headers = ", ".join(sorted(name.decode() for name in names))
        about, now = (target.name, headers), self._loop.time()
        last, count = self._forgotten.get(about, (-math.inf, 0))
        if now < last + SAME_MISTAKE_SECONDS:
            self._forgotten[about] = (last, count + 1)
            return
        if len(self._forgotten) >= _MAX_FORGOTTEN:
            self._forgotten.clear()
        self._forgotten[about] = (now, 0)
        self.event(
            "warning",
            "dropped headers that the target would forget (forgets: drop)",
            request_id=exchange.request_id,
            target=target.name,
            bucket=address.bucket.decode(),
            headers=headers,
            requests=str(count + 1),  # since the last such line
        )

    def client_mistaken(self, cause: Cause | None, remote: str) -> None:
        """A client speaks another protocol than its listener: told at intervals, or it floods."""
        if cause is None:
            return
        now = self._loop.time()
        if now >= self._told.get(cause, -math.inf) + SAME_MISTAKE_SECONDS:
            self._told[cause] = now  # bounded: causes are constants
            self.event("warning", str(cause), remote=remote)

    def crash(self, exchange: Course | None, fault: BaseException) -> None:
        """A defect: where it happened, in one line."""
        frames = list(traceback.walk_tb(fault.__traceback__))  # reads no source, as others would
        where = f" at {frames[-1][0].f_code.co_filename}:{frames[-1][1]}" if frames else ""
        self.event(
            "error",
            f"internal error: {type(fault).__name__}: {fault}{where}",
            request_id=exchange.request_id if exchange is not None else "",
        )

    def event(self, level: str, message: str, **facts: str) -> None:
        """Something an operator should know."""
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

    def _access_line(self, exchange: Course) -> AccessLine:
        admission = exchange.admission
        address, decision, operation = admission.address, admission.decision, admission.operation
        # By position: these seventeen names cost 0.8 us a request (bench: GET 1 KiB).
        return AccessLine(
            time.time(),
            exchange.request_id,
            exchange.remote,
            exchange.head.method.decode("latin-1"),
            operation.name if operation is not None else "",
            address.bucket.decode() if address is not None else "",
            address.key.decode("utf-8", "replace") if address is not None else "",
            admission.caller.name,
            decision.target if decision is not None else "",
            decision.rule if decision is not None else None,
            exchange.status,
            exchange.code,
            exchange.bytes_in,
            exchange.bytes_out,
            time.perf_counter() - exchange.started,
            exchange.snapshot.generation,
            self._worker,
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
        """Send what has gathered."""
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

    def _send(self, batch: list[bytes]) -> None:
        try:
            self._sink.send(b"\n".join(batch))
        except OSError:  # full, or control is away: lossy by design
            self._row[Slot.LOG_DROPPED] += len(batch)
