"""The shared page: rows are acquired, folded into the totals and used again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastpath import errors
from fastpath.ipc.cells import (
    BLOCK_CELLS,
    BUCKETS,
    CLASSES,
    CONNECT_CELLS,
    CONNECTS_AT,
    GAUGES_AT,
    IDENTITY_CELLS,
    RECORD_CELLS,
    RECORDS_AT,
    TARGET_COUNTERS,
    TARGET_GAUGES,
    WHOLE_CELLS,
    IdentityCell,
    RecordCell,
    TargetCounter,
)
from fastpath.ipc.counters import (
    COUNTERS,
    ERROR_CELLS,
    FACTS,
    GAUGES,
    SLOTS,
    SPARE_TARGETS,
    Layout,
    Page,
    PageFull,
    Slot,
    TargetGauge,
)
from fastpath.ipc.name_table import NAME_BYTES
from fastpath.s3.operations import ACTIONS


def test_every_slot_fits_and_has_one_meaning() -> None:
    assert max(Slot) < SLOTS
    assert not FACTS & GAUGES
    assert set(COUNTERS) | FACTS | GAUGES == set(Slot)


def test_acquired_rows_are_distinct_and_numbered() -> None:
    page = Page(Layout(rows=3))
    first, second = page.acquire(41), page.acquire(42)
    assert first != second
    assert page.row(first)[Slot.PID] == 41
    assert page.row(second)[Slot.INCARNATION] == page.row(first)[Slot.INCARNATION] + 1
    assert page.live() == [first, second]


def test_retiring_keeps_counters_and_drops_gauges() -> None:
    page = Page(Layout(rows=2))
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
    page = Page(Layout(rows=2))
    number = page.acquire()
    row = page.row(number)
    row[Slot.STARTED], row[Slot.REQUESTS], row[Slot.CUT] = 9, 5, 1
    page.retire(number)
    totals = page.totals()
    assert totals[Slot.LOST] == 3
    assert totals[Slot.STARTED] == totals[Slot.REQUESTS] + totals[Slot.CUT] + totals[Slot.LOST]


def test_supervisor_and_control_count_in_rows_of_their_own() -> None:
    """A7: what they lose is in the totals, whatever workers come and go."""
    page = Page(Layout(rows=1))
    page.supervisor_row[Slot.NOTICES_LOST] = 2
    page.control_row[Slot.NOTICES_LOST] = 3
    page.control_row[Slot.LOG_WRITTEN] = 4
    page.retire(page.acquire())
    assert page.totals()[Slot.NOTICES_LOST] == 5
    assert page.totals()[Slot.LOG_WRITTEN] == 4
    assert page.live() == []


def test_rows_are_used_again_with_a_new_incarnation() -> None:
    page = Page(Layout(rows=1))
    number = page.acquire()
    with pytest.raises(PageFull):
        page.acquire()
    page.retire(number)
    assert page.acquire() == number
    assert page.row(number)[Slot.INCARNATION] == 2


def test_facts_are_not_totals() -> None:
    page = Page(Layout(rows=1))
    page.row(page.acquire(7))[Slot.HEARTBEAT] = 99
    assert not FACTS & page.totals().keys()


def test_no_cell_belongs_to_two_things() -> None:
    """Every cell of every row, written once with its own number, keeps it."""
    page = Page(Layout(rows=2, targets=3, identities=2))
    page.assign(["a", "b", "c"])
    cells = []
    for number in range(4):
        parts = [page.row(number), page.errors(number)]
        for block in range(5):
            target = page.target(number, block)
            assert len(target.counters) == TARGET_COUNTERS
            assert len(target.gauges) == TARGET_GAUGES
            parts += [target.counters, target.gauges, target.connects, *target.records]
        parts += [page.identity_cells(number, block) for block in range(5)]
        cells += [(part, cell) for part in parts for cell in range(len(part))]
    for value, (part, cell) in enumerate(cells):
        part[cell] = value
    assert [part[cell] for part, cell in cells] == list(range(len(cells)))
    assert [page.block(name) for name in "abc"] == [1, 2, 3]
    assert page.layout.size == 5 * NAME_BYTES + len(cells) * 8


def test_rows_and_blocks_begin_on_lines_of_the_cache() -> None:
    for layout in (Layout(1), Layout(4, 3)):
        assert (layout.names_bytes, layout.row_cells * 8 % 64) == (layout.targets * 64, 0)
    sizes = (TARGET_COUNTERS, GAUGES_AT, CONNECTS_AT, RECORDS_AT, RECORD_CELLS, IDENTITY_CELLS)
    assert [size % 8 for size in (BLOCK_CELLS, SLOTS, ERROR_CELLS, *sizes)] == [0] * 9


def test_what_is_counted_has_a_cell() -> None:
    assert max(TargetCounter) < TARGET_COUNTERS
    assert max(TargetGauge) < TARGET_GAUGES
    assert max(RecordCell) < RECORD_CELLS
    assert max(IdentityCell) < IDENTITY_CELLS
    assert BUCKETS < CONNECT_CELLS
    assert RecordCell.FIRST + BUCKETS == RecordCell.COMPOSED
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, errors.Kind)]
    assert sorted(kind.number for kind in kinds) == list(range(len(kinds)))
    assert len(kinds) < ERROR_CELLS


def test_there_is_a_record_for_each_class_of_operation() -> None:
    assert {*CLASSES} == ACTIONS | {"unknown"}
    assert len(Page(Layout(1)).target(1, 0).records) == len(CLASSES)


def test_a_target_keeps_its_block() -> None:
    page = Page(Layout(rows=1, targets=2))
    assert page.assign(["a"]) == []
    assert page.assign(["b", "a"]) == []
    assert page.assign(["b"]) == []  # a is gone from the configuration, its counts are not
    assert (page.block("a"), page.block("b")) == (1, 2)


def test_targets_without_room_share_a_block() -> None:
    page = Page(Layout(rows=1, targets=1))
    assert page.assign(["a", "b", "c"]) == ["b", "c"]
    assert (page.block("b"), page.block("c"), page.block("never heard of")) == (0, 0, 0)
    assert Page(Layout(rows=1, targets=1)).assign(["x" * (NAME_BYTES + 1)]) != []


def test_the_longest_name_has_a_block() -> None:
    page = Page(Layout(rows=1, targets=2))
    long = "x" * NAME_BYTES
    page.assign([long, "y"])
    assert (page.block(long), page.block("y")) == (1, 2)


@pytest.mark.parametrize("targets", [0, 1, 100])
def test_a_reload_has_room_for_more_targets(targets: int) -> None:
    layout = Layout.for_start(4, targets)
    assert layout.rows == 4
    assert layout.targets >= targets + SPARE_TARGETS
    assert layout.targets >= 2 * targets


def test_retiring_keeps_what_targets_counted() -> None:
    page = Page(Layout(rows=2, targets=2))
    page.assign(["a", "b"])
    gone, live = page.acquire(), page.acquire()
    for number in (gone, live):
        block = page.target(number, page.block("b"))
        block.counters[0] += 2
        block.gauges[0] += 3
        block.records[4][RecordCell.COMPOSED] += 4
    page.target(gone, 0).counters[5] += 7
    page.target(gone, page.layout.no_target).connects[0] += 8
    page.identity_cells(gone, page.layout.unverified)[1] += 9
    page.errors(gone)[3] += 10
    page.retire(gone)
    for _ in range(2):  # a worker that counted nothing adds nothing
        sums = page.target_totals(page.block("b"))
        composed = sums.records[4][RecordCell.COMPOSED]
        assert (sums.counters[0], sums.gauges[0], composed) == (4, 3, 8)
        assert page.target_totals(0).counters[5] == 7
        assert page.target_totals(page.layout.no_target).connects[0] == 8
        assert page.identity_totals(page.layout.unverified)[1] == 9
        assert page.error_totals()[3] == 10
        assert not any(page.target_totals(page.block("a")).counters)
        page.retire(page.acquire())
    empty = page.target(gone, page.block("b"))
    assert not any([*empty.counters, *empty.gauges, *empty.records[4]])


def test_a_worker_that_was_killed_while_it_counted_is_settled() -> None:
    """A7: the block of the target says what had ended, whatever was not counted any more."""
    page = Page(Layout(rows=1, targets=1, identities=1))
    page.assign(["a"])
    number = page.acquire()
    row = page.row(number)
    row[Slot.STARTED], row[Slot.REQUESTS], row[Slot.CUT] = 9, 3, 1
    page.target(number, 1).records[0][2 * BUCKETS] = 4
    page.target(number, page.layout.no_target).records[5][WHOLE_CELLS - 1] = 2
    page.identity_cells(number, page.layout.anonymous)[2] = 4
    page.retire(number)
    totals = page.totals()
    assert (totals[Slot.REQUESTS], totals[Slot.CUT], totals[Slot.LOST]) == (5, 1, 3)
    assert sum(page.identity_totals(0)) == 2


_ANOTHER_MAPS = """
import os
from fastpath.ipc.counters import Layout, Page
layout = Layout.for_start(1, 1)
descriptor = os.memfd_create("counters")
child_may, parent_did = os.pipe()
parent_may, child_did = os.pipe()
if not (pid := os.fork()):
    os.read(child_may, 1)
    page = Page(layout, descriptor)
    assert page.block("late") == 0
    os.write(child_did, b"1")
    os.read(child_may, 1)
    page.target(1, page.block("late")).records[0][0] = 2**40
    os._exit(page.block("late") - 2)
os.ftruncate(descriptor, layout.size)
page = Page(layout, descriptor)
page.acquire()
page.assign(["first"])
os.write(parent_did, b"1")
os.read(parent_may, 1)
page.assign(["first", "late"])
os.write(parent_did, b"2")
assert os.waitpid(pid, 0)[1] == 0
assert page.target_totals(2).records[0][0] == 2**40
"""


def test_a_process_that_was_there_before_maps_the_page_and_finds_later_names() -> None:
    subprocess.run([sys.executable, "-c", _ANOTHER_MAPS], check=True)


_CHILD_WRITES = """
import os
from fastpath.ipc.counters import Layout, Page, Slot
page = Page(Layout(rows=1))
row = page.row(page.acquire())
if not (pid := os.fork()):
    row[Slot.SPLICED] = 2**40
    os._exit(0)
os.waitpid(pid, 0)
assert page.totals()[Slot.SPLICED] == 2**40
"""


def test_a_child_writes_what_the_parent_reads() -> None:
    # In a process of its own: this one may have threads, and then should not fork.
    subprocess.run([sys.executable, "-c", _CHILD_WRITES], check=True)
