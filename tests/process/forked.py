"""Gateways forked from one process that has imported all that they import: a start without imports.

    pytest -- Starter --socket--> this, as a process: waits, and forks for each request
                                    `-- a supervisor, as after its exec: own session, own files

Nine tenths of the processor time that a gateway's start takes is imports, and tests start over two
hundred. Rules: the supervisor's own entry is called, in a process with the environment, directory
and descriptors asked for; nothing of the gateway has run before the fork, only been imported. What
looks at a process itself (its memory, its environment, its libraries) starts it anew
(`harness.Gateway`, `fresh`), and with TEST_FRESH=1 everything does, as `.ci/run` has it once.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
_PACKAGES = ("fastpath", "gateway.supervisor", "gateway.control", "gateway.config")
_OTHERS = ("botocore.session", "botocore.credentials", "uvloop", "ssl", "urllib.request")
_SIZE = struct.Struct("!I")


class Forked:
    """A supervisor that was forked, with what is used here of `subprocess.Popen`."""

    def __init__(self, pid: int, stdout: int, stderr: int, starter: Starter) -> None:
        self.pid = pid
        self.stdout = os.fdopen(stdout, "rb")
        self.stderr = os.fdopen(stderr, "rb")
        self._starter = starter

    def poll(self) -> int | None:
        return self._starter.statuses.get(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        with self._starter.told:
            if not self._starter.told.wait_for(lambda: self.poll() is not None, timeout):
                raise subprocess.TimeoutExpired(f"supervisor {self.pid}", timeout or 0)
        return self._starter.statuses[self.pid]


class Starter:
    """The process that forks, as pytest sees it: one for each of its own."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.forked", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.statuses: dict[int, int] = {}
        self.told = threading.Condition()
        self._started: list[int] = []
        threading.Thread(target=self._hear, daemon=True).start()
        atexit.register(self._end)

    def _end(self) -> None:
        self._channel.shutdown(socket.SHUT_RDWR)
        self._process.wait(10)
        self._channel.close()

    def start(
        self, arguments: Sequence[str], directory: Path, environ: Mapping[str, str]
    ) -> Forked:
        """A supervisor with these arguments."""
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        request = json.dumps([list(arguments), str(directory), dict(environ)]).encode()
        passed = array.array("i", [out_end, err_end])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed.tobytes())]
        with self.told:
            self._channel.sendmsg([_SIZE.pack(len(request))], ancillary)
            self._channel.sendall(request)
            os.close(out_end)
            os.close(err_end)
            assert self.told.wait_for(lambda: self._started, 60), "nothing was forked"
            return Forked(self._started.pop(), out, err, self)

    def _hear(self) -> None:
        with self._channel.makefile("r") as told:
            for line in told:
                pid, status = json.loads(line)
                with self.told:
                    if status is None:
                        self._started.append(pid)
                    else:
                        self.statuses[pid] = status
                    self.told.notify_all()


class _Again(BaseException):
    """The supervisor would have started itself again."""


def _become(arguments: list[str], directory: str, environ: dict[str, str]) -> NoReturn:
    """In the fork: what the interpreter that a gateway is started with does."""
    from gateway.supervisor.__main__ import main

    def execve(_path: str, _words: object, kept: Mapping[str, str]) -> NoReturn:
        os.environ.clear()
        os.environ.update(kept)
        raise _Again

    status = 70
    try:
        os.setsid()
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(environ)
        plain, os.execve = os.execve, execve  # type: ignore[assignment]
        try:
            status = main(arguments)
        except _Again:
            os.execve = plain
            status = main(arguments)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # there is one
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


class _Server:
    """The process that forks, as it sees itself."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def serve(self) -> None:
        """Until pytest is gone."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        while True:
            ready, _, _ = select.select([self._channel, woken], [], [])
            if woken in ready:
                os.read(woken, 4096)
                self._reap()
            if self._channel in ready and not self._fork():
                return

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._tell(ended[0], os.waitstatus_to_exitcode(ended[1]))

    def _tell(self, pid: int, status: int | None) -> None:
        self._channel.sendall(json.dumps([pid, status]).encode() + b"\n")

    def _fork(self) -> bool:
        """For one request; whether there was one."""
        size, ancillary, _, _ = self._channel.recvmsg(_SIZE.size, socket.CMSG_SPACE(8))
        if not size:
            return False
        passed = array.array("i", ancillary[0][2])
        data = b""
        while len(data) < _SIZE.unpack(size)[0]:
            data += self._channel.recv(_SIZE.unpack(size)[0] - len(data))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(passed[0], 1)
            os.dup2(passed[1], 2)
            os.closerange(3, 256)
            self._channel.detach()
            _become(*json.loads(data))
        for descriptor in passed:
            os.close(descriptor)
        self._tell(pid, None)
        return True


def _import_all() -> None:
    for name in _PACKAGES:
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    for name in (*_OTHERS, "gateway.supervisor.__main__"):
        importlib.import_module(name)


if __name__ == "__main__":
    gc.disable()
    _import_all()
    gc.freeze()
    gc.enable()
    _Server(socket.socket(fileno=int(sys.argv[1]))).serve()
