"""Describes a running gateway for its operator: configuration, workers, targets.

Rules: it is made of the counters page and of what control knows already, so that asking costs the
workers nothing; it holds no secret; times are epoch seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fastpath.ipc.counters import BreakerState, Page, Slot, TargetGauge, WorkerPhase, in_flight
from gateway import __version__
from gateway.control.health_checks import Report
from gateway.control.reloads import Reload
from gateway.control.snapshot_maker import Publication
from gateway.control.target_switches import TargetSwitches


@dataclass(frozen=True, slots=True)
class Known:
    """What control knows. `page` is None while it starts, `present` until it has loaded."""

    supervisor: int
    file: str  # the configuration file; empty without one
    generation: int
    page: Page | None
    present: Publication | None
    health: Mapping[str, Report]
    draining: bool = False
    reloads: tuple[Reload, ...] = ()  # the last ones, oldest first


def status(known: Known) -> dict[str, object]:
    """Returns the status in plain JSON types (docs/operations.md)."""
    workers = list(_workers(known.page)) if known.page is not None else []
    return {
        "version": __version__,
        "supervisor": known.supervisor,
        "control": os.getpid(),
        "configuration": known.file or None,
        "digest": known.present.digest if known.present is not None else None,
        "generation": known.generation,
        "draining": known.draining,
        "rolled_out": all(worker["generation"] == known.generation for worker in workers),
        "workers": workers,
        "worker_exits": _exits(known.page) if known.page is not None else 0,
        "targets": [_target(name, known) for name in _names(known)],
    }


def _workers(page: Page) -> Iterator[dict[str, object]]:
    rows = (page.row(number) for number in page.live())
    for row in sorted(rows, key=lambda row: row[Slot.WORKER]):
        if row[Slot.PID]:  # not in the middle of its fork
            yield {
                "worker": row[Slot.WORKER],
                "pid": row[Slot.PID],
                "generation": row[Slot.GENERATION],
                "connections": row[Slot.CONNECTIONS],
                "requests": in_flight(row),
                "finished": row[Slot.REQUESTS],
                "errors_5xx": row[Slot.ERRORS_5XX],
                "state": WorkerPhase(row[Slot.STATE]).name.lower(),
                "lag_seconds": row[Slot.LOOP_LAG] / 1e9,
            }


def _exits(page: Page) -> int:
    """Returns how many workers ended by themselves or were killed, and were replaced."""
    totals = page.totals()
    return totals[Slot.EXITS_CRASHED] + totals[Slot.EXITS_KILLED] + totals[Slot.EXITS_HUNG]


def _names(known: Known) -> list[str]:
    """Returns the targets of the configuration, and others that are disabled."""
    configured = list(known.present.model.targets) if known.present is not None else []
    disabled = TargetSwitches(known.page).disabled() if known.page is not None else []
    return list(dict.fromkeys((*configured, *disabled)))


def _target(name: str, known: Known) -> dict[str, object]:
    model = known.present.model if known.present is not None else None
    target = model.targets.get(name) if model is not None else None
    switches = TargetSwitches(known.page) if known.page is not None else None
    report = known.health.get(name)
    return {
        "name": name,
        "configured": target is not None,
        "endpoint": str(target.endpoint) if target is not None else None,
        "disabled": switches is not None and switches.is_disabled(name),
        "can_be_disabled": switches is not None and switches.has_one(name),
        "health": report.as_dict() if report is not None else None,
        "breakers": list(_breakers(name, known.page)) if known.page is not None else [],
    }


def _breakers(name: str, page: Page) -> Iterator[dict[str, object]]:
    """Yields the breakers of workers that are not closed."""
    block = page.block(name)
    for number in page.live() if block else ():
        cells = page.target(number, block).gauges
        state = cells[TargetGauge.BREAKER]
        if state in (BreakerState.OPEN, BreakerState.HALF_OPEN):
            yield {
                "worker": page.row(number)[Slot.WORKER],
                "state": BreakerState(state).name.lower().replace("_", "-"),
                "since": cells[TargetGauge.BREAKER_SINCE] or None,
            }
