"""Confines the process that runs the operator's code: memory, descriptors, children, output.

Rules: what the operator's code prints never makes it wait; a process that it forks holds no socket
of the gateway and dies with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import resource
import signal
import sys
from typing import Final, NoReturn

EXIT_MEMORY: Final = 71  # the cap was reached; the supervisor and `check` say so

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15

_libc: Final = ctypes.CDLL(None, use_errno=True)


def name_process(title: str) -> None:
    """Sets what `ps -o comm` shows."""
    _libc.prctl(_PR_SET_NAME, title.encode()[:15], 0, 0, 0)


def limit_memory(megabytes: int) -> None:
    """Caps the address space, so that an allocation beyond it raises MemoryError; no core files."""
    size = megabytes << 20
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        size = min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_for_memory() -> NoReturn:
    """Ends the process without an allocation."""
    os._exit(EXIT_MEMORY)


class OwnDescriptors:
    """The descriptors that no process which the operator's code forks may hold."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._parent = os.getpid()
        os.register_at_fork(after_in_child=self._leave_them)

    def add(self, number: int) -> None:
        """Takes a descriptor under guard, and from programs that are executed."""
        os.set_inheritable(number, False)
        self._numbers.add(number)

    def add_all(self) -> None:
        """Takes all but the standard ones: the operator's code has opened none yet."""
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):  # the descriptor of the listing itself
                if int(name) > 2:
                    self.add(int(name))

    def discard(self, number: int) -> None:
        """Leaves a descriptor that is closed."""
        self._numbers.discard(number)

    def _leave_them(self) -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._parent:
            os._exit(os.EX_SOFTWARE)
        # Not closed: the child's copies of Python's objects would close the numbers again.
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in self._numbers:
            try:
                os.dup2(nothing, number, inheritable=False)
            except OSError:
                continue
        self._numbers.clear()
        self._parent = os.getpid()


class _Losing(io.RawIOBase):
    """Standard output that loses what the pipe does not take at once."""

    def __init__(self, number: int) -> None:
        self._number = number

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]  # what `io` writes has a buffer
        with contextlib.suppress(OSError):  # full, or nobody reads
            os.write(self._number, view)
        return len(view)


def lose_output_when_full() -> None:
    """Gives the operator's code streams that never raise; the pipe below them never waits."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = io.TextIOWrapper(
            io.BufferedWriter(_Losing(number), 512),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
        setattr(sys, name, stream)
