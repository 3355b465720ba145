"""The servers of a run: two SeaweedFS, and the gateway with its admin plane in front of them.

Rules: on loopback, on ports nobody had; the gateway is started as an operator starts it; every
process dies with the one that started it, and every file is below one directory that is removed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.demo.configuration import new_keys
from gateway.demo.seaweed import HOST, SeaweedServer, die_with_parent
from loadtest.bench.machine import cpu_seconds, family
from loadtest.load.aim import Aim, Buckets, Place
from loadtest.load.scenarios import DIRECT, GATEWAY

ROOT = Path(__file__).parents[2]
WORKERS = 2
START_SECONDS, STOP_SECONDS = 30.0, 10.0
_READY = re.compile(r"ready: \d+ workers? serves? generation \d+ on (http://[^\s\"]+)")
_ADMIN = re.compile(r"admin plane on (http://[^\s\"]+)")

RULES = (
    {"pattern": "lakefs-*", "target": "lakefs"},
    {"pattern": "chain-*", "target": "lakefs", "fallback": ["s3"]},
    {"pattern": "*", "target": "s3"},
)

# What reloads change, in turn: a reload that changes nothing ends early.
_SPLICE_BYTES = (262144, 262145)


class NotStarted(Exception):
    """The gateway ended or was not ready in time; the text quotes what it said."""


class Servers:
    """Started by entering the block, gone at its end. `s3` and `lakefs` are the two stores."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="s3gateway-load-"))
        self.stores = {
            name: SeaweedServer(self.directory / name, new_keys(name)) for name in ("s3", "lakefs")
        }
        self.client = new_keys("load")
        self.endpoint, self.admin = "", ""
        self._gateway: subprocess.Popen[bytes] | None = None

    # --- start and end ---

    def __enter__(self) -> Self:
        try:
            for store in self.stores.values():
                store.launch()
            for store in self.stores.values():
                store.wait()
            self._start_gateway()
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

    def stop(self) -> None:
        """End every process and remove every file."""
        process, self._gateway = self._gateway, None
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for store in self.stores.values():
            store.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_gateway(self) -> None:
        write_configuration(self.config_path, self.configuration(0))
        with self._log.open("wb") as log:
            self._gateway = subprocess.Popen(
                [
                    *(sys.executable, "-m", "gateway.cli.main", "serve"),
                    *("--config", str(self.config_path)),
                    *("--listen", f"{HOST}:0"),
                    *("--admin", f"{HOST}:0"),
                    *("--workers", str(WORKERS)),
                    *("--access-log", str(self.directory / "access.log")),
                    *("--drain-timeout", "2"),
                ],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid(), signal.SIGTERM),
            )
        self.endpoint = self._said(_READY)
        self.admin = self._said(_ADMIN).rstrip("/")

    def _said(self, pattern: re.Pattern[str]) -> str:
        """What the gateway's log says there, once it does. Raises NotStarted."""
        assert self._gateway is not None
        deadline = time.monotonic() + START_SECONDS
        while (found := pattern.search(self._log.read_text(errors="replace"))) is None:
            if self._gateway.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace")
                raise NotStarted(f"the gateway does not serve:\n{said}")
            time.sleep(0.05)
        return found[1]

    # --- what they are ---

    @property
    def config_path(self) -> Path:
        return self.directory / "s3gateway.yaml"

    @property
    def _log(self) -> Path:
        return self.directory / "gateway.log"

    def pids(self) -> dict[str, list[int]]:
        """The first process of the gateway, and of each store."""
        assert self._gateway is not None
        stores = [store.pid for store in self.stores.values() if store.pid is not None]
        return {"gateway": [self._gateway.pid], "stores": stores}

    def aims(self) -> dict[str, Aim]:
        """Both ways: directly to the stores by bucket, and all to the gateway."""
        buckets = Buckets()
        s3, lakefs = (_place(self.stores[name]) for name in ("s3", "lakefs"))
        places = dict.fromkeys((buckets.other, buckets.chain, buckets.new), lakefs)
        client = Place(self.endpoint, self.client.access_key_id, self.client.secret_access_key)
        return {
            DIRECT: Aim(DIRECT, s3, places, fallback=s3, buckets=buckets),
            GATEWAY: Aim(GATEWAY, client, buckets=buckets),
        }

    def configuration(self, number: int) -> dict[str, Any]:
        """The gateway's; each `number` is another one than the number before it."""
        return {
            "router": {"limits": {"splice_bytes": _SPLICE_BYTES[number % 2]}},
            "auth": {
                "identities": [
                    {
                        "name": "load",
                        "access_key_id": self.client.access_key_id,
                        "secret_access_key": self.client.secret_access_key,
                    }
                ]
            },
            "targets": {name: _target(store) for name, store in self.stores.items()},
            "routing": {
                "rules": list(RULES),
                "default_target": "s3",
            },
        }


def write_configuration(path: Path, configuration: Mapping[str, Any]) -> None:
    """Replace the file as a whole, readable by its owner alone."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(configuration))
    fresh.replace(path)


def used(pids: Mapping[str, list[int]]) -> dict[str, float]:
    """CPU seconds so far of each name's processes and their children."""
    return {
        name: cpu_seconds([pid for first in firsts for pid in family(first)])
        for name, firsts in pids.items()
    }


def _place(store: SeaweedServer) -> Place:
    return Place(store.endpoint, store.keys.access_key_id, store.keys.secret_access_key)


def _target(store: SeaweedServer) -> dict[str, object]:
    return {
        "profile": "seaweedfs",
        # Chains ask for it. SeaweedFS does so as long as no key is the beginning of another.
        "profile_overrides": {"lists": ["sorted", "start-after", "encoding-type"]},
        "endpoint": store.endpoint,
        "region": "us-east-1",
        "access_key_id": store.keys.access_key_id,
        "secret_access_key": store.keys.secret_access_key,
    }
