"""Traffic while processes are killed, gateways are replaced and the target fails: `make chaos`.

    python -m tests.process.chaos 60              for that many seconds
    python -m tests.process.chaos 60 --seed 7     in the order of an earlier run

Rules: a request may fail while something is broken, and that is counted; a byte may never be wrong,
an acknowledged write never be lost, and the account of every gateway that ended in order must be
exact. One line of figures; status 1 and a line for each thing that is wrong otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

from tests.doubles.breaking_proxy import BreakingProxy, Fault, FaultKind
from tests.doubles.target import Target
from tests.process.harness import Gateway, wait_until
from tests.process.test_full_outputs import ACCOUNT
from tests.process.traffic import Traffic, configuration

CLIENTS = 6
WORKERS = 2


class Chaos(contextlib.ExitStack):
    """A gateway, what stands behind it, and what is done to both."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.dice = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.logged: set[str] = set()  # ids of requests
        self.unlogged = 0  # requests whose lines were lost, by the account

    def __enter__(self) -> Self:
        super().__enter__()
        self.store = self.enter_context(Target())
        self.proxy = self.enter_context(BreakingProxy("127.0.0.1", self.store.port))
        self.gateway = self._start("127.0.0.1:0")
        return self

    def _start(self, address: str, **flags: object) -> Gateway:
        gateway = Gateway.start(
            configuration(self.proxy.url),
            WORKERS,
            listen=[address],
            access_log="access.log",
            log_format="json",
            drain_seconds=20,
            **flags,
        )
        gateway.expected_files.add("access.log")
        return self.enter_context(gateway)

    # What is done

    def kill_worker(self) -> None:
        if pids := self.gateway.worker_pids():
            self._kill(self.dice.choice(pids))

    def kill_control(self) -> None:
        self._kill(self.gateway.control_pid())

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)

    def reload(self) -> None:
        self.gateway.signal(signal.SIGHUP)

    def break_target(self) -> None:
        kind = self.dice.choice(list(FaultKind))
        after, times = self.dice.randrange(300_000), self.dice.randint(1, 5)
        self.proxy.begin(Fault(kind, after, times))
        time.sleep(0.5)  # how long it lasts: nothing is waited for
        self.done["faults of the target"] += self.proxy.end()

    def replace_gateway(self) -> None:
        old = self.gateway
        host, port = old.address
        self.gateway = self._start(f"{host}:{port}", beside=True)
        self._end(old)

    def whole(self) -> None:
        """Returns when nothing is broken any more."""
        self.proxy.end()
        gateway = self.gateway
        wait_until(lambda: len(gateway.worker_pids()) == WORKERS, "all workers are there", 60)
        wait_until(lambda: gateway.request("GET", "/-/readyz").status == 200, "it is ready", 60)

    def step(self) -> None:
        """Does one thing."""
        deeds: list[Callable[[], None]] = [self.kill_worker, self.kill_control, self.reload]
        deeds += [self.break_target] * 3 + [self.replace_gateway]
        deed = self.dice.choice(deeds)
        deed()
        self.done[deed.__name__.replace("_", " ")] += 1
        self.store.requests.clear()

    # What must be true

    def _end(self, gateway: Gateway) -> None:
        status = gateway.stop(seconds=60)
        if status != 0:
            self.wrong.append(f"a gateway ended with status {status}")
        account = gateway.wait_for_log(ACCOUNT, 1)
        started, finished, cut, lost, written, unwritten = map(int, account.groups())
        if started != finished + cut + lost or finished + cut != written + unwritten:
            self.wrong.append(f"the account is not exact: {account[0]}")
        self.unlogged += lost + unwritten
        ids = [str(line["request_id"]) for line in gateway.access_lines("access.log")]
        if len(set(ids)) != len(ids) or self.logged & set(ids):
            self.wrong.append("a request has two lines")
        self.logged |= set(ids)

    def check(self, traffic: Traffic) -> None:
        """Compares all bytes and every account, once nothing is broken."""
        self.whole()
        failed = len(traffic.failed())
        traffic.compare(self.store.objects)
        if len(traffic.failed()) != failed:
            self.wrong.append("requests failed when nothing was broken any more")
        self.wrong += traffic.wrong()
        self._end(self.gateway)
        unknown = set(traffic.answered()) - self.logged
        if len(unknown) > self.unlogged:
            self.wrong.append(f"{len(unknown)} answers have no line, {self.unlogged} may lack one")


def run(seconds: float, seed: int) -> tuple[str, list[str]]:
    """Returns the figures of a run, and what was wrong in it."""
    with Chaos(seed) as chaos:
        traffic = Traffic(chaos.gateway.address, CLIENTS, seed)
        with traffic.running():
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(chaos.dice.uniform(0.1, 0.8))  # traffic between two deeds
                chaos.step()
        failed, sent = len(traffic.failed()), traffic.sent
        chaos.check(traffic)
        done = ", ".join(f"{count} {name}" for name, count in sorted(chaos.done.items()))
        objects = sum(len(one.certain) + len(one.unsure) for one in traffic.clients)
        figures = (
            f"{seconds:g} s, seed {seed}: {done}; {sent} requests, of which {failed} failed; "
            f"{objects} objects compared: "
        )
        return figures, chaos.wrong


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make chaos", usage="make chaos [SECONDS=60]")
    parser.add_argument("seconds", type=_seconds)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    given = parser.parse_args(arguments)
    figures, wrong = run(given.seconds, given.seed)
    verdict = f"{len(wrong)} things are wrong" if wrong else "every byte and every account is right"
    print(figures + verdict)
    for one in wrong[:50]:
        print(f"  {one}", file=sys.stderr)
    return 1 if wrong else 0


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"SECONDS={text} is no number of seconds")
    return float(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
