"""Counters of every worker in one anonymous shared memory page: who writes which 64-bit cell.

    row 0           totals of the incarnations that are gone (its INCARNATION cell: see `totals`)
    row 1..n        one worker incarnation each, from fork to reap
    row n+1         control's, whichever incarnation

    STARTED = REQUESTS + CUT + LOST + those in flight, and with an access log, once all is written,
    LOG_WRITTEN = REQUESTS + CUT less the lines that were lost (docs/logs.md)

Rules: a cell has one writer, the worker whose row it is in, except before its fork and after its
reap, when it belongs to the supervisor; the page is made before the first fork, so that control
and every worker see the same memory; a cell is one aligned 64-bit store, never torn.

Not here: names and labels of metrics, rendering (control).
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from enum import IntEnum
from typing import Final


class Slot(IntEnum):
    """The cells of a row. New ones go at the end."""

    HEARTBEAT = 0  # time.monotonic_ns() of the worker's event loop, every 0.5 s
    GENERATION = 1  # the generation it serves
    INCARNATION = 2  # running number from 1; 0 = the row is free
    PID = 3
    WORKER = 4  # index 0..N-1
    CONNECTIONS = 5  # gauge: downstream connections open
    STARTED = 6  # requests whose head was understood, or refused as one
    UPSTREAM = 7  # gauge: upstream connections open
    ACCEPTED = 8
    REQUESTS = 9  # finished: answered, refused, broken off or left by their client
    ERRORS_4XX = 10
    ERRORS_5XX = 11
    BYTES_IN = 12
    BYTES_OUT = 13
    RETRIES = 14
    LOG_DROPPED = 15  # log lines that found the log socket full, or could not be written
    CUT = 16  # requests that were running when their worker had to leave
    ABORTED = 17  # requests whose client left early
    CONNECTS = 18  # upstream connections opened
    CONNECT_ERRORS = 19
    REUSED = 20  # requests sent on a kept upstream connection
    SIGNATURES_REFUSED = 21  # answers of targets that refused the gateway's own signature
    REDIRECTED = 22  # answers of targets that named another region for a bucket
    SPLICED = 23  # bytes of bodies that the kernel moved
    LOST = 24  # requests that ended with their worker: in flight when it was reaped
    LOG_WRITTEN = 25  # access lines in the access log
    NOTICES_LOST = 26  # messages that standard error did not take
    FORGOTTEN = 27  # requests whose headers were dropped, because the target would forget them


SLOTS: Final = 64  # cells of a row; 512 bytes, so that no two workers share a cache line
ROWS: Final = 1024  # rows are untouched zero pages until used: the size costs nothing

FACTS: Final = frozenset((Slot.HEARTBEAT, Slot.GENERATION, Slot.INCARNATION, Slot.PID, Slot.WORKER))
GAUGES: Final = frozenset((Slot.CONNECTIONS, Slot.UPSTREAM))
COUNTERS: Final = tuple(slot for slot in Slot if slot not in FACTS and slot not in GAUGES)

_TOTALS: Final = 0
_SEQUENCE: Final = int(Slot.INCARNATION)  # of row 0
_READ_ATTEMPTS: Final = 100


class PageFull(Exception):
    """Every row is in use."""


def in_flight(row: Sequence[int]) -> int:
    """Requests of one worker that were started and neither finished nor cut."""
    return row[Slot.STARTED] - row[Slot.REQUESTS] - row[Slot.CUT]


class Page:
    """The shared page. Only the supervisor acquires and retires rows."""

    __slots__ = ("_cells", "_incarnations", "_rows")

    def __init__(self, rows: int = ROWS) -> None:
        self._rows = rows
        self._incarnations = 0
        self._cells = memoryview(mmap.mmap(-1, (rows + 2) * SLOTS * 8)).cast("Q")

    def acquire(self, pid: int = 0) -> int:
        """The number of a free row, zeroed and marked as used. Raises PageFull."""
        for number in range(1, self._rows + 1):
            row = self.row(number)
            if not row[Slot.INCARNATION]:
                self._incarnations += 1
                row[Slot.INCARNATION] = self._incarnations
                row[Slot.PID] = pid
                return number
        raise PageFull(f"{self._rows} rows are in use")

    def row(self, number: int) -> memoryview:
        """The cells of a row, format 'Q', indexed by `Slot`."""
        return self._cells[number * SLOTS : (number + 1) * SLOTS]

    @property
    def supervisor_row(self) -> memoryview:
        """What the supervisor counts by itself goes straight to the totals."""
        return self.row(_TOTALS)

    @property
    def control_row(self) -> memoryview:
        """Control's cells, which outlive it: there is one control process at a time."""
        return self.row(self._rows + 1)

    def retire(self, number: int) -> None:
        """Adds the counters of a reaped incarnation to the totals and frees its row.

        What it had in flight is lost with it.
        """
        row = self.row(number)
        row[Slot.LOST] = in_flight(row)
        totals = self.row(_TOTALS)
        totals[_SEQUENCE] += 1  # odd: readers wait
        for slot in COUNTERS:
            totals[slot] += row[slot]
        for cell in range(SLOTS):
            row[cell] = 0
        totals[_SEQUENCE] += 1

    def live(self) -> list[int]:
        """The numbers of the rows in use."""
        return [n for n in range(1, self._rows + 1) if self._cells[n * SLOTS + _SEQUENCE]]

    def totals(self) -> dict[Slot, int]:
        """Sums over all incarnations, gone and live; gauges over the live ones.

        Safe in any process: a sum that met a fold half done is taken again (a sequence lock), so
        no incarnation counts twice or not at all. A supervisor that was killed within a fold would
        leave the lock odd for ever, hence the bound.
        """
        sums: dict[Slot, int] = {}
        control = self._rows + 1
        for _ in range(_READ_ATTEMPTS):
            before = self._cells[_SEQUENCE]
            rows = [self.row(number) for number in (_TOTALS, *self.live(), control)]
            sums = {slot: sum(row[slot] for row in rows) for slot in Slot if slot not in FACTS}
            if before % 2 == 0 and self._cells[_SEQUENCE] == before:
                break
        return sums
