"""Plays the workloads: contenders interleaved round by round, medians over the rounds.

Rules: within a round every contender has its turn, in another order each time, so that a slow
minute of the machine hits all of them; a signature is made anew for every turn; the medians of a
contender and the ratios to it come from the same rounds.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.bench import contenders, generator, machine, workloads
from loadtest.bench.certificates import Certificates
from loadtest.bench.contenders import Contender, Upstream
from loadtest.bench.store import Store
from loadtest.bench.workloads import MIB, Workload

_SETTLE_SECONDS = 2.0  # Envoy listens before its workers are warm


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: int  # of one turn
    workloads: Sequence[Workload]
    contenders: Sequence[str]
    over_tls: Sequence[Workload]  # also with an https store


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of one contender at one workload; None where no round was of worth."""

    workload: str
    upstream: str  # the scheme towards the store
    connections: int
    contender: str
    cpu_us: float  # CPU time per request, microseconds, all processes
    requests: float  # per second
    megabytes: float  # of bodies and heads, per second of CPU time of the contender
    p50_us: float
    p99_us: float
    size: int


def run(plan: Plan) -> dict[str, object]:
    """Everything the plan says; the result as it is written to the file."""
    with tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        certificates = Certificates(directory)
        for path in (certificates.authority, certificates.certificate, certificates.key):
            path.chmod(0o644)
        with Store(certificates) as store:
            workloads.furnish(store)
            rates: list[float] = []
            figures = _play(plan, plan.workloads, Upstream(store.port, None), directory, rates)
            secure = Upstream(store.tls_port, certificates)
            figures += _play(plan, plan.over_tls, secure, directory, rates)
    return {
        "date": workloads.today(),
        "machine": machine.description(),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "sha256_megabytes_per_second": statistics.median(rates) / 1e6,
        "figures": [asdict(one) for one in figures],
    }


def _play(
    plan: Plan,
    chosen: Iterable[Workload],
    upstream: Upstream,
    directory: Path,
    rates: list[float],
) -> list[Figures]:
    running: list[Contender] = []
    try:
        for name in plan.contenders:
            if name == "direct" and upstream.certificates is not None:
                continue  # the load generator speaks no TLS
            place = directory / f"{name}-{upstream.scheme}"
            place.mkdir()
            running.append(contenders.ALL[name](upstream, place))
        time.sleep(_SETTLE_SECONDS)
        found: list[Figures] = []
        for workload in chosen:
            for connections in workload.connections:
                found += _rounds(plan, workload, connections, running, upstream, directory)
                rates.append(_hash_rate())
        return found
    finally:
        for contender in running:
            contender.stop()


def _rounds(
    plan: Plan,
    workload: Workload,
    connections: int,
    running: list[Contender],
    upstream: Upstream,
    directory: Path,
) -> list[Figures]:
    turns: dict[str, list[tuple[float, generator.Outcome]]] = {one.name: [] for one in running}
    seconds = plan.seconds * workload.patience
    for number in range(plan.rounds):
        at = number % len(running)
        for contender in running[at:] + running[:at]:
            shot = workloads.aim(workload, contender.port, directory)
            before = contender.cpu_seconds()
            try:
                outcome = generator.fire(shot, contender.port, connections, seconds, directory)
            except generator.Worthless as fault:
                _say(f"  {contender.name}: a round of no worth: {str(fault)[:120]}")
                continue
            turns[contender.name].append((contender.cpu_seconds() - before, outcome))
    found = []
    for name, outcomes in turns.items():
        if outcomes:
            figures = _medians(workload, upstream, connections, name, outcomes)
            found.append(figures)
            _say(
                f"{workload.name:17} {upstream.scheme:5} c={connections:<3} {name:14} "
                f"{figures.cpu_us:10.1f} us CPU  {figures.requests:9.0f}/s  "
                f"p50 {figures.p50_us / 1000:8.2f} ms  p99 {figures.p99_us / 1000:8.2f} ms"
            )
    return found


def _medians(
    workload: Workload,
    upstream: Upstream,
    connections: int,
    name: str,
    outcomes: list[tuple[float, generator.Outcome]],
) -> Figures:
    cpu = statistics.median(1e6 * seconds / _served(workload, one) for seconds, one in outcomes)
    return Figures(
        workload=workload.name,
        upstream=upstream.scheme,
        connections=connections,
        contender=name,
        cpu_us=cpu,
        requests=statistics.median(one.requests / one.seconds for _, one in outcomes),
        megabytes=workload.size / cpu if cpu else 0.0,  # bytes per microsecond are MB per second
        p50_us=statistics.median(one.p50 for _, one in outcomes),
        p99_us=statistics.median(one.p99 for _, one in outcomes),
        size=workload.size,
    )


def _served(workload: Workload, outcome: generator.Outcome) -> float:
    """Requests, those that were on their way at the end counted by the part that had come."""
    if workload.uploads or workload.size < MIB:
        return outcome.requests
    return max(outcome.bytes / workload.size, outcome.requests)


def _hash_rate() -> float:
    """What SHA-256 alone does on the contenders' core, now."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {machine.CONTENDER_CORE})
    try:
        return workloads.hash_rate(0.3, time.process_time)
    finally:
        os.sched_setaffinity(0, everywhere)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
