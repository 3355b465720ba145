"""Minutes of traffic and reloads with nothing broken: is memory flat at the end? `make soak`.

    python -m tests.process.soak 5                for that many minutes

Rules: no request may fail, no byte be wrong, no process be replaced; of the supervisor, control and
each worker, the memory (proportional share) and the open descriptors of the last third may not be
more than those of the third before, but for a small allowance. The first third is for filling
caches and pools. One line of figures; status 1 and a line for each thing that is wrong otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench import cgroups
from tests.doubles.target import Target
from tests.process.harness import Gateway
from tests.process.test_full_outputs import ACCOUNT
from tests.process.traffic import Traffic, configuration

CLIENTS = 6
WORKERS = 2
SAMPLE_SECONDS = 0.5
RELOAD_SAMPLES = 10  # one reload for so many samples

MIB = 1024 * 1024
# Bodies that are on their way when a sample is taken; a leak of minutes is far more.
MORE_BYTES = 2 * MIB
MORE_DESCRIPTORS = 8


@dataclass
class Samples:
    """What one process took, in the order of time."""

    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def take(self, pid: int) -> None:
        self.memory.append(cgroups.pages(pid).share)
        self.descriptors.append(len(os.listdir(f"/proc/{pid}/fd")))

    def growth(self) -> list[str]:
        """What grew by more than the allowance."""
        memory, descriptors = grown(self.memory), grown(self.descriptors)
        found = []
        if memory > MORE_BYTES:
            found.append(f"{memory / MIB:.1f} MiB more memory in the last third")
        if descriptors > MORE_DESCRIPTORS:
            found.append(f"{descriptors:g} more descriptors in the last third")
        return found


def grown(samples: Sequence[int]) -> float:
    """How much the median of the last third is above that of the third before."""
    third = len(samples) // 3
    if not third:
        return 0.0
    return statistics.median(samples[-third:]) - statistics.median(samples[-2 * third : -third])


def pids(gateway: Gateway) -> dict[str, int]:
    """The processes of a gateway by their names."""
    found = [gateway.supervisor_pid, gateway.control_pid(), *gateway.worker_pids()]
    return {Path(f"/proc/{pid}/comm").read_text().strip(): pid for pid in found}


def another(url: str, number: int) -> dict[str, object]:
    """A configuration that differs from all others, and means the same to the clients."""
    rules = [{"pattern": f"nobody-{number}-*", "target": "main"}]
    return {**configuration(url), "routing": {"default_target": "main", "rules": rules}}


def run(seconds: float, seed: int) -> tuple[str, list[str]]:
    """Returns the figures of a run, and what was wrong in it."""
    samples: defaultdict[str, Samples] = defaultdict(Samples)
    reloads = 0
    with (
        Target() as store,
        Gateway.start(
            configuration(store.url), WORKERS, admin="127.0.0.1:0", access_log="access.log"
        ) as gateway,
    ):
        gateway.expected_files.add("access.log")
        gateway.wait_for_log("admin plane on")
        processes = pids(gateway)
        traffic = Traffic(gateway.address, CLIENTS, seed)
        with traffic.running():
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(SAMPLE_SECONDS)  # the time between two samples
                store.requests.clear()
                for name, pid in processes.items():
                    samples[name].take(pid)
                if len(samples["s3gateway"].memory) % RELOAD_SAMPLES == 0:
                    reloads += 1
                    gateway.write_config(another(store.url, reloads))
                    gateway.signal(signal.SIGHUP)
        traffic.compare(store.objects)
        wrong = [*traffic.wrong(), *(f"a request failed: {one}" for one in traffic.failed())]
        if pids(gateway) != processes:
            wrong.append("a process was replaced")
        gateway.stop()
        account = gateway.wait_for_log(ACCOUNT, 1)
        if account.groups()[:4] != (account[1], account[1], "0", "0"):
            wrong.append(f"the account is not exact: {account[0]}")
    for name, taken in samples.items():
        wrong += [f"{name}: {growth}" for growth in taken.growth()]
    return _figures(seconds, seed, reloads, traffic, samples), wrong


def _figures(
    seconds: float, seed: int, reloads: int, traffic: Traffic, samples: dict[str, Samples]
) -> str:
    spent = traffic.seconds()
    memory = ", ".join(
        f"{name} {taken.memory[-1] / MIB:.1f} MiB ({grown(taken.memory) / MIB:+.2f})"
        for name, taken in samples.items()
    )
    middle, late = (1000 * spent[int(len(spent) * share)] for share in (0.5, 0.99))
    return (
        f"{seconds:g} s, seed {seed}: {traffic.sent} requests, {reloads} reloads, "
        f"p50 {middle:.1f} ms, p99 {late:.1f} ms; {memory}: "
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make soak", usage="make soak [MINUTES=5]")
    parser.add_argument("minutes", type=_minutes)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    given = parser.parse_args(arguments)
    figures, wrong = run(60 * given.minutes, given.seed)
    print(figures + (f"{len(wrong)} things are wrong" if wrong else "flat, and every byte right"))
    for one in wrong[:50]:
        print(f"  {one}", file=sys.stderr)
    return 1 if wrong else 0


def _minutes(text: str) -> float:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"MINUTES={text} is no number of minutes")
    return float(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
