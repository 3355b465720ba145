"""Connections to one target: which one serves whom, how many, for how long."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from typing import Any

import pytest

from fastpath.http.framing import BodyKind
from fastpath.http.head import ResponseHead
from fastpath.ipc.cells import TargetCounter
from fastpath.ipc.counters import Slot
from fastpath.sockets.closed_transport import CLOSED_TRANSPORT
from fastpath.sockets.tls_settings import TLSSettings
from fastpath.upstream.connection import UpstreamConnection
from fastpath.upstream.lessee import Failure
from fastpath.upstream.pool import TLS_SPARE, TLS_SPARE_SECONDS, Pool
from tests.doubles.http1 import ok
from tests.doubles.wire import Rig

REQUEST = b"GET / HTTP/1.1\r\n\r\n"


class Borrower:
    """A lessee that notes what it is told."""

    def __init__(
        self, pool: Pool, *, fresh: bool = False, name: str | None = None, holder: str = ""
    ) -> None:
        self.told: list[Any] = []
        self.connection: UpstreamConnection | None = None
        self.fault_when_leased = False
        self.pool = pool
        # A holder of its own, if none is named.
        pool.lease(self, holder or str(id(self)), fresh=fresh, name=name)

    def leased(self, connection: UpstreamConnection) -> None:
        self.connection = connection
        self.told.append("leased")
        if self.fault_when_leased:
            raise ValueError("a defect")
        connection.send_head(REQUEST, b"GET")

    def lease_failed(self, reason: str, *, how: Failure) -> None:
        self.told.append(("failed", reason, how))

    def answer_sink(self) -> None:
        """It is read here."""

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        self.told.append(head.status)

    def answer_bytes(self, data: bytes) -> None:
        self.told.append(data)

    def answer_complete(self) -> None:
        assert self.connection is not None
        self.connection.release(request_read=True)

    def upstream_lost(self, reason: str, *, stale: bool, how: Failure) -> None:
        self.told.append(("lost", reason, stale))

    def crash(self, fault: Exception) -> None:
        self.told.append(fault)

    def upstream_paused(self) -> None:
        self.told.append("paused")

    def upstream_resumed(self) -> None:
        self.told.append("resumed")


class Bench:
    """A pool on the rig."""

    def __init__(self, **pool: Any) -> None:
        self.rig = Rig(pool=pool)
        self.pool = self.rig.worker.pool(self.rig.worker.snapshot.targets["first"].route, "first")

    def borrow(self, count: int = 1, *, fresh: bool = False) -> list[Borrower]:
        borrowers = [Borrower(self.pool, fresh=fresh) for _ in range(count)]
        self.rig.settle()
        return borrowers

    def borrow_for(self, holder: str, count: int = 1) -> list[Borrower]:
        borrowers = [Borrower(self.pool, holder=holder) for _ in range(count)]
        self.rig.settle()
        return borrowers

    def borrow_by_name(self, *names: str) -> list[Borrower]:
        borrowers = [Borrower(self.pool, name=name) for name in names]
        self.rig.settle()
        return borrowers

    def give_back(self, *borrowers: Borrower) -> None:
        for borrower in borrowers:
            assert borrower.connection is not None
            self.peer_of(borrower).says(ok())

    def peer_of(self, borrower: Borrower) -> Any:
        return next(p for p in self.rig.targets if p.protocol is borrower.connection)

    def shows(self, idle: int = 0, busy: int = 0, connecting: int = 0, waiting: int = 0) -> bool:
        return repr(self.pool) == (
            f"<Pool first.test:9000 idle={idle} busy={busy} "
            f"connecting={connecting} waiting={waiting}>"
        )


def test_a_connection_is_opened_used_and_kept() -> None:
    bench = Bench()
    (borrower,) = bench.borrow()
    assert bench.shows(busy=1)
    assert bench.rig.target.heard == REQUEST
    bench.give_back(borrower)
    assert borrower.told == ["leased", 200]
    assert bench.shows(idle=1)
    (second,) = bench.borrow()
    assert second.connection is borrower.connection
    assert repr(second.connection) == "<UpstreamConnection first.test:9000 leased uses=2>"
    assert bench.rig.loop.connects == [("first.test", 9000)]


def test_the_one_used_last_goes_first() -> None:
    bench = Bench()
    first, second, third = bench.borrow(3)
    bench.give_back(second, third, first)
    again = bench.borrow(2)
    assert [b.connection for b in again] == [first.connection, third.connection]


def test_the_bound_counts_connects_too_and_waiters_are_served_in_order() -> None:
    bench = Bench(max_connections=2)
    bench.rig.hold_connects()
    borrowers = bench.borrow(5)
    assert bench.shows(connecting=2, waiting=5)
    bench.rig.open_held()
    assert bench.shows(busy=1, connecting=1, waiting=4)
    bench.rig.open_held()
    assert bench.shows(busy=2, waiting=3)
    bench.give_back(borrowers[1])
    assert borrowers[2].connection is borrowers[1].connection
    bench.give_back(borrowers[0])
    assert borrowers[3].connection is borrowers[0].connection
    bench.peer_of(borrowers[2]).resets()
    assert bench.shows(busy=1, connecting=1, waiting=1)
    bench.rig.open_held()
    assert bench.shows(busy=2)
    assert borrowers[4].told == ["leased"]


def test_one_too_many_is_told_at_once() -> None:
    bench = Bench(max_connections=1, max_waiters=1)
    bench.borrow()
    bench.borrow()
    (late,) = bench.borrow()
    assert late.told == [("failed", "first.test:9000: too many requests wait", Failure.OVERLOAD)]
    assert bench.shows(busy=1, waiting=1)


def test_who_waited_too_long_is_told() -> None:
    bench = Bench(max_connections=1, wait_seconds=10)
    _, early = bench.borrow(2)
    bench.rig.pass_time(6)
    (late,) = bench.borrow()
    bench.rig.pass_time(4)
    assert early.told == [
        ("failed", "first.test:9000: no connection became free", Failure.OVERLOAD)
    ]
    assert late.told == []
    assert bench.shows(busy=1, waiting=1)


def test_who_gave_up_is_not_served() -> None:
    bench = Bench(max_connections=1)
    first, quitter, patient = bench.borrow(3)
    bench.pool.give_up(quitter)
    bench.give_back(first)
    assert quitter.told == []
    assert patient.connection is first.connection


def test_a_connect_for_somebody_who_gave_up_is_kept_for_the_next() -> None:
    bench = Bench()
    bench.rig.hold_connects()
    (quitter,) = bench.borrow()
    bench.pool.give_up(quitter)
    bench.rig.open_held()
    assert bench.shows(idle=1)
    (next_one,) = bench.borrow()
    assert next_one.told == ["leased"]
    assert next_one.connection is not None
    assert next_one.connection.uses == 1


# --- names under TLS ---


def test_a_connection_serves_the_name_it_was_made_for() -> None:
    bench = Bench()
    a, b, more = bench.borrow_by_name("a", "b", "a")
    bench.give_back(a, b, more)
    again = bench.borrow_by_name("a", "b", "a", "b")
    assert [one.connection for one in again[:3]] == [more.connection, b.connection, a.connection]
    assert again[3].connection not in (a.connection, b.connection, more.connection)
    assert bench.shows(busy=4)
    assert [one.connection.name for one in again if one.connection] == ["a", "b", "a", "b"]


def test_all_names_share_the_bound_and_the_oldest_idle_one_makes_room() -> None:
    bench = Bench(max_connections=2)
    a, b = bench.borrow_by_name("a", "b")
    bench.give_back(b, a)
    (c,) = bench.borrow_by_name("c")
    assert c.told == ["leased"]
    assert bench.shows(idle=1, busy=1)
    (again,) = bench.borrow_by_name("a")
    assert again.connection is a.connection


def test_a_connection_that_comes_back_makes_room_for_another_name() -> None:
    bench = Bench(max_connections=1)
    (a,) = bench.borrow_by_name("a")
    b, more = bench.borrow_by_name("b", "a")
    assert bench.shows(busy=1, waiting=2)
    bench.give_back(a)
    assert more.connection is a.connection  # who can use it goes first
    assert b.told == []
    bench.give_back(more)
    assert b.told == ["leased"]
    assert bench.shows(busy=1)


def test_a_connection_that_comes_back_is_kept_while_the_others_can_connect() -> None:
    bench = Bench(max_connections=3)
    (a,) = bench.borrow_by_name("a")
    bench.rig.hold_connects()
    bench.borrow_by_name("b")
    bench.give_back(a)
    assert bench.shows(idle=1, connecting=1, waiting=1)


def test_a_connect_that_fails_fails_who_waits_for_its_name() -> None:
    bench = Bench()
    bench.rig.hold_connects()
    a, b = bench.borrow_by_name("a", "b")
    bench.rig.open_held()
    assert (a.told, b.told) == (["leased"], [])
    bench.rig.open_held(ssl.SSLCertVerificationError("no"))
    ((failed, reason, how),) = b.told
    assert (failed, how) == ("failed", Failure.REFUSED)
    assert reason.startswith("cannot connect to first.test:9000 as b: ")
    (quitter,) = bench.borrow_by_name("c")
    bench.pool.give_up(quitter)
    (patient,) = bench.borrow_by_name("d")
    bench.rig.open_held(ssl.SSLCertVerificationError("no"))
    assert patient.told == []


def test_a_connect_that_nobody_needs_any_more_holds_up_no_other_name() -> None:
    bench = Bench()
    bench.rig.hold_connects()
    (quitter,) = bench.borrow_by_name("a")
    bench.pool.give_up(quitter)
    (b,) = bench.borrow_by_name("b")
    assert bench.shows(connecting=2, waiting=1)
    bench.rig.open_held()
    assert b.told == []
    bench.rig.open_held()
    assert b.told == ["leased"]


# --- connections that are no good ---


@pytest.mark.parametrize("sign", ["end of stream", "stray bytes", "closed", "being closed"])
def test_a_kept_connection_that_is_not_silent_is_thrown_away(sign: str) -> None:
    bench = Bench()
    (first,) = bench.borrow()
    bench.give_back(first)
    peer = bench.rig.target
    if sign == "end of stream":
        peer.kernel.end()
    elif sign == "stray bytes":
        peer.whispers(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    elif sign == "closed":
        peer.leaves()
        assert bench.shows()
    else:
        peer.says(b"stray", settle=False)  # the end is scheduled, not there
        assert bench.shows(idle=1)
    (second,) = bench.borrow()
    assert second.told == ["leased"]
    assert second.connection is not first.connection
    assert peer.transport.ended
    assert bench.shows(busy=1)


def test_a_connection_that_is_not_silent_is_not_handed_to_a_waiter() -> None:
    bench = Bench(max_connections=1)
    first, second = bench.borrow(2)
    peer = bench.peer_of(first)
    peer.kernel.end()  # it answers, and closes without a word
    peer.says(ok())
    assert first.told == ["leased", 200]
    assert second.told == ["leased"]
    assert second.connection is not first.connection
    assert bench.shows(busy=1)


def test_a_second_try_wants_a_fresh_one() -> None:
    bench = Bench()
    (first,) = bench.borrow()
    bench.give_back(first)
    (second,) = bench.borrow(fresh=True)
    assert second.connection is not first.connection
    assert bench.shows(idle=1, busy=1)


def test_a_fresh_one_takes_the_place_of_a_kept_one() -> None:
    bench = Bench(max_connections=2)
    first, second = bench.borrow(2)
    bench.give_back(first, second)
    (third,) = bench.borrow(fresh=True)
    assert third.told == ["leased"]
    assert third.connection not in (first.connection, second.connection)
    assert bench.peer_of(first).aborted  # the oldest
    assert bench.shows(idle=1, busy=1)


# --- connects that fail ---


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            ConnectionRefusedError(111, "x"),
            "connection refused: nothing listens there (start the target, or correct the port of "
            "its endpoint)",
        ),
        (OSError(), "OSError"),
        (UnicodeError("label too long"), "label too long"),
    ],
)
def test_a_connect_that_fails_fails_one_waiter(fault: Exception, says: str) -> None:
    bench = Bench(max_connections=1)
    bench.rig.hold_connects()
    first, second = bench.borrow(2)
    bench.rig.open_held(fault)
    assert first.told == [("failed", f"cannot connect to first.test:9000: {says}", Failure.REFUSED)]
    assert second.told == []
    assert bench.shows(connecting=1, waiting=1)
    bench.rig.open_held()
    assert second.told == ["leased"]


def test_a_connect_that_takes_too_long_fails() -> None:
    bench = Bench()
    bench.rig.hold_connects()
    (first,) = bench.borrow()
    bench.rig.pass_time(4.5)
    assert first.told == []
    bench.rig.pass_time(1)
    ((_, reason, _),) = first.told
    assert reason.startswith("cannot connect to first.test:9000: no connection in time (")
    assert bench.shows()


def test_a_connection_that_closes_at_once_is_no_connection() -> None:
    bench = Bench()
    opened = bench.rig._open

    def accept_and_close(factory: Any) -> asyncio.Transport:
        transport = opened(factory)
        transport.peer.leaves()
        return transport

    bench.rig.loop.answer_connect = accept_and_close
    (first,) = bench.borrow()
    says = "the connection was closed at once"
    assert first.told == [("failed", f"cannot connect to first.test:9000: {says}", Failure.REFUSED)]
    assert bench.shows()


def test_a_lessee_with_a_defect_is_told_of_it() -> None:
    bench = Bench()
    bench.rig.hold_connects()
    (first,) = bench.borrow()
    first.fault_when_leased = True
    bench.rig.open_held()
    assert str(first.told[-1]) == "a defect"


# --- time ---


def test_what_is_kept_too_long_is_closed_the_oldest_first() -> None:
    bench = Bench(idle_seconds=15)
    first, second = bench.borrow(2)
    bench.give_back(first)
    bench.rig.pass_time(10)
    bench.give_back(second)
    bench.rig.pass_time(6)
    assert bench.shows(idle=1)
    assert bench.peer_of(first).transport.ended
    bench.rig.pass_time(10)
    assert bench.shows()


def test_after_a_burst_under_tls_few_are_kept_long() -> None:
    """Each has large buffers (docs/performance.md)."""
    bench = Bench(idle_seconds=15, max_connections=TLS_SPARE + 2)
    borrowers = bench.borrow(TLS_SPARE + 2)
    tls = TLSSettings(True, "first.test", None, None, None)
    bench.pool.route = replace(bench.pool.route, tls=tls)
    bench.give_back(*borrowers)
    bench.rig.pass_time(TLS_SPARE_SECONDS - 1)
    assert bench.shows(idle=TLS_SPARE + 2)
    bench.rig.pass_time(1.5)
    assert bench.shows(idle=TLS_SPARE)
    assert all(bench.peer_of(first).transport.ended for first in borrowers[:2])


def test_a_lost_connection_lets_go_of_its_transport() -> None:
    """Under TLS both hold each other, with large buffers."""
    bench = Bench()
    (borrower,) = bench.borrow()
    connection, transport = borrower.connection, bench.peer_of(borrower).transport
    bench.give_back(borrower)
    assert connection is not None
    assert connection.transport is transport
    bench.pool.retire()
    bench.rig.settle()
    assert connection.transport is CLOSED_TRANSPORT
    assert not connection.silent()  # whoever still has it


def test_a_target_that_does_not_answer_loses_the_connection() -> None:
    bench = Bench()
    (first,) = bench.borrow()
    assert first.connection is not None
    first.connection.expect_answer_within(5)
    bench.rig.pass_time(5)
    assert first.told == ["leased", ("lost", "did not answer in time", False)]
    assert bench.rig.target.aborted
    assert bench.shows()


# --- the end ---


def test_connections_are_counted() -> None:
    bench = Bench(max_connections=2)
    first, second, third = bench.borrow(3)
    bench.give_back(first)  # straight to the third
    bench.give_back(third)
    bench.borrow()  # a kept one
    bench.peer_of(second).resets()
    bench.rig.connect_fault = OSError("no")
    bench.borrow()
    slots = (Slot.CONNECTS, Slot.CONNECT_ERRORS, Slot.UPSTREAM)
    assert [bench.rig.count(slot) for slot in slots] == [2, 1, 1]
    counted = {
        TargetCounter.CONNECTS: 2,
        TargetCounter.REUSES: 2,
        TargetCounter.CONNECT_ERRORS: 1,
        TargetCounter.POOL_WAITS: 1,
    }
    assert {counter: bench.rig.counted("first", counter) for counter in counted} == counted


def test_a_retired_pool_serves_who_waits_and_keeps_nothing() -> None:
    bench = Bench(max_connections=1)
    first, second = bench.borrow(2)
    bench.pool.retire()
    bench.give_back(first)
    assert second.connection is first.connection
    bench.give_back(second)
    assert bench.rig.target.aborted
    assert bench.shows()


def test_retiring_closes_what_is_kept() -> None:
    bench = Bench()
    bench.give_back(*bench.borrow(2))
    bench.pool.retire()
    bench.rig.settle()
    assert bench.shows()


def test_the_service_forgets_a_retired_pool_once_it_is_empty() -> None:
    bench = Bench()
    (busy,) = bench.borrow()
    route = bench.pool.route
    bench.rig.install(pool={"max_connections": 7})
    assert bench.pool.retired
    bench.rig.pass_time(1)
    assert bench.rig.worker.pool(route, "first") is bench.pool
    bench.give_back(busy)
    bench.rig.pass_time(1)
    assert bench.rig.worker.pool(route, "first") is not bench.pool


def test_a_route_that_comes_back_has_its_pool_again() -> None:
    bench = Bench()
    (busy,) = bench.borrow()
    bench.rig.install(pool={"max_connections": 7})
    bench.rig.install()
    assert not bench.pool.retired
    bench.give_back(busy)
    assert bench.shows(idle=1)


def test_closing_drops_everything() -> None:
    bench = Bench(max_connections=3)
    kept, busy = bench.borrow(2)
    bench.give_back(kept)
    bench.rig.hold_connects()
    bench.borrow(2)
    bench.rig.worker.close()
    bench.rig.settle()
    assert busy.told == ["leased", ("lost", "closed the connection", False)]
    assert all(peer.transport.ended for peer in bench.rig.targets)
    assert not bench.rig.loop.faults
