"""The table of moves: its edges, every pair that is none; defects; the snapshot it is on."""

from __future__ import annotations

import gc
import itertools

import pytest

from fastpath.exchange.exchange import Exchange
from fastpath.exchange.states import MOVES, Event, State, after
from fastpath.state_table import ProtocolFault
from tests.doubles.http1 import get, ok, put, read_answers
from tests.doubles.wire import Rig

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
    """Every state can be reached, and every one but the last can end."""
    assert set(MOVES) == set(State)
    reached = {State.LEASING}
    for _ in State:
        reached |= {to for state in reached for to in MOVES[state].values()}
    assert reached == set(State)
    assert [state for state in State if Event.END not in MOVES[state]] == [State.ENDED]
    assert MOVES[State.ENDED] == {}


def test_an_exchange_shows_what_it_is_and_where() -> None:
    rig = Rig()
    rig.connect().says(get())
    (connection,) = rig.worker.connections
    exchange = connection.exchange
    assert exchange is not None
    assert repr(exchange) == f"<Exchange {exchange.request_id} GetObject AWAITING>"


def states(rig: Rig) -> list[State]:
    return [
        connection.exchange.state
        for connection in rig.worker.connections
        if connection.exchange is not None
    ]


def test_the_life_of_an_upload() -> None:
    rig = Rig()
    rig.hold_connects()
    client = rig.connect()
    whole = put("/b-b/k", b"0123456789")
    client.says(whole[:-5])
    assert states(rig) == [State.LEASING]
    rig.open_held()
    assert states(rig) == [State.SENDING]
    assert rig.target.heard.endswith(b"\r\n\r\n01234")
    client.says(whole[-5:])
    assert states(rig) == [State.AWAITING]
    answer = ok(b"0123456789")
    rig.target.says(answer[:-5])
    assert states(rig) == [State.ANSWERING]
    rig.target.says(answer[-5:])
    assert states(rig) == []
    (line,) = rig.lines("access")
    assert (line["bytes_in"], line["bytes_out"], line["status"]) == (10, 10, 200)
    assert not rig.defects


def test_it_ends_on_the_snapshot_it_began_with() -> None:
    rig = Rig()
    rig.hold_connects()
    client = rig.connect()
    client.says(get("/b-b/k"))
    rig.install(rules=[], default_target="generic")
    rig.open_held()
    assert b"host: first.test:9000\r\n" in rig.target.heard
    rig.target.says(ok())
    client.says(get("/b-b/k"))
    rig.open_held()
    assert b"host: generic.test:9000\r\n" in rig.target.heard
    rig.target.says(ok())
    assert [line["generation"] for line in rig.lines("access")] == [1, 2]


def test_a_defect_is_an_internal_error_for_the_client_and_a_place_for_the_operator() -> None:
    rig = Rig(default_target="missing", rules=[])  # a snapshot that control would never send
    client = rig.connect()
    client.says(get("/b-b/k") * 2)
    answers = read_answers(client.heard, [b"GET", b"GET"])
    assert [(answer.status, answer.code) for answer in answers] == [(500, "InternalError")] * 2
    assert len(rig.defects) == 2
    assert "KeyError: 'missing'" in rig.defects[0]
    assert "upstream_request.py" in rig.defects[0]


def test_a_defect_in_an_answer_breaks_it_off() -> None:
    rig = Rig()
    client = rig.connect()
    client.says(get("/b-b/k"))
    rig.target.says(ok(b"0123456789")[:-5])
    (connection,) = rig.worker.connections
    assert connection.exchange is not None
    connection.exchange.crash(ValueError("a defect"))
    rig.settle()
    assert client.reset
    assert rig.target.aborted
    assert len(rig.defects) == 1


def test_a_defect_at_the_end_drops_the_connection() -> None:
    rig = Rig()
    client = rig.connect()
    client.says(get("/b-b/k"))
    (connection,) = rig.worker.connections
    exchange = connection.exchange
    assert exchange is not None
    rig.target.says(ok())
    client.says(get("/b-b/other"))
    exchange.crash(ValueError("a defect"))
    rig.settle()
    assert client.transport.ended
    assert rig.target.aborted  # the next one is cancelled
    assert [line["code"] for line in rig.lines("access")] == ["", "ClientGone"]


def test_an_exchange_leaves_nothing_to_the_garbage_collector() -> None:
    rig = Rig()
    client = rig.connect()
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            client.says(get())
            rig.target.says(ok(b"body"))
            assert client.take().endswith(b"body")
        left = [
            kept
            for kept in gc.get_objects()
            if isinstance(kept, Exchange) and kept._worker is rig.worker
        ]
    finally:
        gc.enable()
    assert left == []
