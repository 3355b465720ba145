"""Chapter: what a target that fails costs the requests of another, and those of a chain with it.

    nobody asks B      the client of A alone
    B answers          and its client, as steady as that of A
    B refuses          every connection; its client goes on
    B says nothing     its listener's queue is full, so the kernel drops the first packet
    B is disabled      by an operator

Rules: one worker, on a core alone, and the same one for all turns; a steady client of A and one of
B, in processes of their own, so that what A's client sees is what the worker does; each turn with a
B that has never failed before, so that its breaker opens in that turn, and disabled ones but one
for all; medians of turns. Requests along chains are sent one after the other. Active checks are
off: what is measured is the breaker.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastpath.upstream.breaker import FAILURES
from gateway.status.ask import ask
from loadtest.bench import contenders, machine, sending, workloads
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.contenders import REGION, Contender, Settings, Upstream
from loadtest.bench.small_store import small_store
from loadtest.bench.steady import Client, Met, Task
from loadtest.bench.workloads import KIB, Workload

STATES = {
    "alone": "nobody asks B",
    "alive": "B answers",
    "refused": "B refuses connections",
    "silent": "B says nothing",
    "disabled": "B is disabled",
}
CONNECT_SECONDS = 0.5  # of those that fail: the default would be longer than a turn
_ROUNDS = 3
_SECONDS = 2.0  # of a turn
_LEAD = 0.2  # seconds that a client has to connect in
_CONNECTIONS = 8  # of each client
_PER_SECOND = 200.0  # of each client: far from what the worker can do
_IN_A_ROW = 100  # requests along a chain: over before the breaker lets a probe through
_FAULTS = ("refused", "silent")


class _Asked:
    """A running gateway, and how long its answers take."""

    def __init__(self, gateway: Contender, directory: Path) -> None:
        self.gateway = gateway
        self._directory = directory

    def head(self, path: str) -> bytes:
        """A signed GET."""
        workload = Workload("GET 1 KiB", "GET", path, KIB, (1,))
        return sending.head_of(workload, self.gateway.port, self._directory)

    def in_a_row(self, path: str, count: int, status: int) -> list[float]:
        """Milliseconds of each of so many requests. Raises RuntimeError for another status."""
        request, taken = self.head(path), []
        with contextlib.closing(sending.connect(self.gateway.port)) as connection:
            for _ in range(count):
                begun = time.perf_counter()
                found = sending.status_of(connection, request)
                taken.append(1000 * (time.perf_counter() - begun))
                if found != status:
                    raise RuntimeError(f"GET {path} is {found}, not {status}")
        return taken


def measure() -> Section:
    """Half a minute of turns, then the chains: within a minute."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {machine.LOAD_CORE})  # and all that it starts but the gateway
    try:
        with _running() as asked:
            turns = _play(asked)
            chains = {fault: _ask_chains(asked, fault) for fault in _FAULTS}
    finally:
        os.sched_setaffinity(0, everywhere)
    return {
        "date": workloads.today(),
        "machine": machine.description(),
        "rounds": _ROUNDS,
        "seconds": _SECONDS,
        "per_second": _PER_SECOND,
        "connect_seconds": CONNECT_SECONDS,
        "states": {state: _medians(found) for state, found in turns.items()},
        "chains": chains,
    }


# --- the targets ---


@contextlib.contextmanager
def _running() -> Iterator[_Asked]:
    """The gateway, its two targets that live, and all that fail."""
    with (
        small_store() as near,
        small_store() as far,
        contextlib.ExitStack() as stack,
        tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name,
    ):
        targets = {"alive": _target(far), "disabled": _target(far)}
        rules = _along_chains()
        for fault in _FAULTS:
            for use in (*range(_ROUNDS), "lacking", "passed"):
                port = stack.enter_context(_failing(fault))
                targets[f"{fault}-{use}"] = _target(port, fails=True)
        patterns = {rule["pattern"] for rule in rules}
        rules += [{"pattern": one, "target": one} for one in targets if one not in patterns]
        settings = Settings(rules=rules, targets=targets)
        directory = Path(name)
        gateway = contenders.gateway(Upstream(near, None), directory, settings)
        try:
            ask({"command": "disable", "target": "disabled"}, gateway.pid)
            yield _Asked(gateway, directory)
        finally:
            gateway.stop()


def _along_chains() -> list[Mapping[str, object]]:
    rules: list[Mapping[str, object]] = []
    for fault in _FAULTS:
        last, first = f"{fault}-lacking", f"{fault}-passed"
        rules += [
            {"pattern": last, "target": "store", "fallback": [last]},
            {
                "pattern": first,
                "target": first,
                "fallback": ["store"],
                "fallback_on": ["404", "refused", "timeout"],
            },
        ]
    return rules


def _target(port: int, *, fails: bool = False) -> Mapping[str, object]:
    target: dict[str, object] = {
        "profile": "s3",
        "endpoint": f"http://127.0.0.1:{port}",
        "region": REGION,
        "access_key_id": "AKIDBENCHOTHER",
        "secret_access_key": "bench-other-secret",
    }
    if fails:
        target |= {"timeouts": {"connect_seconds": CONNECT_SECONDS}, "health": "off"}
    return target


@contextlib.contextmanager
def _failing(fault: str) -> Iterator[int]:
    """A port that refuses connections, or never answers to an attempt."""
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(socket.socket())
        held.bind(("127.0.0.1", 0))  # nobody else gets the port
        if fault == "silent":
            held.listen(0)
            # Of a full queue Linux drops what would make it longer: one more than `listen` says.
            for _ in range(2):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(held.getsockname())
        port: int = held.getsockname()[1]
        yield port


# --- turns ---


def _play(asked: _Asked) -> dict[str, list[dict[str, Any]]]:
    asked.in_a_row("/near/1k", _IN_A_ROW, 200)  # what is made once
    asked.in_a_row("/alive/1k", _IN_A_ROW, 200)
    turns: dict[str, list[dict[str, Any]]] = {state: [] for state in STATES}
    names = list(STATES)
    for number in range(_ROUNDS):
        for state in names[number:] + names[:number]:
            bucket = f"{state}-{number}" if state in _FAULTS else state
            turns[state].append(_turn(asked, "" if state == "alone" else bucket))
    return turns


def _turn(asked: _Asked, other: str) -> dict[str, Any]:
    """One turn of the client of A, and of one of the bucket `other`."""
    buckets = [bucket for bucket in ("near", other) if bucket]
    clients = [Client() for _ in buckets]
    begin = time.monotonic() + _LEAD
    for client, bucket in zip(clients, buckets, strict=True):
        head = asked.head(f"/{bucket}/1k").decode()
        port = asked.gateway.port
        client.play(Task(port, head, _CONNECTIONS, _PER_SECOND, begin, _SECONDS))
    time.sleep(begin - time.monotonic())
    before = asked.gateway.cpu_seconds()
    time.sleep(begin + _SECONDS - time.monotonic())
    cpu = asked.gateway.cpu_seconds() - before
    near, *others = [client.met() for client in clients]
    if set(near.answers) != {"200"}:
        raise RuntimeError(f"the client of A met {near.answers}")
    return {"near": near, "other": others[0] if others else None, "cpu": cpu}


def _medians(turns: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    near: list[Met] = [turn["near"] for turn in turns]
    found: dict[str, Any] = {
        "requests": statistics.median(sum(one.answers.values()) / _SECONDS for one in near),
        "p50_ms": statistics.median(one.p50 for one in near),
        "p99_ms": statistics.median(one.p99 for one in near),
        # Of all that the worker did, so what B's client costs is in it.
        "cpu_us": statistics.median(
            1e6 * turn["cpu"] / sum(turn["near"].answers.values()) for turn in turns
        ),
    }
    others: list[Met] = [turn["other"] for turn in turns if turn["other"] is not None]
    if others:
        statuses = sorted({status for one in others for status in one.answers})
        found["other"] = {
            "answers": {
                status: statistics.median(one.answers.get(status, 0) / _SECONDS for one in others)
                for status in statuses
            },
            "p50_ms": statistics.median(one.p50 for one in others),
        }
    return found


# --- chains ---


def _ask_chains(asked: _Asked, fault: str) -> dict[str, Any]:
    """Ask along a chain that ends at a target that fails, and along one that begins there."""
    last, first = f"/{fault}-lacking", f"/{fault}-passed"
    return {
        "plain": _delays(asked.in_a_row("/near/1k", _IN_A_ROW, 200)),
        "has": _delays(asked.in_a_row(f"{last}/1k", _IN_A_ROW, 200)),
        "lacks": _opening(asked, f"{last}/none", 503),
        "passed": _opening(asked, f"{first}/1k", 200),
        # Once more, now that the breaker of its fallback is open.
        "has, open": _delays(asked.in_a_row(f"{last}/1k", _IN_A_ROW, 200)),
    }


def _opening(asked: _Asked, path: str, status: int) -> dict[str, Any]:
    """The requests that open a breaker, and those after them."""
    return {
        "before": _delays(asked.in_a_row(path, FAILURES, status)),
        "after": _delays(asked.in_a_row(path, _IN_A_ROW, status)),
    }


def _delays(taken: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(taken), "longest": max(taken)}


# --- the page ---


def table(section: Section) -> str:
    """Markdown."""
    rows = [
        f"| client of A, {section['per_second']:g} requests/s | answers/s | p50 / p99 ms "
        "| CPU of the gateway for each | B's client: answers/s | p50 ms |",
        "|---|---|---|---|---|---|",
    ]
    for state, what in STATES.items():
        of = section["states"][state]
        other = of.get("other")
        heard = "" if other is None else _heard(other["answers"])
        delay = "" if other is None else f"{other['p50_ms']:.1f}"
        rows.append(
            f"| {what} | {of['requests']:.0f} | {of['p50_ms']:.1f} / {of['p99_ms']:.1f} "
            f"| {of['cpu_us']:.0f} us | {heard} | {delay} |"
        )
    return "\n".join([*rows, "", *_rows_of_chains(section)])


def _heard(answers: Mapping[str, float]) -> str:
    return ", ".join(f"{rate:.0f} of {status}" for status, rate in answers.items() if rate)


def _rows_of_chains(section: Section) -> Iterator[str]:
    refused, silent = (section["chains"][fault] for fault in _FAULTS)
    yield "| GET along a chain, median / longest ms | the dead one refuses | it says nothing |"
    yield "|---|---|---|"
    for what, name, part in (
        ("A alone, no chain", "plain", ""),
        ("A, then B: A has the key", "has", ""),
        ("the same, B's breaker open", "has, open", ""),
        (f"A, then B: A lacks it, the first {FAILURES}: 503", "lacks", "before"),
        ("the same, B's breaker open", "lacks", "after"),
        (f"B, then A, `fallback_on`: the first {FAILURES}: 200", "passed", "before"),
        ("the same, B's breaker open", "passed", "after"),
    ):
        cells = [one[name][part] if part else one[name] for one in (refused, silent)]
        shown = " | ".join(f"{one['median']:.1f} / {one['longest']:.1f}" for one in cells)
        yield f"| {what} | {shown} |"


CHAPTER = Chapter("dead_target", measure, table)
