"""Starts, watches and replaces the process of the custom router.

    ROUTER frame -> wanted --fork, exec--> next --READY--> current --SERVE--> it answers
                                             |                \\--ended--> replaced, with back-off
                                             \\--ended--> the router before it answers on

Rules: the listening socket outlives routers, so that questions wait for the replacement, and stays
when none is wanted, because one that leaves holds its address, which the next may need; a router
that never was ready replaces none; its process group, and what has left that, ends with it; what it
prints is bounded.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn

from fastpath.ipc.frames import Frame, FrameType, encode
from gateway.router.command import command
from gateway.router.command import environment as router_environment
from gateway.router.confinement import EXIT_MEMORY
from gateway.router.definition import Definition
from gateway.supervisor.back_off import RESTARTS, BackOff
from gateway.supervisor.children import Child, fork, how_it_ended
from gateway.supervisor.environment import whole
from gateway.supervisor.heartbeat import Heartbeat, Reading
from gateway.supervisor.notices import Notices
from gateway.supervisor.printed_lines import PrintedLines
from gateway.supervisor.timeouts import MUTE_SECONDS, STABLE_SECONDS, Timeouts

# A router that is replaced answers what it was asked (`gateway.router.server`), then leaves.
LEAVE_SECONDS: Final = 3.0

_BACKLOG: Final = 1024  # connections of workers: one each, and there are 256 workers at most
_OUTPUT_BYTES: Final = 65536
_OUTPUT_READS: Final = 8  # in a turn of the loop, so that one who only prints does not take it all
_PR_SET_CHILD_SUBREAPER: Final = 36
_MARK: Final = "S3GATEWAY_ROUTER"  # a variable that tells the orphans of routers

_libc: Final = ctypes.CDLL(None, use_errno=True)


class Router(Child):
    """One router process."""

    __slots__ = (
        "beats",
        "definition",
        "heartbeat",
        "killed",
        "leave_by",
        "mute_since",
        "output",
        "printed",
        "ready_since",
        "reason",
    )

    def __init__(
        self, pid: int, channel: socket.socket, output: int, definition: Definition
    ) -> None:
        super().__init__("router", pid, channel)
        self.definition = definition
        self.output = output  # what it prints; -1 once it is closed
        self.printed = PrintedLines()
        self.beats = 0
        self.heartbeat = Heartbeat()
        self.ready_since: float | None = None  # monotonic
        self.leave_by: float | None = None  # monotonic; it was replaced
        self.mute_since: float | None = None  # monotonic; its channel is closed
        self.reason = ""  # why it cannot be used, as it says itself
        self.killed = False  # by the supervisor

    @property
    def title(self) -> str:
        return f"router (pid {self.pid})"

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals the process and its group: it leads a session of its own, from its exec on."""
        super().kill(number)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class RouterProcess:
    """What stays when a router is replaced."""

    def __init__(self, environ: object, timeouts: Timeouts, notices: Notices) -> None:
        """`environ` is the descriptor of the whole environment, if there is one."""
        self._environ = environ if isinstance(environ, int) else -1
        self._timeouts = timeouts
        self._notices = notices
        self._back_off = BackOff(RESTARTS)
        self._last_exit = ""
        self._listener: socket.socket | None = None
        self._offered: tuple[Definition | None, bool] = None, False
        self._wanted: Definition | None = None  # by the snapshot in force
        self._definition: Definition | None = None  # what a replacement is made from
        self._good: Definition | None = None  # the last that was ready
        self._mark = secrets.token_hex(16)
        self._trusted_since = 0.0
        # Abstract, with a part that nobody can guess; both ends look whose process is at the other.
        self.address = f"s3gateway/router/{secrets.token_hex(16)}"
        self.current: Router | None = None
        self.next: Router | None = None
        self._leaving: list[Router] = []
        self.failed = False  # the first router ended before it was ready

    def living(self) -> Iterator[Router]:
        """Returns the routers that are not reaped yet."""
        return (one for one in (self.current, self.next, *self._leaving) if one is not None)

    @property
    def ready(self) -> bool:
        """Whether the router that is wanted answers, or none is wanted."""
        current = self.current
        return self._wanted is None or (current is not None and current.ready_since is not None)

    # What is wanted

    def offer(self, payload: bytes, *, asked: bool) -> None:
        """Takes the definition for the next snapshot; `asked`: the operator asked for a reload.

        Raises ValueError, KeyError or TypeError.
        """
        self._offered = Definition.decoded(payload) if payload else None, asked

    def apply(self) -> None:
        """Has the offered router replace the present one, if it is another."""
        wanted, asked = self._offered
        self._offered = wanted, False  # a snapshot with new credentials comes without a definition
        before, self._wanted = self._wanted, wanted
        if wanted is None:
            self._retire_all()
            return
        running = self.next or self.current
        if asked and running is not None:
            before = running.definition
        if before is not None and _same(before, wanted, stamps=asked):
            return
        self._back_off = BackOff(RESTARTS)
        if self.next is not None:
            self._end(self.next)
            self._leaving.append(self.next)
            self.next = None
        if self.current is None or self.current.ready_since is None:
            self._definition = wanted
            if self.current is not None:
                self._end(self.current)
                self._leaving.append(self.current)
                self.current = None
            return
        with self._reporting_failure():
            self.next = self._spawn(wanted)

    def _retire_all(self) -> None:
        self._definition = self._good = None
        for router in self.living():
            self._dismiss(router)
        self._leaving, self.current, self.next = list(self.living()), None, None

    def _dismiss(self, router: Router) -> None:
        """Has a router answer what it was asked, and leave."""
        if router.leave_by is None:
            router.leave_by = time.monotonic() + LEAVE_SECONDS
            router.send(encode(FrameType.DRAIN))

    def _end(self, router: Router) -> None:
        router.killed = True
        router.leave_by = router.leave_by or time.monotonic()
        router.kill()

    # Spawn

    def spawn_missing(self, now: float) -> None:
        """Starts the router that is wanted, if none runs and its back-off is over."""
        definition = self._definition
        if definition is None or self.current is not None or now < self._back_off.until:
            return
        with self._reporting_failure():
            self.current = self._spawn(definition)
            if self._last_exit:
                self._notices.warning(f"{self._last_exit}, replaced by pid {self.current.pid}")
                self._last_exit = ""

    @contextlib.contextmanager
    def _reporting_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._back_off.fail(time.monotonic(), at_least=1.0)
            self._notices.error(f"the custom router cannot be started: {error}")

    def _open(self) -> socket.socket:
        if self._listener is None:
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(f"\0{self.address}")
                listener.listen(_BACKLOG)
            except OSError:
                listener.close()
                raise
            listener.setblocking(False)
            self._listener = listener
        return self._listener

    def _spawn(self, definition: Definition) -> Router:
        listener = self._open()
        environ = {**router_environment(whole(self._environ)), _MARK: self._mark}
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        output, output_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

        def become_router() -> NoReturn:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output_end, 1)
            os.dup2(output_end, 2)
            numbers = theirs.fileno(), listener.fileno()
            for number in numbers:
                os.set_inheritable(number, True)
            # Another program: the memory of this one holds the secrets of the last snapshot.
            words = command("serve", *map(str, numbers))
            os.execve(words[0], words, environ)

        try:
            keep = (theirs.fileno(), listener.fileno(), output_end)
            pid = fork("s3gw router", keep, become_router, die_with_parent=True)
        except OSError:
            ours.close()
            os.close(output)
            raise
        finally:
            theirs.close()
            os.close(output_end)
        router = Router(pid, ours, output, definition)
        router.send(encode(FrameType.ROUTER, 0, definition.encoded()))
        return router

    # Frames and output

    def take(self, router: Router, frame: Frame) -> None:
        """Handles a frame of a router."""
        match frame.type:
            case FrameType.BEAT:
                router.beats += 1
            case FrameType.REJECTED:
                router.reason = frame.payload.decode("utf-8", "replace")
            case FrameType.READY:
                self._take_ready(router)
            case _:
                self._notices.error(f"{router.title} sent {frame.type.name}: ignored")

    def _take_ready(self, router: Router) -> None:
        if router.leave_by is not None:
            return
        router.ready_since = time.monotonic()
        if router is self.next:
            self.next = None
            if self.current is not None:
                self._dismiss(self.current)
                self._leaving.append(self.current)
            self.current = router
        self._definition = self._good = router.definition
        router.send(encode(FrameType.SERVE))
        name = f"{router.definition.module}:{router.definition.name}"
        self._notices.info(f"{router.title} answers with {name}")

    def read_output(self, router: Router) -> None:
        """Logs what a router has printed."""
        for _ in range(_OUTPUT_READS):
            if router.output < 0:
                return
            try:
                data = os.read(router.output, _OUTPUT_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                os.close(router.output)
                router.output = -1
            self._show(router, router.printed.feed(data, time.monotonic()))

    def _show(self, router: Router, lines: list[str]) -> None:
        for line in lines:
            self._notices.info(f"{router.title} prints: {line}")

    # Reap

    def find(self, pid: int) -> Router | None:
        """The router with this pid."""
        return next((router for router in self.living() if router.pid == pid), None)

    def reap(self, router: Router, status: int, now: float, known: Collection[int]) -> None:
        """Handles the end of a router that was reaped. `known` are the pids of other children."""
        self.read_output(router)
        self._show(router, router.printed.finish())
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(router.pid, signal.SIGKILL)
        self._end_orphans({*known, *(one.pid for one in self.living())})
        router.close()
        if router.output >= 0:
            os.close(router.output)
        what = f"{router.title} {_how(router, status)}"
        if router is self.next:
            self.next = None
            serves = (
                f"the one before it, pid {self.current.pid}, answers on" if self.current else ""
            )
            self._notices.error(f"the new {what}; {serves or 'none answers'}")
        elif router is self.current:
            self.current = None
            self._plan_replacement(router, what, now)
        else:
            self._leaving.remove(router)

    def _plan_replacement(self, router: Router, what: str, now: float) -> None:
        if router.ready_since is None:
            if self._good is None:
                self.failed = True
            self._definition = self._good or self._definition
        elif now - router.spawned_monotonic >= STABLE_SECONDS:
            self._back_off.succeed()
        delay = self._back_off.fail(now)
        self._last_exit = what
        if delay or router.ready_since is None:
            self._notices.warning(f"{what}, next start in {delay:g} seconds")
            self._last_exit = f"the custom router was missing for {delay:g} seconds"

    def _end_orphans(self, known: Collection[int]) -> None:
        """Kills what routers started and what left their process group: it became our child."""
        mark = f"{_MARK}={self._mark}".encode()
        with contextlib.suppress(OSError):
            listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
            for pid in map(int, listed.split()):
                with contextlib.suppress(OSError):
                    environ = Path(f"/proc/{pid}/environ").read_bytes()
                    if pid not in known and mark in environ.split(b"\0"):
                        os.kill(pid, signal.SIGKILL)

    # Watch, end

    def trust_from(self, now: float) -> None:
        """Counts silence from `now` on: the supervisor itself did not run until then."""
        self._trusted_since = now

    def watch(self, now: float) -> None:
        """Kills routers that hang, do not get ready or do not leave."""
        for router in list(self.living()):
            self._show(router, router.printed.feed(b"", now))
            reason = self._fault(router, now)
            if reason and not router.killed:
                self._notices.error(f"{router.title} {reason}: killed")
                router.killed = True
                router.kill()

    def _fault(self, router: Router, now: float) -> str | None:
        if router.leave_by is not None:
            return "did not leave" if now > router.leave_by else None
        if router.channel is None:
            router.mute_since = router.mute_since or now
            return "closed its channel" if now - router.mute_since > MUTE_SECONDS else None
        since = max(router.spawned_monotonic, self._trusted_since)
        if router.ready_since is None:
            waited = now - since
            slow = waited > self._timeouts.boot_seconds
            return f"is not imported after {waited:.1f} s" if slow else None
        reading = Reading.of_process(router.pid, router.beats)
        since = max(router.ready_since, self._trusted_since)
        return router.heartbeat.fault(reading, now, since, self._timeouts.heartbeat_seconds)

    def kill(self) -> None:
        """Kills every router."""
        self._definition = self._wanted = None
        for router in self.living():
            self._end(router)


def _same(one: Definition, other: Definition, *, stamps: bool) -> bool:
    """Whether nothing changed; files that changed count if the operator asked for a reload."""
    if stamps and one.stamp != other.stamp:
        return False
    return replace(one, stamp="") == replace(other, stamp="")


def _how(router: Router, status: int) -> str:
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == EXIT_MEMORY:
        return f"used up its memory (routing.custom_memory_mb: {router.definition.memory_mb})"
    if router.reason:
        return f"cannot be used: {router.reason}"
    return how_it_ended(status)
