"""What a breaker counts, and for how long it stays open."""

from __future__ import annotations

import pytest

from fastpath.ipc.counters import BreakerState
from fastpath.upstream.breaker import FAILURES, Breaker
from tests.property.test_breaker import Group


def opened(group: Group | None = None) -> Breaker:
    breaker = Breaker("store.test:9000", group or Group())
    for number in range(FAILURES):
        breaker.failed(0.0, str(number), "broke")
    assert breaker.state is BreakerState.OPEN
    return breaker


@pytest.mark.parametrize("status", [200, 304, 400, 403, 404, 429, 500, 501, 507])
def test_what_a_client_can_provoke_counts_as_success(status: int) -> None:
    breaker = Breaker("store.test:9000", Group())
    for _ in range(FAILURES - 1):
        breaker.failed(0.0, "a", "broke")
    breaker.answered(0.0, "a", status, "")
    assert breaker.failures == 0
    for _ in range(100):
        breaker.answered(0.0, "a", status, "")
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_storm_of_errors_opens(status: int) -> None:
    breaker = Breaker("store.test:9000", Group())
    for _ in range(FAILURES):
        breaker.answered(0.0, "a", status, "Service Unavailable")
    assert breaker.state is BreakerState.OPEN
    assert breaker.reason == f"answered {status}"


def test_aws_slowing_one_client_down_opens_nothing() -> None:
    breaker = Breaker("store.test:9000", Group())
    for _ in range(FAILURES):
        breaker.answered(0.0, "a", 503, "Slow Down")
    assert breaker.failures == 0


def test_failed_probes_double_the_time_up_to_a_bound() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(7):
        began = now
        while not breaker.admits(now, "probe"):
            now += 0.5
        waits.append(now - began)
        breaker.failed(now, "probe", "broke again")
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert breaker.reason == "broke again"


def test_after_a_success_the_time_begins_anew() -> None:
    breaker = opened()
    assert breaker.admits(1.0, "probe")
    breaker.failed(1.0, "probe", "broke")
    breaker.answered(2.0, "an old one", 200, "OK")
    assert breaker.admits(2.0, "a")
    for _ in range(FAILURES):
        breaker.failed(2.0, "a", "broke")
    assert not breaker.admits(2.9, "a")
    assert breaker.admits(3.0, "a")


def test_a_failure_of_a_request_from_before_is_no_failed_probe() -> None:
    breaker = opened()
    breaker.failed(0.5, "old", "broke")
    assert breaker.admits(1.0, "probe")
    breaker.failed(1.1, "old", "did not answer in time")
    breaker.failed(1.1, None, "cannot connect")
    assert breaker.state is BreakerState.HALF_OPEN


def test_a_request_that_was_refused_has_nothing_to_give_back() -> None:
    breaker = opened()
    assert breaker.admits(1.0, "probe")
    assert not breaker.admits(1.0, "refused")
    breaker.give_back("refused")
    assert not breaker.admits(1.0, "another")
    breaker.give_back("probe")
    assert breaker.admits(1.0, "another")
    assert repr(breaker) == "<Breaker store.test:9000 HALF_OPEN failures=5>"


def test_the_probe_may_ask_again_for_another_connection() -> None:
    breaker = opened()
    assert breaker.admits(1.0, "probe")
    assert breaker.admits(1.0, "probe")
    assert not breaker.admits(1.0, "another")


def test_with_no_target_left_none_refuses_and_probes_go_on() -> None:
    group = Group()
    breaker = opened(group)
    group.escapes = True
    assert breaker.admits(0.1, "a")
    assert not breaker.admits_none
    breaker.failed(0.1, "a", "broke")  # not a probe
    assert breaker.admits(1.0, "b")
    breaker.failed(1.0, "b", "broke")
    group.escapes = False
    assert not breaker.admits(2.9, "c")
    assert breaker.admits_none
