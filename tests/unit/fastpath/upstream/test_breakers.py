"""Breakers and the words of control, as requests meet them."""

from __future__ import annotations

import ssl
import time

import pytest

from fastpath.ipc.counters import BreakerState, Health, Layout, Page, TargetBlock, TargetGauge
from fastpath.upstream.breaker import FAILURES, PROBE_SECONDS
from tests.doubles.http1 import get, ok, put
from tests.doubles.wire import Peer, Rig
from tests.unit.fastpath.upstream.test_pool import Bench

DEAD = ConnectionRefusedError(111, "x")
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
FIRST, GENERIC = get("/b-b/k"), get("/g-b/k")  # a bucket of each target


def status_of(client: Peer) -> int:
    return int(client.take().split(b" ")[1])


def ask(rig: Rig, request: bytes = FIRST, answer: bytes = b"") -> int:
    """The status that a client of its own gets; `answer`: of the target, if it is asked."""
    client = rig.connect()
    client.says(request)
    if not client.heard:
        rig.target.says(answer)
    return status_of(client)


def opened(rig: Rig) -> Rig:
    """The rig after as many failures of `first` as open its breaker."""
    rig.connect_fault = DEAD
    for _ in range(FAILURES):
        assert ask(rig) == 503
    rig.connect_fault = None
    return rig


def events(rig: Rig) -> list[str]:
    return [f"{line['target']}: {line['message']}" for line in rig.lines("event")]


def test_an_open_breaker_refuses_at_once_and_the_other_target_serves() -> None:
    rig = opened(Rig())
    connects = len(rig.loop.connects)
    client = rig.connect()
    client.says(FIRST)
    assert b"HTTP/1.1 503 " in client.heard
    assert b"<Code>ServiceUnavailable</Code>" in client.heard
    assert b"Retry-After: 1" in client.heard
    assert len(rig.loop.connects) == connects
    assert ask(rig, GENERIC, ok()) == 200
    assert not rig.defects


def test_the_probe_closes_it_and_the_log_says_both() -> None:
    rig = opened(Rig())
    rig.pass_time(1)
    probe, refused = rig.connect(), rig.connect()
    probe.says(FIRST)
    refused.says(FIRST)
    assert status_of(refused) == 503
    rig.target.says(ok())
    assert status_of(probe) == 200
    assert ask(rig, FIRST, ok()) == 200
    told = events(rig)
    cause = "cannot connect to first.test:9000: connection refused: nothing listens there"
    remedy = "(start the target, or correct the port of its endpoint)"
    assert f"first: {cause} {remedy}" in told
    assert (
        f"first: shut off after 5 failures in a row, the last: {cause} {remedy}; "
        "one request at a time tries it again" in told
    )
    assert told[-1] == "first: answers again, after 1.0 s"


def test_a_probe_that_fails_keeps_it_open_twice_as_long() -> None:
    rig = opened(Rig())
    rig.pass_time(1)
    rig.connect_fault = DEAD
    assert ask(rig) == 503
    rig.connect_fault = None
    rig.pass_time(1.5)
    assert not rig.worker.breakers.of(rig.worker.snapshot.targets["first"].route).admits(
        rig.loop.now, "a"
    )
    rig.pass_time(0.5)
    assert ask(rig, FIRST, ok()) == 200


@pytest.mark.parametrize("leaves_while", ["it waits for a connection", "it waits for the answer"])
def test_a_probe_whose_client_leaves_gives_the_lease_back(leaves_while: str) -> None:
    rig = opened(Rig())
    rig.pass_time(1)
    if leaves_while == "it waits for a connection":
        rig.hold_connects()
    probe = rig.connect()
    probe.says(FIRST)
    assert not probe.heard
    probe.resets()
    another = rig.connect()
    another.says(FIRST)
    if rig.held_connects is not None:
        rig.open_held()
    rig.target.says(ok())
    assert status_of(another) == 200


def test_a_probe_that_is_silent_loses_the_lease() -> None:
    rig = opened(Rig())
    rig.pass_time(1)
    silent = rig.connect()
    silent.says(put("/b-b/k", b"12345")[:-1])  # its body never ends
    rig.pass_time(PROBE_SECONDS - 1)
    assert ask(rig) == 503
    rig.pass_time(1)
    assert ask(rig, FIRST, ok()) == 200


def test_a_storm_of_503_opens_and_one_of_404_does_not() -> None:
    rig = Rig()
    for _ in range(3 * FAILURES):
        assert ask(rig, FIRST, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") == 404
    asked = len(rig.targets)
    for _ in range(FAILURES):
        assert ask(rig, FIRST, UNAVAILABLE) == 503
    assert len(rig.targets) == asked
    heard = len(rig.target.heard)
    assert ask(rig) == 503
    assert len(rig.target.heard) == heard
    assert "the last: answered 503;" in events(rig)[-2]


def fail(rig: Rig, how: str) -> None:
    """One exchange with `first` that ends in this way."""
    client = rig.connect()
    name, _, later = how.partition(", ")
    client.says(put("/b-b/k", b"12345")[: -1 if later == "in the body" else None])
    target = rig.target
    if name == "breaks":
        target.resets()
    elif name == "is silent":
        rig.pass_time(121)
    elif name == "its client leaves":
        client.resets()
    elif name == "says garbage":
        target.says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    elif name == "says bad http":
        target.says(b"HTTP/1.1 200 OK\r\nx-amz-meta-a\r\n\r\n")
    elif name == "answers and breaks":
        target.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        target.resets()


@pytest.mark.parametrize(
    ("how", "counts"),
    [
        ("breaks", True),
        ("is silent", True),
        ("says garbage", True),
        ("says bad http", False),  # which may be so by a client's metadata
        ("breaks, in the body", False),  # targets break off uploads that they refuse
        ("its client leaves", False),
        ("answers and breaks", False),
    ],
)
def test_which_ends_count(how: str, counts: bool) -> None:
    rig = Rig()
    for _ in range(FAILURES):
        fail(rig, how)
    breaker = rig.worker.breakers.of(rig.worker.snapshot.targets["first"].route)
    assert (breaker.state is BreakerState.OPEN) is counts
    assert counts or not breaker.failures
    assert not rig.defects


def test_a_kept_connection_that_has_become_stale_does_not_count() -> None:
    rig = Rig()
    for _ in range(FAILURES):
        assert ask(rig, FIRST, ok()) == 200
        client = rig.connect()
        client.says(FIRST)
        rig.target.resets()  # and the request goes up again
        assert not rig.worker.breakers.of(rig.worker.snapshot.targets["first"].route).failures
        rig.target.says(ok())
        assert status_of(client) == 200


def test_a_complete_request_before_it_does_not_make_an_upload_complete() -> None:
    rig = Rig()
    assert ask(rig, FIRST, ok()) == 200
    client = rig.connect()
    client.says(put("/b-b/k", b"12345")[:-1])
    rig.target.says(b"HTTP/1.1 100 Continue\r\n\r\n")  # it was not stale
    rig.target.resets()
    assert status_of(client) == 503
    assert not rig.worker.breakers.of(rig.worker.snapshot.targets["first"].route).failures


def test_a_certificate_that_is_not_for_a_bucket_says_nothing_of_the_target() -> None:
    bench = Bench()
    bench.rig.connect_fault = ssl.SSLCertVerificationError("no")
    (borrower,) = bench.borrow_by_name("a-bucket.first.test")
    assert borrower.told[0][0] == "failed"
    assert not bench.pool.breaker.failures
    bench.borrow()
    assert bench.pool.breaker.failures


def test_a_lack_of_descriptors_says_nothing_of_the_target() -> None:
    rig = Rig()
    rig.connect_fault = OSError(24, "Too many open files")
    for _ in range(FAILURES):
        assert ask(rig) == 503
    assert not rig.worker.breakers.of(rig.worker.snapshot.targets["first"].route).failures


def test_those_that_wait_when_it_opens_are_refused_with_the_rest() -> None:
    rig = Rig(pool={"max_connections": FAILURES})
    rig.hold_connects()
    clients = [rig.connect() for _ in range(3 * FAILURES)]
    for client in clients:
        client.says(FIRST)
    for _ in range(FAILURES):
        rig.open_held(DEAD)
    assert [status_of(client) for client in clients] == [503] * len(clients)


def test_those_that_wait_when_answers_open_it_are_refused_too() -> None:
    rig = Rig(pool={"max_connections": 1})
    clients = [rig.connect() for _ in range(3 * FAILURES)]
    for client in clients:
        client.says(FIRST)
    for _ in range(FAILURES):
        rig.target.says(UNAVAILABLE)
    assert [status_of(client) for client in clients] == [503] * len(clients)
    assert rig.target.heard.count(b"GET ") == FAILURES


def test_with_all_breakers_open_none_refuses() -> None:
    rig = opened(Rig())
    rig.connect_fault = DEAD
    for _ in range(FAILURES):
        assert ask(rig, GENERIC) == 503
    rig.connect_fault = None
    assert ask(rig, FIRST, ok()) == 200
    assert any("because no other target can be asked" in line for line in events(rig))
    assert ask(rig, GENERIC) == 503  # one is left again
    rig.pass_time(1)
    assert ask(rig, GENERIC, ok()) == 200


def still_open(rig: Rig) -> list[str]:
    """What was said of breakers that stay open, without the reasons."""
    told = [line for line in events(rig) if "min now" in line]
    return [line.partition(",")[0].removeprefix("first: shut off for ") for line in told]


def test_the_log_says_each_minute_that_it_stays_open() -> None:
    rig = opened(Rig())
    rig.pass_time(59)
    assert still_open(rig) == []
    for _ in range(12):  # clients go on to ask, and each probe fails
        rig.pass_time(10)
        assert ask(rig, FIRST, UNAVAILABLE) == 503
    assert still_open(rig) == ["1 min now", "2 min now"]


def test_the_log_says_once_that_nobody_asks_a_target_whose_breaker_is_open() -> None:
    rig = opened(Rig())
    rig.pass_time(300)
    assert still_open(rig) == ["1 min now"]
    assert "the next one does" in events(rig)[-1]
    assert ask(rig, FIRST, UNAVAILABLE) == 503
    rig.pass_time(300)
    assert still_open(rig) == ["1 min now", "6 min now"]


def test_one_that_opens_and_closes_all_the_time_is_told_of_seldom() -> None:
    rig = Rig()
    for _ in range(4):
        for _ in range(FAILURES):
            assert ask(rig, FIRST, UNAVAILABLE) == 503
        rig.pass_time(1)
        assert ask(rig, FIRST, ok()) == 200
    for _ in range(FAILURES):
        assert ask(rig, FIRST, UNAVAILABLE) == 503
    told = [line for line in events(rig) if "shut off" in line or "answers again" in line]
    assert len(told) == 2
    rig.pass_time(5)
    assert "shut off after" in events(rig)[-1]  # it stays open


class Words:
    """The words of control about `first` and `generic`, and the worker's cells."""

    def __init__(self) -> None:
        self.page = Page(Layout(rows=1, targets=2))
        self.page.assign(["first", "generic"])
        row = self.page.acquire()
        self.rig = Rig(cells=lambda name: self.page.cells(row, name))
        self._row = row

    def control(self, name: str) -> TargetBlock:
        return self.page.control_target(self.page.block(name))

    def say(self, name: str, gauge: TargetGauge, value: int) -> None:
        self.control(name).gauges[gauge] = value
        self.rig.pass_time(0.5)

    def shown(self, name: str) -> tuple[int, int]:
        own = self.page.target(self._row, self.page.block(name)).gauges
        return own[TargetGauge.BREAKER], own[TargetGauge.BREAKER_SINCE]


def test_a_disabled_target_gets_nothing_until_it_is_enabled() -> None:
    words = Words()
    rig = words.rig
    words.say("first", TargetGauge.DISABLED, 1)
    assert ask(rig) == 503
    assert not rig.targets
    assert events(rig) == ["first: not asked: it is disabled (s3gateway enable first)"]
    assert ask(rig, GENERIC, ok()) == 200
    words.say("first", TargetGauge.DISABLED, 0)
    assert ask(rig, FIRST, ok()) == 200


def test_a_disabled_target_stays_so_though_no_other_can_be_asked() -> None:
    words = Words()
    words.say("generic", TargetGauge.DISABLED, 1)
    opened(words.rig)
    assert ask(words.rig, FIRST, ok()) == 200  # no other is left
    assert ask(words.rig, GENERIC) == 503


def test_an_unhealthy_target_is_not_asked_while_another_can_be() -> None:
    words = Words()
    words.say("first", TargetGauge.HEALTH, Health.UNHEALTHY)
    assert ask(words.rig) == 503
    words.say("generic", TargetGauge.HEALTH, Health.UNHEALTHY)
    assert ask(words.rig, FIRST, ok()) == 200
    words.say("generic", TargetGauge.HEALTH, Health.HEALTHY)
    assert ask(words.rig) == 503


def test_the_word_of_a_control_that_has_died_expires() -> None:
    words = Words()
    words.control("first").gauges[TargetGauge.HEALTH_UNTIL] = int(time.time()) + 60
    words.say("first", TargetGauge.HEALTH, Health.UNHEALTHY)
    assert ask(words.rig) == 503
    words.say("first", TargetGauge.HEALTH_UNTIL, int(time.time()) - 1)
    assert ask(words.rig, FIRST, ok()) == 200


def test_words_hold_across_reloads() -> None:
    words = Words()
    words.say("first", TargetGauge.DISABLED, 1)
    words.rig.install()
    assert ask(words.rig) == 503


def test_the_state_of_a_breaker_is_in_the_workers_row() -> None:
    words = Words()
    assert words.shown("first") == (BreakerState.CLOSED, 0)
    opened(words.rig)
    state, since = words.shown("first")
    assert state == BreakerState.OPEN
    assert abs(since - time.time()) < 60
    assert words.shown("generic") == (BreakerState.CLOSED, 0)
    words.rig.pass_time(1)
    probe = words.rig.connect()
    probe.says(FIRST)
    assert words.shown("first") == (BreakerState.HALF_OPEN, since)
    words.rig.target.says(ok())
    assert words.shown("first") == (BreakerState.CLOSED, 0)


def test_a_target_without_a_block_of_its_own_is_not_read_from_the_shared_one() -> None:
    page = Page(Layout(rows=1, targets=1))
    page.assign(["first"])
    assert page.cells(1, "generic") is None


def test_a_route_that_leaves_the_configuration_takes_its_breaker_along() -> None:
    rig = opened(Rig())
    route = rig.worker.snapshot.targets["first"].route
    before = rig.worker.breakers.of(route)
    rig.install(timeouts={"connect_seconds": 4.0})
    rig.pass_time(1)
    assert rig.worker.breakers.of(route) is not before
    assert ask(rig, FIRST, ok()) == 200


def test_answers_before_the_request_is_whole_count_for_nothing() -> None:
    """A client that sends slowly must not shut a target off for the others."""
    rig = Rig()
    for _ in range(2 * FAILURES):
        client = rig.connect()
        client.says(b"PUT /b-b/k HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 9\r\n\r\n1234")
        rig.target.says(b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n")
        assert status_of(client) == 504
    assert ask(rig, FIRST, ok()) == 200
    assert not events(rig)
