"""Starts and replaces the control process, and hands it one reload after the other.

Rules: one reload runs at a time, and all those that are asked for meanwhile become one more;
control is replaced for as long as workers serve. A new control process gets the text of the
configuration in force, so that nothing that was saved meanwhile takes effect, and the last
snapshot, whose keys for upload ids it keeps; a reload that ended with control is tried once more.
"""

from __future__ import annotations

import secrets
import signal
import socket
from collections.abc import Mapping
from typing import Final, NoReturn

from fastpath.ipc.frames import FrameType, encode
from gateway.supervisor import environment, sockets
from gateway.supervisor.back_off import RESTARTS, BackOff
from gateway.supervisor.children import Child, fork, how_it_ended
from gateway.supervisor.counters_page import CountersPage
from gateway.supervisor.generations import Generations
from gateway.supervisor.notices import Notices
from gateway.supervisor.preload import without_collector
from gateway.supervisor.timeouts import STABLE_SECONDS, Timeouts

# A fork that failed is not tried again at once: the machine lacks something.
_FORK_AGAIN_SECONDS: Final = 1.0


class ControlProcess:
    """What stays when a control process is replaced."""

    def __init__(
        self,
        launch: Mapping[str, object],
        counters: CountersPage,
        log: socket.socket,
        router_address: str,
        timeouts: Timeouts,
        notices: Notices,
    ) -> None:
        self._launch = launch
        self._counters = counters
        self._log = log
        self._router_address = router_address
        self._timeouts = timeouts
        self._notices = notices
        self._admin = sockets.admin_pair()
        self._instance = secrets.token_hex(8)
        self._start_secret = secrets.token_bytes(32)
        self._back_off = BackOff(RESTARTS)
        self._last_exit = ""
        self._running = 0  # number of the running reload; 0 = none
        self._numbered = 0
        self._wanted = False
        self._tried_again = False  # the running reload ended with an earlier control process
        self._deadline = 0.0  # monotonic; of the running reload
        self.child: Child | None = None
        self.is_new = False  # its process has published nothing yet

    # Spawn and reap

    def spawn_missing(self, boot_payload: bytes, present: Generations, now: float) -> None:
        """Starts control if it does not run and its back-off is over."""
        if self.child is not None or now < self._back_off.until:
            return
        try:
            self._spawn(boot_payload, present)
        except OSError as error:
            self._back_off.fail(now, at_least=_FORK_AGAIN_SECONDS)
            self._notices.error(f"control cannot be started: {error}")

    def _spawn(self, boot_payload: bytes, present: Generations) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)

        environ = self._launch.get("environ")
        environ_file = environ if isinstance(environ, int) else -1

        def live() -> NoReturn:
            environment.restore(environ_file)
            with without_collector():
                # After the fork: it is not stdlib only.
                from gateway.control import control
                from gateway.control.snapshot_maker import Lifelong

            control.run(
                control.ControlArguments(
                    launch=self._launch,
                    channel=theirs,
                    log=self._log,
                    admin=self._admin,
                    counters=self._counters.descriptor,
                    layout=self._counters.layout,
                    lifelong=Lifelong(self._instance, self._router_address, self._start_secret),
                    boot_payload=boot_payload,
                    text=present.text,
                    snapshot=present.payload,
                )
            )

        try:
            # It does not die with its parent, but writes the last log lines when its channel ends.
            kept = (theirs, self._log, *self._admin)
            keep = (*(one.fileno() for one in kept), self._counters.descriptor, environ_file)
            pid = fork("s3gw control", keep, live, die_with_parent=False)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.child = Child("control", pid, ours)
        self.is_new = True
        if self._last_exit:
            self._notices.warning(f"{self._last_exit}, replaced by pid {pid}")
            self._last_exit = ""

    def reap(self, child: Child, status: int, now: float) -> None:
        """Handles the end of a process that was reaped, and plans its replacement."""
        if self._running and not self._tried_again:
            self._wanted = self._tried_again = True
        elif self._running:
            self._notices.error("configuration unchanged: control died of this reload twice")
            self._tried_again = False
        self.forget(child)
        if now - child.spawned_monotonic >= STABLE_SECONDS:
            self._back_off.succeed()
        delay = self._back_off.fail(now)
        self._last_exit = f"control (pid {child.pid}) {how_it_ended(status)}"
        if delay:
            self._notices.warning(f"{self._last_exit}, next start in {delay:g} seconds")

    def forget(self, child: Child) -> None:
        """Handles the end of a process that is not replaced."""
        child.close()
        self.child = None
        self._running = 0

    # Reload

    def want_reload(self) -> None:
        """Asks for a reload, which begins as soon as none runs."""
        self._wanted = True

    def begin_reload(self, now: float) -> None:
        """Begins the reload that was asked for, if control can take it now."""
        if not self._wanted or self._running or self.child is None:
            return
        self._wanted = False
        self._numbered += 1
        self._running = self._numbered
        self._deadline = now + self._timeouts.control_seconds
        self.child.send(encode(FrameType.RELOAD, self._running))

    def end_reload(self, answered: set[int]) -> None:
        """Ends these reloads: each took effect or was refused."""
        if self._running in answered:
            self._running = 0
            self._tried_again = False

    def watch(self, now: float) -> None:
        """Kills a control process whose reload takes too long."""
        if self._running and now > self._deadline and self.child is not None:
            self._notices.error(f"control (pid {self.child.pid}) does not answer: killed")
            self._running = 0
            self.child.kill()

    # Messages

    def tell(self, frame: bytes) -> None:
        """Sends a frame if control runs."""
        if self.child is not None:
            self.child.send(frame)

    def signal(self, number: signal.Signals) -> None:
        """Passes a signal on if control runs."""
        if self.child is not None:
            self.child.kill(number)

    def dismiss(self) -> None:
        """Closes the channel, so that control writes the last log lines and exits."""
        if self.child is not None:
            self.child.close()
