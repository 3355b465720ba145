"""Counters of every worker in one page of shared memory: its layout, and who writes which cell.

    names           the targets that have a block of their own, 64 bytes each, then the identities
    row 0           totals of the workers that have ended (its INCARNATION cell: see `totals`)
    row 1..n        one worker each, from fork to reap
    row n+1         control's, whichever control process runs

    A row           64 fixed cells (`Slot`), errors by their kind (`fastpath.errors`), a block of
                    cells for each target, one for each identity (`cells` says what is in them)
    A target's      block 0 is shared by all targets that have none of their own, the last one is
    block           for requests that were decided for no target
    An identity's   block 0 is shared by those that have none, the last two are for requests that
    block           nobody signed, and for those whose signature was not verified

    STARTED = REQUESTS + CUT + LOST + those in flight
    REQUESTS + CUT = the statuses of all target blocks, as of all identities'
    and with an access log, once all is written,
    LOG_WRITTEN + SAMPLED = REQUESTS + CUT + CALLS less the lines that were lost (docs/logs.md)

Rules: a cell has one writer, the worker whose row it is in, except before its fork and after its
reap, when it belongs to the supervisor; the supervisor alone writes names, and a target keeps its
block for the life of the page, because its totals are in there; the page is made before the first
worker is forked; a cell is one aligned 64-bit store, never torn. docs/processes.md says how the
page is sized.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, TypeVar

from fastpath.ipc.cells import (
    BLOCK_CELLS,
    CONNECTS_AT,
    GAUGES_AT,
    IDENTITY_CELLS,
    RECORD_CELLS,
    RECORDS_AT,
    STATUSES,
    WHOLE_CELLS,
)
from fastpath.ipc.name_table import NAME_BYTES, NameTable

T = TypeVar("T")


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
    RETRIES = 14
    LOG_DROPPED = 15  # log lines that found the log socket full, or could not be written
    CUT = 16  # requests that were running when their worker had to leave
    ABORTED = 17  # requests whose client left early
    CONNECTS = 18  # upstream connections opened
    CONNECT_ERRORS = 19
    SIGNATURES_REFUSED = 21  # answers of targets that refused the gateway's own signature
    REDIRECTED = 22  # answers of targets that named another region for a bucket
    SPLICED = 23  # bytes of bodies that the kernel moved
    LOST = 24  # requests that ended with their worker: in flight when it was reaped
    LOG_WRITTEN = 25  # access lines in the access log
    NOTICES_LOST = 26  # messages that standard error did not take
    FORGOTTEN = 27  # requests whose headers were dropped, because the target would forget them
    CALLS = 28  # requests of the gateway's own to targets (`upstream.call`) that ended
    CALLS_FAILED = 29  # those of them that got no whole answer
    ROUTER_ASKED = 30  # questions to the custom router's process
    ROUTER_FAILED = 31  # those of them without an answer that could be used
    ROUTER_CACHED = 32  # questions that a kept answer decided
    LISTS_FAILED = 33  # targets that failed to list their buckets for a list of all
    UPLOADS_LEFT = 34  # uploads of failed copies that could not be aborted (docs/repair.md)
    SAMPLED = 35  # access lines that are not written because a share of them is wanted
    BROKEN_OFF = 36  # requests whose answer broke off after it had begun
    CACHE_HITS = 37  # requests whose bucket's plan was in the route cache, as of the last sweep
    CACHE_MISSES = 38
    CACHE_EVICTIONS = 39
    LOOP_LAG = 40  # ns: the latest that a beat of the event loop came in the last half minute
    STATE = 41  # a `WorkerPhase`
    RELOADS = 42  # by control: reloads that an operator asked for, and that all workers took
    RELOADS_REFUSED = 43  # by control: whose configuration cannot be used
    RELOADED_AT = 44  # by control: epoch seconds of the last reload that took effect
    EXITS_CRASHED = 45  # by the supervisor: workers that left by themselves
    EXITS_KILLED = 46  # by the supervisor: that a signal ended
    EXITS_HUNG = 47  # by the supervisor: that it killed
    CONTROL_EXITS = 48  # by the supervisor: of control processes
    ROUTER_EXITS = 49  # by the supervisor: of custom routers


class WorkerPhase(IntEnum):
    """What a worker does (`Slot.STATE`)."""

    STARTING = 0
    SERVING = 1
    DRAINING = 2


class TargetGauge(IntEnum):
    """The gauges of a target's block: states, of which no sum means anything.

    DISABLED, HEALTH and HEALTH_UNTIL are words of control's row (`Page.control_target`), which
    workers read; the others are each worker's own, in its row. Nobody reads or writes them in
    block 0, because targets without a block of their own share it: none of those can be disabled.
    HEALTH_UNTIL is a few intervals of checks ahead, so that a control which has died and does not
    come back shuts off no target for good.
    """

    DISABLED = 0  # 1 while an operator has the target disabled, else 0
    HEALTH = 1  # what active checks say: a `Health`
    BREAKER = 2  # of the worker's connections to the target: a `BreakerState`
    BREAKER_SINCE = 3  # epoch seconds in which it opened; 0 while it is closed
    HEALTH_UNTIL = 4  # control's: epoch seconds until which HEALTH counts; 0: for good
    IDLE = 5  # connections of the worker's pool, as of its last sweep: kept for the next request
    BUSY = 6
    CONNECTING = 7
    WAITING = 8  # requests that wait for one


class Health(IntEnum):
    """What active checks say of a target (`TargetGauge.HEALTH`)."""

    UNKNOWN = 0  # it is not checked, or not yet
    HEALTHY = 1
    UNHEALTHY = 2


class BreakerState(IntEnum):
    """Whether a worker sends requests to a target (`TargetGauge.BREAKER`)."""

    CLOSED = 0  # it does
    HALF_OPEN = 1  # one request at a time tries whether the target is back
    OPEN = 2  # requests are refused at once


CELL_BYTES: Final = 8
SLOTS: Final = 64  # fixed cells of a row; 512 bytes, so that no two workers share a cache line
ERROR_CELLS: Final = 128  # kinds of errors; the last cell is for those that are too many

# Blocks for targets that later reloads add, at least; with many targets, as many as there are.
SPARE_TARGETS: Final = 32
SPARE_IDENTITIES: Final = 32
# Identities with a block of their own: a series each for whoever scrapes (docs/operations.md).
MAX_IDENTITIES: Final = 256

FACTS: Final = frozenset(
    (
        Slot.HEARTBEAT,
        Slot.GENERATION,
        Slot.INCARNATION,
        Slot.PID,
        Slot.WORKER,
        Slot.LOOP_LAG,
        Slot.STATE,
        Slot.RELOADED_AT,
    )
)
GAUGES: Final = frozenset((Slot.CONNECTIONS, Slot.UPSTREAM))
COUNTERS: Final = tuple(slot for slot in Slot if slot not in FACTS and slot not in GAUGES)

_NO_SLOTS: Final = memoryview(bytes(SLOTS * CELL_BYTES)).cast("Q")
_TOTALS: Final = 0
_SEQUENCE: Final = int(Slot.INCARNATION)  # of row 0
_PIECE_CELLS: Final = 64
_READ_ATTEMPTS: Final = 100
SHARED_BLOCK: Final = 0


class PageFull(Exception):
    """Every row is in use."""


def in_flight(row: Sequence[int]) -> int:
    """Requests of one worker that were started and neither finished nor cut."""
    return row[Slot.STARTED] - row[Slot.REQUESTS] - row[Slot.CUT]


@dataclass(frozen=True, slots=True)
class Layout:
    """The size of a page: it does not change while the page exists."""

    rows: int  # workers at a time
    targets: int = 0  # targets with a block of their own in each row
    identities: int = 0  # the same of identities

    @classmethod
    def for_start(cls, workers: int, targets: int, identities: int = 0) -> Layout:
        """The layout for a configuration, with room for what reloads add."""
        named = min(identities + max(identities, SPARE_IDENTITIES), MAX_IDENTITIES)
        return cls(workers, targets + max(targets, SPARE_TARGETS), named)

    @property
    def no_target(self) -> int:
        """The number of the block for requests that were decided for no target."""
        return self.targets + 1

    @property
    def anonymous(self) -> int:
        """The number of the identities' block for requests that nobody signed."""
        return self.identities + 1

    @property
    def unverified(self) -> int:
        """The number of the one for requests whose signature was not verified."""
        return self.identities + 2

    @property
    def identities_at(self) -> int:
        """Where the blocks of identities begin in a row."""
        return SLOTS + ERROR_CELLS + (self.targets + 2) * BLOCK_CELLS

    @property
    def row_cells(self) -> int:
        return self.identities_at + (self.identities + 3) * IDENTITY_CELLS

    @property
    def names_bytes(self) -> int:
        return (self.targets + self.identities) * NAME_BYTES

    @property
    def size(self) -> int:
        """Bytes of the page."""
        return self.names_bytes + (self.rows + 2) * self.row_cells * CELL_BYTES


class TargetBlock:
    """One target's cells in one row."""

    __slots__ = ("connects", "counters", "gauges", "records")

    def __init__(self, cells: memoryview) -> None:
        self.counters = cells[:GAUGES_AT]
        self.gauges = cells[GAUGES_AT:CONNECTS_AT]
        self.connects = cells[CONNECTS_AT:RECORDS_AT]
        self.records = tuple(  # in the order of CLASSES
            cells[start : start + RECORD_CELLS]
            for start in range(RECORDS_AT, BLOCK_CELLS, RECORD_CELLS)
        )

    @property
    def requests(self) -> int:
        """Requests that ended, of any class and status."""
        return sum(sum(record[:WHOLE_CELLS]) for record in self.records)


class TargetCells(NamedTuple):
    """The gauges of a target that a worker reads, in control's row, and writes, in its own."""

    words: memoryview
    own: memoryview


class Page:
    """The shared page. Only the supervisor acquires and retires rows, and assigns blocks."""

    __slots__ = ("_bytes", "_cells", "_identities", "_incarnations", "_targets", "layout")

    def __init__(self, layout: Layout, descriptor: int = -1) -> None:
        """Maps the file `descriptor`, which is `layout.size` long; without it, fresh memory."""
        self.layout = layout
        self._incarnations = 0
        self._bytes = memoryview(mmap.mmap(descriptor, layout.size))
        self._cells = self._bytes[layout.names_bytes :].cast("Q")
        border = layout.targets * NAME_BYTES
        self._targets = NameTable(self._bytes[:border])
        self._identities = NameTable(self._bytes[border : layout.names_bytes])

    # Rows

    def acquire(self, pid: int = 0) -> int:
        """The number of a free row, zeroed and marked as used. Raises PageFull."""
        for number in range(1, self.layout.rows + 1):
            row = self.row(number)
            if not row[Slot.INCARNATION]:
                self._incarnations += 1
                row[Slot.INCARNATION] = self._incarnations
                row[Slot.PID] = pid
                return number
        raise PageFull(f"{self.layout.rows} rows are in use")

    def row(self, number: int) -> memoryview:
        """The fixed cells of a row, format 'Q', indexed by `Slot`."""
        start = number * self.layout.row_cells
        return self._cells[start : start + SLOTS]

    @property
    def supervisor_row(self) -> memoryview:
        """What the supervisor counts by itself goes straight to the totals."""
        return self.row(_TOTALS)

    @property
    def control_row(self) -> memoryview:
        """Control's cells, which outlive it: there is one control process at a time."""
        return self.row(self.layout.rows + 1)

    def retire(self, number: int) -> None:
        """Adds the counters of a worker that was reaped to the totals and frees its row.

        What it had in flight is lost with it.
        """
        row, totals = self.row(number), self.row(_TOTALS)
        self._settle(number)
        row[Slot.LOST] = in_flight(row)
        totals[_SEQUENCE] += 1  # odd: readers wait
        for slot in COUNTERS:
            totals[slot] += row[slot]
        for start, end in self._spans():
            self._move(number, start, end)
        self.row(number)[:] = _NO_SLOTS
        totals[_SEQUENCE] += 1

    def _settle(self, number: int) -> None:
        """Makes the row of a worker that ended in the middle of counting a request agree.

        It counts in the block of the target first (`ipc.meter`): that says what has ended.
        """
        row = self.row(number)
        ended = sum(self.target(number, block).requests for block in self._used_blocks())
        row[Slot.REQUESTS] += max(ended - row[Slot.REQUESTS] - row[Slot.CUT], 0)
        known = sum(
            sum(self.identity_cells(number, block)[:STATUSES])
            for block in range(self.layout.identities + 3)
        )
        if ended > known:
            self.identity_cells(number, SHARED_BLOCK)[0] += ended - known

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Where the cells in use behind the fixed ones of a row are."""
        yield SLOTS, SLOTS + ERROR_CELLS
        for block in self._used_blocks():
            start = SLOTS + ERROR_CELLS + block * BLOCK_CELLS
            yield start, start + BLOCK_CELLS
        yield self.layout.identities_at, self.layout.row_cells

    def _move(self, number: int, start: int, end: int) -> None:
        """Adds cells of a row to the totals, but for gauges, and zeroes them; most are 0."""
        base = number * self.layout.row_cells
        values = self._cells[base + start : base + end].tolist()
        if not any(values):
            return
        for cell, value in enumerate(values, start):
            if value:
                self._cells[base + cell] = 0
                if not self._is_gauge(cell):
                    self._cells[cell] += value

    def _is_gauge(self, cell: int) -> bool:
        in_blocks = cell - SLOTS - ERROR_CELLS
        if in_blocks < 0 or cell >= self.layout.identities_at:
            return False
        return GAUGES_AT <= in_blocks % BLOCK_CELLS < CONNECTS_AT

    def live(self) -> list[int]:
        """The numbers of the rows in use."""
        rows = range(1, self.layout.rows + 1)
        return [number for number in rows if self.row(number)[Slot.INCARNATION]]

    # Blocks of targets and identities

    def assign(self, names: Iterable[str]) -> list[str]:
        """Gives each of these targets a block; returns those for which none is left.

        Call it before workers get the snapshot that has these targets.
        """
        return self._targets.assign(names)

    def assign_identities(self, names: Iterable[str]) -> list[str]:
        """The same of identities."""
        return self._identities.assign(names)

    def block(self, name: str) -> int:
        """The number of a target's block; 0, the shared one, if it has none of its own."""
        return self._targets.number(name)

    def identity_block(self, name: str) -> int:
        """The number of an identity's block; 0, the shared one, if it has none of its own."""
        return self._identities.number(name)

    def names(self) -> list[str]:
        """Returns the targets that have a block, those of earlier configurations included."""
        return self._targets.names()

    def identities(self) -> list[str]:
        """Returns the identities that have a block, those of earlier configurations included."""
        return self._identities.names()

    def target(self, number: int, block: int) -> TargetBlock:
        """The cells of a target's block in a row."""
        return TargetBlock(self.block_cells(number, block))

    def control_target(self, block: int) -> TargetBlock:
        """The cells of a target's block in control's row, which outlive control."""
        return self.target(self.layout.rows + 1, block)

    def cells(self, number: int, name: str) -> TargetCells | None:
        """A target's gauges for the worker of this row; None: it has no block of its own."""
        block = self.block(name)
        if block == SHARED_BLOCK:
            return None
        return TargetCells(self.control_target(block).gauges, self.target(number, block).gauges)

    def errors(self, number: int) -> memoryview:
        """The cells of errors in a row, by the number of their kind."""
        start = number * self.layout.row_cells + SLOTS
        return self._cells[start : start + ERROR_CELLS]

    def _used_blocks(self) -> list[int]:
        return [*range(len(self.names()) + 1), self.layout.no_target]

    def block_cells(self, number: int, block: int) -> memoryview:
        """The cells of a target's block in a row, in one piece."""
        start = number * self.layout.row_cells + SLOTS + ERROR_CELLS + block * BLOCK_CELLS
        return self._cells[start : start + BLOCK_CELLS]

    def identity_cells(self, number: int, block: int) -> memoryview:
        """The cells of an identity's block in a row."""
        start = number * self.layout.row_cells + self.layout.identities_at + block * IDENTITY_CELLS
        return self._cells[start : start + IDENTITY_CELLS]

    # Sums

    def totals(self) -> dict[Slot, int]:
        """Sums over all workers, ended and live, and control; gauges over the live ones."""

        def read() -> dict[Slot, int]:
            rows = [self.row(number) for number in self._all_rows()]
            return {slot: sum(row[slot] for row in rows) for slot in Slot if slot not in FACTS}

        return self._consistent(read)

    def target_totals(self, block: int) -> TargetBlock:
        """The same of a target's block; a copy."""
        return TargetBlock(self._sum(lambda number: self.block_cells(number, block)))

    def identity_totals(self, block: int) -> memoryview:
        """The same of an identity's block."""
        return self._sum(lambda number: self.identity_cells(number, block))

    def error_totals(self) -> memoryview:
        """The same of the cells of errors."""
        return self._sum(self.errors)

    def _sum(self, cells: Callable[[int], memoryview]) -> memoryview:
        """The sums of these cells over all rows; a copy."""

        def read() -> list[int]:
            return _sum_of([cells(number) for number in self._all_rows()])

        return memoryview(array("Q", self._consistent(read)))

    def _all_rows(self) -> tuple[int, ...]:
        return (_TOTALS, *self.live(), self.layout.rows + 1)

    def _consistent(self, read: Callable[[], T]) -> T:
        """What `read` returns, taken again if a row was retired meanwhile (a sequence lock).

        Safe in any process: no worker counts twice or not at all. A supervisor that was killed
        while it retired a row would leave the lock odd for ever, hence the bound.
        """
        for _ in range(_READ_ATTEMPTS):
            before = self._cells[_SEQUENCE]
            found = read()
            if before % 2 == 0 and self._cells[_SEQUENCE] == before:
                break
        return found


def _sum_of(rows: list[memoryview]) -> list[int]:
    """Sums equal rows cell by cell: in pieces, most of which are zero in most rows."""
    total: list[int] = []
    for start in range(0, len(rows[0]), _PIECE_CELLS):
        pieces = [row[start : start + _PIECE_CELLS] for row in rows]
        zeros = bytes(pieces[0].nbytes)
        used = [piece.tolist() for piece in pieces if piece.tobytes() != zeros]
        if used:
            total += map(sum, zip(*used, strict=True))
        else:
            total += [0] * len(pieces[0])
    return total


class WorkerCells:
    """The cells of one worker, and those of control that it reads."""

    __slots__ = ("_number", "_page", "errors", "row")

    def __init__(self, page: Page, number: int) -> None:
        self._page = page
        self._number = number
        self.row = page.row(number)
        self.errors = page.errors(number)

    @classmethod
    def apart(cls) -> WorkerCells:
        """Returns cells that nobody else reads."""
        page = Page(Layout(rows=1))
        return cls(page, page.acquire())

    def words(self, name: str) -> TargetCells | None:
        """A target's gauges; None: it has no block of its own."""
        return self._page.cells(self._number, name)

    def target(self, name: str) -> memoryview:
        """The cells of a target's block; with an empty name, those of requests without a target."""
        block = self._page.block(name) if name else self._page.layout.no_target
        return self._page.block_cells(self._number, block)

    def identity(self, name: str) -> memoryview:
        """The cells of an identity's block."""
        return self._page.identity_cells(self._number, self._page.identity_block(name))

    @property
    def anonymous(self) -> memoryview:
        """The cells of requests that nobody signed."""
        return self._page.identity_cells(self._number, self._page.layout.anonymous)

    @property
    def unverified(self) -> memoryview:
        """The cells of requests whose signature was not verified."""
        return self._page.identity_cells(self._number, self._page.layout.unverified)
