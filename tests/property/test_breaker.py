"""A breaker against a model of what is promised of it, and that nothing pins it open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.ipc.counters import BreakerState
from fastpath.upstream.breaker import (
    FAILURES,
    FIRST_SECONDS,
    MOST_SECONDS,
    PROBE_SECONDS,
    Breaker,
)
from tests.property.depth import EXAMPLES

WHO = st.sampled_from("abc")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("storm")),
        st.tuples(st.just("ask"), WHO),
        st.tuples(st.just("fails"), WHO),
        st.tuples(st.just("leaves"), WHO),
        st.tuples(st.just("answers"), WHO, st.sampled_from((200, 404, 500, 501, 502, 503, 504))),
        st.tuples(st.just("time"), st.sampled_from((0.5, 1.0, 3.0, 10.0, 40.0))),
        st.tuples(st.just("escapes"), st.booleans()),
    ),
    max_size=60,
)


class Group:
    """The other breakers, of which nothing is known."""

    def __init__(self) -> None:
        self.escapes = False
        self.moves: list[tuple[BreakerState, BreakerState]] = []

    def changed(self, breaker: Breaker, before: BreakerState) -> None:
        self.moves.append((before, breaker.state))


class Model:
    """What is promised, from the events so far."""

    def __init__(self) -> None:
        self.now = 0.0
        self.in_a_row = 0
        self.opened_for: float | None = None  # None: closed
        self.shut_until = 0.0
        self.lease: tuple[str, float] | None = None  # who tries, and until when

    def admits(self, who: str, escapes: bool) -> bool:
        if self.opened_for is None:
            return True
        if self.now >= self.shut_until:
            if self.lease is None or self.now >= self.lease[1]:
                self.lease = (who, self.now + PROBE_SECONDS)
            if self.lease[0] == who:
                return True
        return escapes

    def fails(self, who: str) -> None:
        if self.opened_for is None:
            self.in_a_row += 1
            if self.in_a_row == FAILURES:
                self.shut(FIRST_SECONDS)
        elif self.lease is not None and self.lease[0] == who:
            self.shut(min(2 * self.opened_for, MOST_SECONDS))

    def shut(self, seconds: float) -> None:
        self.opened_for, self.shut_until, self.lease = seconds, self.now + seconds, None

    def succeeds(self) -> None:
        self.in_a_row, self.opened_for, self.lease = 0, None, None


def play(steps: list[tuple[Any, ...]]) -> tuple[Breaker, Model, Group]:
    group, model = Group(), Model()
    breaker = Breaker("store.test:9000", group)
    for kind, *rest in _without_storms(steps):
        if kind == "time":
            model.now += rest[0]
        elif kind == "escapes":
            group.escapes = rest[0]
        elif kind == "ask":
            allowed = model.admits(rest[0], group.escapes)
            assert breaker.admits(model.now, rest[0]) is allowed
        elif kind == "leaves":
            if model.lease is not None and model.lease[0] == rest[0]:
                model.lease = None
            breaker.give_back(rest[0])
        elif kind == "fails" or rest[1] in (502, 503, 504):
            model.fails(rest[0])
            if kind == "fails":
                breaker.failed(model.now, rest[0], "broke")
            else:
                breaker.answered(model.now, rest[0], rest[1], "")
        else:
            model.succeeds()
            breaker.answered(model.now, rest[0], rest[1], "")
        assert (breaker.state is BreakerState.CLOSED) == (model.opened_for is None)
        assert bool(breaker.failures) == bool(model.in_a_row)
    return breaker, model, group


def _without_storms(steps: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Steps in which a storm is as many failures as open a breaker, of one that is no probe."""
    for step in steps:
        yield from [("fails", "z")] * FAILURES if step[0] == "storm" else [step]


@settings(max_examples=4 * EXAMPLES)
@given(STEPS)
def test_a_breaker_does_what_is_promised_of_it(steps: list[tuple[Any, ...]]) -> None:
    _, _, group = play(steps)
    states = [state for move in group.moves for state in move]
    assert states[1:-1:2] == states[2::2]  # each move begins where the last one ended


@given(STEPS)
def test_nothing_pins_a_breaker_open(steps: list[tuple[Any, ...]]) -> None:
    """Requests that never report, or report late, keep others out for a known time at most."""
    breaker, model, group = play(steps)
    group.escapes = False
    later = model.now + max(MOST_SECONDS, PROBE_SECONDS)
    assert breaker.admits(later, "new")
    breaker.answered(later, "new", 404, "")
    assert breaker.state is BreakerState.CLOSED
    assert breaker.admits(later, "others")


@settings(max_examples=4 * EXAMPLES)
@given(STEPS, st.lists(WHO, min_size=2, max_size=20))
def test_one_request_at_a_time_tries(steps: list[tuple[Any, ...]], crowd: list[str]) -> None:
    breaker, model, group = play(steps)
    group.escapes = False
    if breaker.state is not BreakerState.CLOSED:
        assert len({who for who in crowd if breaker.admits(model.now, who)}) <= 1
