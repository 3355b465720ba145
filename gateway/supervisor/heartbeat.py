"""Tells a worker that is busy from one that hangs, when its heartbeat stops.

The worker's event loop writes a heartbeat. One turn of the loop may be long without being endless:
requests end in it, so that the worker's counters change; or the machine is busy, and the worker
waits for a processor.

Rules: a changed heartbeat or counter is a sign of life; time without one counts as the worker's own
time on a processor while it can run, and as elapsed time while it sleeps; without a heartbeat no
other sign counts for ever, so that an endless loop of any kind is ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from fastpath.ipc.counters import COUNTERS, Slot
from gateway.supervisor.timeouts import BUSY_BEATS

_TICKS: Final = 100.0  # of /proc, in a second: USER_HZ, the same on every Linux
_STATE, _USER, _SYSTEM = 0, 11, 12  # fields of /proc/PID/stat behind the name (proc_pid_stat(5))


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of one worker at one moment."""

    beat: int  # as in its row
    work: int  # all its counters together
    cpu: float  # seconds, since its fork
    runs: bool  # or waits for a processor

    @classmethod
    def take(cls, pid: int, row: Sequence[int]) -> Self:
        """Reads the state now. A process that does not exist counts as one that sleeps."""
        work = sum(row[slot] for slot in COUNTERS)
        return cls.of_process(pid, row[Slot.HEARTBEAT], work)

    @classmethod
    def of_process(cls, pid: int, beat: int, work: int = 0) -> Self:
        """The same, of a process that has no row of counters."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            fields = ["Z", *["0"] * _SYSTEM]
        cpu = (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS
        return cls(beat, work, cpu, fields[_STATE] == "R")


class Heartbeat:
    """The signs of life of one worker."""

    __slots__ = ("_beat", "_beat_at", "_last", "_seen_at")

    def __init__(self) -> None:
        self._last = Reading(0, 0, 0.0, False)  # that showed a sign of life
        self._seen_at = 0.0  # monotonic
        self._beat = 0
        self._beat_at = 0.0

    def fault(self, reading: Reading, now: float, since: float, limit: float) -> str | None:
        """Returns why the worker counts as hung. Silence before `since` does not count."""
        if reading.beat != self._beat:
            self._beat, self._beat_at = reading.beat, now
        if (reading.beat, reading.work) != (self._last.beat, self._last.work):
            self._last, self._seen_at = reading, now
        silent = now - max(self._seen_at, since)
        turned = now - max(self._beat_at, since)
        if silent > limit and (not reading.runs or reading.cpu - self._last.cpu > limit):
            return f"gave no sign for {silent:.1f} s"
        if turned > limit * BUSY_BEATS:
            return f"is busy, but its loop has not turned for {turned:.1f} s"
        return None
