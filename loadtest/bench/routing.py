"""Chapter: what another name for a bucket, and a custom router, cost a request.

Rules: the same code and the same store for all; a list is of a thousand keys, renamed in each of
them; the custom router is the shortest there is, and its process counts as the gateway's do.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from loadtest.bench import contenders, report, rounds, workloads
from loadtest.bench.chapters import Chapter, Section
from loadtest.bench.contenders import Contender, Settings, Upstream

_CONNECTIONS = 32
_LIST, _GET = "LIST 1000 keys", "GET 1 KiB"
# The store has keys that begin with `data/` in its bucket `list`.
_RENAMED = {"rewrite": {"bucket": "list", "key_prefix": "data/"}}
_ROUTER = textwrap.dedent("""
    class Router:
        {cache}
        def __init__(self, config):
            pass

        def route_request(self, bucket_name, operation, metadata=None):
            return "store"
""")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to route, the workload it is measured by, and how many times the plain one it may."""

    workload: str
    goal: float | None = None
    rules: tuple[Mapping[str, object], ...] = ()
    cache: str | None = None  # a line of the custom router's class; None: there is no router


WAYS: Mapping[str, Way] = {
    "plain": Way(_LIST),
    "renamed": Way(_LIST, 3, ({"pattern": "list", "target": "store", **_RENAMED},)),
    "by rules": Way(_GET),
    "custom, answer kept": Way(_GET, 2, cache="cache_seconds = 3600"),
    "custom, asked each time": Way(_GET, 4, cache=""),
}


def measure() -> Section:
    """Play every way, the ways of one workload in turns."""
    figures: list[dict[str, Any]] = []
    found: dict[str, Any] = {}
    for workload in (_LIST, _GET):
        names = [name for name, way in WAYS.items() if way.workload == workload]
        for name in names:
            contenders.ALL[name] = partial(_started, name)
        chosen = [replace(o, connections=(_CONNECTIONS,)) for o in workloads.WORKLOADS]
        chosen = [one for one in chosen if one.name == workload]
        found = rounds.run(rounds.Plan(5, 2, chosen, names, ()))
        figures += cast("list[dict[str, Any]]", found["figures"])
        for name in names:
            del contenders.ALL[name]
    return {**found, "figures": figures}


def _started(name: str, upstream: Upstream, directory: Path) -> Contender:
    way = WAYS[name]
    routing: dict[str, object] = {}
    if way.cache is not None:
        (directory / "bench_router.py").write_text(_ROUTER.format(cache=way.cache))
        routing = {"custom": "bench_router:Router", "custom_path": [str(directory)]}
    running = contenders.gateway(upstream, directory, Settings(rules=way.rules, routing=routing))
    running.name = name
    return running


def table(section: Section) -> str:
    """Markdown."""
    rows = ["| workload | way | CPU | / plain | goal |", "|---|---|---|---|---|"]
    cpu = {one["contender"]: one["cpu_us"] for one in section["figures"]}
    plain = {way.workload: cpu[name] for name, way in WAYS.items() if way.goal is None}
    for name, way in WAYS.items():
        goal = "" if way.goal is None else f"{way.goal:g}"
        ratio = cpu[name] / plain[way.workload]
        rows.append(
            f"| {way.workload} | {name} | {report.cell(cpu[name])} | {ratio:.2f} | {goal} |"
        )
    return "\n".join(rows)


CHAPTER = Chapter("routing", measure, table, ("nginx", "wrk"))
