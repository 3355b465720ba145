"""Moves bodies that nobody has to look at in the kernel: socket -> pipe -> socket (splice(2)).

    source --splice--> pipe --splice--> sink
    until the source has nothing (wait for it) or the sink takes nothing (wait for it)

Rules: a flow moves exactly `count` bytes and never one more. It takes nothing from the source while
the pipe holds something, so that an empty source and a full pipe cannot be mistaken for each other.
Its descriptors belong to transports that do not use them meanwhile (the source is paused, the sink
has nothing buffered), and the owner stops the flow before either is closed. A pipe that is not
empty is never used again. A flow gives way to others after `_TURN` bytes. Flows wait in an epoll
set of their own, which is registered with the loop once: no descriptor is duplicated, so a closed
socket sends FIN or RST at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
from typing import Protocol

# The size of pipes. An unprivileged user may have 64 MiB of pipes in all (pipe(7),
# pipe-user-pages-soft); beyond that, pipes get two pages and are useless. So few are wide: a flow
# whose source is full needs its pipe for one iteration of the loop, then the next flow takes it.
# Wide pipes need a quarter of the calls: 6 to 10 % of the CPU time of 1 MiB and 64 MiB (ADR 5).
WIDE_BYTES = 1048576  # /proc/sys/fs/pipe-max-size, as it is by default
PIPE_BYTES = 262144
_LEAST_BYTES = 65536  # the kernel's ordinary pipe; a smaller one is a sign of that limit
MAX_WIDE = 8
# In one worker, with the wide ones 32 MiB, so that two workers stay below that limit.
MAX_PIPES = 104
_IDLE_PIPES = 32  # kept for the next flows, besides the wide ones
_TURN = 1 << 20  # bytes; at 3 GB/s a third of a millisecond

_FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class Owner(Protocol):
    """The owner of the bytes that a flow moves."""

    def flow_moved(self, count: int) -> None:
        """Count bytes that are in the sink now."""

    def flow_paused(self) -> None:
        """Note that the sink has stopped to take bytes."""

    def flow_resumed(self) -> None:
        """Note that the sink takes bytes again."""

    def flow_done(self) -> None:
        """Finish: all bytes are in the sink."""

    def flow_broken(self, reason: str, *, source: bool) -> None:
        """End: the source ended early or broke (`source`), or the sink broke. The flow is over."""

    def crash(self, fault: Exception) -> None:
        """Handle a defect of the gateway that showed in a call to the owner."""


class Sink(Protocol):
    """Where an owner has its bytes moved to."""

    descriptor: int

    def flushed(self) -> bool:
        """Whether the socket may be spliced into: no byte written before still waits."""

    def moved(self, count: int) -> None:
        """Count bytes that the kernel moved into the socket."""

    def set_paused(self, *, paused: bool) -> None:
        """Note that the peer has stopped to take bytes, or takes them again."""

    def broken(self) -> None:
        """End the connection of the sink: the kernel reported that it broke."""


class Flow:
    """The splicing of one body; `left` bytes are still in the source."""

    __slots__ = (
        "_in_pipe",
        "_owner",
        "_pipe",
        "_sink_paused",
        "_splicer",
        "_waits",
        "left",
        "over",
        "sink",
        "source",
    )

    def __init__(
        self, splicer: Splicer, ends: tuple[int, int], count: int, pipe: Pipe, owner: Owner
    ) -> None:
        self.source, self.sink = ends
        self.left = count
        self.over = False
        self._splicer = splicer
        self._pipe = pipe
        self._owner = owner
        self._in_pipe = 0
        self._waits: set[int] = set()  # descriptors that are in the epoll set
        self._sink_paused = False

    def stop(self) -> None:
        """Stop moving; bytes in the pipe are lost."""
        if self.over:
            return
        self.over = True
        self._splicer.forget(self, self._waits)
        self._splicer.give_back(self._pipe, clean=not self._in_pipe)

    def pump(self) -> None:
        """Move the bytes that can be moved now."""
        if self.over:
            return
        try:
            self._pump()
        except Exception as fault:
            self.stop()
            self._owner.crash(fault)

    def _pump(self) -> None:
        turn = 0
        while turn < _TURN and (self._in_pipe or self._fill()):
            count = self._drain()
            if not count:
                return
            turn += count
            self._owner.flow_moved(count)
            if self.over:
                return
            if not self.left and not self._in_pipe:
                self.stop()
                self._owner.flow_done()
                return
        if turn >= _TURN:
            self._splicer.later(self)

    def _fill(self) -> bool:
        """Move bytes from the source into the empty pipe; whether there were any."""
        try:
            count = os.splice(
                self.source, self._pipe.write, min(self.left, self._pipe.size), flags=_FLAGS
            )
        except BlockingIOError:
            self._wait(self.source, select.EPOLLIN | select.EPOLLRDHUP)
            return False
        except OSError as fault:
            self._break(f"connection broke ({fault.strerror})", source=True)
            return False
        if not count:
            self._break("closed the connection", source=True)
            return False
        self.left -= count
        self._in_pipe = count
        return True

    def _drain(self) -> int:
        """Move bytes from the pipe into the sink; returns their number."""
        try:
            count = os.splice(self._pipe.read, self.sink, self._in_pipe, flags=_FLAGS)
        except BlockingIOError:
            self._sink_paused = True
            self._owner.flow_paused()
            if not self.over:
                self._wait(self.sink, select.EPOLLOUT)
            return 0
        except OSError as fault:
            self._break(f"connection broke ({fault.strerror})", source=False)
            return 0
        self._in_pipe -= count
        if self._sink_paused:
            self._sink_paused = False
            self._owner.flow_resumed()
        return count

    def _wait(self, descriptor: int, events: int) -> None:
        self._splicer.wait(self, descriptor, events, again=descriptor in self._waits)
        self._waits.add(descriptor)

    def _break(self, reason: str, *, source: bool) -> None:
        self.stop()
        self._owner.flow_broken(reason, source=source)


class Pipe:
    """A pipe with non-blocking ends, of the size asked for or the most that the user may have."""

    __slots__ = ("read", "size", "wide", "write")

    def __init__(self, size: int) -> None:
        self.read, self.write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for wanted in (size, PIPE_BYTES):
            with contextlib.suppress(OSError):  # above a limit: the size is read below
                fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, wanted)
                break
        self.size = fcntl.fcntl(self.write, fcntl.F_GETPIPE_SZ)
        self.wide = self.size >= WIDE_BYTES

    def close(self) -> None:
        os.close(self.read)
        os.close(self.write)


class Splicer:
    """The flows and pipes of one worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_pipes: int = MAX_PIPES) -> None:
        self._loop = loop
        self._max_pipes = max_pipes
        self._epoll = select.epoll()
        self._waiting: dict[int, Flow] = {}  # by descriptor
        self._idle: list[Pipe] = []
        self._idle_wide: list[Pipe] = []
        self._wide = 0  # in use and idle
        self._max_wide = MAX_WIDE
        self._in_use = 0
        loop.add_reader(self._epoll.fileno(), self._wake)

    def __repr__(self) -> str:
        return f"<Splicer flows={self._in_use} idle={len(self._idle) + len(self._idle_wide)}>"

    def begin(self, source: int, sink: int, count: int, owner: Owner) -> Flow | None:
        """Make a flow of `count` (> 0) bytes, to be pumped; None if there is no pipe for it."""
        pipe = self._pipe()
        return None if pipe is None else Flow(self, (source, sink), count, pipe, owner)

    def close(self) -> None:
        """Close the epoll set and the idle pipes; owners stop their flows themselves."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self.forget_pipes()

    def forget_pipes(self) -> None:
        """Close the idle pipes."""
        self._wide -= len(self._idle_wide)
        for kept in (self._idle, self._idle_wide):
            while kept:
                kept.pop().close()

    # --- used by flows ---

    def later(self, flow: Flow) -> None:
        """Pump this flow again after others had their turn."""
        self._loop.call_soon(flow.pump)

    def wait(self, flow: Flow, descriptor: int, events: int, *, again: bool) -> None:
        """Pump the flow once when the descriptor is ready; `again`: it is in the set."""
        self._waiting[descriptor] = flow
        if again:
            self._epoll.modify(descriptor, events | select.EPOLLONESHOT)
        else:
            self._epoll.register(descriptor, events | select.EPOLLONESHOT)

    def forget(self, flow: Flow, descriptors: set[int]) -> None:
        """Stop waiting for the descriptors of a flow that is over."""
        for descriptor in descriptors:
            del self._waiting[descriptor]
            self._epoll.unregister(descriptor)

    def give_back(self, pipe: Pipe, *, clean: bool) -> None:
        """Keep or close the pipe of a flow that is over; `clean`: the pipe is empty."""
        self._in_use -= 1
        if pipe.wide:
            kept, room = self._idle_wide, MAX_WIDE
        else:  # kept only if the next new pipe cannot be a wide one
            kept, room = self._idle, _IDLE_PIPES if self._wide >= self._max_wide else 0
        if clean and len(kept) < room:
            kept.append(pipe)
        else:
            self._wide -= pipe.wide
            pipe.close()

    def _pipe(self) -> Pipe | None:
        if self._in_use >= self._max_pipes:
            return None
        kept = self._idle_wide or self._idle
        pipe = kept.pop() if kept else self._new_pipe()
        if pipe is not None:
            self._in_use += 1
        return pipe

    def _new_pipe(self) -> Pipe | None:
        widen = self._wide < self._max_wide
        try:
            pipe = Pipe(WIDE_BYTES if widen else PIPE_BYTES)
        except OSError:  # no descriptor left: the body is copied
            return None
        if pipe.size < _LEAST_BYTES:
            pipe.close()
            return None
        self._wide += pipe.wide
        if widen and not pipe.wide:
            self._max_wide = self._wide  # the user may have no more
        return pipe

    def _wake(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            flow = self._waiting.get(descriptor)
            if flow is not None:
                flow.pump()
