"""Control's place: the present process, its crash record, and the reload it works on.

Rules: one reload at a time; those asked for meanwhile become one more; control is replaced for as
long as workers serve. Its replacement gets the text of the configuration in force, so that nothing
that was saved meanwhile goes live; a reload that died with it is tried once more.

Not here: what control sends (`supervisor`), what it does (`gateway.control`).
"""

from __future__ import annotations

import secrets
import signal
import socket
from collections.abc import Mapping
from typing import Final, NoReturn

from fastpath.ipc.frames import FrameType, encode
from gateway.supervisor import environment
from gateway.supervisor.back_off import RESTARTS, BackOff
from gateway.supervisor.children import Child, fork, how_it_ended
from gateway.supervisor.counters_page import CountersPage
from gateway.supervisor.notices import Notices
from gateway.supervisor.preload import uncollected
from gateway.supervisor.tempo import STABLE_SECONDS, Tempo

# A fork that failed is not tried again at once: the machine lacks something.
_FORK_AGAIN_SECONDS: Final = 1.0


class ControlPlace:
    """What outlives a control process."""

    def __init__(
        self,
        launch: Mapping[str, object],
        counters: CountersPage,
        log: socket.socket,
        tempo: Tempo,
        notices: Notices,
    ) -> None:
        self._launch = launch
        self._counters = counters
        self._log = log
        self._tempo = tempo
        self._notices = notices
        self._instance = secrets.token_hex(8)
        self._back_off = BackOff(RESTARTS)
        self._epitaph = ""
        self._running = 0  # number of the reload that runs; 0 = none
        self._numbered = 0
        self._wanted = False
        self._tried_again = False  # the reload that runs died with control before
        self._deadline = 0.0  # monotonic; of the reload that runs
        self.child: Child | None = None
        self.is_new = False  # its process has published nothing yet

    # Spawn and reap

    def spawn_missing(self, boot_payload: bytes, text: bytes, now: float) -> None:
        """Starts control if it is missing and its time has come; `text` is what it loads."""
        if self.child is not None or now < self._back_off.until:
            return
        try:
            self._spawn(boot_payload, text)
        except OSError as error:
            self._back_off.fail(now, at_least=_FORK_AGAIN_SECONDS)
            self._notices.error(f"control cannot be started: {error}")

    def _spawn(self, boot_payload: bytes, text: bytes) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)

        environ = self._launch.get("environ")
        stowed = environ if isinstance(environ, int) else -1

        def live() -> NoReturn:
            environment.take(stowed)
            with uncollected():
                from gateway.control import control  # after the fork: it is not stdlib only

            control.run(
                control.Seat(
                    launch=self._launch,
                    channel=theirs,
                    log=self._log,
                    counters=self._counters.descriptor,
                    layout=self._counters.layout,
                    instance=self._instance,
                    boot_payload=boot_payload,
                    text=text,
                )
            )

        try:
            # No leash: the end of its channel tells it, and it writes the last log lines first.
            keep = (theirs.fileno(), self._log.fileno(), self._counters.descriptor, stowed)
            pid = fork("s3gw control", keep, live, leash=False)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.child = Child("control", pid, ours)
        self.is_new = True
        if self._epitaph:
            self._notices.warning(f"{self._epitaph}, replaced by pid {pid}")
            self._epitaph = ""

    def bury(self, child: Child, status: int, now: float) -> None:
        """Frees the place of a reaped process and sets the time of its replacement."""
        if self._running and not self._tried_again:
            self._wanted = self._tried_again = True
        elif self._running:
            self._notices.error("configuration unchanged: control died of this reload twice")
            self._tried_again = False
        self.forget(child)
        if now - child.spawned_monotonic >= STABLE_SECONDS:
            self._back_off.succeed()
        delay = self._back_off.fail(now)
        self._epitaph = f"control (pid {child.pid}) {how_it_ended(status)}"
        if delay:
            self._notices.warning(f"{self._epitaph}, next start in {delay:g} seconds")

    def forget(self, child: Child) -> None:
        """The same, when nobody is to follow."""
        child.close()
        self.child = None
        self._running = 0

    # Reload

    def want_reload(self) -> None:
        """A reload is to begin as soon as none runs."""
        self._wanted = True

    def begin_reload(self, now: float) -> None:
        """Begins the reload that is wanted, if it can."""
        if not self._wanted or self._running or self.child is None:
            return
        self._wanted = False
        self._numbered += 1
        self._running = self._numbered
        self._deadline = now + self._tempo.control_seconds
        self.child.send(encode(FrameType.RELOAD, self._running))

    def end_reload(self, answered: set[int]) -> None:
        """These reloads have taken effect or were refused."""
        if self._running in answered:
            self._running = 0
            self._tried_again = False

    def watch(self, now: float) -> None:
        """Kills a control process that works on a reload for ever."""
        if self._running and now > self._deadline and self.child is not None:
            self._notices.error(f"control (pid {self.child.pid}) does not answer: killed")
            self._running = 0
            self.child.kill()

    # Messages

    def tell(self, frame: bytes) -> None:
        """Sends a frame, if there is anyone."""
        if self.child is not None:
            self.child.send(frame)

    def signal(self, number: signal.Signals) -> None:
        """Passes a signal on, if there is anyone."""
        if self.child is not None:
            self.child.kill(number)

    def dismiss(self) -> None:
        """Ends its channel: it writes the last log lines and leaves."""
        if self.child is not None:
            self.child.close()
