"""A real gateway on loopback, driven the way an operator drives it.

Rules: one class, `Gateway`, always used as a context manager; every process it started is found
again by a mark in its environment and must be gone at the end, and no file may be left in its
directory; waiting is for a condition, with a deadline, never for a time to pass.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from tests.process.forked import Forked, Starter

ROOT = Path(__file__).parents[2]
READY = re.compile(
    r"ready: (\d+) workers? serves? generation (\d+) on (http[^\s\"]+)(?: (https[^\s\"]+))?"
)
RELOADED = re.compile(r"generation (\d+) is served by|configuration unchanged: (\d+) problem")

# For a run of all tests with every body spliced (1), or none (a number no body has).
SPLICE_BYTES = os.environ.get("TEST_SPLICE_BYTES")

FRESH = os.environ.get("TEST_FRESH") == "1"  # nothing is forked

_MARK = "LC_GATEWAY_TEST_MARK"  # a name that every process keeps (environment.is_kept)
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02

Config = Mapping[str, object] | str | Path  # a Path is used where it is

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _with_splicing(config: Mapping[str, object]) -> Mapping[str, object]:
    """The configuration with SPLICE_BYTES, unless it says something itself."""
    router = config.get("router", {})
    if SPLICE_BYTES is None or not isinstance(router, Mapping):
        return config
    limits = {"splice_bytes": int(SPLICE_BYTES), **router.get("limits", {})}
    return {**config, "router": {**router, "limits": limits}}


class Lines:
    """The lines of a stream, as they come, for whoever waits for one."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: list[str] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._lines))

    def text(self) -> str:
        return "\n".join(self)

    def join(self, seconds: float) -> bool:
        """Waits for the end of the stream: every process that held it is gone."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def wait_for(
        self, pattern: str | re.Pattern[str], seconds: float, after: int = 0
    ) -> re.Match[str]:
        """The first line from number `after` on that matches. AssertionError if none comes."""
        deadline = time.monotonic() + seconds
        seen = after
        with self._changed:
            while True:
                while seen < len(self._lines):
                    if match := re.search(pattern, self._lines[seen]):
                        return match
                    seen += 1
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    shown = "\n".join(self._lines[after:])
                    raise AssertionError(f"no line matches {pattern!r} in:\n{shown}")
                self._changed.wait(left)


class Gateway:
    """A supervisor with its control and workers, from start to a checked end.

    `flags` are launch settings (`drain_seconds=2`, `access_log="-"`, ...). `environ` is added to an
    environment without any AWS, lakeFS or gateway variable. `prefix` is put before the command;
    `prefix_execs` says that it becomes the command instead of starting it. `fresh`: it is started
    as a user's is, not forked from a process that has the imports (`forked`).
    """

    def __init__(
        self,
        config: Config | None,
        workers: int | None = 2,
        *,
        listen: Sequence[str] = ("127.0.0.1:0",),
        environ: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        prefix_execs: bool = False,
        fresh: bool = FRESH,
        **flags: object,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="s3gateway-test-"))
        self.config_path = self.directory / "gateway.yaml"
        self.expected_files = {"gateway.yaml"}
        self._mark = uuid.uuid4().hex
        launch: dict[str, object] = {
            "config": None,
            "listen": list(listen),
            "workers": workers,
            "access_log": "off",
            "admin": "off",
            **flags,
        }
        if isinstance(config, Path):
            launch["config"] = str(config)
        elif config is not None:
            self.write_config(config)
            launch["config"] = str(self.config_path)
        command = [*prefix, *self.command(launch)]
        fresh = fresh or command[:-1] != [sys.executable, "-m", "gateway.supervisor"]
        fresh = fresh or any(name.startswith("PYTHON") for name in environ or {})
        self._process = (self._started if fresh else self._forked)(command, environ or {})
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.stdout = Lines(self._process.stdout)
        self.log = Lines(self._process.stderr)
        self._prefixed = bool(prefix) and not prefix_execs
        self.url = ""
        self.tls_url = ""  # of `router.tls`, if there is one

    def _started(
        self, command: Sequence[str], environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes] | Forked:
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env=self._environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def _forked(
        self, command: Sequence[str], environ: Mapping[str, str]
    ) -> subprocess.Popen[bytes] | Forked:
        return _starter().start(command[-1:], self.directory, self._environment(environ))

    def _environment(self, added: Mapping[str, str]) -> dict[str, str]:
        dropped = ("AWS_", "LAKEFS_", "S3GATEWAY_", "ENVIRONMENT")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        return {
            **kept,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.directory),
            "TMPDIR": str(self.directory),
            "AWS_EC2_METADATA_DISABLED": "true",
            _MARK: self._mark,
            **added,
        }

    def command(self, launch: Mapping[str, object]) -> list[str]:
        """The command line that starts a supervisor with these settings."""
        return [sys.executable, "-m", "gateway.supervisor", json.dumps(launch)]

    # Start and end

    @classmethod
    def start(cls, config: Config | None, workers: int | None = 2, **flags: object) -> Self:
        """Starts and waits until it serves."""
        gateway = cls(config, workers, **flags)  # type: ignore[arg-type]  # flags are checked there
        try:
            gateway.wait_until_ready()
        except BaseException:
            gateway._destroy()
            raise
        return gateway

    def wait_until_ready(self) -> None:
        """Waits for the ready line and learns the addresses from it."""
        ready = self.log.wait_for(READY, _START_SECONDS)
        self.url, self.tls_url = ready[3], ready[4] or ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.supervisor_pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_STOP_SECONDS)
            left = self._left_behind()
        finally:
            leftovers = self._destroy()
        if kind is None:
            assert not left, f"processes left behind: {left}\n{self.log.text()}"
            assert not leftovers, f"files left behind: {leftovers}"
        elif error is not None:
            error.add_note(f"gateway log:\n{self.log.text()}")

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = _STOP_SECONDS) -> int:
        """Sends a signal and waits for the end; the exit status."""
        os.kill(self.supervisor_pid, number)
        return self.wait(seconds)

    def wait(self, seconds: float = _STOP_SECONDS) -> int:
        """Waits for the end; the exit status."""
        status = self._process.wait(seconds)
        self.log.join(5)
        self.stdout.join(5)
        return status

    def _destroy(self) -> set[str]:
        """Kills whatever is left and removes the directory; names of unexpected files in it."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        self.log.join(5)
        self.stdout.join(5)
        found = {str(path.relative_to(self.directory)) for path in self.directory.rglob("*")}
        shutil.rmtree(self.directory)
        return found - self.expected_files

    def _left_behind(self) -> list[str]:
        """Processes that are still there a moment after the end."""
        deadline = time.monotonic() + 5
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return [f"{pid} {_name_of(pid)}" for pid in left]

    @property
    def ended(self) -> bool:
        """Whether the supervisor has exited."""
        return self._process.poll() is not None

    # Processes

    @property
    def supervisor_pid(self) -> int:
        pid = self._process.pid
        if self._prefixed:
            pid = wait_until(lambda: next(iter(_children(pid)), 0), "the command has a child")
        return pid

    def worker_pids(self) -> list[int]:
        """Pids of the living workers, by index."""
        named = {_name_of(pid): pid for pid in _children(self.supervisor_pid)}
        workers = sorted(name for name in named if name.startswith("s3gw worker"))
        return [named[name] for name in workers]

    def control_pid(self) -> int:
        """Pid of the control process; 0 if there is none."""
        children = _children(self.supervisor_pid)
        return next((pid for pid in children if _name_of(pid) == "s3gw control"), 0)

    def router_pid(self) -> int:
        """Pid of the process of the custom router; 0 if there is none."""
        children = _children(self.supervisor_pid)
        return next((pid for pid in children if _name_of(pid) == "s3gw router"), 0)

    def zombies(self) -> list[int]:
        """Children of the supervisor that ended and are not reaped."""
        return [pid for pid in _children(self.supervisor_pid) if _state_of(pid) == "Z"]

    def processes(self) -> list[int]:
        """Every living process that was started by this gateway, orphans included."""
        mark = f"{_MARK}={self._mark}".encode()
        session = str(self._process.pid)
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    state, *ids = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                    environment = (entry / "environ").read_bytes()
                    own = ids[2] == session and state not in "ZX"
                    if own or mark in environment.split(b"\0"):
                        found.append(int(entry.name))
        return found

    def kill_worker(self, index: int, number: signal.Signals = signal.SIGKILL) -> int:
        """Signals one worker; its pid."""
        name = f"s3gw worker {index}"

        def named() -> int:
            return next((pid for pid in _children(self.supervisor_pid) if _name_of(pid) == name), 0)

        # One that has just been forked gives itself its name.
        pid = wait_until(named, f"{name} runs")
        os.kill(pid, number)
        return pid

    def signal(self, number: int) -> None:
        """Signals the supervisor."""
        os.kill(self.supervisor_pid, number)

    def signal_group(self, number: int) -> None:
        """Signals the supervisor and all its children, as a terminal does."""
        os.killpg(os.getpgid(self.supervisor_pid), number)

    # Configuration

    def write_config(self, config: Mapping[str, object] | str) -> None:
        """Replaces the configuration file; a mapping is written as JSON, which is YAML."""
        if isinstance(config, Mapping):
            config = json.dumps(_with_splicing(config), indent=2)
        text = str(config)
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.config_path)

    def reload(
        self, config: Mapping[str, object] | str | None = None, seconds: float = 20.0
    ) -> int | None:
        """Writes a configuration, sends SIGHUP and waits for the acknowledgement.

        Returns the generation that every worker serves; None if the configuration was refused.
        """
        mark = len(self.log)
        if config is not None:
            self.write_config(config)
        self.signal(signal.SIGHUP)
        generation = self.log.wait_for(RELOADED, seconds, after=mark)[1]
        return int(generation) if generation else None

    # Log

    def log_contains(self, pattern: str) -> bool:
        """Whether a line on standard error matches."""
        return any(re.search(pattern, line) for line in self.log)

    def wait_for_log(self, pattern: str, seconds: float = 10.0, after: int = 0) -> re.Match[str]:
        """The first line on standard error that matches, from line `after` on."""
        return self.log.wait_for(pattern, seconds, after)

    def access_lines(self, name: str) -> list[dict[str, object]]:
        """The access lines in a file, for `log_format="json"`."""
        text = (self.directory / name).read_text()
        return [json.loads(line) for line in text.splitlines()]

    # Client

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host.strip("[]"), int(port)

    def connect(self, seconds: float = 10.0) -> http.client.HTTPConnection:
        """A client connection of its own."""
        host, port = self.address
        return http.client.HTTPConnection(host, port, timeout=seconds)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, method, path, body, headers)


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on this connection."""
    connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    named = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, named, response.read())


def open_config(url: str) -> dict[str, object]:
    """A configuration that checks no signature and sends everything to one target."""
    keys = {"access_key_id": "TESTACCESSKEY", "secret_access_key": "test-secret"}
    return {
        "auth": {"mode": "open"},
        "targets": {"main": {"profile": "generic", "endpoint": url, **keys}},
        "routing": {"default_target": "main"},
    }


def run_to_end(config: Config | None, seconds: float = 30.0, **flags: object) -> tuple[int, str]:
    """Starts a gateway that is expected to give up; its exit status and standard error."""
    with Gateway(config, **flags) as gateway:  # type: ignore[arg-type]  # flags are checked there
        status = gateway.wait(seconds)
        return status, gateway.log.text()


def wait_until(condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
    """The first true value of `condition`. AssertionError if it stays false."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(_POLL_SECONDS)
    return value


@functools.cache
def _starter() -> Starter:
    return Starter()


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
