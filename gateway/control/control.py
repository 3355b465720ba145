"""The control process: loads the configuration on RELOAD, renews credentials in time, starts the
log; with `router.watch` it asks for a reload when the file has changed.

Rules: it publishes nothing that did not load completely, and no text that the operator did not ask
for; it does not exit because the configuration is bad, as the supervisor decides that; it leaves
when its channel ends, after the last log lines; whatever may block (files, metadata services) runs
in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from fastpath.ipc.core_tasks import CoreTasks
from fastpath.ipc.counters import Layout, Page
from fastpath.ipc.frames import FrameReader, FrameType, encode
from fastpath.sockets.tls_settings import Certificate
from gateway.admin import listener
from gateway.admin.access import Access
from gateway.admin.listener import ListenError
from gateway.admin.plane import Plane
from gateway.config.secrets import stamp
from gateway.control import reload_trial, snapshot_maker
from gateway.control.access_log_writer import AccessLog, AccessLogError
from gateway.control.config_watch import ConfigWatch
from gateway.control.health_checks import HealthChecks
from gateway.control.log_reader import LogReader
from gateway.control.operator_requests import OperatorRequests
from gateway.control.operator_socket import OperatorSocket
from gateway.control.recent_requests import RecentRequests
from gateway.control.reload_trial import Trial
from gateway.control.reloads import Read, Reload, Reloads
from gateway.control.rollout import Rollout
from gateway.control.snapshot_maker import Lifelong, Publication, Refusal
from gateway.control.status import Known
from gateway.supervisor import boot_settings
from gateway.supervisor.crash import describe
from gateway.supervisor.notices import Notices

_READ_BYTES: Final = 65536
_LAST_LINES_SECONDS: Final = 3.0
# The least time between two refreshes, whatever the source says about expiry.
_REFRESH_FLOOR_SECONDS: Final = 1.0
# Every worker sends its own request for credentials, and repeats it while it is refused.
_WANTED_AGAIN_SECONDS: Final = 10.0
# More than the supervisor gives its workers before it takes the one before (docs/processes.md).
_SERVED_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 2.0  # between two looks at the files with secrets


@dataclass(frozen=True, slots=True)
class ControlArguments:
    """What the supervisor passes to a control process."""

    launch: Mapping[str, object]
    channel: socket.socket  # frames to and from the supervisor
    log: socket.socket  # datagrams from the workers
    admin: Sequence[socket.socket]  # for the admin plane; one is bound once it has an address
    counters: int  # descriptor of the file of memory that the page of counters is in
    layout: Layout | None  # of that page; None in the first control process, before it is made
    lifelong: Lifelong
    boot_payload: bytes  # the settings in force; empty in the first control process
    text: bytes  # of the configuration in force; the same, and empty without a file
    snapshot: bytes = field(repr=False)  # the last one; the same


def run(arguments: ControlArguments) -> NoReturn:
    """Runs control until its channel ends."""
    # An init system may send SIGTERM to the whole group: the last lines come after it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.excepthook = _end_without
    asyncio.run(Control(arguments).live())
    os._exit(os.EX_SOFTWARE)  # `live` does not return


def _counted_names(found: Publication) -> bytes:
    """Returns the names that get counters of their own."""
    identities = [identity.name for identity in found.model.auth.identities]
    return json.dumps({"targets": list(found.model.targets), "identities": identities}).encode()


def _end_without(ended: threading.ExceptHookArgs) -> None:
    """Ends the process with a thread that raised: its work would be missing unnoticed."""
    name = ended.thread.name if ended.thread is not None else "?"
    Notices().error(f"control: thread {name} ended: {ended.exc_type.__name__}: {ended.exc_value}")
    os._exit(os.EX_SOFTWARE)


class Control:
    """One control process."""

    def __init__(self, arguments: ControlArguments) -> None:
        self._arguments = arguments
        self._notices = Notices(
            str(arguments.launch.get("log_level")),
            str(arguments.launch.get("log_format") or "text"),
        )
        self._present: Publication | None = None
        self._rollout = Rollout()  # of what was published
        self._reloads = Reloads()
        self._draining = False
        self._boot_payload = arguments.boot_payload  # of the start; empty before it
        self._text = arguments.text.decode() or None  # of the configuration that was accepted last
        self._stamps: snapshot_maker.Stamps = {}  # as the configuration was read
        self._last_look: snapshot_maker.Stamps = {}
        config = arguments.launch.get("config")
        self._watch = ConfigWatch(Path(str(config)) if config else None)
        self._warned: frozenset[str] = frozenset()
        self._tickets: asyncio.Queue[int | None] = asyncio.Queue()  # None: credentials are wanted
        self._wanted: set[str] = set()  # targets that want fresh credentials
        self._wanted_at: dict[str, float] = {}  # monotonic seconds
        self._logs: LogReader | None = None
        self._recent = RecentRequests()
        self._serves = asyncio.Event()  # set once workers have a configuration, or will in a moment
        self._first: asyncio.Future[int] | None = None  # its number, if this control published it
        self._admin_address: socket.socket | None = None  # None: it is off, or cannot be bound
        self._admin_is_awaited = False  # a gateway that this one replaces has its address
        self._admin_certificate: Certificate | None = None  # the last one that was configured
        self._health: HealthChecks | None = None  # None until there are workers to tell
        self._supervisor = os.getppid()
        self._writer: asyncio.StreamWriter
        self._loop: asyncio.AbstractEventLoop
        self._page: asyncio.Future[Page]
        self._refresh_at: float | None = None  # epoch seconds

    async def live(self) -> None:
        """Runs until the end of the channel; does not return."""
        self._loop = asyncio.get_running_loop()
        self._page = self._loop.create_future()
        if self._arguments.layout is not None:
            self._map_counters(self._arguments.layout)
        reader, self._writer = await asyncio.open_connection(sock=self._arguments.channel)
        self._loop.add_signal_handler(signal.SIGUSR1, self._reopen)
        if self._arguments.boot_payload and self._page.done():
            self._start_logs(self._arguments.boot_payload, self._page.result())
            # Before it has read anything: probes are answered even if a file is missing by now.
            self._open_admin(is_needed=False)
            self._serves.set()
        core = CoreTasks(self._report_crash)
        core.start(self._work())
        core.start(self._listen(reader))
        requests = OperatorRequests(self._known, self, self._notices)
        core.start(OperatorSocket(self._supervisor, requests.answer, self._notices).serve())
        core.start(self._serve_admin(requests))
        await self._loop.create_future()  # waits for ever: the core tasks end the process

    def _report_crash(self, fault: BaseException) -> None:
        """Logs why a core task ended, before the process does."""
        self._notices.error(f"s3gw control crashed: {describe(fault)}")
        self._finish_logs()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        frames = FrameReader()
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                for frame in frames.feed(data):
                    if frame.type is FrameType.RELOAD:
                        self._tickets.put_nowait(frame.generation)
                    elif frame.type is FrameType.CONFIGURATION:  # workers rejected the last one
                        self._text = frame.payload.decode() or None
                        self._tickets.put_nowait(0)
                    elif frame.type is FrameType.COUNTERS:
                        self._map_counters(Layout(**json.loads(frame.payload)))
                    elif frame.type is FrameType.DRAINING:
                        self._draining = True
                    else:
                        for outcome in self._rollout.take(frame):
                            self._notices.debug(str(outcome))
        self._finish_logs()
        os._exit(0)  # do not wait for a thread that waits for a metadata service

    async def _work(self) -> None:
        await self._load(0)
        if self._arguments.text:
            await self._tell_difference()
        while True:
            ticket = await self._next()
            if ticket is not None:
                await self._load(ticket)
            elif self._wanted:
                await self._renew()
            elif self._refresh_due():
                await self._refresh()
            elif self._files_changed():
                self._notices.info("a secret file changed")
                await self._load(0)
            elif await self._is_edited():
                self._notices.info(f"{self._arguments.launch.get('config')} changed: reload")
                await self._send(encode(FrameType.WANTED, 0, b"reload"))

    async def _next(self) -> int | None:
        """Returns the next reload; None when it is time to check requests, clock and files."""
        wait = _LOOK_SECONDS
        if self._refresh_at is not None:
            wait = min(wait, max(self._refresh_at - time.time(), 0.0))
        try:
            return await asyncio.wait_for(self._tickets.get(), wait)
        except TimeoutError:
            return None

    # Load and publish

    async def _load(self, ticket: int) -> None:
        """Reads the configuration; publishes it, or logs why it cannot.

        Without a ticket, no operator asked for it: the text is the one that was accepted last, the
        secrets are read again.
        """
        text = None if ticket else self._text
        seen = self._watch.look()
        began, waiting = time.time(), self._reloads.begin() if ticket else ()
        found = await asyncio.to_thread(
            snapshot_maker.read,
            self._arguments.launch,
            self._arguments.lifelong,
            self._present,
            text,
            served=self._arguments.snapshot,
        )
        if text is None:
            self._watch.note(seen, found.stamps if isinstance(found, Refusal) else None)
        if not (ticket and isinstance(found, Refusal)):
            self._stamps = found.stamps
        if isinstance(found, Refusal):
            await self._refuse(ticket, found)
            if ticket:
                self._reloads.end(_refused(began, found), waiting)
            return
        number = await self._put_in_force(ticket, found)
        if ticket and number is not None:
            read = Read(began, found.digest, found.warnings, self._needs_restart(found))
            outcome = self._rollout.becomes(number, _SERVED_SECONDS)
            self._reloads.follow(read, outcome, waiting)

    async def _put_in_force(self, ticket: int, found: Publication) -> asyncio.Future[int] | None:
        """Publishes a configuration; returns its number to come, or None if the start failed."""
        self._warn(found.warnings)
        self._boot_payload = self._boot_payload or found.boot
        # Before the snapshot: the supervisor makes the page of counters meanwhile.
        await self._send(encode(FrameType.BOOT, 0, found.boot))
        await self._send(encode(FrameType.TARGETS, 0, _counted_names(found)))
        snapshot = await asyncio.to_thread(found.snapshot)
        page = await self._page
        is_first, self._present = self._present is None, found
        self._text = found.text or None
        self._take_keyring(found)
        self._check_health(found, page)
        try:
            if is_first and not self._serves.is_set():
                self._open_admin(is_needed=found.admin_is_asked_for)
            if self._logs is None:
                self._start_logs(found.boot, page)
        except (AccessLogError, ListenError) as error:
            self._notices.error(str(error))
            await self._send(encode(FrameType.REFUSED, ticket, str(error).encode()))
            return None
        await self._send(encode(FrameType.CONFIGURATION, 0, found.text.encode()))
        await self._send(encode(FrameType.ROUTER, ticket, found.router))
        number = await self._publish(ticket, snapshot)
        if is_first:
            self._first = number
            self._serves.set()
        return number

    async def _refuse(self, ticket: int, found: Refusal) -> None:
        """Logs what is wrong with a configuration; the supervisor goes on with the one before."""
        for line in found.errors:
            self._notices.line(line)
        self._warn(found.warnings)
        await self._send(encode(FrameType.REFUSED, ticket, "\n".join(found.errors).encode()))

    async def _publish(self, ticket: int, snapshot: bytes) -> asyncio.Future[int]:
        """Sends a snapshot; returns the number that the supervisor will give it."""
        number = self._rollout.sent()
        await self._send(encode(FrameType.PUBLISH, ticket, snapshot))
        return number

    def _needs_restart(self, found: Publication) -> tuple[str, ...]:
        """Returns the settings that differ from those in force, and are read once at the start."""
        boot = self._boot_payload or found.boot
        return tuple(boot_settings.parse(boot).differences(boot_settings.parse(found.boot)))

    async def _tell_difference(self) -> None:
        """Logs that the file differs from the text in force, if it was changed without a reload."""
        if self._watches:
            return  # it is read in a moment
        if difference := await self._difference(self._arguments.text.decode()):
            path = self._arguments.launch.get("config")
            self._notices.warning(
                f"{path} {difference}, which is served on until a reload (SIGHUP)"
            )

    async def _difference(self, text: str) -> str:
        path = str(self._arguments.launch.get("config"))
        return await asyncio.to_thread(snapshot_maker.differs, path, text)

    @property
    def _watches(self) -> bool:
        present = self._present
        return present is not None and present.model.router.watch and not self._draining

    async def _is_edited(self) -> bool:
        """Whether `router.watch` is on, and the file says something else than what is in force."""
        if not self._watches or not self._watch.has_changed(time.monotonic()):
            return False
        return bool(await self._difference(self._text or ""))

    def _warn(self, lines: tuple[str, ...]) -> None:
        """Logs the warnings that the last configuration did not have."""
        if self._notices.wants("warning"):
            for line in lines:
                if line not in self._warned:
                    self._notices.line(line)
        self._warned = frozenset(lines)

    async def _send(self, frame: bytes) -> None:
        self._writer.write(frame)
        with contextlib.suppress(OSError):  # `_listen` sees the end of the channel
            await self._writer.drain()

    # Credentials and files

    def _take_keyring(self, present: Publication) -> None:
        """Logs what the keyring could not get, and plans the next try."""
        for warning in present.keyring.warnings:
            self._notices.warning(warning)
        at = present.next_refresh()
        floor = time.time() + _REFRESH_FLOOR_SECONDS
        self._refresh_at = None if at is None else max(at, floor)

    def _request_credentials(self, target: str) -> None:
        """Notes that a target refused a signature; the thread of the log reader calls this."""
        self._loop.call_soon_threadsafe(self._take_request, target)

    def _take_request(self, target: str) -> None:
        now = time.monotonic()
        if now - self._wanted_at.get(target, -math.inf) >= _WANTED_AGAIN_SECONDS:
            self._wanted_at[target] = now
            self._wanted.add(target)
            self._tickets.put_nowait(None)

    async def _renew(self) -> None:
        """Asks the sources of these targets again, whatever they said about expiry."""
        wanted, self._wanted = self._wanted, set()
        if self._present is None:
            return
        asked = [name for name in sorted(wanted) if self._present.keyring.forget(name)]
        if asked:
            self._notices.info(f"asking for new credentials: target {', '.join(asked)}")
            await self._refresh()

    def _refresh_due(self) -> bool:
        return self._refresh_at is not None and time.time() >= self._refresh_at

    async def _refresh(self) -> None:
        present = self._present
        if present is not None:
            snapshot = await asyncio.to_thread(present.snapshot)
            self._take_keyring(present)
            await self._publish(0, snapshot)

    def _files_changed(self) -> bool:
        """Whether a watched file changed, and has been the same at two looks since then."""
        now = {file: stamp(file) for file in self._stamps}
        settled = now == self._last_look
        self._last_look = now
        return settled and now != self._stamps

    # Operator (`operator_requests.Running`)

    async def reload(self) -> Reload:
        """Has the supervisor begin a reload; returns what became of it."""
        waiting = self._reloads.wait()
        await self._send(encode(FrameType.WANTED, 0, b"reload"))
        return await waiting

    async def trial(self) -> Trial:
        """Reads the configuration as a reload would, and says what that would change."""
        launch = self._arguments.launch
        text = None if self._present is None else self._present.text
        return await asyncio.to_thread(reload_trial.trial, launch, text, self._boot_payload)

    async def drain(self) -> None:
        """Has the supervisor drain."""
        await self._send(encode(FrameType.WANTED, 0, b"drain"))

    def _known(self) -> Known:
        """Returns what is told an operator who asks."""
        return Known(
            supervisor=self._supervisor,
            file=str(self._arguments.launch.get("config") or ""),
            generation=self._rollout.generation,
            page=self._page.result() if self._page.done() else None,
            present=self._present,
            health=self._health.reports() if self._health is not None else {},
            draining=self._draining,
            reloads=tuple(self._reloads.recent),
        )

    # Admin plane

    def _open_admin(self, *, is_needed: bool) -> None:
        """Binds the admin plane's address, or finds it bound. Raises ListenError if it must be."""
        address = boot_settings.parse(self._boot_payload).admin
        if address is None:
            return
        try:
            self._admin_address = listener.listen(self._arguments.admin, address)
        except ListenError as error:
            self._admin_is_awaited = error.in_use and self._arguments.launch.get("beside") is True
            if self._admin_is_awaited:
                self._notices.info(f"the admin plane waits for the gateway beside: {error}")
                return
            if is_needed:
                raise ListenError(f"the admin plane {error}") from None
            self._notices.warning(
                f"there is no admin plane: {error} (router.admin_address, or --admin, says where)"
            )

    async def _serve_admin(self, requests: OperatorRequests) -> None:
        """Serves the admin plane once a configuration is served; it never ends control."""
        await self._serves.wait()
        if self._first is not None:  # what the plane needs would take CPU of workers that start
            await self._rollout.becomes(self._first, _SERVED_SECONDS)
        await self._await_admin_address()
        if self._admin_address is not None:
            plane = Plane(
                known=self._known,
                access=self._access,
                certificate=self._certificate,
                operate=requests.answer,
                recent=self._recent,
                launch=self._arguments.launch,
                report=self._notices.error,
                warn=self._notices.warning,
            )
            await self._await_certificate()
            await self._run_admin(plane, self._admin_address)
        await self._loop.create_future()  # waits for ever: there is none

    async def _await_admin_address(self) -> None:
        """Waits until the gateway that this one replaces has ended, if that has the address."""
        while self._admin_address is None and self._admin_is_awaited:
            await asyncio.sleep(_LOOK_SECONDS / 10)
            self._try_admin_address()

    def _try_admin_address(self) -> None:
        address = boot_settings.parse(self._boot_payload).admin
        if address is not None:
            with contextlib.suppress(ListenError):
                self._admin_address = listener.listen(self._arguments.admin, address)

    async def _run_admin(self, plane: Plane, address: socket.socket) -> None:
        """Serves for ever; returns, and says so, if the libraries for it cannot be imported."""
        try:
            # They take a third of a second: workers serve meanwhile.
            serving = await asyncio.to_thread(_import_admin)
        except Exception as fault:
            self._notices.error(f"there is no admin plane: {describe(fault)}")
            return
        shown = listener.url(address, tls=self._certificate() is not None)
        self._notices.info(f"admin plane on {shown}")
        await serving(plane, address)

    async def _await_certificate(self) -> None:
        """Waits for a certificate, if there is TLS: never is it left out for want of one."""
        has_tls, told = boot_settings.parse(self._boot_payload).admin_tls, False
        while has_tls and self._certificate() is None:
            if self._present is not None and not told:
                told = True
                self._notices.warning("the admin plane waits for admin.tls, which it had before")
            await asyncio.sleep(_LOOK_SECONDS / 10)

    def _access(self) -> Access:
        if self._present is None:
            return Access()
        admin = self._present.model.admin
        token = None if admin.token is None else admin.token.get_secret_value()
        return Access(token, admin.hosts)

    def _certificate(self) -> Certificate | None:
        """Returns the last certificate; None if the plane has no TLS, or none was read yet."""
        if not boot_settings.parse(self._boot_payload).admin_tls:
            return None  # a reload can add the section, but not put it in force
        tls = self._present.model.admin.tls if self._present is not None else None
        if tls is not None and tls.cert_pem is not None and tls.key_pem is not None:
            self._admin_certificate = Certificate(tls.cert_pem, tls.key_pem)
        return self._admin_certificate

    def _check_health(self, present: Publication, page: Page) -> None:
        first = self._health is None
        if self._health is None:
            self._health = HealthChecks(page, self._notices)
        self._health.apply(present.checks, first=first)

    # Counters and logs

    def _map_counters(self, layout: Layout) -> None:
        page = Page(layout, self._arguments.counters)
        self._reloads.count_in(page.control_row)
        self._notices.count_in(page.control_row)
        self._page.set_result(page)

    def _start_logs(self, boot_payload: bytes, page: Page) -> None:
        """Raises AccessLogError; then nothing was started, and it may be called again."""
        settings = json.loads(boot_payload)
        self._notices.configure(settings["log_level"], settings["log_format"])
        access_log = None
        if settings["access_log"] not in ("off", ""):
            access_log = AccessLog(settings["access_log"], page.control_row, self._notices)
            try:
                access_log.open()
            except AccessLogError as error:
                if not self._arguments.boot_payload:
                    raise
                self._notices.error(
                    str(error)
                )  # workers serve already: lines are lost until it can be opened
        self._logs = LogReader(
            self._arguments.log,
            access_log,
            settings["log_format"],
            self._notices,
            self._request_credentials,
            self._recent.add,
        )
        self._logs.start()

    def _reopen(self) -> None:
        if self._logs is not None:
            self._logs.reopen()

    def _finish_logs(self) -> None:
        if self._logs is not None:
            self._logs.stop(_LAST_LINES_SECONDS)


def _import_admin() -> Callable[[Plane, socket.socket], Awaitable[None]]:
    from gateway.admin.serving import serve

    return serve


def _refused(began: float, found: Refusal) -> Reload:
    """Returns what became of a reload whose configuration has problems."""
    seconds = time.time() - began
    return Reload(began, seconds, False, problems=found.errors, warnings=found.warnings)
