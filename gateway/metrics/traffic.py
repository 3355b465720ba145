"""Adds up what the page of counters says of each target, for the history of traffic.

Rules: operations of all classes are one here; targets without a block of their own are OTHERS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fastpath.ipc.cells import BUCKETS, RecordCell
from fastpath.ipc.counters import SHARED_BLOCK, Page
from gateway.metrics.history import NO_TARGET, OTHERS, Counts

_REFUSED: Final = 4  # hundreds of a status
_FAILED: Final = 5


def traffic(page: Page) -> dict[str, Counts]:
    """Returns the totals of every target that has been there since the start."""
    return {name: _counts(page, block) for name, block in _blocks(page)}


def _blocks(page: Page) -> Iterator[tuple[str, int]]:
    yield OTHERS, SHARED_BLOCK
    yield NO_TARGET, page.layout.no_target
    for name in page.names():
        yield name, page.block(name)


def _counts(page: Page, block: int) -> Counts:
    # Cell by cell over the classes.
    cells = [sum(column) for column in zip(*page.target_totals(block).records, strict=True)]
    statuses = cells[RecordCell.STATUSES : RecordCell.BYTES_IN]
    rates = (
        sum(statuses),
        statuses[_REFUSED],
        statuses[_FAILED],
        cells[RecordCell.BYTES_IN],
        cells[RecordCell.BYTES_OUT],
    )
    return Counts(rates, tuple(cells[RecordCell.WHOLE : RecordCell.WHOLE + BUCKETS]))
