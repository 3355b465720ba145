"""Adds up what the page of counters says of each target, for the history of traffic."""

from fastpath.ipc.counters import Page, Slot
from gateway.metrics.history import NO_TARGET, Counts

BOUNDS = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    30.0,
    60.0,
)


def traffic(page: Page) -> dict[str, Counts]:
    """TEMPORARY until the layout of metrics is merged."""
    t = page.totals()
    n = t[Slot.REQUESTS]
    rates = (n, t[Slot.ERRORS_4XX], t[Slot.ERRORS_5XX], t[Slot.BYTES_IN], t[Slot.BYTES_OUT])
    return {NO_TARGET: Counts(rates, (0, n // 2, 0, n - n // 2, *[0] * 13))}
