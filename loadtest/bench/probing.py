"""A steady probe: one client that asks again and again, and how long its answers took.

Rules: one request at a time, a pause after each, so that the probe is no load; what is done
meanwhile is done between two requests, by the same thread, so that it holds no answer up.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.bench import sending

_PAUSE = 0.002


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds."""

    p50: float
    p99: float
    longest: float
    requests: int


def probe(
    connection: socket.socket,
    request: bytes,
    seconds: float,
    between: Callable[[], None] = lambda: None,
) -> Delays:
    """Ask for so long; `between` is called before each request."""
    taken: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        between()
        begun = time.perf_counter()
        sending.ask(connection, request)
        taken.append(1000 * (time.perf_counter() - begun))
        time.sleep(_PAUSE)
    cuts = statistics.quantiles(taken, n=100)
    return Delays(cuts[49], cuts[98], max(taken), len(taken))
