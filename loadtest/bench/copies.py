"""Chapter: what a copy between two targets costs, beside rclone that reads and writes itself.

Rules: both copy the same object between the same two stores (SeaweedFS), in turns, on the same core
alone; CPU is of all processes of the gateway, or of rclone less what it takes to start; each copy
is read at its store and compared. Small copies are of one object between two targets at one store
of files in memory, which costs little itself.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.config import Config

from gateway.demo.seaweed import Keys, SeaweedServer
from loadtest.bench import contenders, machine, report, rounds, workloads
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.contenders import KEY_ID, REGION, SECRET, Contender, Settings, Upstream
from loadtest.bench.workloads import MIB, Workload

GOAL = 0.5  # of rclone's CPU
SIZE = 256 * MIB
_ROUNDS = 3
_CONNECTIONS = 32
_SMALL = Workload("COPY 1 KiB", "PUT", "/copies/1k", 0, (_CONNECTIONS,), copies="sources/1k")
_KEYS = Keys("bench-store", "bench-store-secret")
_BUCKETS = {"source": "source", "copies": "destination"}  # and the target of each


@dataclass(frozen=True, slots=True)
class _Turn:
    """One copy: CPU time and time, in seconds."""

    cpu: float
    seconds: float


def measure() -> Section:
    """Copy a large object in turns, then small ones."""
    with _stores() as stores, tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name:
        directory = Path(name)
        body = os.urandom(SIZE)
        _client(stores["source"].endpoint, _KEYS).put_object(
            Bucket="source", Key="large", Body=body
        )
        gateway = _gateway(stores, directory)
        turns: dict[str, list[_Turn]] = {"s3gateway": [], "rclone": []}
        try:
            for _ in range(_ROUNDS):
                turns["s3gateway"].append(_copy_by_gateway(gateway))
                _compare(stores, body)
                turns["rclone"].append(_copy_by_rclone(stores, directory))
                _compare(stores, body)
        finally:
            gateway.stop()
    small = _measure_small()
    large = {
        name: {
            "cpu_ms_per_mib": 1e3 * statistics.median(one.cpu for one in found) / (SIZE / MIB),
            "mib_per_second": SIZE / MIB / statistics.median(one.seconds for one in found),
        }
        for name, found in turns.items()
    }
    return {"date": small["date"], "machine": small["machine"], "large": large, "small": small}


# --- large copies ---


@contextmanager
def _stores() -> Iterator[Mapping[str, SeaweedServer]]:
    with tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name:
        servers = {one: SeaweedServer(Path(name) / one, _KEYS) for one in _BUCKETS.values()}
        try:
            for server in servers.values():
                server.launch()
            for bucket, target in _BUCKETS.items():
                servers[target].wait()
                pid = servers[target].pid
                assert pid is not None  # it answers
                for task in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(task), {machine.LOAD_CORE})
                _client(servers[target].endpoint, _KEYS).create_bucket(Bucket=bucket)
            yield servers
        finally:
            for server in servers.values():
                server.stop()


def _client(endpoint: str, keys: Keys) -> Any:  # boto3 is untyped
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        region_name=REGION,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=300),
    )


def _gateway(stores: Mapping[str, SeaweedServer], directory: Path) -> Contender:
    targets = {
        name: {
            "profile": "seaweedfs",
            "endpoint": server.endpoint,
            "region": REGION,
            "access_key_id": _KEYS.access_key_id,
            "secret_access_key": _KEYS.secret_access_key,
        }
        for name, server in stores.items()
    }
    rules = [{"pattern": bucket, "target": target} for bucket, target in _BUCKETS.items()]
    settings = Settings(rules=rules, targets=targets)
    return contenders.gateway(Upstream(stores["source"].port, None), directory, settings)


def _copy_by_gateway(gateway: Contender) -> _Turn:
    client = _client(f"http://127.0.0.1:{gateway.port}", Keys(KEY_ID, SECRET))
    cpu, began = gateway.cpu_seconds(), time.monotonic()
    client.copy_object(Bucket="copies", Key="large", CopySource="source/large")
    return _Turn(gateway.cpu_seconds() - cpu, time.monotonic() - began)


def _copy_by_rclone(stores: Mapping[str, SeaweedServer], directory: Path) -> _Turn:
    environ = {"RCLONE_CONFIG": str(directory / "rclone.conf")}
    for name, server in stores.items():
        of_remote = {
            "TYPE": "s3",
            "PROVIDER": "SeaweedFS",
            "ENDPOINT": server.endpoint,
            "REGION": REGION,
            "ACCESS_KEY_ID": _KEYS.access_key_id,
            "SECRET_ACCESS_KEY": _KEYS.secret_access_key,
        }
        environ |= {f"RCLONE_CONFIG_{name.upper()}_{word}": of_remote[word] for word in of_remote}
    Path(environ["RCLONE_CONFIG"]).touch()
    copy = ["copyto", "--ignore-times", "source:source/large", "destination:copies/large"]
    to_start, whole = _run_rclone(["version"], environ), _run_rclone(copy, environ)
    return _Turn(whole.cpu - to_start.cpu, whole.seconds - to_start.seconds)


def _run_rclone(words: list[str], environ: Mapping[str, str]) -> _Turn:
    command = ["taskset", "-c", str(machine.CONTENDER_CORE), machine.find("rclone"), *words]
    began = time.monotonic()
    with subprocess.Popen(
        command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"rclone {words} ended with {process.returncode}")
    return _Turn(used.ru_utime + used.ru_stime, time.monotonic() - began)


def _compare(stores: Mapping[str, SeaweedServer], body: bytes) -> None:
    """Read the copy at its store, and delete it there."""
    client = _client(stores["destination"].endpoint, _KEYS)
    found = client.get_object(Bucket="copies", Key="large")["Body"].read()
    if hashlib.sha256(found).digest() != hashlib.sha256(body).digest():
        raise RuntimeError("a copy differs from its source")
    client.delete_object(Bucket="copies", Key="large")


# --- small copies ---


def _measure_small() -> dict[str, Any]:
    """Copies of 1 KiB, beside reads of the same object."""
    contenders.ALL["copying"] = partial(_started_copying)
    try:
        read = next(one for one in workloads.WORKLOADS if one.name == "GET 1 KiB")
        chosen = [_SMALL, replace(read, connections=(_CONNECTIONS,))]
        return cast("dict[str, Any]", rounds.run(rounds.Plan(3, 2, chosen, ["copying"], ())))
    finally:
        del contenders.ALL["copying"]


def _started_copying(upstream: Upstream, directory: Path) -> Contender:
    other = {
        "profile": "s3",
        "endpoint": f"http://127.0.0.1:{upstream.port}",
        "region": REGION,
        "access_key_id": "AKIDBENCHOTHER",
        "secret_access_key": "bench-other-secret",
    }
    rules = [{"pattern": "copies", "target": "other"}]
    running = contenders.gateway(
        upstream, directory, Settings(rules=rules, targets={"other": other})
    )
    running.name = "copying"
    return running


def table(section: Section) -> str:
    """Markdown."""
    own, other = section["large"]["s3gateway"], section["large"]["rclone"]
    ratio = own["cpu_ms_per_mib"] / other["cpu_ms_per_mib"]
    rows = [
        f"| {SIZE // MIB} MiB, one at a time | CPU for each MiB | MiB/s | / rclone | goal |",
        "|---|---|---|---|---|",
        f"| CopyObject by the gateway | {own['cpu_ms_per_mib']:.2f} ms | "
        f"{own['mib_per_second']:.0f} | {ratio:.2f} | {GOAL:g} |",
        f"| `rclone copyto` | {other['cpu_ms_per_mib']:.2f} ms | "
        f"{other['mib_per_second']:.0f} | 1 |  |",
        "",
        f"| {_CONNECTIONS} connections | CPU for each | each second |",
        "|---|---|---|",
    ]
    rows += [
        f"| {one['workload']} | {report.cell(one['cpu_us'])} | {one['requests']:.0f} |"
        for one in section["small"]["figures"]
    ]
    return "\n".join(rows)


CHAPTER = Chapter("copies", measure, table, ("nginx", "wrk", "rclone"))
