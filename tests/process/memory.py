"""Owns how much memory one worker takes at most: by a cgroup of its own, and by samples.

Rules: a worker's cgroup is made where the machine lets us (root, the memory controller of either
version): the supervisor is put in, forks the worker anew, and is taken out again, so that all that
the worker allocates is charged there; the samples are of its proportional share.

Not here: what the worker does meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.process.harness import Gateway, wait_until

SAMPLE_SECONDS = 0.1
_FILES = ("memory.peak", "memory.max_usage_in_bytes")  # of version 2 and of version 1


def share_of(pid: int) -> int:
    """Bytes of memory of a process; what it shares with others is divided among them."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    match = re.search(r"Pss: +(\d+) kB", rollup)
    assert match
    return int(match[1]) * 1024


@contextlib.contextmanager
def own_cgroup(gateway: Gateway) -> Iterator[Path | None]:
    """The cgroup of the only worker, which is forked anew; None if there can be none."""
    parent = _memory_hierarchy()
    if parent is None:
        yield None
        return
    group = parent / f"s3gateway-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cgroup.procs").write_text(str(gateway.supervisor_pid))
        old = gateway.kill_worker(0)
        wait_until(lambda: gateway.worker_pids() not in ([], [old]), "the worker is forked anew")
        (parent / "cgroup.procs").write_text(str(gateway.supervisor_pid))
        yield group
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (parent / "cgroup.procs").write_text(pid)
        group.rmdir()


def _memory_hierarchy() -> Path | None:
    """The cgroup this process is in, if a child of it would count memory."""
    root = Path("/sys/fs/cgroup")
    places = dict(
        line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines()
    )
    parent = root / places[""].lstrip("/")
    if "memory" in places:
        parent = root / "memory" / places["memory"].lstrip("/")
    probe = parent / f"s3gateway-probe-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError:
        return None
    try:
        return parent if any((probe / name).exists() for name in _FILES) else None
    finally:
        probe.rmdir()


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
def watched(pid: int, group: Path | None) -> Iterator[Peak]:
    """Watches a worker for the time of the block; complete at its end."""
    peak, ended = Peak(), threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            peak.share = max(peak.share, share_of(pid))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
        if group is not None:
            found = [group / name for name in _FILES if (group / name).exists()]
            peak.charged = int(found[0].read_text())
