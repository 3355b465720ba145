"""The times that the supervisor waits for, each with its reason.

Rules: times are in seconds; those that have an environment variable may be changed by a test, and
by the operator of a slow machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# The longest wait of the loop: what it must look for (heartbeats) is seen this late.
TICK_SECONDS: Final = 0.5

# A worker whose counters move, or that waits for a processor, may go so many times its heartbeat
# limit without a turn of its loop (a minute): no request takes that long of the processor.
BUSY_BEATS: Final = 12

# From this back-off on, connections are refused, not kept waiting for the worker.
LONG_BACK_OFF_SECONDS: Final = 4.0
# A process that ran this long started well: its next crash is the first in a row.
STABLE_SECONDS: Final = 10.0

# After the drain deadline, a worker cuts its connections itself and says how many.
DRAIN_GRACE_SECONDS: Final = 2.0
# A worker that must leave at once cuts its requests, writes its log lines and exits.
NOW_SECONDS: Final = 1.0
# Control writes the last log lines before it exits.
CONTROL_EXIT_SECONDS: Final = 5.0
# A child that closed its channel is about to be reaped, unless it hangs in its exit.
MUTE_SECONDS: Final = 5.0
# A supervisor whose every turn fails gives up after this time: memory or descriptors may be there
# again in a moment, and workers serve meanwhile; but nobody is replaced, and no signal is obeyed.
FAULTY_SECONDS: Final = 60.0


class TimeoutsError(Exception):
    """An environment variable is no number of seconds."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The times that environment variables can change."""

    # Workers beat every 0.5 s; ten missed beats are no garbage collection. Of a worker that can
    # run, its own time on a processor counts (`heartbeat`).
    heartbeat_seconds: float = 5.0
    # A worker takes 100,000 rules in a tenth of a second, but globs with ? or [] in 0.1 ms each.
    acknowledge_seconds: float = 15.0
    # From fork to READY, imports and the first snapshot included, on a machine that is busy.
    boot_seconds: float = 60.0
    # Credentials may come from a metadata service that does not answer.
    control_seconds: float = 120.0


VARIABLES: Final = {
    "S3GATEWAY_HEARTBEAT_SECONDS": "heartbeat_seconds",
    "S3GATEWAY_ACKNOWLEDGE_SECONDS": "acknowledge_seconds",
    "S3GATEWAY_BOOT_SECONDS": "boot_seconds",
    "S3GATEWAY_CONTROL_SECONDS": "control_seconds",
}


def read(environ: Mapping[str, str]) -> Timeouts:
    """Reads the times from the environment. Raises TimeoutsError."""
    chosen: dict[str, float] = {}
    for variable, field in VARIABLES.items():
        if text := environ.get(variable):
            try:
                seconds = float(text)
            except ValueError:
                seconds = 0.0
            if not 0.1 <= seconds <= 86400:
                raise TimeoutsError(
                    f"{variable}: {text!r} is no number of seconds from 0.1 to 86400"
                )
            chosen[field] = seconds
    return Timeouts(**chosen)
