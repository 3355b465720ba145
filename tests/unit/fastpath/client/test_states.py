"""The table of the states of a client's connection, and the lives that it has."""

from __future__ import annotations

import itertools
from typing import cast

import pytest

from fastpath.client.connection import ClientConnection
from fastpath.client.states import MOVES, Event, State, after
from fastpath.state_table import ProtocolFault
from tests.doubles.http1 import get, ok, put
from tests.doubles.wire import Peer
from tests.unit.fastpath.clients import BODY, PUT, started

LEGAL = [(state, event) for state, moves in MOVES.items() for event in moves]
ILLEGAL = sorted(set(itertools.product(State, Event)) - set(LEGAL))


@pytest.mark.parametrize(("state", "event"), LEGAL, ids=lambda member: member.name)
def test_every_edge(state: State, event: Event) -> None:
    assert after(state, event) is MOVES[state][event]


@pytest.mark.parametrize(("state", "event"), ILLEGAL, ids=lambda member: member.name)
def test_every_pair_that_is_none(state: State, event: Event) -> None:
    with pytest.raises(ProtocolFault, match=f"{event.name} while {state.name}"):
        after(state, event)


def test_the_table_is_whole() -> None:
    """Every state can be reached, every one can close, and from ENDING on nothing is served."""
    assert set(MOVES) == set(State)
    reached = {State.IDLE}
    for _ in State:
        reached |= {to for state in reached for to in MOVES[state].values()}
    assert reached == set(State)
    assert all(MOVES[state][Event.CLOSE] is State.CLOSED for state in State)
    assert [state for state in State if set(MOVES[state]) == {Event.CLOSE}] == [
        state for state in State if state >= State.ENDING
    ]


def state(client: Peer) -> State:
    return cast("ClientConnection", client.protocol).state


def test_the_life_of_a_read() -> None:
    rig, client = started()
    assert state(client) is State.IDLE
    client.says(get()[:10])
    assert state(client) is State.HEAD
    client.says(get()[10:])
    assert state(client) is State.SERVING
    rig.target.says(ok(BODY)[:-1])
    assert state(client) is State.SERVING
    rig.target.says(BODY[-1:])
    assert state(client) is State.IDLE


def test_an_empty_line_begins_no_head() -> None:
    _, client = started()
    client.says(b"\r\n")
    assert state(client) is State.IDLE


def test_an_answer_before_its_request_is_whole() -> None:
    _, client = started(mode="sigv4")
    client.says(PUT[:-5])
    assert state(client) is State.DISCARDING
    client.says(BODY[-5:-1])
    assert state(client) is State.DISCARDING
    client.says(BODY[-1:])
    assert state(client) is State.IDLE


def test_requests_behind_the_first_of_a_read_wait() -> None:
    rig, client = started()
    client.says(get("/-/healthz") * 2, settle=False)
    assert state(client) is State.QUEUED
    rig.settle()
    assert state(client) is State.IDLE


@pytest.mark.parametrize("request_", [b"what is this\r\n", get("/b-b/k", "Connection: close")])
def test_a_connection_that_ends(request_: bytes) -> None:
    rig, client = started()
    client.says(request_)
    if rig.targets:
        rig.target.says(ok())
    assert state(client) is State.ENDING
    client.leaves()
    assert state(client) is State.CLOSED


@pytest.mark.parametrize("request_", [b"", get()[:10], get(), PUT[:-5], get("/-/healthz") * 2])
def test_a_reset_closes_from_everywhere(request_: bytes) -> None:
    rig, client = started()
    client.says(request_, settle=False)
    rig.worker.cut()
    assert state(client) is State.CLOSED  # the loop reports it later
    rig.settle()
    assert state(client) is State.CLOSED
    assert not rig.worker.connections
    assert not rig.defects


def test_an_answer_after_a_reset_is_no_defect() -> None:
    """The loop reports a reset one turn later; the target may answer meanwhile."""
    rig, client = started()
    client.says(get())
    connection = cast("ClientConnection", client.protocol)
    connection.abort()
    rig.target.says(ok(BODY), settle=False)
    assert state(client) is State.CLOSED
    rig.settle()
    assert not rig.defects


def test_what_it_shows_of_itself() -> None:
    _, client = started()
    client.says(put("/b-b/k", BODY)[:-1])
    assert repr(client.protocol) == "<ClientConnection 192.0.2.1:50000 serving>"
    assert repr(cast("ClientConnection", client.protocol).reading) == "<Reading on>"
