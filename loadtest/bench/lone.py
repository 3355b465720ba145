"""One worker without supervisor and control, for tools that watch a single process from its start.

    python -m loadtest.bench.lone CHANNEL LOG PORT    (two inherited descriptors)

Rules: it is the worker's own `run`, with the arguments that a supervisor would give it; what `Lone`
sends it first is a snapshot made of a configuration as control makes it; somebody reads its log;
SIGUSR1 makes it call getpgid(2), which it never does otherwise: a mark for those who watch.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from fastpath.ipc.counters import Layout, Page, WorkerCells
from fastpath.ipc.frames import FrameType, encode
from fastpath.payload import checksums
from fastpath.worker.process import WorkerArguments, run
from loadtest.bench import machine

MARK = "getpgid"
_ROOT = Path(__file__).parents[2]
_SECONDS = 120.0  # a worker under valgrind starts in ten, on a busy machine in thirty


class Lone:
    """A worker that `prefix` (a tool and its options) starts, serving a configuration."""

    def __init__(
        self, configuration: Mapping[str, object], directory: Path, prefix: Sequence[str] = ()
    ) -> None:
        self.port = machine.free_port()
        self._directory = directory
        self._prefix = prefix
        file = directory / "lone.yaml"
        file.write_text(json.dumps(configuration))
        self._snapshot = _snapshot(file)

    def __enter__(self) -> Self:
        self._channel, channel = socket.socketpair()
        self._log, log = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        kept = (channel.fileno(), log.fileno())
        command = [*self._prefix, sys.executable, "-m", "loadtest.bench.lone"]
        with (self._directory / "lone").open("wb") as output, channel, log:
            self._process = subprocess.Popen(
                [*command, *map(str, kept), str(self.port)],
                cwd=self._directory,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=kept,
                preexec_fn=lambda: os.sched_setaffinity(0, {machine.CONTENDER_CORE}),
            )
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self._channel.sendall(encode(FrameType.SNAPSHOT, 1, self._snapshot))
        try:
            machine.wait_for(lambda: machine.answers(self.port), "a lone worker", _SECONDS)
        except TimeoutError:
            self._process.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._channel.close()  # it leaves by itself
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.shutdown(socket.SHUT_RDWR)
        self._reader.join(5)
        self._log.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def mark(self) -> None:
        """Make it call `MARK`."""
        os.kill(self._process.pid, signal.SIGUSR1)

    def _read_log(self) -> None:
        with contextlib.suppress(OSError):
            while self._log.recv(65536):
                pass


def _snapshot(file: Path) -> bytes:
    from gateway.config.compile import compile_snapshot
    from gateway.config.load import load
    from gateway.control.credentials import Keyring

    model = load({"config": str(file)}, {}).model
    assert model is not None  # the configuration is ours
    document = compile_snapshot(model, Keyring(model).resolve())
    return json.dumps({"instance": "lone", **document}).encode()


def main(channel: int, log: int, port: int) -> None:
    """Be that worker."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    page = Page(Layout(rows=1))
    checksums.library()  # or the worker imports it when it is idle, while something is counted
    signal.signal(signal.SIGUSR1, lambda number, frame: os.getpgid(0) and None)
    run(
        WorkerArguments(
            index=0,
            listeners=(listener,),
            tls_listeners=(),
            backlog=128,
            channel=socket.socket(fileno=channel),
            log=socket.socket(fileno=log),
            cells=WorkerCells(page, page.acquire()),
            access_log="text",
        )
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
