"""Owns how much memory one worker takes at most: by a cgroup of its own, and by samples.

Rules: the samples are of its proportional share.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from loadtest.bench import cgroups
from tests.process.harness import Gateway

SAMPLE_SECONDS = 0.1


def own_cgroup(gateway: Gateway) -> contextlib.AbstractContextManager[cgroups.Group | None]:
    """The cgroup of the only worker, which is forked anew; None if there can be none."""
    return cgroups.own(gateway.supervisor_pid, gateway.worker_pids)


@dataclass
class Peak:
    """The most that was seen, in bytes; `charged` is 0 without a cgroup."""

    share: int = 0
    charged: int = 0

    @property
    def bound(self) -> int:
        """What must stay below a limit."""
        return self.charged or self.share


@contextlib.contextmanager
def watched(pid: int, group: cgroups.Group | None) -> Iterator[Peak]:
    """Watches a worker for the time of the block; complete at its end."""
    peak, ended = Peak(), threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            peak.share = max(peak.share, cgroups.pages(pid).share)

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
        if group is not None:
            peak.charged = group.peak() or 0
