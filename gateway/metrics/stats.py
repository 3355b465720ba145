"""Sums what the counters say since the start, for a monitor that wants a few numbers.

Rules: the members are those that the older router's monitor gathers itself
(docs/operations.md); a request failed if its answer was an error, or if it got none that was whole.
"""

from __future__ import annotations

import time

from fastpath.ipc.cells import BUCKETS, MICROSECONDS, STATUSES, WHOLE_CELLS, RecordCell
from fastpath.ipc.counters import Page, Slot
from gateway.control.status import Known
from gateway.metrics.processes import Process
from gateway.metrics.reading import REMOVED, Reading

_ANSWERED_FROM, _FAILED_FROM = 2 * BUCKETS, (STATUSES - 2) * BUCKETS  # cells of 2xx, and of 4xx


def stats(known: Known) -> dict[str, object]:
    """Returns the sums; times in seconds."""
    process = Process.of(known.supervisor)
    uptime = max(time.time() - process.started, 0.0) if process is not None else None
    found: dict[str, object] = {
        "total_requests": 0,
        "successful_requests": 0,
        "failed_requests": 0,
        "average_response_time": 0.0,
        "routing_distribution": {},
        "uptime": round(uptime, 3) if uptime is not None else None,
    }
    return found if known.page is None else {**found, **_sums(known, known.page)}


def _sums(known: Known, page: Page) -> dict[str, object]:
    reading = Reading(known, page)
    records = list(reading.records)
    ended = sum(sum(record[:WHOLE_CELLS]) for record in records)
    answered = sum(sum(record[_ANSWERED_FROM:_FAILED_FROM]) for record in records)
    good = max(answered - reading.totals[Slot.BROKEN_OFF], 0)
    seconds = sum(record[RecordCell.WHOLE_SUM] for record in records) / MICROSECONDS
    totals = reading.totals
    return {
        "total_requests": ended,
        "successful_requests": good,
        "failed_requests": ended - good,
        "average_response_time": round(seconds / ended, 6) if ended else 0.0,
        "routing_distribution": _distribution(reading),
        "requests_in_flight": max(
            totals[Slot.STARTED] - totals[Slot.REQUESTS] - totals[Slot.CUT] - totals[Slot.LOST], 0
        ),
        "bytes_in": sum(record[RecordCell.BYTES_IN] for record in records),
        "bytes_out": sum(record[RecordCell.BYTES_OUT] for record in records),
        "retries": totals[Slot.RETRIES],
    }


def _distribution(reading: Reading) -> dict[str, int]:
    """Returns the requests by target; the sum is that of all."""
    found = {name: block.requests for name, block in reading.targets.items()}
    found[REMOVED] = sum(block.requests for block in reading.removed)
    return {name: count for name, count in found.items() if count}
