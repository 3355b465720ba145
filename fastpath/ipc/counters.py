"""Counters of every worker in one page of shared memory: its layout, and who writes which cell.

    names           the targets that have a block of their own, 64 bytes each
    row 0           totals of the workers that have ended (its INCARNATION cell: see `totals`)
    row 1..n        one worker each, from fork to reap
    row n+1         control's, whichever control process runs

    A row           64 fixed cells (`Slot`), then a block of cells for each target
    A target block  counters, gauges, one histogram for each class of operation;
                    block 0 is shared by all targets that have none of their own

    STARTED = REQUESTS + CUT + LOST + those in flight, and with an access log, once all is written,
    LOG_WRITTEN + SAMPLED = REQUESTS + CUT + CALLS less the lines that were lost (docs/logs.md)

Rules: a cell has one writer, the worker whose row it is in, except before its fork and after its
reap, when it belongs to the supervisor; the supervisor alone writes names, and a target keeps its
block for the life of the page, because its totals are in there; the page is made before the first
worker is forked; a cell is one aligned 64-bit store, never torn. docs/processes.md says how the
page is sized.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, TypeVar

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
    CALLS = 28  # requests of the gateway's own to targets (`upstream.call`) that ended
    CALLS_FAILED = 29  # those of them that got no whole answer
    ROUTER_ASKED = 30  # questions to the custom router's process
    ROUTER_FAILED = 31  # those of them without an answer that could be used
    ROUTER_CACHED = 32  # questions that a kept answer decided
    LISTS_FAILED = 33  # targets that failed to list their buckets for a list of all
    UPLOADS_LEFT = 34  # uploads of failed copies that could not be aborted (docs/repair.md)
    SAMPLED = 35  # access lines that are not written because a share of them is wanted


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

# Of a target's block. All three are multiples of 8 cells, a cache line.
TARGET_COUNTERS: Final = 24
TARGET_GAUGES: Final = 8  # a gauge ends with its worker: it is no part of the totals
HISTOGRAM_CELLS: Final = 24  # buckets, a sum and a count
OPERATION_CLASSES: Final = 5  # read, write, list, delete, admin
BLOCK_CELLS: Final = TARGET_COUNTERS + TARGET_GAUGES + OPERATION_CLASSES * HISTOGRAM_CELLS

NAME_BYTES: Final = 64  # the configuration allows no longer name of a target
# Blocks for targets that later reloads add, at least; with many targets, as many as there are.
SPARE_TARGETS: Final = 32

FACTS: Final = frozenset((Slot.HEARTBEAT, Slot.GENERATION, Slot.INCARNATION, Slot.PID, Slot.WORKER))
GAUGES: Final = frozenset((Slot.CONNECTIONS, Slot.UPSTREAM))
COUNTERS: Final = tuple(slot for slot in Slot if slot not in FACTS and slot not in GAUGES)

_TOTALS: Final = 0
_SEQUENCE: Final = int(Slot.INCARNATION)  # of row 0
_READ_ATTEMPTS: Final = 100
_SHARED_BLOCK: Final = 0


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

    @classmethod
    def for_start(cls, workers: int, targets: int) -> Layout:
        """The layout for a configuration, with room for targets that reloads add."""
        return cls(workers, targets + max(targets, SPARE_TARGETS))

    @property
    def row_cells(self) -> int:
        return SLOTS + (self.targets + 1) * BLOCK_CELLS

    @property
    def names_bytes(self) -> int:
        return self.targets * NAME_BYTES

    @property
    def size(self) -> int:
        """Bytes of the page."""
        return self.names_bytes + (self.rows + 2) * self.row_cells * CELL_BYTES


class TargetBlock:
    """One target's cells in one row."""

    __slots__ = ("counters", "gauges", "histograms")

    def __init__(self, cells: memoryview) -> None:
        gauges = TARGET_COUNTERS + TARGET_GAUGES
        self.counters = cells[:TARGET_COUNTERS]
        self.gauges = cells[TARGET_COUNTERS:gauges]
        self.histograms = tuple(
            cells[start : start + HISTOGRAM_CELLS]
            for start in range(gauges, BLOCK_CELLS, HISTOGRAM_CELLS)
        )


class TargetCells(NamedTuple):
    """The gauges of a target that a worker reads, in control's row, and writes, in its own."""

    words: memoryview
    own: memoryview


class Page:
    """The shared page. Only the supervisor acquires and retires rows, and assigns blocks."""

    __slots__ = ("_blocks", "_bytes", "_cells", "_incarnations", "layout")

    def __init__(self, layout: Layout, descriptor: int = -1) -> None:
        """Maps the file `descriptor`, which is `layout.size` long; without it, fresh memory."""
        self.layout = layout
        self._incarnations = 0
        self._blocks: dict[str, int] = {}  # as far as the names have been read
        self._bytes = memoryview(mmap.mmap(descriptor, layout.size))
        self._cells = self._bytes[layout.names_bytes :].cast("Q")

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
        row[Slot.LOST] = in_flight(row)
        totals[_SEQUENCE] += 1  # odd: readers wait
        for slot in COUNTERS:
            totals[slot] += row[slot]
        for block in self._used_blocks():
            _add_block(self._block_cells(number, block), self._block_cells(_TOTALS, block))
        start = self.layout.names_bytes + number * self.layout.row_cells * CELL_BYTES
        end = start + self.layout.row_cells * CELL_BYTES
        self._bytes[start:end] = bytes(end - start)
        totals[_SEQUENCE] += 1

    def live(self) -> list[int]:
        """The numbers of the rows in use."""
        rows = range(1, self.layout.rows + 1)
        return [number for number in rows if self.row(number)[Slot.INCARNATION]]

    # Target blocks

    def assign(self, names: Iterable[str]) -> list[str]:
        """Gives each of these targets a block; returns those for which none is left.

        Call it before workers get the snapshot that has these targets.
        """
        without = []
        for name in names:
            if self.block(name) != _SHARED_BLOCK:
                continue
            number, text = len(self._blocks) + 1, name.encode()
            if number > self.layout.targets or len(text) > NAME_BYTES:
                without.append(name)
                continue
            start = (number - 1) * NAME_BYTES
            self._bytes[start : start + len(text)] = text
            self._blocks[name] = number
        return without

    def block(self, name: str) -> int:
        """The number of a target's block; 0, the shared one, if it has none of its own."""
        found = self._blocks.get(name)
        if found is None:
            self._read_names()
            found = self._blocks.get(name, _SHARED_BLOCK)
        return found

    def names(self) -> list[str]:
        """Returns the targets that have a block, those of earlier configurations included."""
        self._read_names()
        return list(self._blocks)

    def target(self, number: int, block: int) -> TargetBlock:
        """The cells of a target's block in a row."""
        return TargetBlock(self._block_cells(number, block))

    def control_target(self, block: int) -> TargetBlock:
        """The cells of a target's block in control's row, which outlive control."""
        return self.target(self.layout.rows + 1, block)

    def cells(self, number: int, name: str) -> TargetCells | None:
        """A target's gauges for the worker of this row; None: it has no block of its own."""
        block = self.block(name)
        if block == _SHARED_BLOCK:
            return None
        return TargetCells(self.control_target(block).gauges, self.target(number, block).gauges)

    def _read_names(self) -> None:
        """Reads the names that were assigned since the last time, maybe by another process."""
        for number in range(len(self._blocks) + 1, self.layout.targets + 1):
            start = (number - 1) * NAME_BYTES
            text = bytes(self._bytes[start : start + NAME_BYTES]).rstrip(b"\0")
            if not text:
                return
            self._blocks[text.decode()] = number

    def _used_blocks(self) -> Iterator[int]:
        self._read_names()
        return iter(range(len(self._blocks) + 1))

    def _block_cells(self, number: int, block: int) -> memoryview:
        start = number * self.layout.row_cells + SLOTS + block * BLOCK_CELLS
        return self._cells[start : start + BLOCK_CELLS]

    # Sums

    def totals(self) -> dict[Slot, int]:
        """Sums over all workers, ended and live, and control; gauges over the live ones."""

        def read() -> dict[Slot, int]:
            rows = [self.row(number) for number in self._all_rows()]
            return {slot: sum(row[slot] for row in rows) for slot in Slot if slot not in FACTS}

        return self._consistent(read)

    def target_totals(self, block: int) -> TargetBlock:
        """The same of a target's block; a copy."""

        def read() -> list[int]:
            blocks = [self._block_cells(number, block) for number in self._all_rows()]
            return [sum(cells) for cells in zip(*blocks, strict=True)]

        copy = memoryview(bytearray(BLOCK_CELLS * CELL_BYTES)).cast("Q")
        for cell, value in enumerate(self._consistent(read)):
            copy[cell] = value
        return TargetBlock(copy)

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


def _add_block(source: memoryview, totals: memoryview) -> None:
    """Adds the counters and histograms of a block to the totals; most cells are 0."""
    for cell, value in enumerate(source):
        if value and not TARGET_COUNTERS <= cell < TARGET_COUNTERS + TARGET_GAUGES:
            totals[cell] += value
