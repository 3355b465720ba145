"""What a worker counts by target, class of operation and identity, and when it is in the page."""

from __future__ import annotations

import pytest

from fastpath.errors import SIGNATURE_DOES_NOT_MATCH
from fastpath.ipc.cells import (
    BOUNDS,
    BUCKETS,
    CLASSES,
    CONNECTS_AT,
    MICROSECONDS,
    IdentityCell,
    RecordCell,
    TargetCounter,
)
from fastpath.ipc.counters import Layout, Page, Slot, TargetGauge, WorkerCells
from fastpath.ipc.meter import Meter, observe_connect
from tests.doubles.http1 import get, ok, put
from tests.doubles.signing import RawClient
from tests.doubles.wire import KEY, Rig


class Bench:
    """A meter and the page that it counts in."""

    def __init__(self) -> None:
        self.page = Page(Layout(rows=1, targets=2, identities=2))
        self.page.assign(["a", "b"])
        self.page.assign_identities(["ann", "bob"])
        self.meter = Meter(WorkerCells(self.page, self.page.acquire()))
        self.meter.install(["a", "b"], ["ann", "bob"])

    def ends(
        self,
        target: str = "a",
        action: str = "read",
        identity: str = "ann",
        status: int = 200,
        *,
        first: float = 0.0,
        whole: float = 0.0,
    ) -> None:
        answered = 5.0 + first if first else 0.0
        self.meter.request_ended(target, action, identity, status, 3, 4, 5.0, answered, 5.0 + whole)

    def record(self, target: str = "a", action: str = "read") -> list[int]:
        block = self.page.block(target) if target else self.page.layout.no_target
        record = self.page.target_totals(block).records[CLASSES.index(action)]
        return record.tolist()

    def identity(self, block: int) -> list[int]:
        return self.page.identity_totals(block).tolist()


@pytest.mark.parametrize(
    ("status", "hundreds"), [(0, 0), (200, 2), (304, 3), (499, 4), (503, 5), (599, 5), (999, 5)]
)
def test_a_request_is_in_the_page_at_once_by_the_hundreds_of_its_status(
    status: int, hundreds: int
) -> None:
    bench = Bench()
    bench.ends(status=status)
    record = bench.record()
    assert [cell for cell, value in enumerate(record) if value] == [hundreds * BUCKETS]


@pytest.mark.parametrize("bucket", range(BUCKETS))
def test_a_time_is_in_the_bucket_whose_bound_it_does_not_exceed(bucket: int) -> None:
    bench = Bench()
    bound = BOUNDS[bucket] if bucket < len(BOUNDS) else 2 * BOUNDS[-1]
    bench.meter.request_ended("a", "read", "ann", 200, 0, 0, 0.0, bound, bound)
    bench.meter.flush()
    record = bench.record()
    assert record[2 * BUCKETS + bucket] == 1
    assert record[RecordCell.FIRST + bucket] == 1
    assert record[RecordCell.WHOLE_SUM] == record[RecordCell.FIRST_SUM] == int(bound * MICROSECONDS)


def test_the_first_byte_has_a_bucket_of_its_own() -> None:
    bench = Bench()
    bench.ends(first=0.0015, whole=3.0)
    bench.ends(whole=3.0)  # an answer of the gateway's own, which is there at once
    bench.ends(status=0, whole=3.0)  # nobody was answered
    bench.meter.flush()
    record = bench.record()
    first = record[RecordCell.FIRST : RecordCell.FIRST + BUCKETS]
    assert {bucket: count for bucket, count in enumerate(first) if count} == {1: 1, 11: 1}
    assert record[RecordCell.FIRST_SUM] == pytest.approx(3_001_500, abs=2)
    assert record[RecordCell.WHOLE_SUM] == pytest.approx(9_000_000, abs=3)


def test_a_first_byte_on_a_bound_is_within_it() -> None:
    bench = Bench()
    bench.meter.request_ended("a", "read", "ann", 200, 0, 0, 0.0, BOUNDS[1], BOUNDS[2])
    bench.meter.flush()
    assert bench.record()[RecordCell.FIRST + 1] == 1


def test_what_is_gathered_comes_with_the_sweep_and_once() -> None:
    bench = Bench()
    for _ in range(3):
        bench.ends()
        bench.meter.flush()
        bench.meter.flush()
    bench.ends(identity="bob")
    record = bench.record()
    assert (record[RecordCell.BYTES_IN], record[RecordCell.BYTES_OUT]) == (9, 12)
    ann, bob = (bench.identity(bench.page.identity_block(name)) for name in ("ann", "bob"))
    assert (ann[2], ann[IdentityCell.BYTES_IN], ann[IdentityCell.BYTES_OUT]) == (3, 9, 12)
    assert not any(bob)
    bench.meter.install(["b"], ["bob"])  # another snapshot loses nothing
    assert bench.identity(bench.page.identity_block("bob"))[2] == 1
    assert bench.record()[RecordCell.BYTES_IN] == 12


def test_small_times_add_up() -> None:
    """Parts of a microsecond are kept for the next sweep."""
    bench = Bench()
    for _ in range(1000):
        bench.ends(whole=0.0000004)
        bench.meter.flush()
    assert bench.record()[RecordCell.WHOLE_SUM] == pytest.approx(400, abs=2)


def test_who_is_nobody_in_particular() -> None:
    bench = Bench()
    layout = bench.page.layout
    for name in ("", "?AKIDGUESSED", "?AKIDOTHER", "of-an-earlier-snapshot"):
        bench.ends(identity=name)
    bench.meter.flush()
    assert bench.identity(layout.anonymous)[2] == 1
    assert bench.identity(layout.unverified)[2] == 2
    assert bench.identity(0)[2] == 1


def test_a_request_of_an_earlier_snapshot_counts_for_its_target() -> None:
    bench = Bench()
    bench.meter.install(["b"], [])
    bench.ends("a")
    bench.ends("never heard of")
    assert sum(bench.record("a")) == 1
    assert bench.page.target_totals(0).requests == 1


def test_a_head_that_was_not_understood_has_no_target_and_an_error() -> None:
    bench = Bench()
    bench.meter.head_refused(SIGNATURE_DOES_NOT_MATCH)
    bench.meter.flush()
    assert bench.record("", "unknown")[4 * BUCKETS] == 1
    assert bench.identity(bench.page.layout.anonymous)[4] == 1
    assert bench.page.error_totals()[SIGNATURE_DOES_NOT_MATCH.number] == 1


def test_calls_and_connects() -> None:
    bench = Bench()
    bench.meter.call_ended("b", 5, 6, failed=False)
    bench.meter.call_ended("b", 5, 6, failed=True)
    observe_connect(bench.meter.target("b"), 0.004)
    counters = bench.page.target_totals(bench.page.block("b")).counters
    assert counters[TargetCounter.CALLS] == 2
    assert counters[TargetCounter.CALLS_FAILED] == 1
    assert counters[TargetCounter.CALL_BYTES_SENT] == 10
    assert counters[TargetCounter.CALL_BYTES_RECEIVED] == 12
    cells = bench.meter.target("b")
    assert (cells[CONNECTS_AT + 2], cells[CONNECTS_AT + BUCKETS]) == (1, 4000)


def test_a_relayed_request_is_counted_where_it_went() -> None:
    rig = Rig()
    rig.connect().says(get("/g-b/key") + put("/g-b/key", b"12345"))
    rig.target.says(ok(b"whole"))
    rig.target.says(ok())
    assert sum(rig.record("generic", "read")[2 * BUCKETS : 3 * BUCKETS]) == 1
    assert rig.record("generic", "read")[RecordCell.BYTES_OUT] == 5
    assert rig.record("generic", "write")[RecordCell.BYTES_IN] == 5


def test_an_unverified_request_has_no_target() -> None:
    rig = Rig(mode="sigv4")
    rig.connect().says(RawClient("s3.test", 9000, KEY[0], "wrong").head("GET", b"/b-b/key", 0, {}))
    assert sum(rig.record("", "read")[4 * BUCKETS : 5 * BUCKETS]) == 1
    unverified = rig.page.identity_totals(rig.page.layout.unverified)
    assert unverified[4] == 1


def test_connections_to_a_target_are_shown_by_the_sweep() -> None:
    rig = Rig()
    rig.connect().says(get("/g-b/key"))

    def shown() -> list[int]:
        gauges = rig.page.target(1, rig.page.block("generic")).gauges
        return [gauges[gauge] for gauge in (TargetGauge.IDLE, TargetGauge.BUSY)]

    rig.pass_time(0.5)
    assert shown() == [0, 1]
    rig.target.says(ok(b"whole"))
    rig.pass_time(0.5)
    assert shown() == [1, 0]
    rig.target.leaves()
    rig.pass_time(0.5)
    assert shown() == [0, 0]


def test_the_cache_of_rules_is_counted_by_the_sweep() -> None:
    rig = Rig()
    client = rig.connect()
    for _ in range(3):
        client.says(get("/g-b/key"))
        rig.target.says(ok(b"whole"))
    rig.pass_time(1.0)
    assert [rig.count(slot) for slot in (Slot.CACHE_HITS, Slot.CACHE_MISSES)] == [2, 1]
    rig.install()
    client.says(get("/g-b/key"))
    rig.target.says(ok(b"whole"))
    rig.pass_time(1.0)
    assert [rig.count(slot) for slot in (Slot.CACHE_HITS, Slot.CACHE_MISSES)] == [2, 2]
