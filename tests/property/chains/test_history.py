"""The search for an order itself: what one store can have told has one, and nothing else.

Random histories of one store have one; each kind of lie about a key is found.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.chains.history import Event, State, has_order, read, shortest, write
from tests.property.depth import EXAMPLES

R, W = read, write

GOOD: dict[str, tuple[State, Sequence[Event]]] = {
    "a read sees what was there": (1, [R("get", 0, 1, 1)]),
    "a read sees the write": (None, [W("put", 0, 1, 2), R("get", 2, 3, 2)]),
    "a read at the same time sees the old one": (1, [W("put", 0, 9, 2), R("get", 2, 3, 1)]),
    "two writes at once, in either order": (
        None,
        [W("put", 0, 9, 2), W("put", 1, 8, 3), R("get", 10, 11, 2)],
    ),
    "a write that failed was done": (1, [W("put", 0, 2, 2, is_sure=False), R("get", 3, 4, 2)]),
    "a write that failed was not done": (1, [W("put", 0, 2, 2, is_sure=False), R("get", 3, 4, 1)]),
    "a write that failed, seen before another": (
        1,
        [
            W("put", 0, 2, 2, is_sure=False),
            R("get", 3, 9, 2),
            R("get", 3, 9, None),
            W("delete", 1, 8, None),
        ],
    ),
    "one of two creates": (
        None,
        [
            Event("create", 0, 5, needs=frozenset({None}), leaves=frozenset({2})),
            Event("create, 412", 0, 5, excludes=frozenset({None})),
        ],
    ),
}
BAD: dict[str, tuple[State, Sequence[Event]]] = {
    "a lost write": (1, [W("put", 0, 1, 2), R("get", 2, 3, 1)]),
    "a deleted object is back": (1, [W("delete", 0, 1, None), R("get", 2, 3, 1)]),
    "an object is gone": (1, [R("get", 2, 3, None)]),
    "what nobody wrote": (1, [R("get", 2, 3, 7)]),
    "new, then old": (1, [W("put", 0, 9, 2), R("get", 1, 2, 2), R("get", 3, 4, 1)]),
    "a write that failed shows and is gone": (
        1,
        [W("put", 0, 2, 2, is_sure=False), R("get", 3, 4, 2), R("get", 5, 6, 1)],
    ),
    "a write that failed is done later": (
        1,
        [W("put", 0, 2, 2, is_sure=False), R("get", 3, 4, 1), R("get", 5, 6, 2)],
    ),
    "two creates at once": (
        None,
        [
            Event("create", 0, 5, needs=frozenset({None}), leaves=frozenset({2})),
            Event("create", 0, 5, needs=frozenset({None}), leaves=frozenset({3})),
        ],
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_one_store_may_tell_has_an_order(name: str) -> None:
    first, events = GOOD[name]
    assert has_order(events, first)


@pytest.mark.parametrize("name", BAD)
def test_what_no_store_tells_has_none(name: str) -> None:
    first, events = BAD[name]
    assert not has_order(events, first)
    assert not has_order(shortest(events, first), first)


def one_store(dice: random.Random, count: int) -> tuple[State, list[Event]]:
    """What clients of one store see: each event happens at a moment between its ends."""
    moments = sorted(dice.sample(range(10 * count), count))
    state = first = dice.choice([None, 1])
    events = []
    for number, moment in enumerate(moments):
        began, ended = moment - dice.randrange(40), moment + dice.randrange(40)
        if dice.random() < 0.5:
            events.append(R("get", began, ended, state))
            continue
        wanted = dice.choice([None, 100 + number])
        is_done = dice.random() < 0.8
        is_sure = is_done and dice.random() < 0.8
        events.append(W("put", began, ended, wanted, is_sure=is_sure))
        state = wanted if is_done else state
    return first, events


@settings(max_examples=EXAMPLES * 4, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_every_history_of_one_store_has_an_order(seed: int, count: int) -> None:
    first, events = one_store(random.Random(seed), count)
    assert has_order(events, first)
