"""Every order of the steps of three clients at two stores: which ways to write lose nothing.

The smallest model of a chain: two dictionaries, a client as a list of steps at them, and all orders
in which the steps of three clients can follow each other. No code of the gateway is in it. It says
of a rule whether any order loses an acknowledged write, before anybody writes that rule.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations_with_replacement

import pytest

from tests.property.chains.history import Event, State, has_order, read, write

Stores = list[State]  # of one key: what is at the first place, and at the second
Steps = Generator[None, None, None]  # what it does between two `yield`s, it does at once
Client = Callable[[Stores], Steps]


def _removes_always(stores: Stores, new: State) -> Steps:
    """Write, then remove what hides it."""
    stores[1] = new
    yield
    stores[0] = None


def _removes_never(stores: Stores, new: State) -> Steps:
    """Write, and leave what hides it."""
    stores[1] = new
    yield


def _removes_what_it_saw(stores: Stores, new: State) -> Steps:
    """Look, write, then remove what was seen, with If-Match on its ETag."""
    seen = stores[0]
    yield
    stores[1] = new
    if seen is not None:
        yield
        if stores[0] == seen:
            stores[0] = None


def _removes_what_is_still_there(stores: Stores, new: State) -> Steps:
    """The same at a store without If-Match: look again, then remove."""
    seen = stores[0]
    yield
    stores[1] = new
    if seen is not None:
        yield
        is_same = stores[0] == seen
        if is_same:
            yield
            stores[0] = None


def _puts(new: State) -> Client:
    """Write to the first place."""

    def steps(stores: Stores) -> Steps:
        stores[0] = new
        yield

    return steps


def _tidies_up(new: State) -> Client:
    """Write to the first place, then remove the old copy behind, with If-Match on its ETag."""

    def steps(stores: Stores) -> Steps:
        seen = stores[1]
        yield
        stores[0] = new
        if seen is not None:
            yield
            if stores[1] == seen:
                stores[1] = None

    return steps


def _deletes(*places: int) -> Client:
    """Delete at these places, in this order."""

    def steps(stores: Stores) -> Steps:
        for number, place in enumerate(places):
            if number:
                yield
            stores[place] = None

    return steps


def _looks_again(stores: Stores) -> Steps:
    """Delete in reverse, then look behind once more, and delete what has come there."""
    for place in reversed(range(len(stores))):
        stores[place] = None
        yield
    for place in range(1, len(stores)):
        seen = stores[place]
        if seen is not None:
            yield
            if stores[place] == seen:
                stores[place] = None
        if place < len(stores) - 1:
            yield


def _stores_at(place: int, new: State) -> Client:
    """Look at the places before, write, then remove what was seen, with If-Match on its ETag."""

    def steps(stores: Stores) -> Steps:
        seen = list[State]()
        for before in range(place):
            seen.append(stores[before])
            yield
        stores[place] = new
        for before in reversed(range(place)):
            if seen[before] is not None:
                yield
                if stores[before] == seen[before]:
                    stores[before] = None
        if not any(seen):
            yield  # it is acknowledged

    return steps


def _orders(clients: Sequence[Client], first: Stores) -> Iterator[tuple[list[int], list[Event]]]:
    """Every order of all steps: whose turn it was, and what the clients were told."""

    waiting: list[list[int]] = [[]]
    while waiting:
        turns = waiting.pop()
        stores, moments, left = _play(clients, first, turns)
        if left:
            waiting += [[*turns, number] for number in sorted(left)]
            continue
        yield turns, _told(stores, moments)


def _told(stores: Stores, moments: Sequence[Sequence[int]]) -> list[Event]:
    """What the clients did, and what a read sees at the end."""
    events = [
        write(f"client {number}", own[0], own[-1], _WRITES[number])
        for number, own in enumerate(moments)
    ]
    end = 1 + max(event.ended for event in events)
    return [*events, read("the end", end, end, _visible(stores))]


def _visible(stores: Stores) -> State:
    return next((state for state in stores if state is not None), None)


def _play(
    clients: Sequence[Client], first: Stores, turns: Sequence[int]
) -> tuple[Stores, list[list[int]], set[int]]:
    """What the stores hold after these steps, when each client took its own, and who has more."""
    stores, moments = list(first), [list[int]() for _ in clients]
    running = [client(stores) for client in clients]
    left = set(range(len(clients)))
    for moment, number in enumerate(turns):
        moments[number].append(moment)
        try:
            next(running[number])
        except StopIteration:
            left.discard(number)
    return stores, moments, left


_WRITES: dict[int, State] = {}  # what each client of the case writes
_FIRSTS: tuple[Stores, ...] = ([None, None], [1, None], [None, 2], [1, 2])


_IN_REVERSE = _deletes(1, 0)


@dataclass(frozen=True, slots=True)
class Ways:
    """How clients write to the second place, write to the first one, and delete."""

    second: Callable[[Stores, State], Steps] = _removes_always
    first: Callable[[State], Client] = _puts
    deletes: Client = _IN_REVERSE


def lost(ways: Ways, *, same: bool = False) -> set[str]:
    """What three clients do at once, in an order that ends as it never would at one store.

    same: each writes the bytes that were at its place at first, so that the ETag is the same.
    """
    return {
        " ".join(kinds)
        for first in _FIRSTS
        for kinds in combinations_with_replacement(("first", "second", "delete"), 3)
        if _is_lost(ways, first, kinds, same=same)
    }


def _is_lost(ways: Ways, first: Stores, kinds: Sequence[str], *, same: bool) -> bool:
    clients: list[Client] = []
    for number, kind in enumerate(kinds):
        new: State = 10 + number
        if same and kind != "delete":
            new = 1 if kind == "first" else 2
        _WRITES[number] = None if kind == "delete" else new
        if kind == "second":
            clients.append(partial(ways.second, new=new))
        else:
            clients.append(ways.first(new) if kind == "first" else ways.deletes)
    return any(not has_order(events, _visible(first)) for _, events in _orders(clients, first))


def test_without_a_removal_of_what_hides_it_a_write_is_lost_at_once() -> None:
    assert "second second second" in lost(Ways(_removes_never))


def test_a_removal_without_a_condition_loses_what_is_written_meanwhile() -> None:
    """By a write that began after another had ended: the removal is of neither."""
    assert lost(Ways(_removes_always)) == {"first second second", "first second delete"}


def test_a_removal_of_what_was_seen_before_leaves_but_a_delete_between() -> None:
    assert lost(Ways(_removes_what_it_saw)) == {"first second delete"}


@pytest.mark.slow
def test_a_delete_that_comes_twice_to_the_last_place_leaves_nothing() -> None:
    assert lost(Ways(_removes_what_it_saw, deletes=_deletes(1, 0, 1))) == set()


def test_a_delete_that_looks_behind_once_more_leaves_nothing() -> None:
    assert lost(Ways(_removes_what_it_saw, deletes=_looks_again)) == set()


@pytest.mark.parametrize("seed", range(4))
def test_four_clients_at_three_places_lose_nothing(seed: int) -> None:
    """The ways of the test before, in orders that are drawn: there are too many to try them all."""
    dice = random.Random(seed)
    for _ in range(1500):
        first: Stores = [dice.choice([None, 1 + place]) for place in range(3)]
        clients: list[Client] = []
        for number in range(4):
            place = dice.randrange(4)
            _WRITES[number] = None if place == 3 else 10 + number
            clients.append(_looks_again if place == 3 else _stores_at(place, 10 + number))
        turns = list[int]()
        stores, moments, left = _play(clients, first, turns)
        while left:
            turns.append(dice.choice(sorted(left)))
            stores, moments, left = _play(clients, first, turns)
        assert has_order(_told(stores, moments), _visible(first)), (first, turns, moments)


@pytest.mark.slow
def test_a_second_look_in_place_of_a_condition_leaves_a_round_trip() -> None:
    assert "first second second" in lost(Ways(_removes_what_is_still_there))


@pytest.mark.slow
@pytest.mark.timeout(300)  # each removes more, so that there are ten times as many orders
def test_removing_copies_behind_loses_a_write_of_equal_bytes() -> None:
    """If-Match on the ETag seen before: the same bytes may have been written again."""
    ways = Ways(_removes_what_it_saw, first=_tidies_up)
    assert lost(ways) == set()
    assert "first first second" in lost(ways, same=True)
