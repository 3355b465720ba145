"""Makes the families about the gateway itself: its processes, configuration, logs and caches.

Rules: a process that ends while it is looked at has no sample; a worker's series are named by its
index, which its replacement has too.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastpath.ipc.counters import Slot, WorkerPhase, in_flight
from gateway import __version__
from gateway.metrics.families import Family, counter, gauge, info, total
from gateway.metrics.reading import Reading, WorkerRow

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_USER, _SYSTEM, _STARTED, _RESIDENT = 11, 12, 19, 21  # fields of /proc/PID/stat behind the name
_WORKER: Final = ("worker",)
_SECOND: Final = 1_000_000_000.0  # ns


@dataclass(frozen=True, slots=True)
class Process:
    """What the kernel says of a process."""

    cpu_seconds: float
    resident_bytes: int
    descriptors: int
    started: float  # epoch seconds

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Looks at a process; None: there is none."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            return None
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        return cls(
            cpu_seconds=(int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS,
            resident_bytes=int(fields[_RESIDENT]) * _PAGE_BYTES,
            descriptors=descriptors,
            started=round(time.time() - uptime + int(fields[_STARTED]) / _TICKS, 2),
        )


def workers(reading: Reading) -> Iterator[Family]:
    """Yields the families about workers."""
    rows = reading.workers
    states = [worker.row[Slot.STATE] for worker in rows]
    yield gauge(
        "workers",
        "Workers by what they do.",
        ("state",),
        (((state.name.lower(),), states.count(state)) for state in WorkerPhase),
    )
    yield gauge(
        "config_generation",
        "The configuration that a worker serves.",
        _WORKER,
        _each(rows, Slot.GENERATION),
    )
    lag = ((of, value / _SECOND) for of, value in _each(rows, Slot.LOOP_LAG))
    yield gauge(
        "event_loop_lag_seconds",
        "The latest that a worker's event loop came to its heartbeat in half a minute.",
        _WORKER,
        lag,
    )
    now = time.monotonic_ns()
    ages = (
        ((str(worker.index),), max(now - worker.row[Slot.HEARTBEAT], 0) / _SECOND)
        for worker in rows
    )
    yield gauge("heartbeat_age_seconds", "Since the last heartbeat of a worker.", _WORKER, ages)
    running = (((str(worker.index),), in_flight(worker.row)) for worker in rows)
    yield gauge("worker_requests_in_flight", "Requests that run in a worker.", _WORKER, running)
    yield gauge(
        "worker_connections",
        "Connections of clients to a worker.",
        _WORKER,
        _each(rows, Slot.CONNECTIONS),
    )
    totals = reading.totals
    yield counter(
        "worker_restarts",
        "Workers that were replaced, and why.",
        ("reason",),
        [
            (("exited",), totals[Slot.EXITS_CRASHED]),
            (("killed",), totals[Slot.EXITS_KILLED]),
            (("hung",), totals[Slot.EXITS_HUNG]),
        ],
    )
    yield total("control_restarts", "Control processes that ended.", totals[Slot.CONTROL_EXITS])
    yield total("router_restarts", "Custom routers that ended.", totals[Slot.ROUTER_EXITS])


def _each(rows: list[WorkerRow], slot: Slot) -> Iterator[tuple[tuple[str], int]]:
    return (((str(worker.index),), worker.row[slot]) for worker in rows)


def processes(reading: Reading) -> Iterator[Family]:
    """Yields what the kernel says of the gateway's processes."""
    pids = {"supervisor": reading.known.supervisor, "control": os.getpid()}
    pids |= {f"worker-{worker.index}": worker.row[Slot.PID] for worker in reading.workers}
    found = {name: seen for name, pid in pids.items() if (seen := Process.of(pid)) is not None}
    of = ("process",)
    yield counter(
        "process_cpu_seconds",
        "Time on a processor.",
        of,
        (((name,), one.cpu_seconds) for name, one in found.items()),
    )
    yield gauge(
        "process_resident_memory_bytes",
        "Memory in use.",
        of,
        (((name,), one.resident_bytes) for name, one in found.items()),
    )
    yield gauge(
        "process_open_fds",
        "Open descriptors.",
        of,
        (((name,), one.descriptors) for name, one in found.items()),
    )
    yield gauge(
        "process_start_time_seconds",
        "When it was started, in epoch seconds.",
        of,
        (((name,), one.started) for name, one in found.items()),
    )


def configuration(reading: Reading) -> Iterator[Family]:
    """Yields the families about the configuration and the program."""
    totals, present = reading.totals, reading.known.present
    yield info("build", "The program.", version=__version__, python=platform.python_version())
    if present is not None:
        yield info("config", "The configuration in force.", digest=present.digest)
    yield counter(
        "config_reloads",
        "Reloads that were asked for.",
        ("result",),
        [(("ok",), totals[Slot.RELOADS]), (("refused",), totals[Slot.RELOADS_REFUSED])],
    )
    reloaded = reading.control[Slot.RELOADED_AT]
    yield gauge(
        "config_last_reload_success_timestamp_seconds",
        "When a reload took effect last, in epoch seconds; absent before the first one.",
        (),
        [((), reloaded)] if reloaded else [],
    )
    refused = bool(reading.known.reloads) and not reading.known.reloads[-1].ok
    yield gauge(
        "config_last_reload_refused",
        "1 if the last reload was refused, so that an earlier configuration is served.",
        (),
        [((), refused)],
    )


def logs_and_caches(reading: Reading) -> Iterator[Family]:
    """Yields the families about logs, caches, the custom router and what is left to repair."""
    totals = reading.totals
    yield total("access_log_lines", "Lines that were written.", totals[Slot.LOG_WRITTEN])
    yield total("access_log_dropped_lines", "Lines that were lost.", totals[Slot.LOG_DROPPED])
    yield total("access_log_sampled_out_lines", "Lines left out by choice.", totals[Slot.SAMPLED])
    yield total("messages_lost", "Messages that stderr did not take.", totals[Slot.NOTICES_LOST])
    yield total("route_cache_hits", "Buckets whose rules were known.", totals[Slot.CACHE_HITS])
    yield total("route_cache_misses", "Buckets looked up in the rules.", totals[Slot.CACHE_MISSES])
    yield total("route_cache_evictions", "Buckets forgotten.", totals[Slot.CACHE_EVICTIONS])
    yield counter(
        "custom_router_questions",
        "Questions to the custom router, and what answered them.",
        ("result",),
        [
            (("answered",), max(totals[Slot.ROUTER_ASKED] - totals[Slot.ROUTER_FAILED], 0)),
            (("failed",), totals[Slot.ROUTER_FAILED]),
            (("cached",), totals[Slot.ROUTER_CACHED]),
        ],
    )
    yield total("uploads_left", "Uploads left at targets, to repair.", totals[Slot.UPLOADS_LEFT])
    yield total("bucket_lists_failed", "Targets missing from a list.", totals[Slot.LISTS_FAILED])
    yield total("headers_dropped", "Requests without some headers.", totals[Slot.FORGOTTEN])
