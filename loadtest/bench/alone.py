"""The gateway by itself, as the chapters measure it: no peers, settings of the chapter's choice.

Rules: it is started as an operator starts it (the command line, access log on), on the contenders'
core; everything it started is gone at the end of the block.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtest.bench import machine
from loadtest.bench.certificates import Certificates
from loadtest.bench.contenders import KEY_ID, REGION, ROOT, SECRET

_RELOADED = "is served by"  # docs/processes.md: every worker has acknowledged


@dataclass(frozen=True, slots=True)
class Settings:
    """What chapters vary. `profile` `generic` makes the gateway hash uploads itself."""

    workers: int = 1
    profile: str = "s3"
    limits: Mapping[str, object] = field(default_factory=dict)
    certificates: Certificates | None = None  # with them it listens for TLS as well
    trusted: Certificates | None = None  # of the store, if that speaks TLS


class Alone:
    """A gateway in front of the store on `store_port`; its files are in `directory`."""

    def __init__(self, store_port: int, directory: Path, settings: Settings) -> None:
        self.port, self.tls_port = machine.free_port(), machine.free_port()
        self._directory = directory
        self._workers = settings.workers
        self.configuration = self._configuration(store_port, settings)
        self._file = directory / "gateway.yaml"
        self._file.write_text(json.dumps(self.configuration))
        self._process: subprocess.Popen[bytes] | None = None

    def _configuration(self, store_port: int, settings: Settings) -> dict[str, object]:
        router: dict[str, object] = {
            "listen_address": f"127.0.0.1:{self.port}",
            "limits": dict(settings.limits),
        }
        if settings.certificates is not None:
            router["tls"] = {
                "listen_address": f"127.0.0.1:{self.tls_port}",
                "cert_file": str(settings.certificates.certificate),
                "key_file": str(settings.certificates.key),
            }
        scheme = "http" if settings.trusted is None else "https"
        target: dict[str, object] = {
            "profile": settings.profile,
            "endpoint": f"{scheme}://127.0.0.1:{store_port}",
            "region": REGION,
            "access_key_id": "AKIDBENCHTARGET",
            "secret_access_key": "bench-target-secret",
        }
        if settings.trusted is not None:
            target["tls"] = {"ca_file": str(settings.trusted.authority)}
        client = {"name": "bench", "access_key_id": KEY_ID, "secret_access_key": SECRET}
        return {
            "router": router,
            "auth": {"identities": [client]},
            "targets": {"store": target},
            "routing": {"default_target": "store"},
        }

    # --- start and end ---

    def start(self) -> None:
        """Execute the command; it does not serve yet."""
        command = [sys.executable, "-m", "gateway.cli.main", "serve", "--config", str(self._file)]
        log = ["--access-log", str(self._directory / "access.log")]
        self._process = machine.start(
            [*command, "--workers", str(self._workers), *log],
            machine.CONTENDER_CORE,
            self._directory,
            {"PYTHONPATH": str(ROOT)},
        )

    def stop(self) -> None:
        """End it, by force if need be."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in machine.family(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        try:
            machine.wait_for(lambda: machine.answers(self.port), "the gateway to listen")
            machine.wait_for(lambda: len(self.workers()) == self._workers, "its workers")
            machine.wait_for(lambda: "ready: " in self.log(), "the gateway to be ready")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # --- processes ---

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self._process is not None  # started
        return self._process.pid

    def workers(self) -> list[int]:
        """The workers' pids."""
        return [pid for pid in machine.family(self.pid) if _name(pid).startswith("s3gw worker")]

    def cpu_seconds(self) -> float:
        """CPU time of all its processes so far."""
        return machine.cpu_seconds(machine.family(self.pid))

    # --- reloads ---

    def log(self) -> str:
        """What it said so far."""
        return (self._directory / "output").read_text()

    def acknowledged(self) -> int:
        """How many configurations every worker has acknowledged."""
        return self.log().count(_RELOADED)

    def change(self, splice_bytes: int) -> None:
        """Write a configuration with this one number and send SIGHUP; nobody waits.

        It must be another number: a reload that changes nothing ends early.
        """
        router = self.configuration["router"]
        assert isinstance(router, dict)
        router["limits"] = {**router["limits"], "splice_bytes": splice_bytes}
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(self.configuration))
        fresh.replace(self._file)
        os.kill(self.pid, signal.SIGHUP)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
