"""The chapter `counts`: what a request makes a worker do: no clock, so a busy machine is no matter.

Rules: one worker alone (`lone`), one client, one request after the other on one connection; each
figure is the difference of two numbers of requests, so that what comes once cancels out; what the
worker does twice a second does not, and makes up to half a percent. System calls by strace.
Instructions in user space and calls of the allocators by callgrind, in a worker that marks where a
series ends; valgrind offers no SHA extensions, so hashing counts for more there than it costs.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.bench import machine, sending
from loadtest.bench.alone import Alone, Settings
from loadtest.bench.certificates import Certificates
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.lone import MARK, Lone
from loadtest.bench.store import Store
from loadtest.bench.workloads import WORKLOADS, Workload, furnish

NAMES = ("GET 1 KiB", "PUT 1 KiB", "GET 1 MiB", "PUT 1 MiB")
_FEW, _MANY = 50, 250
_WARM = 20
_WAIT = 60.0
# Python's allocator of objects, and libc's; the first asks the second for what is large.
_OBJECTS = ("_PyObject_Malloc", "_PyObject_Calloc")
_BLOCKS = ("malloc", "calloc", "realloc")

_ROW = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", re.MULTILINE)
_NAMED = re.compile(r"^c?fn=\((\d+)\)(?: (.*))?$")


@dataclass(frozen=True, slots=True)
class Counted:
    """Of one request."""

    workload: str
    calls: Mapping[str, float]  # system calls by name
    instructions: float
    objects: float  # taken from Python's allocator
    blocks: float  # taken from libc's


Say = Callable[[int], None]  # so many requests


def measure() -> Section:
    """Both tools, all workloads: a minute and a half."""
    chosen = [one for one in WORKLOADS if one.name in NAMES]
    with tempfile.TemporaryDirectory(prefix="s3gateway-bench-") as name:
        directory = Path(name)
        with Store(Certificates(directory)) as store:
            furnish(store)
            configuration = Alone(store.port, directory, Settings()).configuration
            calls = _system_calls(configuration, chosen, directory)
            work = _instructions(configuration, chosen, directory)
    found = [Counted(one.name, calls[one.name], *work[one.name]) for one in chosen]
    return {"requests": [_FEW, _MANY], "counted": [asdict(one) for one in found]}


@contextlib.contextmanager
def _connected(worker: Lone, workload: Workload, directory: Path) -> Iterator[Say]:
    """Says requests on a connection that has said some."""
    request = sending.whole(workload, worker.port, directory)
    with contextlib.closing(sending.connect(worker.port)) as connection:

        def say(count: int) -> None:
            for _ in range(count):
                sending.ask(connection, request)

        say(_WARM)
        yield say


# --- system calls ---


def _system_calls(
    configuration: Mapping[str, object], chosen: list[Workload], directory: Path
) -> dict[str, dict[str, float]]:
    found = {}
    with Lone(configuration, directory) as worker:
        for workload in chosen:
            with _connected(worker, workload, directory) as say:
                few = _traced(worker.pid, say, _FEW, directory)
                many = _traced(worker.pid, say, _MANY, directory)
            each = {name: (many[name] - few[name]) / (_MANY - _FEW) for name in many | few}
            found[workload.name] = {name: n for name, n in sorted(each.items()) if n >= 0.05}
    return found


def _traced(pid: int, say: Say, count: int, directory: Path) -> Counter[str]:
    """System calls of a process while something is said."""
    output = directory / "strace"
    tracer = subprocess.Popen(
        [machine.find("strace"), "-c", "-f", "-o", str(output), "-p", str(pid)],
        stderr=subprocess.PIPE,
    )
    assert tracer.stderr is not None
    with tracer.stderr:
        tracer.stderr.readline()  # "Process ... attached"
        say(count)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(_WAIT)
    return system_calls(output.read_text())


def system_calls(summary: str) -> Counter[str]:
    """System calls by name, in what `strace -c` says at its end."""
    rows = _ROW.findall(summary)
    return Counter({name: int(calls) for calls, name in rows if name != "total"})


# --- instructions, allocations ---


def _instructions(
    configuration: Mapping[str, object], chosen: list[Workload], directory: Path
) -> dict[str, tuple[float, float, float]]:
    output = directory / "callgrind"
    found: dict[str, tuple[float, float, float]] = {}
    tool = [machine.find("valgrind"), "--tool=callgrind", f"--dump-before={MARK}"]
    with Lone(configuration, directory, [*tool, f"--callgrind-out-file={output}"]) as worker:
        series = _Series(worker, output)
        for workload in chosen:
            with _connected(worker, workload, directory) as say:
                series.begin()
                say(_FEW)
                few = series.end()
                say(_MANY)
                many = series.end()
            each = [(b - a) / (_MANY - _FEW) for a, b in zip(few, many, strict=True)]
            found[workload.name] = (each[0], each[1], each[2])
    return found


class _Series:
    """What callgrind counted between marks; each mark makes a file, numbered from 1."""

    def __init__(self, worker: Lone, output: Path) -> None:
        self._worker = worker
        self._output = output
        self._number = 0

    def begin(self) -> None:
        """Count from now on."""
        self.end()

    def end(self) -> tuple[int, int, int]:
        """Instructions, objects and blocks since the mark before."""
        self._number += 1
        file = self._output.with_name(f"{self._output.name}.{self._number}")
        self._worker.mark()
        machine.wait_for(lambda: _whole(file), "callgrind's figures", _WAIT)
        return tally(file.read_text())


def _whole(file: Path) -> bool:
    return file.exists() and "\ntotals: " in file.read_text()


def tally(dump: str) -> tuple[int, int, int]:
    """Instructions, and calls of the two allocators, in a file of callgrind's.

    A name stands where its number is used first; `calls=` follows the line that names the callee.
    """
    names: dict[str, str] = {}
    calls: Counter[str] = Counter()
    total, callee = 0, ""
    for line in dump.splitlines():
        if named := _NAMED.match(line):
            number, name = named.groups()
            if name is not None:
                names[number] = name.partition("'")[0]  # 'N: the depth of a recursion
            callee = names.get(number, "")
        elif line.startswith("calls="):
            calls[callee] += int(line[6:].split()[0])
        elif line.startswith("totals: "):
            total = int(line[8:].split()[0])
    return total, sum(calls[name] for name in _OBJECTS), sum(calls[name] for name in _BLOCKS)


# --- the page ---


def table(section: Section) -> str:
    """Markdown."""
    rows = [
        "| of one request | instructions | objects | blocks | system calls |",
        "|---|---|---|---|---|",
    ]
    for one in section["counted"]:
        calls = ", ".join(f"{name} {count:.1f}" for name, count in _often(one["calls"]))
        rows.append(
            f"| {one['workload']} | {one['instructions']:,.0f} | {one['objects']:.0f} | "
            f"{one['blocks']:.0f} | {calls} |"
        )
    return "\n".join(rows)


def _often(calls: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(calls.items(), key=lambda one: (-one[1], one[0]))


CHAPTER = Chapter("counts", measure, table, ("nginx", "strace", "valgrind"))
