"""The supervisor's loop: wait, read frames, obey signals, reap, watch heartbeats, start what is
missing.

Rules: one thread, and nothing blocks but the wait; every decision is taken in the loop, never in a
signal handler; the loop goes on whatever a child does; a worker is started only with a snapshot.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from fastpath.ipc.counters import Slot
from fastpath.ipc.frames import Frame, FrameFault, FrameType, encode
from fastpath.worker.connection_limit import most_connections
from gateway.supervisor import (
    boot_settings,
    counters_page,
    final_summary,
    pidfile,
    sd_notify,
    sockets,
)
from gateway.supervisor.children import Child, how_it_ended, name_process
from gateway.supervisor.control_process import ControlProcess
from gateway.supervisor.counters_page import CountersError, CountersPage
from gateway.supervisor.crash import describe, end_children
from gateway.supervisor.descriptors import raise_limit
from gateway.supervisor.generations import Generations
from gateway.supervisor.notices import Notices, plural
from gateway.supervisor.router_process import Router, RouterProcess
from gateway.supervisor.signals import SelfPipe
from gateway.supervisor.timeouts import (
    CONTROL_EXIT_SECONDS,
    DRAIN_GRACE_SECONDS,
    FAULTY_SECONDS,
    NOW_SECONDS,
    TICK_SECONDS,
    Timeouts,
)
from gateway.supervisor.workers import Worker, Workers

EXIT_OK: Final = 0
EXIT_STARTUP: Final = 3
EXIT_CUT: Final = 4


class Phase(IntEnum):
    """The phases of a supervisor, in their order; it never goes back."""

    CONFIGURING = 0  # control reads the configuration
    STARTING = 1  # the first workers are on their way
    SERVING = 2
    DRAINING = 3
    LEAVING = 4  # workers are gone, control writes its last lines
    GONE = 5


class Supervisor:
    """One supervisor, from its first fork to its exit status."""

    def __init__(self, launch: Mapping[str, object], timeouts: Timeouts, notices: Notices) -> None:
        self._launch = launch
        self._timeouts = timeouts
        self._notices = notices
        self._signals = SelfPipe()
        self._descriptors = 0  # open at a time in one process
        self._counters = CountersPage()
        self._generations = Generations()
        self._phase = Phase.CONFIGURING
        self._status = EXIT_OK
        self._boot: boot_settings.Boot | None = None
        self._boot_payload = b""
        self._offered = b""  # the text of the configuration that control publishes next
        self._deadline: float | None = None  # monotonic; of the phase
        self._watched = time.monotonic()  # when heartbeats were looked at last
        # The workers' end and control's end of the log stay here: both outlive any child.
        self._log_in, self._log_out = sockets.log_pair()
        self._workers = Workers(self._log_in, timeouts, notices)
        self._router = RouterProcess(launch.get("environ"), timeouts, notices)
        self._control = ControlProcess(
            launch, self._counters, self._log_out, self._router.address, timeouts, notices
        )

    def run(self) -> int:
        """Supervises until a signal ends it; returns the exit status of the process."""
        self._signals.install()
        name_process("s3gateway")
        self._descriptors = raise_limit()
        self._deadline = time.monotonic() + self._timeouts.control_seconds
        try:
            self._loop()
        except BaseException as fault:
            self._notices.error(f"supervisor crashed: {describe(fault)}")
            self._status = os.EX_SOFTWARE
            end_children(self._workers, self._control)
        pidfile.remove(self._launch.get("pidfile"))
        return self._status

    def _loop(self) -> None:
        faulty_since: float | None = None
        while self._phase < Phase.GONE:
            try:
                self._turn()
                faulty_since = None
            except Exception as error:  # the loop must not end before its children do
                self._notices.error(f"supervisor: {error!r}")
                faulty_since = faulty_since or time.monotonic()
                if time.monotonic() - faulty_since > FAULTY_SECONDS:
                    raise
                time.sleep(TICK_SECONDS)

    def _turn(self) -> None:
        self._reconcile(time.monotonic())
        if self._phase is Phase.GONE:
            return  # no child is left
        self._wait()
        self._read_children()
        for number in self._signals.take():
            self._handle_signal(number)
        self._reap()
        self._watch(time.monotonic())

    # Wait

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        for child in self._children():
            if child.channel is not None:
                events = select.POLLIN | (select.POLLOUT if child.unsent else 0)
                poll.register(child.channel, events)
        for router in self._router.living():
            if router.output >= 0:
                poll.register(router.output, select.POLLIN)
        poll.poll(TICK_SECONDS * 1000)

    def _children(self) -> list[Child]:
        control = [self._control.child] if self._control.child else []
        return [*self._workers.living(), *control, *self._router.living()]

    # Frames

    def _read_children(self) -> None:
        for worker in list(self._workers.living()):
            self._read_worker(worker)
        if self._control.child is not None:
            self._read_control(self._control.child)
        for router in list(self._router.living()):
            self._read_router(router)

    def _read_router(self, router: Router) -> None:
        router.flush()
        self._router.read_output(router)
        try:
            frames = router.receive()
        except FrameFault as fault:
            self._notices.error(f"{router.title} sent {fault}: killed")
            router.kill()
            return
        for frame in frames:
            self._router.take(router, frame)

    def _read_worker(self, worker: Worker) -> None:
        worker.flush()
        try:
            frames = worker.receive()
        except FrameFault as fault:
            self._notices.error(f"worker {worker.index} (pid {worker.pid}) sent {fault}: killed")
            worker.kill()
            return
        for frame in frames:
            self._handle_worker_frame(worker, frame)

    def _handle_worker_frame(self, worker: Worker, frame: Frame) -> None:
        match frame.type:
            case FrameType.READY:
                generations = self._generations
                self._workers.take_ready(
                    worker, frame.generation, generations.frame, generations.current
                )
                self._tell_acknowledged(worker)
            case FrameType.ACK:
                worker.served = max(worker.served, frame.generation)
                self._tell_acknowledged(worker)
            case FrameType.DRAINED:
                worker.cut = _drained(frame.payload)
            case FrameType.REJECTED:
                self._take_rejection(worker, frame)
            case _:
                self._notices.error(f"worker {worker.index} sent {frame.type.name}: ignored")

    def _tell_acknowledged(self, worker: Worker) -> None:
        payload = json.dumps({"worker": worker.index}).encode()
        self._control.tell(encode(FrameType.ACKNOWLEDGED, worker.served, payload))

    def _take_rejection(self, worker: Worker, frame: Frame) -> None:
        if frame.generation != self._generations.current or not self._generations.pending:
            return  # an earlier rejection was handled already
        reason = frame.payload.decode("utf-8", "replace")
        self._notices.error(f"{worker.name} cannot use generation {frame.generation}: {reason}")
        payload = json.dumps({"worker": worker.index, "reason": reason}).encode()
        self._control.tell(encode(FrameType.REJECTION, frame.generation, payload))
        if self._generations.roll_back(time.monotonic() + self._timeouts.acknowledge_seconds):
            self._workers.send(self._generations.frame)
            self._notices.error("configuration unchanged: 1 problem")
            self._control.tell(encode(FrameType.CONFIGURATION, 0, self._generations.text))
            self._control.end_reload(self._generations.tickets)
        elif self._phase is Phase.STARTING:
            self._abandon_start()

    def _read_control(self, control: Child) -> None:
        control.flush()
        try:
            frames = control.receive()
        except FrameFault as fault:
            self._notices.error(f"control (pid {control.pid}) sent {fault}: killed")
            control.kill()
            return
        for frame in frames:
            if self._phase <= Phase.SERVING:
                self._handle_control_frame(frame)

    def _handle_control_frame(self, frame: Frame) -> None:
        match frame.type:
            case FrameType.BOOT:
                self._take_boot(frame.payload)
            case FrameType.TARGETS:
                self._take_targets(frame.payload)
            case FrameType.CONFIGURATION:
                self._offered = frame.payload
            case FrameType.ROUTER:
                self._offer_router(frame)
            case FrameType.PUBLISH:
                self._take_snapshot(frame)
            case FrameType.REFUSED if self._phase is Phase.CONFIGURING:
                self._leave(EXIT_STARTUP)
            case FrameType.REFUSED:
                problems = len(frame.payload.splitlines())
                self._notices.error(f"configuration unchanged: {plural(problems, 'problem')}")
                self._control.end_reload({frame.generation})
            case FrameType.WANTED if frame.payload == b"drain":
                self._drain()
            case FrameType.WANTED:
                self._control.want_reload()
            case _:
                self._notices.error(f"control sent {frame.type.name}: ignored")

    # Boot and reload

    def _take_boot(self, payload: bytes) -> None:
        try:
            settings = boot_settings.parse(payload)
        except boot_settings.BootFault as fault:
            self._abandon(str(fault))
            return
        if self._boot is None:
            self._boot = settings
            self._boot_payload = payload
            self._notices.configure(settings.log_level, settings.log_format)
        elif changed := self._boot.differences(settings):
            self._notices.warning(f"{', '.join(changed)}: a change needs a restart")

    def _take_targets(self, payload: bytes) -> None:
        if self._boot is None:
            self._abandon("control sent no boot settings")
            return
        is_first = self._counters.page is None
        try:
            page = self._counters.take_targets(payload, self._boot.workers)
        except CountersError as error:
            self._abandon(str(error))
            return
        if is_first:
            self._notices.count_in(page.supervisor_row)
            self._control.tell(counters_page.frame(page.layout))

    def _offer_router(self, frame: Frame) -> None:
        try:
            self._router.offer(frame.payload, asked=frame.generation > 0)
        except (ValueError, KeyError, TypeError) as error:
            self._abandon(f"the custom router from control: {error!r}")

    def _abandon(self, reason: str) -> None:
        """Logs that control sent something unusable; ends the start if nothing is served yet."""
        self._notices.error(reason)
        if self._phase is Phase.CONFIGURING:
            self._leave(EXIT_STARTUP)

    def _take_snapshot(self, frame: Frame) -> None:
        now = time.monotonic()
        deadline = now + self._timeouts.acknowledge_seconds
        new = self._generations.publish(frame.payload, deadline, self._offered)
        self._control.tell(encode(FrameType.NUMBERED, self._generations.current))
        self._router.apply()
        if self._phase is Phase.CONFIGURING:
            self._start()
            return
        if frame.generation:
            self._generations.tickets.add(frame.generation)
        if new:
            self._workers.send(self._generations.frame)
            self._control.is_new = False
            return
        if self._control.is_new:  # it does not know who serves this already
            for worker in self._workers.living():
                if worker.served == self._generations.current:
                    self._tell_acknowledged(worker)
        if not self._generations.pending and (frame.generation or self._control.is_new):
            self._settle()  # nothing changed, and a reload or a new control process waits
        self._control.is_new = False

    def _start(self) -> None:
        """Binds the addresses; the loop starts the first workers then."""
        if self._boot is None or self._counters.page is None:
            self._abandon("control sent no boot settings")
            return
        try:
            beside = self._launch.get("beside") is True
            self._workers.open(self._boot, self._counters.page, beside=beside)
            if not self._workers.waits:
                pidfile.write(self._launch.get("pidfile"))
        except (sockets.BindError, pidfile.PidfileError) as error:
            self._notices.error(str(error))
            self._leave(EXIT_STARTUP)
            return
        self._phase = Phase.STARTING
        self._deadline = None
        connections = self._boot.connections
        most = most_connections(connections, self._descriptors)
        if self._descriptors < connections:  # not even one each; a worker logs when it is full
            self._notices.warning(
                f"a worker may have {self._descriptors} descriptors, so it serves {most} "
                f"connections at a time, not router.limits.connections ({connections}): raise "
                "the hard limit (ulimit -n, LimitNOFILE) or lower the setting"
            )

    def _abandon_start(self) -> None:
        self._workers.kill()
        self._leave(EXIT_STARTUP)

    def _settle(self) -> None:
        """Handles that every worker serves the current generation."""
        if self._workers.waits and not self._take_share():
            return
        answered = self._generations.settle()
        current = self._generations.current
        self._control.tell(encode(FrameType.PUBLISHED, current))
        count = self._workers.count
        if self._phase is Phase.STARTING:
            self._phase = Phase.SERVING
            urls = " ".join(endpoint.url for endpoint in self._workers.endpoints)
            serve = "1 worker serves" if count == 1 else f"{count} workers serve"
            self._notices.info(f"ready: {serve} generation {current} on {urls}")
            if self._workers.share:
                self._notices.info("another gateway serves there too, until it is drained")
            self._tell_ready()
        else:
            everyone = "1 worker" if count == 1 else f"all {count} workers"
            self._notices.info(f"generation {current} is served by {everyone}")
        self._control.end_reload(answered)

    def _take_share(self) -> bool:
        """Takes connections and the pid file from the gateway beside; whether that went well.

        Not before all is ready: a start that fails takes nothing.
        """
        try:
            pidfile.write(self._launch.get("pidfile"))
            self._workers.accept()
        except (sockets.BindError, pidfile.PidfileError) as error:
            self._notices.error(str(error))
            self._abandon_start()
            return False
        return True

    def _tell_ready(self) -> None:
        try:
            sd_notify.tell_ready(os.environ)
        except OSError as error:
            self._notices.warning(f"the init system was not told of the start: {error}")

    # Signals

    def _handle_signal(self, number: signal.Signals) -> None:
        match number:
            case signal.SIGTERM:
                self._drain()
            case signal.SIGINT if self._phase is Phase.DRAINING:
                self._stop_now()
            case signal.SIGINT:
                self._drain()
            case signal.SIGQUIT:
                self._stop_now()
            case signal.SIGHUP if self._phase < Phase.DRAINING:
                self._control.want_reload()
            case signal.SIGUSR1:
                self._control.signal(number)
            case _:
                pass  # SIGCHLD: `_reap` looks at every turn

    def _drain(self) -> None:
        if self._phase >= Phase.DRAINING:
            return
        if self._phase < Phase.SERVING or self._boot is None:
            self._stop_now()
            return
        seconds = self._boot.drain_seconds
        self._phase = Phase.DRAINING
        self._deadline = time.monotonic() + seconds + DRAIN_GRACE_SECONDS
        self._workers.drain(seconds)
        self._control.tell(encode(FrameType.DRAINING, 0))
        self._notices.info("draining")

    def _stop_now(self) -> None:
        """Has the workers cut what runs at once, and report how much that was."""
        if self._phase >= Phase.LEAVING:
            return
        if self._phase < Phase.SERVING:
            self._workers.kill()
            self._leave(EXIT_OK)
            return
        self._phase = Phase.DRAINING
        self._deadline = time.monotonic() + NOW_SECONDS
        self._workers.drain(0.0)

    def _leave(self, status: int) -> None:
        """Lets control finish, then ends the loop: no worker is left, or all were killed."""
        self._status = EXIT_CUT if self._workers.cut and status == EXIT_OK else status
        self._phase = Phase.LEAVING
        self._deadline = time.monotonic() + CONTROL_EXIT_SECONDS
        self._control.dismiss()
        self._router.kill()

    # Reap

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            worker = self._workers.find(pid)
            if worker is not None:
                self._read_worker(worker)  # the frames that it sent before it exited
                self._reap_worker(worker, status)
            elif self._control.child is not None and self._control.child.pid == pid:
                self._read_control(self._control.child)
                self._reap_control(self._control.child, status)
            elif (router := self._router.find(pid)) is not None:
                self._read_router(router)
                self._count_exit(Slot.ROUTER_EXITS)
                known = {child.pid for child in self._children()}
                self._router.reap(router, status, time.monotonic(), known)
            # Any other process became a child of PID 1.

    def _reap_worker(self, worker: Worker, status: int) -> None:
        now = time.monotonic()
        if self._phase is Phase.STARTING:
            self._notices.error(
                f"worker {worker.index} (pid {worker.pid}) {how_it_ended(status)}"
                " before it was ready: start abandoned"
            )
            self._workers.dismiss(worker)
            self._abandon_start()
        elif self._phase is Phase.SERVING:
            self._workers.reap(worker, status, now)
        elif self._phase is Phase.DRAINING:
            self._workers.reap_drained(worker, status)
        else:
            self._workers.dismiss(worker)  # killed before it served

    def _count_exit(self, slot: Slot) -> None:
        """Counts the end of a process that is replaced."""
        if self._counters.page is not None and self._phase is Phase.SERVING:
            self._counters.page.supervisor_row[slot] += 1

    def _reap_control(self, control: Child, status: int) -> None:
        self._count_exit(Slot.CONTROL_EXITS)
        if self._phase in (Phase.STARTING, Phase.SERVING):
            self._control.reap(control, status, time.monotonic())
            return
        self._control.forget(control)
        if self._phase < Phase.LEAVING:
            self._notices.error(f"control (pid {control.pid}) {how_it_ended(status)}")
        if self._phase is Phase.CONFIGURING:
            self._leave(EXIT_STARTUP)

    # Heartbeat

    def _watch(self, now: float) -> None:
        # A turn takes a tick at most. After a longer one the supervisor itself was stopped for a
        # while, at whatever point of the turn.
        if now - self._watched > TICK_SECONDS + self._timeouts.heartbeat_seconds / 2:
            self._workers.trust_from(now)
            self._router.trust_from(now)
        self._watched = now
        if Phase.STARTING <= self._phase <= Phase.DRAINING:
            generations = self._generations
            self._workers.watch(now, generations.current, generations.deadline_monotonic)
        self._control.watch(now)
        self._router.watch(now)

    # Reconcile

    def _reconcile(self, now: float) -> None:
        if self._phase <= Phase.SERVING:
            self._control.spawn_missing(self._boot_payload, self._generations, now)
        match self._phase:
            case Phase.CONFIGURING:
                self._limit_configuring(now)
            case Phase.STARTING | Phase.SERVING:
                self._workers.spawn_missing(self._generations.frame, now)
                self._router.spawn_missing(now)
                if self._phase is Phase.STARTING and self._router.failed:
                    self._abandon_start()
                elif self._all_serve():
                    self._settle()
                if self._phase is Phase.SERVING:
                    self._control.begin_reload(now)
            case Phase.DRAINING:
                self._router.spawn_missing(now)
                self._finish_draining(now)
            case Phase.LEAVING:
                self._finish_leaving(now)
            case Phase.GONE:
                pass

    def _all_serve(self) -> bool:
        """Whether a snapshot that was not served yet now is; the first needs its router too."""
        generations = self._generations
        if not generations.pending or not self._workers.serves(generations.current):
            return False
        return self._phase is Phase.SERVING or self._router.ready

    def _limit_configuring(self, now: float) -> None:
        if self._deadline is not None and now > self._deadline:
            self._notices.error("control has no configuration yet: start abandoned")
            self._leave(EXIT_STARTUP)

    def _finish_draining(self, now: float) -> None:
        if not self._workers.count:
            self._leave(EXIT_OK)
        elif self._deadline is not None and now > self._deadline:
            self._deadline = None
            self._workers.kill()

    def _finish_leaving(self, now: float) -> None:
        if self._deadline is not None and now > self._deadline:
            self._deadline = None
            self._control.signal(signal.SIGKILL)
        if self._control.child is None and not self._workers.count and not self._routers:
            self._phase = Phase.GONE
            self._say_goodbye()

    @property
    def _routers(self) -> int:
        return sum(1 for _ in self._router.living())

    def _say_goodbye(self) -> None:
        page = self._counters.page
        published = self._generations.current > 0
        if (
            self._boot is not None
            and page is not None
            and published
            and self._status != EXIT_STARTUP
        ):
            wanted = self._boot.access_log != "off"
            self._notices.info(final_summary.summary(page.totals(), access_log=wanted))
        if self._status == EXIT_OK:
            self._notices.info("stopped: clean")
        elif self._status == EXIT_CUT:
            self._notices.warning(f"stopped: {plural(self._workers.cut, 'connection')} cut")


def _drained(payload: bytes) -> int:
    """Returns how many connections a worker reports as cut; 0 if the frame cannot be read."""
    try:
        return int(json.loads(payload)["cut"])
    except (ValueError, KeyError, TypeError):
        return 0
