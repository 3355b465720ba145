"""Chapter: what several workers cost and bring, and how few connections lie over them.

Rules: every number of workers is measured twice, kept on the contender's core, which says what
width costs, and on all cores, which says what it brings (the load generator and the store use one
of them, too); for the balance connections rest between requests, so that no core is full and a
worker's share of the requests is its share of the connections.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from loadtest.bench import contenders, generator, machine, workloads
from loadtest.bench.certificates import Certificates
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.contenders import Contender, Settings, Upstream
from loadtest.bench.store import Store

_WORKERS = (1, 2, 4)
_CORES = {"one": machine.CONTENDER_CORE, "all": None}
_CONNECTIONS = 32
_ROUNDS, _SECONDS = 3, 2

_WIDE = 4  # workers
_FEW = 8  # connections
_TRIALS, _TRIAL_SECONDS = 9, 2
_PAUSE = 4  # milliseconds before each request
_LIFETIME = 20  # requests, of the 400 or so that a connection has time for in a trial
_LIMITS = {"without": {"connection_seconds": 0}, "with": {"connection_requests": _LIFETIME}}

_SHOT = workloads.WORKLOADS[0]  # GET 1 KiB


def measure() -> Section:
    """Under a minute and a half."""
    with _store() as (upstream, directory):
        return {
            "cores": os.cpu_count(),
            "workers": _measure_workers(upstream, directory),
            "balance": _measure_balance(upstream, directory),
        }


@contextmanager
def _store() -> Iterator[tuple[Upstream, Path]]:
    with tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with Store(Certificates(directory)) as store:
            workloads.furnish(store)
            yield Upstream(store.port, None), directory


@contextmanager
def _gateway(upstream: Upstream, directory: Path, settings: Settings) -> Iterator[Contender]:
    directory.mkdir()
    gateway = contenders.gateway(upstream, directory, settings)
    try:
        yield gateway
    finally:
        gateway.stop()


# --- workers ---


def _measure_workers(upstream: Upstream, directory: Path) -> list[dict[str, Any]]:
    taken: dict[tuple[int, str], list[tuple[float, float]]] = {}
    with ExitStack() as running:
        gateways = {
            (workers, cores): running.enter_context(
                _gateway(
                    upstream, directory / f"{workers}-{cores}", Settings(workers=workers, core=core)
                )
            )
            for workers in _WORKERS
            for cores, core in _CORES.items()
        }
        for _ in range(_ROUNDS):
            for place, gateway in gateways.items():
                taken.setdefault(place, []).append(_turn(gateway, directory))
    return [
        {
            "workers": workers,
            "cores": cores,
            "requests": statistics.median(requests for requests, _ in turns),
            "cpu_us": statistics.median(cpu for _, cpu in turns),
        }
        for (workers, cores), turns in taken.items()
    ]


def _turn(gateway: Contender, directory: Path) -> tuple[float, float]:
    """Requests per second, and microseconds of CPU time for each."""
    shot = workloads.aim(_SHOT, gateway.port, directory)
    before = gateway.cpu_seconds()
    outcome = generator.fire(shot, gateway.port, _CONNECTIONS, _SECONDS, directory)
    used = gateway.cpu_seconds() - before
    return outcome.requests / outcome.seconds, 1e6 * used / outcome.requests


# --- balance ---


def _measure_balance(upstream: Upstream, directory: Path) -> dict[str, Any]:
    shares: dict[str, list[float]] = {name: [] for name in _LIMITS}
    asked: list[int] = []
    with ExitStack() as running:
        gateways = {
            name: running.enter_context(
                _gateway(
                    upstream, directory / name, Settings(workers=_WIDE, core=None, limits=limits)
                )
            )
            for name, limits in _LIMITS.items()
        }
        for _ in range(_TRIALS):
            for name, gateway in gateways.items():
                served = _trial(gateway, directory, name)
                asked.append(served.total())
                shares[name].append(max(served.values()) / served.total())
    return {
        "workers": _WIDE,
        "connections": _FEW,
        "lifetime": _LIFETIME,
        "requests": round(statistics.median(asked) / _FEW),
        **shares,
    }


def _trial(gateway: Contender, directory: Path, name: str) -> Counter[str]:
    """What each worker served of the requests of fresh connections."""
    log = directory / name / "access.log"
    shot = workloads.aim(_SHOT, gateway.port, directory)
    begin = log.stat().st_size
    outcome = generator.fire(shot, gateway.port, _FEW, _TRIAL_SECONDS, directory, _PAUSE)
    served: Counter[str] = Counter()

    def all_told() -> bool:
        served.clear()
        served.update(_workers_of(log, begin))
        return served.total() >= outcome.requests

    machine.wait_for(all_told, "the access log")
    return served


def _workers_of(log: Path, begin: int) -> list[str]:
    """The worker of each line, which is its last word, before the generation."""
    with log.open() as lines:
        lines.seek(begin)
        return [line.rpartition(" ")[2].partition("#")[0] for line in lines if line[-1] == "\n"]


# --- the page ---


def table(section: Section) -> str:
    """Both tables."""
    return f"{_workers_table(section)}\n\n{_balance_table(section['balance'])}"


def _workers_table(section: Section) -> str:
    found = {(one["workers"], one["cores"]): one for one in section["workers"]}
    lines = [
        f"| workers | one core: req/s | CPU | all {section['cores']} cores: req/s | CPU |",
        "|---|---|---|---|---|",
    ]
    for workers in sorted({workers for workers, _ in found}):
        cells = [
            f"{found[workers, cores]['requests']:,.0f} | {found[workers, cores]['cpu_us']:.0f} us"
            for cores in _CORES
        ]
        lines.append(f"| {workers} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _balance_table(balance: Mapping[str, Any]) -> str:
    trials = len(balance["with"])
    rows = {
        "without": "kept",
        "with": f"ended after {balance['lifetime']} of {balance['requests']} requests",
    }
    what = f"{balance['connections']} connections over {balance['workers']} workers"
    lines = [
        f"| {what}, {trials} trials | busiest worker, median | worst |",
        "|---|---|---|",
    ]
    for name, kept in rows.items():
        median, worst = statistics.median(balance[name]), max(balance[name])
        lines.append(f"| each {kept} | {median:.0%} of the requests | {worst:.0%} |")
    return "\n".join(lines)


CHAPTER = Chapter("width", measure, table, ("nginx", "wrk"))
