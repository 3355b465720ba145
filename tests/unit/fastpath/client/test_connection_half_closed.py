"""A client that says it sends no more: what it has asked for is answered, the last thing."""

from __future__ import annotations

import pytest

from fastpath.limits import Limits
from tests.doubles.http1 import get, ok, put
from tests.unit.fastpath.clients import BODY, PUT, answers, one, started

HEALTH = get("/-/healthz")


@pytest.mark.parametrize("request_", [get(), PUT, put("/b-b/k", b"")], ids=["get", "put", "empty"])
def test_a_whole_request_is_answered(request_: bytes) -> None:
    """C15: a client half-closes after a whole request."""
    rig, client = started()
    client.says(request_)
    client.leaves()
    assert not client.ended
    rig.target.says(ok(BODY))
    answer = one(client, request_[:3])
    assert (answer.status, answer.body) == (200, BODY)
    assert client.ended
    rig.pass_time(1)
    assert client.transport.ended
    assert not client.aborted
    assert not rig.worker.connections


def test_every_whole_request_is_answered() -> None:
    """C15: several requests and a half of one, then the end."""
    rig, client = started()
    client.says(get("/b-b/1") + HEALTH * 3 + get("/b-b/2") + PUT[:-1])
    client.leaves()
    rig.target.says(ok(b"one"))
    rig.target.says(ok(b"two"))
    got = answers(client, *[b"GET"] * 5)
    assert [answer.body for answer in got] == [b"one", *[b"ok\n"] * 3, b"two"]
    rig.pass_time(1)
    assert client.transport.ended
    assert not rig.worker.connections


@pytest.mark.parametrize("left", [get()[:-1], PUT[:-1], PUT[:-10], b"G"])
def test_half_a_request_is_not(left: bytes) -> None:
    """C15: the end comes in the middle of a request."""
    rig, client = started()
    client.says(left)
    client.leaves()
    assert client.heard == b""
    assert client.transport.ended
    assert not rig.worker.connections


def test_half_a_request_behind_a_whole_one_ends_with_it() -> None:
    """C15: what can never be complete is not waited for."""
    rig, client = started()
    client.says(get() + get()[:-1])
    client.leaves()
    rig.target.says(ok(BODY))
    assert one(client).body == BODY
    rig.pass_time(1)
    assert client.transport.ended


def test_a_slow_reader_gets_its_last_answer_whole() -> None:
    """C15: the end has come long before the answer is taken."""
    rig, client = started()
    client.says(get())
    client.stalls()
    client.leaves()
    rig.target.says(ok(bytes(5000)))
    for _ in range(5):
        rig.pass_time(50)
        client.reads(1000)
    client.reads(on=True)
    assert one(client).whole
    rig.pass_time(2)
    assert client.transport.ended
    assert not client.reset


def test_a_reader_that_takes_nothing_is_reset_though() -> None:
    """A6: a half-closed client that takes nothing of its answer."""
    rig, client = started()
    client.says(get())
    client.stalls()
    client.leaves()
    rig.target.says(ok(bytes(5000)))
    rig.pass_time(Limits().send_idle_seconds + 1)
    assert client.reset


def test_one_that_left_is_noticed_by_the_first_write_that_fails() -> None:
    """C15: a close looks like a half-close until something is written."""
    rig, client = started()
    client.says(get())
    client.leaves()
    rig.target.says(ok(bytes(1000))[:-10])
    client.resets(BrokenPipeError(32, "Broken pipe"))
    assert rig.target.aborted
    assert rig.lines("access")[0]["code"] == "ClientGone"


def test_refused_and_half_closed() -> None:
    """C15: an answer that is made here."""
    rig, client = started(mode="sigv4")
    client.stalls()
    client.says(get())
    client.leaves()
    client.reads(on=True)
    assert one(client).status == 403
    rig.pass_time(1)
    assert client.transport.ended
    assert not client.aborted
