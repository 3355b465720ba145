"""Owns the real servers of a test run: started once, shared by all test processes, always ended.

Rules: the servers belong to a keeper process of their own, never to one of the test processes;
each user holds a shared lock, and the keeper ends the servers when it gets the exclusive one, so
that a killed test process (the kernel drops its lock) leaves nothing behind either.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gateway.demo.seaweed import Keys, SeaweedServer

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = ("lakefs", "s3")
START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Store:
    """One running server as a test sees it."""

    name: str
    endpoint: str
    keys: Keys


@contextmanager
def stores(directory: Path) -> Iterator[dict[str, Store]]:
    """Yield the two servers of `directory`, starting them if nobody has."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "users.lock").open("w") as users:
        yield _join(directory, users)


def _join(directory: Path, users: IO[str]) -> dict[str, Store]:
    listing = directory / "servers.json"
    with (directory / "gate.lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        # Looked at only now: a keeper that ends removes it while it holds the exclusive lock.
        if not listing.exists():
            _start_keeper(directory, listing)
        found = json.loads(listing.read_text())
    return {
        name: Store(name, entry["endpoint"], Keys(entry["access"], entry["secret"]))
        for name, entry in found.items()
    }


def _start_keeper(directory: Path, listing: Path) -> None:
    failure = directory / "failure.txt"
    failure.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, "-m", "tests.compat.shared", str(directory)], cwd=REPOSITORY, check=True
    )
    deadline = time.monotonic() + START_SECONDS
    while not listing.exists():
        if failure.exists() or time.monotonic() > deadline:
            reason = failure.read_text() if failure.exists() else "not ready in time"
            raise RuntimeError(f"the real servers did not start: {reason}")
        time.sleep(0.05)


def keep(directory: Path) -> None:
    """Run the servers until no user is left; runs detached, in a process of its own."""
    servers = {
        name: SeaweedServer(directory / name, Keys(f"{name}-key", f"{name}-secret"))
        for name in NAMES
    }
    listing = directory / "servers.json"
    try:
        for server in servers.values():
            server.launch()
        for server in servers.values():
            server.wait()
        _publish(listing, servers)
        with (directory / "users.lock").open("w") as users:
            fcntl.flock(users, fcntl.LOCK_EX)  # granted when the last user has gone
            listing.unlink()
            _stop(servers)
    except BaseException:
        (directory / "failure.txt").write_text(traceback.format_exc())
        raise
    finally:
        _stop(servers)


def _publish(listing: Path, servers: dict[str, SeaweedServer]) -> None:
    entries = {
        name: {
            "endpoint": server.endpoint,
            "access": server.keys.access_key_id,
            "secret": server.keys.secret_access_key,
        }
        for name, server in servers.items()
    }
    draft = listing.with_suffix(".draft")
    draft.write_text(json.dumps(entries))
    draft.rename(listing)


def _stop(servers: dict[str, SeaweedServer]) -> None:
    for server in servers.values():
        server.stop()
        shutil.rmtree(server.directory, ignore_errors=True)  # some objects are large


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # the caller goes on; the keeper is nobody's child
    os.setsid()
    sink = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(sink, standard)
    keep(Path(sys.argv[1]))
