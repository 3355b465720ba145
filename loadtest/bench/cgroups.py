"""What memory a worker takes: charged to a cgroup that has nobody else in it, and by its pages.

Rules: the cgroup is made where the machine lets us (root, the memory controller of either version):
the supervisor is put in, forks the worker anew, and is taken out again, so that all that the worker
allocates is charged there, its page tables and its share of the page cache too; what it shares with
the supervisor from before the fork is not, nor is it the worker's. Version 1 charges the buffers of
sockets to a counter of their own, which counts once it has a limit: it gets one that binds nobody.
Version 2 charges them to the same number as all else, so there they are taken off again, by its own
statistics.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench import machine

_ROOT = Path("/sys/fs/cgroup")
_USAGE = ("memory.usage_in_bytes", "memory.current")  # of version 1 and of version 2
_PEAK = ("memory.max_usage_in_bytes", "memory.peak")
_TCP = "memory.kmem.tcp"
_NO_LIMIT = str(1 << 40)


@dataclass(frozen=True, slots=True)
class Charge:
    """Bytes; `sockets` is None where they cannot be told apart."""

    memory: int  # less the sockets' buffers
    sockets: int | None


class Group:
    """A cgroup of one worker."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._usage = next(path / name for name in _USAGE if (path / name).exists())
        self._peak = next((path / name for name in _PEAK if (path / name).exists()), None)
        self.apart = (path / f"{_TCP}.limit_in_bytes").exists()  # sockets, from all else
        if self.apart:
            with contextlib.suppress(OSError):  # a kernel that counts them no more
                (path / f"{_TCP}.limit_in_bytes").write_text(_NO_LIMIT)

    def charge(self) -> Charge:
        """What is charged now."""
        usage = int(self._usage.read_text())
        if self.apart:
            return Charge(usage, int((self.path / f"{_TCP}.usage_in_bytes").read_text()))
        found = re.search(r"^sock (\d+)$", (self.path / "memory.stat").read_text(), re.MULTILINE)
        sockets = int(found[1]) if found else 0
        return Charge(usage - sockets, sockets)

    def peak(self) -> int | None:
        """The most that was charged so far, by the kernel's own mark; None if it keeps none.

        The buffers of sockets are in it unless they are `apart`.
        """
        return None if self._peak is None else int(self._peak.read_text())


@contextlib.contextmanager
def own(supervisor: int, workers: Callable[[], list[int]]) -> Iterator[Group | None]:
    """The cgroup of a supervisor's only worker, which is forked anew; None if there can be none."""
    parent = _hierarchy()
    if parent is None:
        yield None
        return
    path = parent / f"s3gateway-{os.getpid()}"
    path.mkdir()
    try:
        group = Group(path)
        (path / "cgroup.procs").write_text(str(supervisor))
        (old,) = workers()
        os.kill(old, signal.SIGKILL)
        machine.wait_for(lambda: workers() not in ([], [old]), "the worker to be forked anew")
        (parent / "cgroup.procs").write_text(str(supervisor))
        yield group
    finally:
        for pid in (path / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (parent / "cgroup.procs").write_text(pid)
        path.rmdir()


def _hierarchy() -> Path | None:
    """The cgroup this process is in, if a child of it would count memory."""
    places = dict(
        line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines()
    )
    parent = _ROOT / places.get("", "").lstrip("/")
    if "memory" in places:
        parent = _ROOT / "memory" / places["memory"].lstrip("/")
    probe = parent / f"s3gateway-probe-{os.getpid()}"
    try:
        probe.mkdir()
    except OSError:
        return None
    try:
        return parent if any((probe / name).exists() for name in _USAGE) else None
    finally:
        probe.rmdir()


@dataclass(frozen=True, slots=True)
class Pages:
    """Bytes of a process's memory."""

    private: int  # its own alone
    share: int  # what it shares divided among those that share it


def pages(pid: int) -> Pages:
    """The pages of a process now."""
    kib = dict(
        re.findall(
            r"^(\w+): +(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE
        )
    )
    private = int(kib["Private_Clean"]) + int(kib["Private_Dirty"])
    return Pages(1024 * private, 1024 * int(kib["Pss"]))
