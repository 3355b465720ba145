"""Turns signals into bytes on a pipe, which the loop reads like any other input.

Rules: handlers do nothing; the interpreter writes the signal's number to the pipe (PEP 475 and
`signal.set_wakeup_fd`); a forked child has every signal blocked until it has its own dispositions,
or a signal that is meant for it would be written to the supervisor's pipe.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Final

WATCHED: Final = (
    signal.SIGCHLD,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
)

# Other servers take these for a new set of workers, or for more or fewer of them. Here sockets, and
# rows of the page of counters, are as many as the workers of the start: clients in the queue of a
# worker that drains would wait until it has ended and is replaced. The default of the last two
# would stop the supervisor.
_IGNORED: Final = (signal.SIGUSR2, signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU)

# A terminal sends these to the whole process group; only the supervisor answers them. USR1 to a
# worker, or to control before it can reopen its log, would end it.
_CHILD_IGNORES: Final = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
)

_READ_BYTES: Final = 4096


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Does nothing: with a handler the disposition is not the default one."""


class SelfPipe:
    """The pipe; one per supervisor."""

    __slots__ = ("_read_end", "_write_end")

    def __init__(self) -> None:
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        return self._read_end

    def install(self) -> None:
        """Catches the watched signals, also those that the parent process ignored or blocked."""
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in WATCHED:
            signal.signal(number, _noted)
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def take(self) -> list[signal.Signals]:
        """Returns the signals since the last call, oldest first."""
        try:
            noted = os.read(self._read_end, _READ_BYTES)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in noted]


def block_all() -> set[int]:
    """Blocks every signal; returns the mask to restore."""
    return {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, _every())}


def restore(mask: set[int]) -> None:
    """Undoes `block_all`."""
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def become_child() -> None:
    """Sets the dispositions of a forked child: defaults, but it ignores what a terminal sends."""
    signal.set_wakeup_fd(-1)
    for number in WATCHED:
        signal.signal(number, signal.SIG_DFL)
    for number in _CHILD_IGNORES:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _every() -> set[signal.Signals]:
    return {number for number in signal.valid_signals() if isinstance(number, signal.Signals)}


def name_of(number: int) -> str:
    """`SIGKILL`, or the bare number of a real-time signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
