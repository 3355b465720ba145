"""A client's connection that has served long enough: told so in an answer, then closed."""

from __future__ import annotations

import math

import pytest

from fastpath.client import lifetime
from fastpath.client.lifetime import SPREAD, Lifetime
from fastpath.limits import Limits
from tests.doubles.http1 import get, ok, put
from tests.doubles.wire import Peer, Rig
from tests.unit.fastpath.clients import PUT, answers, one, started

OLD = 100 * (1 + SPREAD)  # whatever its share was, it is over `AGED` then
AGED = {"connection_seconds": 100.0, "idle_seconds": 1000.0}


def asks(rig: Rig, client: Peer, request: bytes = get()) -> bool:
    """One request and its answer; whether the answer says that it was the last."""
    client.take()
    client.says(request)
    rig.target.says(ok(b"hello"))
    answer = one(client)
    assert answer.whole
    said = answer.fields.get("connection") == "close"
    assert client.ended is said
    return said


# --- the limits ---


def after(requests: int, **limits: float) -> float:
    """When a connection that was accepted at 1,000 ends, once so many requests have begun."""
    life = Lifetime(Limits(**limits), 1000.0)
    for _ in range(requests):
        life.count()
    return life.end


def test_by_default_a_connection_lives_an_hour_however_much_it_asks() -> None:
    for requests in (0, 1, 100_000):
        assert 3600 * (1 - SPREAD) <= after(requests) - 1000 <= 3600 * (1 + SPREAD)


def test_zero_is_no_limit() -> None:
    assert after(100_000, connection_seconds=0) == math.inf


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_limits_lie_apart_but_never_far(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []

    def one_end(*ends: float) -> float:
        asked.append(ends)
        return share

    monkeypatch.setattr(lifetime, "uniform", one_end)
    assert after(0, connection_seconds=100) == 1000 + 100 * share
    last = round(100 * share)
    assert after(last - 1, connection_seconds=0, connection_requests=100) == math.inf
    assert after(last, connection_seconds=0, connection_requests=100) == -math.inf
    assert set(asked) == {(0.9, 1.1)}


def test_a_connection_serves_one_request_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "uniform", lambda least, most: 0.1)
    assert after(0, connection_requests=1) > 1000
    assert after(1, connection_requests=1) == -math.inf


# --- by requests ---


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_last_request_is_told_that_it_is(version: str) -> None:
    rig, client = started(limits={"connection_requests": 3})
    request = get("/b-b/k", "Connection: keep-alive", version=version)
    assert [asks(rig, client, request) for _ in range(3)] == [False, False, True]
    assert not client.aborted


def test_every_kind_of_answer_counts_and_tells() -> None:
    refused = get("/b-b/k?uploads&acl")
    for last, status in ((get("/-/healthz"), 200), (refused, 400), (get(), 200), (PUT, 200)):
        rig, client = started(limits={"connection_requests": 2})
        client.says(get("/-/healthz"))
        client.says(last)
        if rig.targets:
            rig.target.says(ok())
        first, second = answers(client, b"GET", last.partition(b" ")[0])
        assert (first.status, first.fields["connection"]) == (200, "keep-alive")
        assert (second.status, second.fields["connection"]) == (status, "close")
        assert client.ended


def test_what_was_pipelined_behind_the_last_is_not_begun() -> None:
    rig, client = started(limits={"connection_requests": 2})
    client.says(b"".join(get(f"/b-b/{n}") for n in range(4)))
    for n in range(2):
        assert rig.target.take().startswith(b"GET /b-b/%d " % n)
        rig.target.says(ok(b"%d" % n))
    assert rig.target.take() == b""
    found = answers(client, b"GET", b"GET")
    assert [answer.fields.get("connection") for answer in found] == [None, "close"]
    assert [answer.body for answer in found] == [b"0", b"1"]
    assert client.ended
    assert not client.aborted


def test_an_upload_that_waits_for_leave_is_still_taken_whole() -> None:
    rig, client = started(limits={"connection_requests": 1})
    head, _, body = put("/b-b/k", b"0123456789", "Expect: 100-continue").partition(b"\r\n\r\n")
    client.says(head + b"\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.says(body)
    rig.target.says(ok())
    assert rig.target.heard.endswith(body)
    assert one(client, b"PUT").fields["connection"] == "close"
    assert client.ended


# --- by age ---


def test_a_connection_that_is_old_ends_after_its_next_answer() -> None:
    rig, client = started(limits=AGED)
    assert not asks(rig, client)
    rig.pass_time(89)
    assert not asks(rig, client)
    rig.pass_time(OLD - 89 + 1)
    assert asks(rig, client)


def test_a_silent_connection_is_not_closed_for_its_age() -> None:
    rig, client = started(limits={**AGED, "idle_seconds": 150})
    rig.pass_time(149)
    assert not client.transport.is_closing()
    rig.pass_time(2)
    assert client.transport.ended
    assert client.heard == b""


def test_an_exchange_that_grows_old_before_its_answer_says_so() -> None:
    rig, client = started(limits=AGED, timeouts={"response_seconds": 1000})
    client.says(get())
    rig.pass_time(OLD + 1)
    assert not client.ended
    rig.target.says(ok(b"hello"))
    assert one(client).fields["connection"] == "close"
    assert client.ended


def test_an_answer_that_has_begun_is_not_cut_nor_its_connection_closed_unsaid() -> None:
    rig, client = started(limits=AGED, timeouts={"idle_seconds": 1000})
    client.says(get("/b-b/1") + get("/b-b/2"))
    rig.target.says(ok(b"hello")[:-2])
    rig.pass_time(OLD + 1)
    rig.target.says(b"lo")
    rig.target.says(ok(b"two"))
    first, second = answers(client, b"GET", b"GET")
    assert (first.body, first.fields.get("connection")) == (b"hello", None)
    assert (second.body, second.fields.get("connection")) == (b"two", "close")
    assert client.ended


def test_a_reload_gives_new_connections_other_limits() -> None:
    rig, client = started()
    rig.install(limits={"connection_requests": 1})
    assert not asks(rig, client)
    assert asks(rig, rig.connect())
