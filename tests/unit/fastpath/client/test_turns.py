"""Pipelined requests take turns, and refusals cost a connection its life."""

from __future__ import annotations

import math

import pytest

from fastpath.client.lifetime import Lifetime
from fastpath.limits import Limits
from tests.doubles.http1 import get, ok, read_answers
from tests.doubles.wire import Peer, Rig
from tests.unit.fastpath.clients import answers, started

HEALTH = get("/-/healthz")
REFUSED = get("/b-b/k")  # without a signature


def turn(rig: Rig) -> None:
    """One turn of the loop."""
    rig.loop.turn()


def served(client: Peer) -> int:
    return client.heard.count(b"HTTP/1.1 ")


@pytest.mark.parametrize("request_", [HEALTH, REFUSED], ids=["health", "refused"])
@pytest.mark.parametrize("at_once", [1, 4])
def test_a_turn_serves_a_bounded_number(request_: bytes, at_once: int) -> None:
    """A2: thousands of requests in one read."""
    limits = {"requests_per_turn": at_once, "refused_requests": 0}
    rig, client = started(mode="sigv4", limits=limits)
    client.says(request_ * 30, settle=False)
    assert served(client) == 1  # the one that is behind no other
    for number in range(1, 5):
        turn(rig)
        assert served(client) <= 1 + number  # one for each connection that waits
    rig.settle()
    assert len(answers(client, *[b"GET"] * 30)) == 30
    assert not client.ended


def test_all_connections_together_are_bounded_too() -> None:
    """A2: many connections that pipeline."""
    rig = Rig(limits={"requests_per_turn": 3})
    clients = [rig.connect() for _ in range(10)]
    for client in clients:
        client.says(HEALTH * 5, settle=False)
    assert [served(client) for client in clients] == [1] * 10
    turn(rig)
    assert sum(served(client) for client in clients) == 13
    for _ in range(3):
        turn(rig)
    counts = [served(client) for client in clients]
    assert (sum(counts), max(counts) - min(counts)) == (22, 1)  # they take turns
    rig.settle()
    assert [served(client) for client in clients] == [5] * 10


def test_who_asks_once_waits_for_nobody() -> None:
    """A2: a client beside a flood is served when it is read."""
    rig = Rig(limits={"requests_per_turn": 1})
    flood, client = rig.connect(), rig.connect()
    flood.says(HEALTH * 1000, settle=False)
    client.says(HEALTH, settle=False)
    assert (served(flood), served(client)) == (1, 1)


def test_more_that_comes_while_it_waits_jumps_no_queue() -> None:
    """A2: the flood goes on while its requests wait."""
    rig, client = started()
    for _ in range(10):
        client.says(HEALTH * 10, settle=False)
    assert served(client) == 1
    rig.settle()
    assert len(answers(client, *[b"GET"] * 100)) == 100


def test_requests_that_go_to_a_target_wait_for_their_turn_but_are_not_slowed() -> None:
    """A2: one request of a connection is under way at a time, as ever."""
    rig, client = started()
    client.says(get("/b-b/1") + get("/b-b/2") + HEALTH)
    rig.target.says(ok(b"1"))
    rig.target.says(ok(b"2"))
    got = answers(client, *[b"GET"] * 3)
    assert [answer.body for answer in got] == [b"1", b"2", b"ok\n"]


def test_one_that_leaves_or_ends_while_it_waits() -> None:
    """A2: a turn of a connection that is gone is nobody's."""
    rig = Rig()
    gone, staying = rig.connect(), rig.connect()
    for client in (gone, staying):
        client.says(HEALTH * 20, settle=False)
    gone.resets()
    assert served(staying) == 20
    assert not rig.defects


def test_a_drain_lets_what_waits_have_its_answer() -> None:
    """A2: the grace of a silent connection is no deadline for one that waits."""
    rig, client = started()
    client.says(HEALTH + get(), settle=False)
    rig.worker.drain()
    rig.loop.now += 2
    rig.worker.sweep()
    rig.settle()
    rig.target.says(ok(b"last"))
    got = answers(client, b"GET", b"GET")
    assert (got[1].body, got[1].fields["connection"]) == (b"last", "close")


# --- refusals ---


def test_a_connection_ends_after_so_many_refusals() -> None:
    """A2: refused requests cost a connection its life, announced."""
    _, client = started(mode="sigv4", limits={"refused_requests": 5})
    client.says(REFUSED * 20)
    got = read_answers(client.heard, [b"GET"] * 5, ended=True)
    assert [answer.status for answer in got] == [403] * 5
    assert ["close" in answer.fields.get("connection", "") for answer in got] == [False] * 4 + [
        True
    ]
    assert client.ended


@pytest.mark.parametrize("limit", [0, 5])
def test_a_mix_of_good_and_bad_is_not_cut(limit: int) -> None:
    """A2: behind an ingress many users share a connection."""
    rig, client = started(anonymous="allow", limits={"refused_requests": limit})
    wrong = get("/b-b/k?uploads&acl")
    for _ in range(10):
        client.says(wrong * 4)
        client.says(get())
        rig.target.says(ok())
    assert not client.ended
    client.says(wrong * 10)
    assert client.ended is (limit > 0)


def test_refusals_count_in_a_row() -> None:
    """A2: the count begins anew with a request that was not refused."""
    life = Lifetime(Limits(refused_requests=3, connection_seconds=0), 0.0)
    for refused in (True, True, False, True, True, False, True, True):
        life.count()
        if refused:
            life.refuse()
        assert life.end == math.inf
    life.count()
    life.refuse()
    assert life.end == -math.inf


def test_who_is_known_may_be_refused_for_ever() -> None:
    """A2: an identity without a right is no stranger."""
    rig, client = started(limits={"refused_requests": 3}, pool={"max_connections": 1})
    rig.connect_fault = ConnectionRefusedError(111, "Connection refused")
    for _ in range(10):
        client.says(get())
    assert [answer.status for answer in answers(client, *[b"GET"] * 10)] == [503] * 10
    assert not client.ended
