"""The gateway beside another version of itself, round by round: what a change costs.

    git worktree add --detach /tmp/before COMMIT
    python -m loadtest.bench.beside /tmp/before                       a few workloads
    python -m loadtest.bench.beside /tmp/before "GET 64 MiB" --rounds 9

Prints CPU and median latency of this version, divided by the other's, at 32 connections. Two runs,
one after the other, say nothing on a shared machine: one version differs by a fifth between them.

Rules: both have the same store, configuration and libraries; nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from loadtest.bench import contenders, network, rounds
from loadtest.bench.contenders import Contender, Upstream
from loadtest.bench.workloads import WORKLOADS

_CONNECTIONS = 32
_USUAL = ("GET 1 KiB", "GET 1 MiB", "PUT 1 KiB", "PUT 1 MiB")
_NOW, _BEFORE = "this version", "the other"


def _version(name: str, root: Path, upstream: Upstream, directory: Path) -> Contender:
    running = contenders.gateway(upstream, directory, contenders.Settings(root=root))
    running.name = name
    return running


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench.beside")
    parser.add_argument("checkout", type=Path, help="of the other version")
    names = [one.name for one in WORKLOADS]
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(words)
    if unknown := set(chosen.workloads) - set(names):
        parser.error(f"no workload: {', '.join(sorted(unknown))}")
    if not (chosen.checkout / "gateway").is_dir():
        parser.error(f"{chosen.checkout} holds no gateway")
    network.move(words, "loadtest.bench.beside")
    for name, root in ((_NOW, contenders.ROOT), (_BEFORE, chosen.checkout.resolve())):
        contenders.ALL[name] = partial(_version, name, root)
    wanted = chosen.workloads or _USUAL
    plan = rounds.Plan(
        rounds=chosen.rounds,
        seconds=2,
        workloads=[replace(o, connections=(_CONNECTIONS,)) for o in WORKLOADS if o.name in wanted],
        contenders=[_NOW, _BEFORE],
        over_tls=(),
    )
    found = cast("list[dict[str, Any]]", rounds.run(plan)["figures"])
    figures = {(one["workload"], one["contender"]): one for one in found}
    for workload in plan.workloads:
        now, before = (figures[workload.name, name] for name in plan.contenders)
        sys.stdout.write(
            f"{workload.name:17} CPU {now['cpu_us'] / before['cpu_us']:.3f}  "
            f"p50 {now['p50_us'] / before['p50_us']:.3f}\n"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
