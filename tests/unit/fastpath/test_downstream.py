"""A client's connection: keep-alive, pipelining, 100-continue, early answers, ends."""

from __future__ import annotations

import hashlib

import pytest

from fastpath.counters import Slot
from fastpath.service import Service
from tests.doubles.http1 import Answer, get, ok, put, read_answers
from tests.doubles.wire import Peer, Rig, WireTransport

BODY = b"0123456789"
PUT = put("/b-b/k", BODY)
LATE = get("/b-b/late")


def started(**options: object) -> tuple[Rig, Peer]:
    rig = Rig(**options)
    return rig, rig.connect()


def answers(client: Peer, *methods: bytes) -> list[Answer]:
    return read_answers(client.heard, methods, ended=client.ended)


def one(client: Peer, method: bytes = b"GET") -> Answer:
    (answer,) = answers(client, method)
    return answer


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
    assert repr(client.protocol) == "<DownstreamConnection 192.0.2.1:50000 idle>"


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


# --- early answers ---


def test_an_answer_before_the_request_is_whole() -> None:
    rig, client = started()
    client.says(PUT[:-5])
    denied = ok(b"denied", status="403 Forbidden")
    rig.target.says(denied[:-3])
    client.says(PUT[-5:-3])
    rig.target.says(denied[-3:])
    answer = one(client, b"PUT")
    assert (answer.status, answer.body, answer.fields["connection"]) == (403, b"denied", "close")
    assert client.ended
    assert rig.target.aborted
    assert not rig.target.heard.endswith(PUT[-5:-3])
    client.says(PUT[-3:])
    assert not client.aborted


def test_an_early_answer_goes_on_when_the_client_sends_no_more() -> None:
    rig, client = started(timeouts={"idle_seconds": 50})
    client.says(PUT[:-5])
    rig.target.says(ok(BODY)[:-8])
    for n in range(3):
        rig.pass_time(30)
        rig.target.says(BODY[n + 2 : n + 3])
    assert not client.aborted
    rig.pass_time(51)  # the target's own time
    assert rig.target.aborted
    assert client.reset


def test_an_answer_in_the_very_moment_of_the_last_byte_keeps() -> None:
    rig, client = started()
    client.says(PUT)
    rig.target.says(ok())
    assert not client.ended
    assert not rig.target.aborted


# --- who leaves, who dies ---


@pytest.mark.parametrize("end", ["leaves", "resets"])
def test_a_client_that_leaves_cancels_upstream(end: str) -> None:
    for request in (get(), PUT[:-5], PUT):
        rig, client = started()
        client.says(request)
        getattr(client, end)()
        assert rig.target.aborted
        (line,) = rig.lines("access")
        assert line["code"] == "ClientGone"
        assert rig.count(Slot.ABORTED) == 1
        assert rig.count(Slot.CONNECTIONS) == 0


@pytest.mark.parametrize("end", ["leaves", "resets"])
def test_a_client_that_leaves_while_it_waits_for_a_connection(end: str) -> None:
    rig, client = started()
    rig.hold_connects()
    client.says(get())
    getattr(client, end)()
    rig.open_held()
    assert rig.target.heard == b""
    assert rig.lines("access")[0]["code"] == "ClientGone"


def test_a_client_that_leaves_in_mid_answer_cancels_upstream() -> None:
    rig, client = started()
    client.says(get())
    rig.target.says(ok(BODY)[:-5])
    client.leaves()
    assert rig.target.aborted
    assert rig.lines("access")[0]["bytes_out"] == 5


def test_a_client_that_leaves_is_noticed_while_a_slow_target_has_its_request() -> None:
    rig, client = started()
    whole = put("/b-b/k", bytes(200_000))
    client.says(whole[:1000])
    rig.target.stalls()
    client.says(whole[1000:])
    assert client.transport.reading
    client.leaves()
    assert rig.target.aborted


def test_a_client_that_leaves_between_requests() -> None:
    rig, client = started()
    client.says(get())
    rig.target.says(ok())
    client.leaves()
    assert client.transport.ended
    assert not rig.target.aborted
    assert rig.service.connections == set()


# --- the digest ---


def hashed(body: bytes, claimed: bytes, path: str = "/g-b/k") -> bytes:
    return put(path, body, f"x-amz-content-sha256: {hashlib.sha256(claimed).hexdigest()}")


@pytest.mark.parametrize("pieces", [1, 2, 10])
def test_a_body_with_another_digest_never_completes(pieces: int) -> None:
    rig, client = started()
    raw = hashed(BODY, b"other")
    head, body = raw[:-10], raw[-10:]
    size = 10 // pieces
    client.says(head)
    client.says(*[body[at : at + size] for at in range(0, 10, size)])
    answer = one(client, b"PUT")
    assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
    assert hashlib.sha256(BODY).hexdigest().encode() in answer.body
    assert hashlib.sha256(b"other").hexdigest().encode() in answer.body
    if pieces == 1:  # a head alone would make an empty object of the one that is there
        assert rig.target.heard == b""
    else:
        assert rig.target.heard.endswith(b"\r\n\r\n" + BODY[:-size])
    assert rig.target.aborted
    assert not client.ended
    client.says(hashed(BODY, BODY))
    assert rig.target.heard.endswith(b"\r\n\r\n" + BODY)
    rig.target.says(ok())
    assert answers(client, b"PUT", b"PUT")[1].status == 200


def test_a_head_waits_for_the_first_byte_of_its_body() -> None:
    """Some targets take a head that ends there for an empty object."""
    rig, client = started()
    client.says(PUT[:-10])
    assert rig.target.heard == b""
    client.leaves()
    assert rig.target.heard == b""
    rig, client = started()
    client.says(PUT[:-10])
    client.says(BODY[:1])
    assert rig.target.heard.endswith(b"\r\n\r\n0")
    client.leaves()
    assert rig.target.reset


def test_an_empty_body_with_another_digest_goes_nowhere() -> None:
    rig, client = started()
    client.says(hashed(b"", b"other"))
    assert one(client, b"PUT").code == "XAmzContentSHA256Mismatch"
    assert rig.targets == []
    client.says(hashed(b"", b""))
    assert len(rig.targets) == 1


def test_a_target_that_verifies_digests_gets_the_body_as_it_comes() -> None:
    rig, client = started()
    client.says(hashed(BODY, b"other", path="/b-b/k"))
    assert rig.target.heard.endswith(BODY)


# --- deadlines ---


def test_a_head_has_a_time_from_its_first_byte() -> None:
    rig, client = started(limits={"head_seconds": 20, "idle_seconds": 75})
    rig.pass_time(60)
    client.says(b"GET / HT")
    rig.pass_time(10)
    client.says(b"TP/1.1\r\n")
    rig.pass_time(9)
    assert client.heard == b""
    rig.pass_time(2)
    answer = one(client)
    assert (answer.status, answer.code) == (400, "RequestTimeout")
    assert client.ended


def test_an_idle_connection_is_closed_without_a_word() -> None:
    rig, client = started(limits={"idle_seconds": 75})
    rig.pass_time(74)
    assert not client.transport.ended
    rig.pass_time(2)
    assert client.transport.ended
    assert client.heard == b""


def test_the_time_of_an_idle_connection_begins_anew_after_each_answer() -> None:
    rig, client = started(limits={"idle_seconds": 75})
    rig.pass_time(70)
    client.says(get())
    rig.target.says(ok())
    rig.pass_time(74)
    assert not client.transport.ended
    rig.pass_time(2)
    assert client.transport.ended


def test_a_body_that_stops() -> None:
    rig, client = started(limits={"body_idle_seconds": 20})
    client.says(PUT[:-5])
    rig.pass_time(19)
    client.says(PUT[-5:-4])
    rig.pass_time(19)
    assert client.heard == b""
    rig.pass_time(2)
    answer = one(client, b"PUT")
    assert (answer.status, answer.code) == (400, "RequestTimeout")
    assert rig.target.aborted
    assert client.ended


def test_a_body_that_trickles() -> None:
    rig, client = started(limits={"minimum_rate_bytes": 2, "minimum_rate_grace_seconds": 60})
    client.says(put("/b-b/k", bytes(1000))[:-1000])
    for _ in range(60):
        rig.pass_time(1)
        client.says(b"x")
    assert client.heard == b""
    rig.pass_time(1)
    assert one(client, b"PUT").code == "RequestTimeout"


def test_a_body_that_is_just_fast_enough() -> None:
    rig, client = started(limits={"minimum_rate_bytes": 2, "minimum_rate_grace_seconds": 60})
    client.says(put("/b-b/k", bytes(1000))[:-1000])
    for _ in range(200):
        client.says(b"xx")
        rig.pass_time(1)
    assert client.heard == b""


def test_the_time_of_a_body_does_not_run_while_the_target_is_slow() -> None:
    rig, client = started(timeouts={"idle_seconds": 1000})
    client.says(put("/b-b/k", bytes(200_000))[:-200_000])
    rig.target.stalls()
    client.says(bytes(100_000))
    rig.pass_time(500)
    assert not client.ended
    rig.target.reads(on=True)
    rig.pass_time(19)
    assert not client.ended
    rig.pass_time(2)
    assert one(client, b"PUT").code == "RequestTimeout"


def test_a_reader_that_takes_nothing_is_dropped_one_that_takes_little_is_not() -> None:
    rig, client = started(limits={"send_idle_seconds": 60})
    client.says(get())
    client.stalls()
    rig.target.says(ok(bytes(400_000)))
    for _ in range(5):
        rig.pass_time(50)
        client.reads(1000)
    assert not client.ended
    rig.pass_time(121)
    assert client.aborted


def test_a_reader_that_takes_nothing_is_dropped_however_little_is_left() -> None:
    rig, client = started(limits={"send_idle_seconds": 60, "idle_seconds": 75})
    client.stalls()
    client.says(get())
    rig.target.says(ok(b"hello"))
    rig.pass_time(75 + 61)
    assert client.transport.ended
    rig, client = started(limits={"send_idle_seconds": 60})
    client.stalls()
    client.says(get("/b-b/k", "Connection: close"))
    rig.target.says(ok(b"hello"))
    client._waiting.append(b"")
    client.deliver()
    rig.pass_time(61)
    assert client.transport.ended


def test_a_slow_reader_of_a_last_answer_gets_it_whole() -> None:
    rig, client = started(limits={"send_idle_seconds": 60})
    client.says(get("/b-b/k", "Connection: close"))
    client.stalls()
    rig.target.says(ok(bytes(5000)))
    for _ in range(5):
        rig.pass_time(50)
        client.reads(1000)
    client.reads()
    assert one(client).whole
    assert not client.aborted


def test_waiting_for_a_target_is_not_the_clients_time() -> None:
    rig, client = started(timeouts={"response_seconds": 500})
    client.says(get())
    rig.pass_time(499)
    assert not client.ended
    rig.target.says(ok())
    assert one(client).status == 200


def test_one_sweep_that_fails_stops_no_other() -> None:
    rig, client = started()

    class Broken(type(client.protocol)):  # type: ignore[misc]
        def sweep(self, now: float) -> None:
            raise ValueError("a defect")

    broken = Broken(rig.service)
    broken.transport = client.transport
    rig.service.connections.add(broken)
    others = [rig.connect() for _ in range(5)]
    rig.pass_time(76)
    assert all(other.transport.ended for other in others)
    assert "ValueError: a defect" in rig.defects[0]


# --- limits, draining, health ---


def test_one_connection_too_many() -> None:
    rig, first = started(limits={"connections": 1})
    second = rig.connect()
    answer = one(second)
    assert (answer.status, answer.code, answer.fields["retry-after"]) == (503, "SlowDown", "1")
    assert second.ended
    second.says(get())  # was on its way: must not reset the answer away
    assert not second.aborted
    assert not second.transport.is_closing()
    second.leaves()
    first.says(get())
    assert len(rig.targets) == 1
    assert rig.count(Slot.CONNECTIONS) == 1


def test_too_many_waiters() -> None:
    rig = Rig(pool={"max_connections": 1, "max_waiters": 1})
    clients = [rig.connect() for _ in range(3)]
    for client in clients:
        client.says(get() + get("/-/healthz"))
    late = answers(clients[2], b"GET", b"GET")
    assert [answer.status for answer in late] == [503, 200]
    assert late[0].code == "SlowDown"
    assert late[0].fields["retry-after"] == "1"


def test_a_connect_that_fails() -> None:
    rig, client = started()
    rig.connect_fault = ConnectionRefusedError(111, "Connection refused")
    client.says(PUT)
    answer = one(client, b"PUT")
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert not client.ended
    (event,) = rig.lines("event")
    assert "cannot connect to first.test:9000" in event["message"]
    assert event["target"] == "first"


def drained(service: Service) -> bool:
    return service.empty.is_set()


def test_draining() -> None:
    rig, busy = started()
    idle, uploading, answering = rig.connect(), rig.connect(), rig.connect()
    busy.says(get())
    rig.target.stalls()
    uploading.says(PUT[:-5])
    answering.says(get())
    answering_target = rig.target
    answering_target.says(ok(BODY)[:-5])
    rig.service.drain()
    rig.pass_time(2)
    assert idle.transport.ended
    assert not drained(rig.service)
    rig.targets[0].says(ok())
    assert one(busy).fields["connection"] == "close"
    uploading.says(PUT[-5:])
    rig.targets[1].says(ok())
    assert one(uploading, b"PUT").fields["connection"] == "close"
    answering_target.says(BODY[-5:])
    assert one(answering).whole  # its head was out: it is kept, but not for long
    rig.pass_time(2)
    for client in (busy, uploading):
        assert client.ended
        client.leaves()
    assert answering.transport.ended
    assert drained(rig.service)


def test_a_request_on_its_way_when_draining_begins_is_answered() -> None:
    rig, client = started()
    rig.service.drain()
    client.says(get())
    rig.target.says(ok())
    assert one(client).fields["connection"] == "close"
    assert client.ended


def test_cutting_counts_requests() -> None:
    rig, busy = started()
    idle = rig.connect()
    busy.says(get())
    rig.service.drain()
    assert rig.service.cut() == 1
    rig.settle()
    assert busy.aborted
    assert idle.aborted
    assert rig.count(Slot.CUT) == 1
    assert drained(rig.service)


def test_health() -> None:
    rig, client = started(mode="sigv4")
    client.says(get("/-/healthz") + get("/-/healthz", method="HEAD"))
    assert [answer.status for answer in answers(client, b"GET", b"HEAD")] == [200, 200]
    assert not client.ended
    assert rig.lines("access") == []
    client.take()
    client.says(put("/-/healthz", BODY))
    assert one(client, b"PUT").status == 200
    assert client.ended
    rig, client = started()
    rig.service.drain()
    client.says(get("/-/healthz"))
    assert one(client).status == 503
    assert client.ended


def test_a_bucket_may_have_a_key_of_that_name() -> None:
    rig, client = started(domains=["s3.example.com"])
    client.says(get("/-/healthz").replace(b"gateway.test", b"bucket.s3.example.com"))
    assert rig.target.heard.startswith(b"GET /bucket/-/healthz ")


# --- defects, transports ---


def test_a_client_that_is_gone_when_the_connection_closes() -> None:
    class Gone(WireTransport):
        def write_eof(self) -> None:
            raise OSError(107, "Transport endpoint is not connected")

    rig, client = started()
    client.transport.__class__ = Gone
    client.says(b"garbage\r\n")
    assert client.transport.ended
    assert not rig.defects


def test_a_transport_that_cannot_shut_down_one_side_is_closed() -> None:
    class Whole(WireTransport):
        def can_write_eof(self) -> bool:
            return False

        def write_eof(self) -> None:
            raise NotImplementedError

    rig, client = started()
    client.transport.__class__ = Whole
    client.says(b"garbage\r\n")
    assert one(client).status == 400
    assert client.transport.ended
    assert not rig.defects


def test_nothing_is_heard_of_a_defect_but_internal_error() -> None:
    rig, client = started()
    client.says(get())
    (connection,) = rig.service.connections
    connection._crash(ValueError("secret detail"))
    rig.settle()
    answer = one(client)
    assert (answer.status, answer.code) == (500, "InternalError")
    assert b"secret detail" not in client.heard
    assert "secret detail" in rig.defects[0]
    assert rig.target.aborted


def test_a_defect_between_requests_drops_the_connection() -> None:
    rig, client = started()
    (connection,) = rig.service.connections
    connection._crash(ValueError("a defect"))
    rig.settle()
    assert client.reset
    assert len(rig.defects) == 1
