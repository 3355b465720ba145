"""The deadlines of a client's connection: what is waited for, how long, and who is late."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from fastpath.client.deadlines import Deadlines, Late
from fastpath.limits import Limits

LIMITS = Limits(
    idle_seconds=70,
    head_seconds=20,
    body_idle_seconds=15,
    discard_seconds=5,
    send_idle_seconds=60,
    minimum_rate_bytes=10,
    minimum_rate_grace_seconds=30,
)
NOW = 1000.0

SENDS: dict[str, tuple[Callable[[Deadlines], None], float]] = {
    "request": (lambda it: it.await_request(NOW, brief=False), 70),
    "request that is on its way": (lambda it: it.await_request(NOW, brief=True), 1),
    "head": (lambda it: it.await_head(NOW), 20),
    "body": (lambda it: it.await_body(NOW), 15),
    "more body": (lambda it: it.body_came(NOW, 1), 15),
    "end": (lambda it: it.await_end(NOW, more=True), 5),
    "end that came": (lambda it: it.await_end(NOW, more=False), 0),
    "close": (lambda it: it.await_close(NOW), 1),
    "others": (lambda it: it.await_others(), inf),
}


def made() -> Deadlines:
    return Deadlines(LIMITS)


def test_nobody_is_waited_for_at_first() -> None:
    assert made().late(1e12) is Late.NOTHING


@pytest.mark.parametrize(("wait", "seconds"), SENDS.values(), ids=SENDS)
def test_how_long_each_is_waited_for(wait: Callable[[Deadlines], None], seconds: float) -> None:
    it = made()
    it.await_body(NOW - 10_000)  # whatever it was before
    wait(it)
    assert it.to_send == NOW + seconds
    if seconds != inf:
        assert it.late(NOW + seconds) is Late.SENDING


NOT_BODY = {name: wait for name, (wait, _) in SENDS.items() if "body" not in name}


@pytest.mark.parametrize("wait", NOT_BODY.values(), ids=NOT_BODY)
def test_only_a_body_is_measured(wait: Callable[[Deadlines], None]) -> None:
    """The slow body of one request is no fault of the next one, nor of what is discarded."""
    it = made()
    it.await_body(NOW - 10_000)
    wait(it)
    assert it.late(NOW - 0.1) is Late.NOTHING


def test_a_body_at_the_minimum_rate_is_in_time() -> None:
    it = made()
    it.await_body(NOW)
    for second in range(1, 200):
        it.body_came(NOW + second, 10)
        assert it.late(NOW + second) is Late.NOTHING


def test_a_body_below_it_is_late_once_the_grace_is_over() -> None:
    it = made()
    it.await_body(NOW)
    late = []
    for second in range(1, 40):
        it.body_came(NOW + second, 9)
        late.append(it.late(NOW + second))
    assert late == [Late.NOTHING] * 30 + [Late.SENDING] * 9


def test_the_time_of_a_slow_target_does_not_count() -> None:
    it = made()
    it.await_body(NOW)
    it.body_came(NOW + 1, 10)
    it.await_others()
    assert it.late(NOW + 1000) is Late.NOTHING
    it.await_body(NOW + 1000)
    it.body_came(NOW + 1014, 1)
    assert it.late(NOW + 1028) is Late.NOTHING
    assert it.late(NOW + 1029) is Late.SENDING  # nothing for 15 seconds


# --- bytes that the client must take ---


def test_a_reader_has_its_time() -> None:
    it = made()
    it.await_reader(NOW, 5000)
    assert it.late(NOW + 59.9) is Late.NOTHING
    assert it.late(NOW + 60) is Late.TAKING
    it.reader_done()
    assert it.late(NOW + 1e6) is Late.NOTHING


def test_taking_comes_before_sending() -> None:
    """Whoever takes nothing is reset; a deadline to send would end the connection in order."""
    it = made()
    it.await_reader(NOW, 1)
    it.await_end(NOW, more=False)
    assert it.late(NOW) is Late.SENDING
    assert it.late(NOW + 60) is Late.TAKING


@pytest.mark.parametrize(
    ("before", "after", "enough"),
    [
        (5000, 5000, False),  # nothing
        (5000, 4401, False),  # 600 is the minimum rate for 60 seconds
        (5000, 4400, True),
        (600, 599, True),  # that few may take as long as they like
        (601, 600, False),
        (600, 600, False),
        (0, 0, False),
    ],
)
def test_what_a_reader_must_have_taken(before: int, after: int, enough: bool) -> None:
    it = made()
    it.await_reader(NOW, before)
    assert it.took_enough(after) is enough


def test_it_shows_both() -> None:
    it = made()
    it.await_head(NOW)
    assert repr(it) == "<Deadlines send=1020.0 take=inf>"
