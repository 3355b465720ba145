"""Draws the status of a gateway for a terminal, with the rates between two looks at it.

Rules: a rate is of one worker process: a replaced one counts from 0; a text of the gateway is
printed without control characters, and is no markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.status.shown import breakers, head, health, printable, warnings

_UNKNOWN = "-"


class Look(NamedTuple):
    """What a gateway answered, and when, in epoch seconds."""

    time: float
    found: Mapping[str, Any]


class Rates(NamedTuple):
    """Of one worker, a second."""

    requests: float
    errors: float


def rates(before: Look | None, now: Look) -> dict[int, Rates]:
    """Returns the rates of the workers that both looks have, by process id."""
    if before is None or now.time <= before.time:
        return {}
    seconds = now.time - before.time
    old = {worker["pid"]: worker for worker in before.found["workers"]}
    return {
        worker["pid"]: Rates(
            *(
                max(0, worker.get(name, 0) - old[worker["pid"]].get(name, 0)) / seconds
                for name in ("finished", "errors_5xx")
            )
        )
        for worker in now.found["workers"]
        if worker["pid"] in old
    }


def view(before: Look | None, now: Look, fault: str = "") -> RenderableType:
    """Returns one screen; `fault`: why the gateway does not answer any more."""
    return Group(*_parts(before, now, fault))


def _parts(before: Look | None, now: Look, fault: str) -> Iterator[RenderableType]:
    if fault:
        yield Text(f"no answer: {printable(fault)}", style="bold red")
    for line in head(now.found):
        yield _line(line)
    yield Text()
    yield _workers(now.found["workers"], rates(before, now))
    yield Text()
    yield _targets(now)
    for line in warnings(now.found):
        yield _line(line)


def _line(line: str) -> Text:
    return Text(printable(line), style="yellow" if line.startswith("warning:") else "")


def _workers(workers: list[Mapping[str, Any]], of: Mapping[int, Rates]) -> Table:
    table = _table(
        "worker", "state", "pid", "generation", "connections", "in flight", "requests/s", "5xx/s"
    )
    for worker in workers:
        rate = of.get(worker["pid"])
        table.add_row(
            *(str(worker.get(name, "")) for name in ("worker", "state", "pid", "generation")),
            str(worker["connections"]),
            str(worker["requests"]),
            _UNKNOWN if rate is None else f"{rate.requests:.1f}",
            _UNKNOWN if rate is None else _errors(rate.errors),
        )
    requests, errors = (sum(column) for column in zip((0.0, 0.0), *of.values(), strict=True))
    table.add_section()
    table.add_row(
        "all",
        "",
        "",
        "",
        *(str(sum(worker[name] for worker in workers)) for name in ("connections", "requests")),
        f"{requests:.1f}" if of else _UNKNOWN,
        _errors(errors) if of else _UNKNOWN,
    )
    return table


def _errors(rate: float) -> Text:
    return Text(f"{rate:.1f}", style="red" if rate else "")


def _targets(now: Look) -> Table:
    table = _table("target", "endpoint", "state", "health", "breakers", right=False)
    for target in now.found["targets"]:
        report = target["health"]
        unwell = report is not None and report["state"] == "unhealthy"
        table.add_row(
            Text(printable(target["name"])),
            Text(printable(target["endpoint"] or "")),
            Text("disabled", style="yellow") if target["disabled"] else Text("enabled"),
            Text(printable(health(report, now.time)), style="red" if unwell else ""),
            Text("; ".join(breakers(target, now.time)) or "closed"),
        )
    return table


def _table(*names: str, right: bool = True) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, justify="right" if right else "left", no_wrap=right)
    return table
