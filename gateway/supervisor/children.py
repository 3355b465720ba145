"""Forks a child process, and exchanges frames with it.

Rules: a child is forked with every signal blocked, then sets its own dispositions; it keeps only
the descriptors it is given; a write to a child never blocks; after the fork a child never returns
into the supervisor's code.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from fastpath.ipc.frames import Frame, FrameFault, FrameReader
from gateway.supervisor import signals
from gateway.supervisor.crash import describe
from gateway.supervisor.notices import Notices

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_RECEIVE_BYTES: Final = 262144

_libc: Final = ctypes.CDLL(None, use_errno=True)


class Child:
    """A forked process and the stream between it and the supervisor."""

    __slots__ = ("_outbox", "_reader", "channel", "name", "pid", "spawned_monotonic")

    def __init__(self, name: str, pid: int, channel: socket.socket) -> None:
        self.name = name
        self.pid = pid
        self.channel: socket.socket | None = channel
        self.spawned_monotonic = time.monotonic()
        self._reader = FrameReader()
        self._outbox: deque[memoryview] = deque()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} pid={self.pid}>"

    @property
    def unsent(self) -> bool:
        """Whether frames wait until the channel can take them."""
        return bool(self._outbox)

    def send(self, frame: bytes) -> None:
        """Queues a frame, and writes what the channel takes now. A closed channel loses it."""
        if self.channel is not None:
            self._outbox.append(memoryview(frame))
            self.flush()

    def flush(self) -> None:
        """Writes queued frames until the channel is full."""
        while self._outbox and self.channel is not None:
            try:
                sent = self.channel.send(self._outbox[0])
            except BlockingIOError:
                return
            except OSError:
                self._outbox.clear()  # reading will find the end of the stream
                return
            if sent == len(self._outbox[0]):
                self._outbox.popleft()
            else:
                self._outbox[0] = self._outbox[0][sent:]

    def receive(self) -> list[Frame]:
        """Returns the frames that have arrived; closes the channel at the end of the stream.

        Closes it and raises FrameFault if the child sent something that is no frame.
        """
        frames: list[Frame] = []
        while self.channel is not None:
            try:
                data = self.channel.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.close()
                break
            try:
                frames += self._reader.feed(data)
            except FrameFault:
                self.close()
                raise
        return frames

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals the process. Its pid is not used again before the supervisor reaps it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def close(self) -> None:
        """Closes the channel: the child sees the end of the stream and leaves."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        self._outbox.clear()


def fork(
    title: str, keep: Iterable[int], run: Callable[[], NoReturn], *, die_with_parent: bool
) -> int:
    """Starts `run` in a child that has the standard descriptors and `keep`. Raises OSError.

    With `die_with_parent` the kernel kills the child when the supervisor dies (PR_SET_PDEATHSIG):
    the end of its channel says
    so too, but a worker that hangs does not read, and would keep its share of the port's
    connections for ever.

    Socket objects of other children stay alive in the child, closed underneath: they are reachable
    from the supervisor's frames, which never return here, so no destructor closes a number that
    the child has meanwhile used again.
    """
    parent = os.getpid()
    mask = signals.block_all()
    try:
        pid = os.fork()
    except OSError:
        signals.restore(mask)
        raise
    if pid:
        signals.restore(mask)
        return pid
    try:
        _prepare_child(title, parent if die_with_parent else 0)
        close_all_but(keep)
        signals.become_child()
        run()
    except BaseException as fault:  # the operator needs the place
        Notices().error(f"{title} crashed: {describe(fault)}")
    finally:
        os._exit(os.EX_SOFTWARE)


def how_it_ended(status: int) -> str:
    """Describes a wait status."""
    if os.WIFSIGNALED(status):
        return f"killed by {signals.name_of(os.WTERMSIG(status))}"
    return f"exited with status {os.WEXITSTATUS(status)}"


def close_all_but(keep: Iterable[int]) -> None:
    """Closes every descriptor except the standard ones and `keep`."""
    kept = {0, 1, 2, *keep}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself
                os.close(int(name))


def name_process(title: str) -> None:
    """Sets what `ps -o comm`, `pgrep` and `top` show; 15 bytes at most."""
    _libc.prctl(_PR_SET_NAME, title.encode()[:15], 0, 0, 0)


def _prepare_child(title: str, parent: int) -> None:
    name_process(title)
    if parent:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before prctl
            os._exit(os.EX_SOFTWARE)
