"""`fastpath.upstream.subrequest`: a question of the gateway's own."""

from __future__ import annotations

import pytest

from fastpath.dialects.translation import Reply
from fastpath.upstream.subrequest import MAX_ANSWER, Subrequest
from tests.doubles.http1 import ok
from tests.doubles.wire import Rig

HEAD = b"GET /repo?uploads= HTTP/1.1\r\nhost: first.test\r\n\r\n"


class Bench:
    """A pool on the rig, and what was told."""

    def __init__(self, **pool: object) -> None:
        self.rig = Rig(pool=pool)
        self.pool = self.rig.worker.pool(self.rig.worker.snapshot.targets["first"].route)
        self.told: list[Reply | None] = []
        self.faults: list[BaseException] = []

    @property
    def replies(self) -> list[tuple[int, bytes] | None]:
        return [reply and reply[:2] for reply in self.told]

    def ask(self) -> Subrequest:
        subrequest = Subrequest(HEAD, self.told.append, self.faults.append)
        subrequest.send(self.pool, "client")
        self.rig.settle()
        return subrequest


def heard(bench: Bench) -> list[tuple[int, bytes] | None]:
    return [reply and reply[:2] for reply in bench.told]


def test_a_question_is_answered_and_the_connection_kept() -> None:
    bench = Bench()
    bench.ask()
    assert bench.rig.target.take() == HEAD
    bench.rig.target.says(ok(b"abc")[:-1], b"c")
    assert heard(bench) == [(200, b"abc")]
    bench.ask()
    assert len(bench.rig.targets) == 1
    bench.rig.target.says(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    assert heard(bench)[1:] == [(500, b"")]


def test_a_kept_connection_that_closed_is_no_answer() -> None:
    bench = Bench()
    bench.ask()
    bench.rig.target.says(ok(b"abc"))
    bench.ask()
    bench.rig.target.leaves()
    assert len(bench.rig.targets) == 2
    assert bench.rig.target.take() == HEAD
    bench.rig.target.leaves()
    assert heard(bench) == [(200, b"abc"), None]


def test_a_target_that_cannot_be_reached() -> None:
    bench = Bench()
    bench.rig.connect_fault = ConnectionRefusedError()
    bench.ask()
    assert bench.told == [None]


def test_a_target_that_is_silent() -> None:
    bench = Bench()
    bench.ask()
    bench.rig.pass_time(121)
    assert bench.told == [None]


def test_an_answer_without_end_is_none() -> None:
    bench = Bench()
    bench.ask()
    bench.rig.target.says(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"a" * MAX_ANSWER)
    assert bench.told == []
    bench.rig.target.says(b"a")
    assert bench.told == [None]
    assert bench.rig.target.ended


@pytest.mark.parametrize("leased", [True, False])
def test_nobody_is_told_after_the_end(leased: bool) -> None:
    bench = Bench()
    if not leased:
        bench.rig.hold_connects()
    bench.ask().cancel()
    bench.rig.settle()
    if leased:
        assert bench.rig.target.ended
    else:
        bench.rig.open_held()
        assert bench.rig.target.heard == b""
    assert bench.told == []


def test_a_defect_is_told_as_one() -> None:
    bench = Bench()
    subrequest = bench.ask()
    subrequest.crash(ValueError("a defect"))
    assert [str(fault) for fault in bench.faults] == ["a defect"]
    assert bench.told == []
