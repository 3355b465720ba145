"""Counts the processors that this process may use, which is how many workers `auto` means."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_processors(cgroup: Path = _CGROUP) -> int:
    """Returns the smaller of the CPU affinity and the cgroup's limit, rounded up; at least 1."""
    allowed = len(os.sched_getaffinity(0))
    limit = cpu_limit(cgroup)
    return max(1, allowed if limit is None else min(allowed, math.ceil(limit)))


def cpu_limit(cgroup: Path) -> float | None:
    """Returns the cgroup's limit in processors (version 2, then version 1); None without one."""
    quota, period = _words(cgroup / "cpu.max", 2)
    if not quota:
        quota = _words(cgroup / "cpu" / "cpu.cfs_quota_us", 1)[0]
        period = _words(cgroup / "cpu" / "cpu.cfs_period_us", 1)[0]
    if not quota.isdigit() or not period.isdigit() or int(period) == 0 or int(quota) == 0:
        return None  # "max", or -1 in version 1
    return int(quota) / int(period)


def _words(file: Path, count: int) -> list[str]:
    try:
        words = file.read_text().split()
    except OSError:
        words = []
    return (words + [""] * count)[:count]
