"""Says which process this is, in words that outlive it, and whether such a process still runs.

Rules: a process id alone says nothing, because ids are used again, and each container has ids of
its own: host name, namespace of ids and start time belong to it. What cannot be seen from here is
neither running nor ended.
"""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

_UNKNOWN = 0
_ENDED_STATES = ("Z", "X")  # proc(5): zombie, dead


class ProcessIdentity(NamedTuple):
    """One process of one host.

    host: its name; of a container, the container's.
    pid_namespace: inode of the namespace that `pid` is of; 0 if unknown.
    started: in clock ticks since the machine was booted; 0 if unknown.
    """

    host: str
    pid: int
    pid_namespace: int
    started: int


def this_process() -> ProcessIdentity:
    """The process that calls this."""
    pid = os.getpid()
    started = _status(pid)
    return ProcessIdentity(
        host=socket.gethostname(),
        pid=pid,
        pid_namespace=_pid_namespace(),
        started=started[1] if started is not None else _UNKNOWN,
    )


def is_running(process: ProcessIdentity) -> bool | None:
    """Whether the process still runs; None if that cannot be seen from here."""
    here = (socket.gethostname(), _pid_namespace())
    if here != (process.host, process.pid_namespace) or _UNKNOWN in process[1:]:
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # it is another user's, whose status can be read all the same
    status = _status(process.pid)
    if status is None:
        return None
    state, started = status
    return state not in _ENDED_STATES and started == process.started


def _pid_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return _UNKNOWN


def _status(pid: int) -> tuple[str, int] | None:
    """The state and the start time of a process; None if they cannot be read."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode("latin-1")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name, in brackets, may hold anything
    return fields[0], int(fields[19])
