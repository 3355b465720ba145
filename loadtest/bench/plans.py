"""Chapter `plans`: what 10, 1,000 and 100,000 routing rules cost: a load, a reload, a request.

Half of the rules name a bucket, half a prefix; a fifth have operations, a fifth identities; the
bucket of the requests is the last rule's. Loads and lookups are measured in this process, as CPU
time; the rest on a gateway with one worker.

Rules: the gateways of all sizes run at once and take turns, so their CPU per request is comparable;
a reload changes the last rule, so that a generation is made; the longest answer is seen by one
client that asks again and again while a reload runs, on the core that control works on as well.
"""

from __future__ import annotations

import gc
import http.client
import itertools
import json
import re
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from fastpath.ipc.frames import FrameReader, FrameType, encode
from fastpath.routing.snapshot import Snapshot, load_snapshot
from gateway import config
from gateway.config.compile import compile_snapshot
from loadtest.bench import contenders, generator, machine, workloads
from loadtest.bench.certificates import Certificates
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.contenders import Contender, Upstream
from loadtest.bench.store import Store
from loadtest.bench.workloads import Workload

SIZES = (10, 1_000, 100_000)
ROUNDS, SECONDS, CONNECTIONS = 3, 2, 32
RELOADS = 3
_LOOKUPS = 2_000
_WARM = 50  # requests that a client makes before its answers count
_READ_BYTES = 262_144  # as a worker reads its channel
_GET = Workload("GET 1 KiB", "GET", "/bench/1k", workloads.KIB, (CONNECTIONS,))

_SERVED = re.compile(r"generation (\d+) is served by")
_SHARE = re.compile(r"Pss: +(\d+) kB")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def rules(count: int, last: str) -> Iterator[dict[str, object]]:
    """`count` rules; the last is of the bucket `bench`, for the operations `last`."""
    for number in range(count - 1):
        name = f"bucket-{number:06d}" if number % 2 else f"team-{number:06d}-*"
        rule: dict[str, object] = {"pattern": name, "target": "store"}
        if number % 10 in (2, 3):
            rule["operations"] = ["read", "list"]
        elif number % 10 in (4, 5):
            rule["identities"] = ["bench"]
        yield {**rule, "description": f"data of team {number}"}
    yield {"pattern": "bench", "target": "store", "operations": [last]}


def measure() -> Section:
    """A figure of each kind for every size."""
    found: list[dict[str, object]] = [{"rules": size} for size in SIZES]
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="s3gateway-plans-"))
        )
        directory.chmod(0o755)
        certificates = Certificates(directory)
        for path in (certificates.authority, certificates.certificate, certificates.key):
            path.chmod(0o644)
        store = stack.enter_context(Store(certificates))
        workloads.furnish(store)
        running = []
        for figures, size in zip(found, SIZES, strict=True):
            place = directory / str(size)
            place.mkdir()
            upstream = Upstream(store.port, None)
            gateway = contenders.gateway(
                upstream, place, contenders.Settings(rules=list(rules(size, "read")))
            )
            stack.callback(gateway.stop)
            running.append(_Running(gateway, place, size))
            figures |= running[-1].at_rest()
            figures |= _alone(place / "gateway.yaml", size)
        for figures, cpu in zip(found, _cpu_per_request(running), strict=True):
            figures["request_us"] = cpu
        for figures, one in zip(found, running, strict=True):
            figures |= one.reloads()
    return {"sizes": found}


# In this process


def _alone(file: Path, size: int) -> dict[str, object]:
    gc.collect()
    begun = time.process_time()
    loaded = config.load({"config": str(file)}, {})
    seconds = time.process_time() - begun
    assert loaded.model is not None
    document = {**compile_snapshot(loaded.model, {}), "instance": "bench"}
    del loaded
    payload = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    del document
    frame = encode(FrameType.SNAPSHOT, 1, payload)
    return {
        "load_seconds": seconds,
        "snapshot_bytes": len(payload),
        "step_ms": min(_longest_step(frame) for _ in range(5)),
        **_lookups(frame, size),
    }


def _compiled(frame: bytes) -> Snapshot:
    (read,) = FrameReader().feed(frame)
    return load_snapshot(read.generation, json.loads(read.payload))


def _longest_step(frame: bytes) -> float:
    """CPU time, in ms, of the longest piece of a worker's work on a snapshot it gets as its second.

    The last piece of the frame, with all that follows it: parsed, compiled, swapped in, and the one
    before freed.
    """
    served = _compiled(frame)
    reader = FrameReader()
    steps = []
    for at in range(0, len(frame), _READ_BYTES):
        begun = time.process_time()
        for whole in reader.feed(frame[at : at + _READ_BYTES]):
            served = load_snapshot(whole.generation, json.loads(whole.payload))
        steps.append(time.process_time() - begun)
    assert served.generation == 1
    return 1000 * max(steps)


def _lookups(frame: bytes, size: int) -> dict[str, object]:
    half = size // 2
    count = min(_LOOKUPS, half - 1)
    numbers = [2 * (half // count) * index for index in range(count)]
    cold = {
        "exact_us": [b"bucket-%06d" % (number + 1) for number in numbers],
        "prefix_us": [b"team-%06d-x" % number for number in numbers],
        "none_us": [b"unknown-%06d" % number for number in numbers],
    }
    found: dict[str, list[float]] = {}
    for _ in range(5):
        plan = _compiled(frame).routing.plan
        for name, names in cold.items():
            found.setdefault(name, []).append(_each(plan, names))
        plan(b"bench")
        found.setdefault("cached_us", []).append(_each(plan, [b"bench"] * 20_000))
    return {name: min(figures) for name, figures in found.items()}


def _each(plan: Callable[[bytes], object], names: Sequence[bytes]) -> float:
    """CPU time of one lookup, in us."""
    begun = time.process_time_ns()
    for name in names:
        plan(name)
    return (time.process_time_ns() - begun) / 1000 / len(names)


# On a gateway


def _cpu_per_request(running: Sequence[_Running]) -> list[float]:
    turns: list[list[float]] = [[] for _ in running]
    for number in range(ROUNDS):
        for offset in range(len(running)):
            at = (number + offset) % len(running)
            turns[at].append(running[at].cpu_per_request())
    return [statistics.median(one) for one in turns]


class _Running:
    """A gateway with some number of rules."""

    def __init__(self, gateway: Contender, directory: Path, size: int) -> None:
        self._gateway = gateway
        self._directory = directory
        self._size = size
        self._family = machine.family(gateway.pid)

    def at_rest(self) -> dict[str, object]:
        control = self._process("s3gw control")
        worker = self._process("s3gw worker 0")
        return {
            "control_peak_bytes": _kilobytes(_PEAK, Path(f"/proc/{control}/status")),
            "control_bytes": _kilobytes(_SHARE, Path(f"/proc/{control}/smaps_rollup")),
            "worker_bytes": _kilobytes(_SHARE, Path(f"/proc/{worker}/smaps_rollup")),
        }

    def _process(self, title: str) -> int:
        return next(
            pid
            for pid in self._family
            if Path(f"/proc/{pid}/comm").read_text().strip() == title[:15]
        )

    def cpu_per_request(self) -> float:
        """Of a bucket whose plan is cached, in us; all processes of the gateway."""
        shot = workloads.aim(_GET, self._gateway.port, self._directory)
        before = self._gateway.cpu_seconds()
        outcome = generator.fire(shot, self._gateway.port, CONNECTIONS, SECONDS, self._directory)
        return 1e6 * (self._gateway.cpu_seconds() - before) / outcome.requests

    def reloads(self) -> dict[str, object]:
        """How long until a change is served, and the longest answer meanwhile; medians."""
        seconds, longest = [], []
        for number in range(RELOADS):
            self._write(list(rules(self._size, "read" if number % 2 else "GET")))
            with _Asking(self._gateway.port, self._directory) as asking:
                seconds.append(self._reload())
            longest.append(1000 * asking.longest)
        return {
            "reload_seconds": statistics.median(seconds),
            "longest_ms": statistics.median(longest),
        }

    def _write(self, changed: list[dict[str, object]]) -> None:
        # Before anybody asks: this would hold up a client in the same process.
        file = self._directory / "gateway.yaml"
        document = json.loads(file.read_text())
        document["routing"]["rules"] = changed
        file.write_text(json.dumps(document))

    def _reload(self) -> float:
        output = self._directory / "output"
        seen = len(_SERVED.findall(output.read_text()))
        begun = time.monotonic()
        self._gateway.signal(signal.SIGHUP)
        machine.wait_for(
            lambda: len(_SERVED.findall(output.read_text())) > seen, "the reload", 60.0
        )
        return time.monotonic() - begun


class _Asking:
    """A client that asks again and again on one connection; `longest` is in seconds."""

    def __init__(self, port: int, directory: Path) -> None:
        self._port = port
        self._shot = workloads.aim(_GET, port, directory)
        self._warm, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._fault: BaseException | None = None
        self.longest = 0.0

    def __enter__(self) -> _Asking:
        self._thread.start()
        self._warm.wait(30.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._fault is not None:
            raise self._fault

    def _ask(self) -> None:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)) as one:
                one.connect()
                for number in itertools.count():
                    if self._ended.is_set():
                        return
                    begun = time.perf_counter()
                    one.request("GET", self._shot.path, headers=self._shot.headers)
                    answer = one.getresponse()
                    answer.read()
                    if answer.status != 200:
                        raise generator.Worthless(f"status {answer.status} during a reload")
                    if number >= _WARM:
                        self.longest = max(self.longest, time.perf_counter() - begun)
                        self._warm.set()
        except BaseException as fault:  # told where the figures are wanted
            self._fault = fault


def _kilobytes(pattern: re.Pattern[str], file: Path) -> int:
    found = pattern.search(file.read_text())
    return 0 if found is None else 1024 * int(found[1])


# The page

_ROWS: tuple[tuple[str, str, float, str], ...] = (
    ("load and check, CPU", "load_seconds", 1, "{:.2f} s"),
    ("control's memory at its peak", "control_peak_bytes", 1e-6, "{:.0f} MB"),
    ("control's memory after it (PSS)", "control_bytes", 1e-6, "{:.0f} MB"),
    ("snapshot", "snapshot_bytes", 1e-3, "{:,.0f} KB"),
    ("memory of a worker (PSS)", "worker_bytes", 1e-6, "{:.1f} MB"),
    ("reload, until served", "reload_seconds", 1, "{:.2f} s"),
    ("longest step of a worker, CPU", "step_ms", 1, "{:.1f} ms"),
    ("longest answer during a reload", "longest_ms", 1, "{:.1f} ms"),
    ("cold lookup, exact name", "exact_us", 1, "{:.1f} us"),
    ("cold lookup, prefix", "prefix_us", 1, "{:.1f} us"),
    ("cold lookup, no rule", "none_us", 1, "{:.1f} us"),
    ("cached lookup", "cached_us", 1, "{:.2f} us"),
    ("CPU of a GET of 1 KiB, cached", "request_us", 1, "{:.0f} us"),
)


def table(section: Section) -> str:
    """A row for each figure, a column for each number of rules."""
    sizes: Sequence[dict[str, Any]] = section["sizes"]
    rows = [
        "| rules | " + " | ".join(f"{one['rules']:,}" for one in sizes) + " |",
        "|---|" + "---|" * len(sizes),
    ]
    for title, name, scale, form in _ROWS:
        cells = [form.format(one[name] * scale) for one in sizes]
        rows.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


CHAPTER = Chapter("plans", measure, table, ("nginx", "wrk"))
