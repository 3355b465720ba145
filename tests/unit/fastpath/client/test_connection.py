"""A client's connection: keep-alive, pipelining, 100-continue, refusals."""

from __future__ import annotations

import pytest

from fastpath.ipc.counters import Slot
from tests.doubles.http1 import get, ok, put
from tests.unit.fastpath.clients import BODY, PUT, answers, one, started

# --- keep-alive ---


def test_one_connection_serves_many_requests() -> None:
    rig, client = started()
    for n in range(5):
        client.says(get(f"/b-b/{n}"))
        assert b"GET /b-b/%d HTTP/1.1\r\n" % n in rig.target.heard
        rig.target.says(ok(b"%d" % n))
    assert [answer.body for answer in answers(client, *[b"GET"] * 5)] == [
        b"%d" % n for n in range(5)
    ]
    assert len(rig.targets) == 1
    assert not client.ended
    assert repr(client.protocol) == "<ClientConnection 192.0.2.1:50000 idle>"


@pytest.mark.parametrize(
    ("request_", "keeps", "says"),
    [
        (get(), True, None),
        (get("/b-b/k", "Connection: close"), False, "close"),
        (get("/b-b/k", "Connection: Keep-Alive"), True, None),
        (get(version="1.0"), False, "close"),
        (get("/b-b/k", "Connection: keep-alive", version="1.0"), True, "keep-alive"),
    ],
)
def test_when_it_is_kept(request_: bytes, keeps: bool, says: str | None) -> None:
    rig, client = started()
    client.says(request_)
    rig.target.says(ok(b"hello"))
    answer = one(client)
    assert answer.fields.get("connection") == says
    assert client.ended is not keeps


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_body_of_unknown_length(version: str) -> None:
    rig, client = started()
    client.says(get("/b-b/k", "Connection: keep-alive", version=version))
    rig.target.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    rig.target.says(b"0\r\n\r\n")
    answer = one(client)
    assert (answer.body, answer.whole) == (b"hello", True)
    assert ("transfer-encoding" in answer.fields) == (version == "1.1")
    assert client.ended == (version == "1.0")


# --- pipelining ---


def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    rig, client = started()
    client.says(get("/b-b/1") + PUT + get("/b-b/2", method="HEAD") + get("/b-b/3"))
    for n, method in enumerate([b"GET", b"PUT", b"HEAD", b"GET"]):
        assert rig.target.take().startswith(method)
        rig.target.says(ok(b"" if method == b"HEAD" else b"%d" % n))
    assert len(rig.targets) == 1
    found = answers(client, b"GET", b"PUT", b"HEAD", b"GET")
    assert [answer.body for answer in found] == [b"0", b"1", b"", b"3"]


def test_pipelined_bytes_are_bounded() -> None:
    rig, client = started(limits={"pipeline_bytes": 1000})
    client.says(get())
    more = get("/b-b/" + "k" * 100)
    client.says(*[more] * 100)
    assert not client.transport.reading
    assert len(client._waiting) > 80
    rig.target.says(ok())
    for _ in range(100):
        rig.target.says(ok())
    assert len(answers(client, *[b"GET"] * 101)) == 101
    assert client.transport.reading


def test_a_request_waits_until_the_answers_before_it_were_taken() -> None:
    rig, client = started(limits={"write_buffer_bytes": 10_000})
    client.stalls()
    client.says(get("/b-b/1"), get("/b-b/2"))
    rig.target.take()
    rig.target.says(ok(bytes(20_000)))
    assert rig.target.heard == b""  # it would be answered into a full buffer
    client.says(get("/b-b/3"))
    client.reads()
    assert rig.target.take().startswith(b"GET /b-b/2 ")
    rig.target.says(ok(b"two"))
    assert rig.target.take().startswith(b"GET /b-b/3 ")
    rig.target.says(ok(b"three"))
    client.reads(on=True)
    assert [answer.body[:5] for answer in answers(client, *[b"GET"] * 3)] == [
        bytes(5),
        b"two",
        b"three",
    ]


def test_health_checks_without_reading_are_bounded_too() -> None:
    _, client = started(limits={"write_buffer_bytes": 10_000})
    client.stalls()
    for _ in range(20):
        client.says(get("/-/healthz") * 100)
    assert client.transport.get_write_buffer_size() < 11_000
    client.reads(on=True)
    for _ in range(100):
        client.reads()
    assert len(answers(client, *[b"GET"] * 2_000)) == 2_000
    assert not client.ended


# --- Expect: 100-continue ---


EXPECTING = put("/b-b/k", BODY, "Expect: 100-continue")[:-10]


def test_100_comes_once_a_connection_is_there() -> None:
    rig, client = started()
    rig.hold_connects()
    client.says(EXPECTING)
    assert client.heard == b""
    rig.open_held()
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert b"expect" not in rig.target.heard.lower()
    client.says(BODY)
    rig.target.says(ok())
    assert one(client, b"PUT").status == 200
    assert not client.ended


def test_no_100_for_no_body_and_not_for_1_0() -> None:
    rig, client = started()
    client.says(put("/b-b/k", b"", "Expect: 100-continue"))
    assert client.heard == b""
    rig.target.says(ok())
    assert not client.ended
    _, client = started()
    client.says(PUT.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert client.heard == b""


def test_one_100_though_there_are_two_tries() -> None:
    rig, client = started()
    client.says(get())
    rig.target.says(ok())
    client.take()
    client.says(EXPECTING)
    rig.target.leaves()
    assert len(rig.targets) == 2
    client.says(BODY)
    rig.target.says(ok())
    assert client.heard.count(b"100 Continue") == 1
    assert one(client, b"PUT").status == 200


def test_a_refusal_instead_of_100_closes_for_the_body_is_in_doubt() -> None:
    _, client = started(mode="sigv4")
    client.says(EXPECTING)
    answer = one(client, b"PUT")
    assert (answer.status, answer.fields["connection"]) == (403, "close")
    assert client.ended
    assert not client.transport.ended  # it still reads what comes
    client.says(BODY)
    client.leaves()
    assert client.transport.ended
    assert not client.aborted


def test_a_refusal_of_an_empty_body_keeps() -> None:
    _, client = started(mode="sigv4")
    client.says(put("/b-b/k", b"", "Expect: 100-continue"))
    assert one(client, b"PUT").status == 403
    assert not client.ended


# --- refusals ---


def test_a_refused_request_with_a_small_body_is_read_away_and_the_next_is_served() -> None:
    rig, client = started(mode="sigv4", limits={"discard_bytes": 10})
    client.says(PUT[:-10])
    assert one(client, b"PUT").status == 403
    client.says(BODY[:5])
    client.says(BODY[5:] + get("/-/healthz"))
    assert [answer.status for answer in answers(client, b"PUT", b"GET")] == [403, 200]
    assert rig.targets == []


def test_a_refused_request_with_a_large_body_closes_after_reading_some_of_it_away() -> None:
    rig, client = started(mode="sigv4", limits={"discard_bytes": 9})
    client.says(PUT[:-10])
    answer = one(client, b"PUT")
    assert (answer.status, answer.fields["connection"]) == (403, "close")
    assert client.ended
    assert not client.transport.is_closing()
    client.says(BODY[:9])
    assert not client.transport.is_closing()
    client.says(BODY[9:])
    assert client.transport.is_closing()
    assert not client.aborted
    assert rig.targets == []


def test_reading_away_has_a_time() -> None:
    rig, client = started(mode="sigv4", limits={"discard_bytes": 9, "discard_seconds": 5})
    client.says(PUT[:-10])
    rig.pass_time(4)
    client.says(b"x")
    assert not client.transport.is_closing()
    rig.pass_time(1.5)
    assert client.transport.ended


REFUSED_HEADS = [
    b"GET /b-b/k HTTP/1.1\r\n\r\n",
    b"GET /b-b/k HTTP/3.0\r\n",
    b"\x16\x03\x01",
    b"GET http://gateway.test/ HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20000,
]


@pytest.mark.parametrize("raw", REFUSED_HEADS, ids=lambda raw: repr(raw[:30]))
def test_a_head_that_is_not_understood_ends_the_connection(raw: bytes) -> None:
    rig, client = started()
    client.says(raw)
    answer = one(client)
    assert answer.status == 400
    assert answer.fields["connection"] == "close"
    assert client.ended
    assert not client.transport.is_closing()  # whatever follows must not reset the answer away
    client.says(get())
    assert len(answers(client, b"GET")) == 1
    client.leaves()
    assert client.transport.ended
    assert not client.aborted
    assert rig.targets == []
    (line,) = rig.lines("access")
    assert line["status"] == 400
    assert rig.count(Slot.ERRORS_4XX) == 1


@pytest.mark.parametrize(
    ("line", "status"), [("Transfer-Encoding: chunked", 501), ("X-Nothing: x", 411)]
)
def test_a_body_of_which_nobody_knows_the_length_ends_the_connection(
    line: str, status: int
) -> None:
    rig, client = started()
    client.says(get("/b-b/k", line, method="PUT"))
    client.says(b"5\r\nGET / HTTP/1.1\r\n0\r\n\r\n")
    assert one(client, b"PUT").status == status
    assert client.ended
    assert not client.transport.is_closing()
    assert rig.targets == []


def test_requests_behind_one_that_closes_are_not_looked_at() -> None:
    rig, client = started()
    client.says(get("/b-b/k", "Connection: close") + get("/b-b/secret"))
    rig.target.says(ok())
    assert one(client).status == 200
    assert b"secret" not in rig.target.heard
    assert client.ended
