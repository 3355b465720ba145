"""A steady client: so many requests a second whatever is answered, in a process of its own.

    python -m loadtest.bench.steady     says that it is there, reads what to do as a line of JSON,
                                        writes what it met

Rules: each connection has a timetable and one request at a time; a request whose time came while
the one before had no answer yet is left out, never sent later, so that a slow answer makes no
burst; delays are from the moment of sending. An answer that is an error is an answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from loadtest.bench.contenders import ROOT

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")


@dataclass(frozen=True, slots=True)
class Task:
    """What a client does; `begin` is of the clock `time.monotonic`, which processes share."""

    port: int
    head: str
    connections: int
    per_second: float  # of all connections together
    begin: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Met:
    """What a client met; milliseconds, 0 where nothing was answered."""

    answers: Mapping[str, int]  # by status
    p50: float
    p99: float


class Client:
    """A client that runs, and waits for its task."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def play(self, task: Task) -> None:
        """Let it begin, at the time that the task says."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(task)) + "\n")
        self._process.stdin.flush()
        self._most = task.begin + task.seconds - time.monotonic() + 10

    def met(self) -> Met:
        """Wait for its end."""
        try:
            said, _ = self._process.communicate(timeout=self._most)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        return Met(**json.loads(said))


async def play(task: Task) -> Met:
    """Ask until the time is over; what has no answer then is not counted."""
    delays: list[float] = []
    statuses: Counter[str] = Counter()
    playing = [
        asyncio.create_task(_one_connection(task, number, delays, statuses))
        for number in range(task.connections)
    ]
    done, _ = await asyncio.wait(playing, timeout=task.begin + task.seconds - time.monotonic())
    for one in playing:
        one.cancel()
    for one in done:
        one.result()  # raises what it met
    cuts = statistics.quantiles(delays, n=100) if len(delays) > 1 else [0.0] * 99
    return Met(dict(statuses), cuts[49], cuts[98])


async def _one_connection(
    task: Task, number: int, delays: list[float], statuses: Counter[str]
) -> None:
    every = task.connections / task.per_second
    next_at = task.begin + every * number / task.connections
    reader, writer = await asyncio.open_connection("127.0.0.1", task.port)
    while True:
        await asyncio.sleep(next_at - time.monotonic())
        sent = time.monotonic()
        writer.write(task.head.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        await reader.readexactly(int(found[1]) if found else 0)
        delays.append(1000 * (time.monotonic() - sent))
        statuses[head[9:12].decode()] += 1
        if b"\r\nconnection: close\r\n" in head.lower():
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", task.port)
        missed = max(0, int((time.monotonic() - next_at) / every))
        next_at += every * (missed + 1)


if __name__ == "__main__":
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    met = asyncio.run(play(Task(**json.loads(sys.stdin.readline()))))
    sys.stdout.write(json.dumps(asdict(met)))
