"""What the page of counters says of targets, as the history of traffic takes it."""

from __future__ import annotations

from fastpath.ipc.cells import BOUNDS, BUCKETS
from fastpath.ipc.counters import Layout, Page, WorkerCells
from fastpath.ipc.meter import Meter
from gateway.metrics.history import NO_TARGET, OTHERS, RATES
from gateway.metrics.traffic import traffic


def test_the_totals_of_a_target_are_of_all_workers_and_classes() -> None:
    page = Page(Layout(rows=2, targets=1))
    page.assign(["a"])
    for _ in range(2):
        meter = Meter(WorkerCells(page, page.acquire()))
        meter.install(["a", "b"], [])
        meter.request_ended("a", "read", "", 200, 0, 500, 1.0, 1.0015, 1.0016)
        meter.request_ended("a", "write", "", 503, 70, 0, 1.0, 0.0, 100.0)
        meter.request_ended("b", "read", "", 404, 0, 0, 1.0, 1.0001, 1.0001)
        meter.request_ended("", "read", "", 403, 0, 0, 1.0, 1.0001, 1.0001)
        meter.flush()
    found = traffic(page)
    assert {name: counts.rates for name, counts in found.items()} == {
        "a": (4, 0, 2, 140, 1000),
        OTHERS: (2, 2, 0, 0, 0),  # it has no block of its own
        NO_TARGET: (2, 2, 0, 0, 0),
    }
    assert len(RATES) == 5
    buckets = [0] * BUCKETS
    buckets[BOUNDS.index(0.002)] = buckets[-1] = 2
    assert found["a"].buckets == tuple(buckets)
