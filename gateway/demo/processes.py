"""Starts and stops the processes of the demo, and makes and removes their temporary directory.

Rules: `strike` undoes everything in any state, also when only a part was started, and may be called
again; the gateway is started through the command line as a user starts it, with an environment that
contains nothing of the user's (profiles, proxies, endpoints).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.demo.configuration import configuration, new_keys
from gateway.demo.seaweed import HOST, SeaweedServer, die_with_parent, free_ports, is_free

TARGETS = ("lakefs", "s3")
READY = re.compile(r"ready: \d+ workers serve generation \d+ on (http://\S+)")
READY_SECONDS = 30.0
ADMIN_PORT = 9090  # where a gateway has its admin plane by default
# The demo's own requests have ended by then; whoever still sends some is cut.
DRAIN_SECONDS = 2.0
STOP_SECONDS = 10.0
FOREIGN = ("AWS_", "LAKEFS_", "S3GATEWAY_", "BOTO_")


class GatewayFailed(Exception):
    """The gateway ended or was not ready in time; the text quotes its messages."""


class Stage:
    """The demo's processes and files."""

    def __init__(self) -> None:
        self.client = new_keys("demo")
        self.directory = Path(tempfile.mkdtemp(prefix="s3gateway-demo-"))
        self.servers = {
            name: SeaweedServer(self.directory / name, new_keys(name)) for name in TARGETS
        }
        self.endpoint = ""
        self.dashboard = ""  # its address, once the gateway is started
        self._gateway: subprocess.Popen[bytes] | None = None

    @property
    def config_path(self) -> Path:
        return self.directory / "s3gateway.yaml"

    @property
    def access_log(self) -> Path:
        return self.directory / "access.log"

    def start_servers(self, tick: Callable[[], None]) -> None:
        """Start both at once and wait for both; `tick` runs meanwhile. Raises SeaweedError."""
        for server in self.servers.values():
            server.launch()
        for server in self.servers.values():
            server.wait(tick)

    def start_gateway(self, port: int, tick: Callable[[], None]) -> None:
        """Start the gateway with 2 workers and wait until it serves. Raises GatewayFailed."""
        targets = {name: (server.endpoint, server.keys) for name, server in self.servers.items()}
        admin = ADMIN_PORT if is_free(ADMIN_PORT) else free_ports(1)[0]
        self.dashboard = f"http://{HOST}:{admin}/"
        self.config_path.touch(mode=0o600)
        self.config_path.write_text(configuration(self.client, targets, port))
        with self._log.open("wb") as log:
            self._gateway = subprocess.Popen(
                self._command(port, admin),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid(), signal.SIGTERM),
            )
        deadline = time.monotonic() + READY_SECONDS
        while (found := READY.search(self.said())) is None:
            if not self.gateway_runs() or time.monotonic() > deadline:
                raise GatewayFailed(f"the gateway does not serve:\n{self.said()}")
            tick()
            time.sleep(0.05)
        self.endpoint = found.group(1)

    def gateway_runs(self) -> bool:
        return self._gateway is not None and self._gateway.poll() is None

    def said(self) -> str:
        """Return all that the gateway has written to its standard error."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def strike(self) -> None:
        """End every process and remove every file; bounded to about ten seconds."""
        self._stop_gateway()
        for server in self.servers.values():
            server.stop()
        if self.directory.exists():
            shutil.rmtree(self.directory)

    @property
    def _log(self) -> Path:
        return self.directory / "gateway.log"

    def _command(self, port: int, admin: int) -> list[str]:
        return [
            *(sys.executable, "-m", "gateway.cli.main", "serve"),
            *("--config", str(self.config_path)),
            *("--listen", f"{HOST}:{port}"),
            *("--admin", f"{HOST}:{admin}"),
            *("--workers", "2"),
            *("--access-log", str(self.access_log)),
            *("--drain-timeout", str(DRAIN_SECONDS)),
        ]

    def _stop_gateway(self) -> None:
        process, self._gateway = self._gateway, None
        if process is None:
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        # Its whole session: nothing is left even if the supervisor did not end as it should.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def plain_environment() -> Iterator[None]:
    """Hides the user's own S3 settings from boto3 and from the child processes."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(FOREIGN) or name == "ENVIRONMENT":
            del os.environ[name]
    os.environ |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": HOST,
        "no_proxy": HOST,
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
