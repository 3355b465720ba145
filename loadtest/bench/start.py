"""The chapter `start`: from the command to the first answer, and what a reload costs those served.

Rules: the first answer is that of a signed GET that went to the store; it is asked for from the
moment of the start on; all of the gateway's processes share one core, as in a container that has
one, so that whoever is served waits while control reads the configuration; a reload changes one
number, and its acknowledgement is the line that says every worker serves it.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from loadtest.bench import machine, probing, sending
from loadtest.bench.alone import Alone, Settings
from loadtest.bench.certificates import Certificates
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.store import Store
from loadtest.bench.workloads import WORKLOADS, furnish

WORKERS = (1, 2)
_STARTS = 5
_RELOADS = 10
_SECONDS = 5.0  # of the probe, with reloads and without
_BETWEEN = 0.25  # seconds from one SIGHUP to the next
_NUMBERS = (65536, 65537)
_SMALL = next(one for one in WORKLOADS if one.name == "GET 1 KiB")


def measure() -> Section:
    """Half a minute, and as long as ten starts."""
    with tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name:
        directory = Path(name)
        with Store(Certificates(directory)) as store:
            furnish(store)
            return {
                "starts": [_starts(store.port, directory, workers) for workers in WORKERS],
                "reloads": _reloads(store.port, directory),
            }


def _starts(port: int, directory: Path, workers: int) -> dict[str, object]:
    taken = [_start(port, directory, workers) for _ in range(_STARTS)]
    return {
        "workers": workers,
        "runs": _STARTS,
        "median": statistics.median(taken),
        "longest": max(taken),
    }


def _start(port: int, directory: Path, workers: int) -> float:
    """Seconds from exec to the first answer."""
    gateway = Alone(port, directory, Settings(workers=workers))
    request = sending.whole(_SMALL, gateway.port, directory)
    begun = time.monotonic()
    gateway.start()
    try:
        machine.wait_for(lambda: _answered(gateway.port, request), "the first answer", every=0.001)
        taken = time.monotonic() - begun
        # One that is told to stop before it is ready may have to be killed.
        machine.wait_for(lambda: "ready: " in gateway.log(), "the gateway to be ready")
    finally:
        gateway.stop()
    return taken


def _answered(port: int, request: bytes) -> bool:
    try:
        with contextlib.closing(sending.connect(port)) as connection:
            sending.ask(connection, request)
    except ConnectionRefusedError:
        return False
    return True


def _reloads(port: int, directory: Path) -> dict[str, object]:
    with Alone(port, directory, Settings()) as gateway:
        request = sending.whole(_SMALL, gateway.port, directory)
        with contextlib.closing(sending.connect(gateway.port)) as connection:
            probing.probe(connection, request, 1.0)
            taken = [_reload(gateway, _NUMBERS[(at + 1) % 2]) for at in range(_RELOADS)]
            before = gateway.acknowledged()
            calm = probing.probe(connection, request, _SECONDS)
            between = _every(_BETWEEN, gateway)
            disturbed = probing.probe(connection, request, _SECONDS, between)
            reloads = gateway.acknowledged() - before
    return {
        "runs": _RELOADS,
        "median": statistics.median(taken),
        "longest": max(taken),
        "while probed": reloads,
        "without": asdict(calm),
        "with": asdict(disturbed),
    }


def _reload(gateway: Alone, splice_bytes: int) -> float:
    """Seconds from SIGHUP to the acknowledgement."""
    before, begun = gateway.acknowledged(), time.monotonic()
    gateway.change(splice_bytes)
    machine.wait_for(lambda: gateway.acknowledged() > before, "the acknowledgement", every=0.001)
    return time.monotonic() - begun


def _every(seconds: float, gateway: Alone) -> Callable[[], None]:
    """Reloads when it is called and it is time."""
    times = [time.monotonic()]

    def between() -> None:
        if time.monotonic() >= times[-1] + seconds:
            times.append(time.monotonic())
            gateway.change(_NUMBERS[len(times) % 2])

    return between


def table(section: Section) -> str:
    """Markdown."""
    rows = ["| milliseconds | median | longest |", "|---|---|---|"]
    for one in section["starts"]:
        many = "1 worker" if one["workers"] == 1 else f"{one['workers']} workers"
        name = f"from the command to the first answer, {many}"
        rows.append(f"| {name} | {1000 * one['median']:.0f} | {1000 * one['longest']:.0f} |")
    reloads = section["reloads"]
    rows.append(
        "| from SIGHUP to the acknowledgement of all workers "
        f"| {1000 * reloads['median']:.0f} | {1000 * reloads['longest']:.0f} |"
    )
    for key, name in (("without", "no reload"), ("with", f"{reloads['while probed']} reloads")):
        delays = reloads[key]
        rows.append(
            f"| GET 1 KiB, {name} in {_SECONDS:.0f} s (p99: {delays['p99']:.1f}) "
            f"| {delays['p50']:.2f} | {delays['longest']:.1f} |"
        )
    return "\n".join(rows)


CHAPTER = Chapter("start", measure, table, ("nginx",))
