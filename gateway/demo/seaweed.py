"""Runs one SeaweedFS server: an S3 store on loopback that verifies signatures.

Rules: every file it makes is below its own directory, or is removed by `stop`; every port is on
127.0.0.1; the server dies with the process that started it. It is killed, because a clean stop
takes 15 seconds or more, and its data is deleted anyway.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
# SeaweedFS listens for gRPC on every port + 10000. Both halves stay below Linux's ephemeral range
# (32768 and up), where any outgoing connection could take one in the meantime.
GRPC_OFFSET = 10000
PORTS = range(10240, 22240)
ROLES = ("master", "volume", "filer", "s3")
START_SECONDS = 60.0
# Ports are probed and then let go: another process may take one before the server does.
ATTEMPTS = 3
PR_SET_PDEATHSIG = 1


class SeaweedError(Exception):
    """The server could not be started; the text says why and quotes the end of its log."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The one key pair a server knows."""

    access_key_id: str
    secret_access_key: str = field(repr=False)


def weed_path() -> str:
    """Return the path of the `weed` command, that of this environment's wheel first."""
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    if beside.is_file():
        return str(beside)
    found = shutil.which("weed")
    if found is None:
        raise SeaweedError("no `weed` command: pip install 's3gateway[demo]'")
    return found


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, and free at + 10000 too."""
    found: list[int] = []
    candidates = list(PORTS)
    # Not for security: two demos that start together should not try the same ports.
    random.SystemRandom().shuffle(candidates)
    for port in candidates:
        if is_free(port) and is_free(port + GRPC_OFFSET):
            found.append(port)
            if len(found) == count:
                return found
    raise SeaweedError(f"no {count} free ports in {PORTS.start}-{PORTS.stop}")


def is_free(port: int) -> bool:
    """Return whether nothing listens on this port of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


class SeaweedServer:
    """One server process; `launch` starts it, `wait` returns once it answers, `stop` ends it."""

    def __init__(self, directory: Path, keys: Keys) -> None:
        self.directory = directory
        self.keys = keys
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def port(self) -> int:
        return self._ports["s3"]

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def launch(self) -> None:
        """Start the process on fresh ports; it needs seconds until it answers (`wait`)."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_identities()
        self._ports = dict(zip(ROLES, free_ports(len(ROLES)), strict=True))
        log = (self.directory / "weed.log").open("wb")
        with log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={**os.environ, "TMPDIR": str(self.directory), "HOME": str(self.directory)},
                # Its own session, so that Ctrl-C reaches only the one who stops things in order.
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid(), signal.SIGKILL),
            )

    def wait(self, tick: Callable[[], None] = lambda: None) -> None:
        """Return once the S3 port answers an unsigned request with a refusal.

        A server that exits at once (a port was taken in the meantime) is started again, on other
        ports. `tick` is called about ten times a second. Raises SeaweedError.
        """
        deadline = time.monotonic() + START_SECONDS
        attempts = 1
        while not self._answers():
            if self._exited():
                if attempts == ATTEMPTS:
                    raise SeaweedError(f"weed exited {attempts} times: {self._last_words()}")
                attempts += 1
                self.stop()
                self.launch()
            if time.monotonic() > deadline:
                raise SeaweedError(f"weed is not ready in time: {self._last_words()}")
            tick()
            time.sleep(0.1)

    def stop(self) -> None:
        """End the process and remove what it left outside its directory; may be repeated."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for role, port in self._ports.items():
            # These paths are fixed in SeaweedFS; neither an option nor TMPDIR moves them.
            Path(f"/tmp/seaweedfs-{role}-grpc-{port + GRPC_OFFSET}.sock").unlink(missing_ok=True)

    def _exited(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/")
            # Only the signature check refuses; before it is set up, other statuses come.
            return connection.getresponse().status == http.client.FORBIDDEN
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _write_identities(self) -> None:
        identity = {
            "name": "main",
            "account": {"id": "main"},
            "credentials": [
                {"accessKey": self.keys.access_key_id, "secretKey": self.keys.secret_access_key}
            ],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        path = self.directory / "identities.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"identities": [identity]}))

    def _command(self) -> list[str]:
        ports = self._ports
        return [
            weed_path(),
            "server",
            f"-dir={self.directory}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            f"-master.port={ports['master']}",
            # One master needs no election: 2 seconds to ready instead of 3 to 8.
            "-master.peers=none",
            # Each bucket takes volumes of its own: many small ones, not a few large.
            "-master.volumeSizeLimitMB=512",
            "-master.telemetry=false",
            f"-volume.port={ports['volume']}",
            "-volume.max=900",
            "-filer",
            f"-filer.port={ports['filer']}",
            # Relative: the name of a Unix socket ends at 107 bytes, a directory's may be longer.
            "-filer.localSocket=filer.sock",
            "-s3",
            f"-s3.port={ports['s3']}",
            "-s3.localSocket=s3.sock",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            # A write to a bucket nobody created must fail, as on AWS.
            "-s3.autoCreateBucket=false",
            f"-s3.config={self.directory / 'identities.json'}",
        ]

    def _last_words(self) -> str:
        try:
            lines = (self.directory / "weed.log").read_text(errors="replace").splitlines()
        except OSError as error:
            return str(error)
        return " | ".join(lines[-3:]) or "it wrote no log"


def die_with_parent(parent: int, number: signal.Signals) -> Callable[[], None]:
    """Return what runs between fork and exec: the kernel signals the child when `parent` ends."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # the parent ended before the kernel was told
            os._exit(1)

    return ask_kernel
