"""Who fails again and again is tried less and less often."""

from __future__ import annotations

import pytest

from gateway.supervisor.back_off import CREDENTIALS, RESTARTS, BackOff


def test_a_lone_crash_costs_nothing_and_a_series_ever_more() -> None:
    back_off = BackOff(RESTARTS)
    delays = [back_off.fail(0.0) for _ in range(12)]
    assert delays[0] == 0.0
    assert delays == sorted(delays)
    assert delays[-1] == delays[-2] == 30.0


@pytest.mark.parametrize("delays", [RESTARTS, CREDENTIALS])
def test_a_success_begins_anew(delays: tuple[float, ...]) -> None:
    back_off = BackOff(delays)
    assert [back_off.fail(100.0), back_off.fail(200.0)] == [*delays[:2]]
    assert (back_off.failures, back_off.until) == (2, 200.0 + delays[1])
    back_off.succeed()
    assert back_off.failures == 0
    assert back_off.fail(300.0) == delays[0]


def test_a_wait_may_have_a_floor() -> None:
    back_off = BackOff((0.0, 4.0))
    assert [back_off.fail(0.0, at_least=1.0) for _ in range(3)] == [1.0, 4.0, 4.0]
    assert back_off.until == 4.0
