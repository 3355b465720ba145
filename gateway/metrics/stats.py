"""Sums what the counters say, for a monitor that wants a few numbers."""

from __future__ import annotations

from fastpath.ipc.counters import Slot
from gateway.control.status import Known


def stats(known: Known) -> dict[str, object]:
    """Returns the sums since the start."""
    if known.page is None:
        return {"total_requests": 0, "successful_requests": 0, "failed_requests": 0}
    totals = known.page.totals()
    failed = totals[Slot.ERRORS_4XX] + totals[Slot.ERRORS_5XX]
    return {
        "total_requests": totals[Slot.REQUESTS],
        "successful_requests": totals[Slot.REQUESTS] - failed,
        "failed_requests": failed,
    }
