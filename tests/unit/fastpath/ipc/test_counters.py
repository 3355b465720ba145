"""The shared page: rows are acquired, folded into the totals and used again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastpath.ipc.counters import COUNTERS, FACTS, GAUGES, SLOTS, Page, PageFull, Slot


def test_every_slot_fits_and_has_one_meaning() -> None:
    assert max(Slot) < SLOTS
    assert not FACTS & GAUGES
    assert set(COUNTERS) | FACTS | GAUGES == set(Slot)


def test_acquired_rows_are_distinct_and_numbered() -> None:
    page = Page(rows=3)
    first, second = page.acquire(41), page.acquire(42)
    assert first != second
    assert page.row(first)[Slot.PID] == 41
    assert page.row(second)[Slot.INCARNATION] == page.row(first)[Slot.INCARNATION] + 1
    assert page.live() == [first, second]


def test_retiring_keeps_counters_and_drops_gauges() -> None:
    page = Page(rows=2)
    gone, live = page.acquire(), page.acquire()
    page.row(gone)[Slot.STARTED] = page.row(gone)[Slot.REQUESTS] = 5
    page.row(gone)[Slot.UPSTREAM] = 3
    page.row(live)[Slot.REQUESTS] = 2
    page.row(live)[Slot.UPSTREAM] = 1
    page.retire(gone)
    assert page.totals()[Slot.REQUESTS] == 7
    assert page.totals()[Slot.UPSTREAM] == 1
    assert not any(page.row(gone))


def test_what_a_worker_had_in_flight_is_lost_with_it() -> None:
    """A7: what is not counted when the worker is reaped never will be."""
    page = Page(rows=2)
    number = page.acquire()
    row = page.row(number)
    row[Slot.STARTED], row[Slot.REQUESTS], row[Slot.CUT] = 9, 5, 1
    page.retire(number)
    totals = page.totals()
    assert totals[Slot.LOST] == 3
    assert totals[Slot.STARTED] == totals[Slot.REQUESTS] + totals[Slot.CUT] + totals[Slot.LOST]


def test_supervisor_and_control_count_in_rows_of_their_own() -> None:
    """A7: what they lose is in the totals, whatever workers come and go."""
    page = Page(rows=1)
    page.supervisor_row[Slot.NOTICES_LOST] = 2
    page.control_row[Slot.NOTICES_LOST] = 3
    page.control_row[Slot.LOG_WRITTEN] = 4
    page.retire(page.acquire())
    assert page.totals()[Slot.NOTICES_LOST] == 5
    assert page.totals()[Slot.LOG_WRITTEN] == 4
    assert page.live() == []


def test_rows_are_used_again_with_a_new_incarnation() -> None:
    page = Page(rows=1)
    number = page.acquire()
    with pytest.raises(PageFull):
        page.acquire()
    page.retire(number)
    assert page.acquire() == number
    assert page.row(number)[Slot.INCARNATION] == 2


def test_facts_are_not_totals() -> None:
    page = Page(rows=1)
    page.row(page.acquire(7))[Slot.HEARTBEAT] = 99
    assert not FACTS & page.totals().keys()


_CHILD_WRITES = """
import os
from fastpath.ipc.counters import Page, Slot
page = Page(rows=1)
row = page.row(page.acquire())
if not (pid := os.fork()):
    row[Slot.BYTES_OUT] = 2**40
    os._exit(0)
os.waitpid(pid, 0)
assert page.totals()[Slot.BYTES_OUT] == 2**40
"""


def test_a_child_writes_what_the_parent_reads() -> None:
    # In a process of its own: this one may have threads, and then should not fork.
    subprocess.run([sys.executable, "-c", _CHILD_WRITES], check=True)
