"""A client's connection: too many, draining, health checks, defects."""

from __future__ import annotations

import pytest

from fastpath.ipc.counters import Slot
from fastpath.worker.connection_limit import REFUSED_AT_ONCE, most_connections
from fastpath.worker.state import WorkerState
from tests.doubles.http1 import get, ok, put
from tests.doubles.wire import Rig, WireTransport
from tests.unit.fastpath.clients import BODY, PUT, answers, one, started

# --- limits, draining, health ---


def test_one_connection_too_many() -> None:
    rig, first = started(limits={"connections": 1})
    second = rig.connect()
    second.says(PUT[:-5])
    answer = one(second, b"PUT")
    assert (answer.status, answer.code, answer.fields["retry-after"]) == (503, "SlowDown", "1")
    assert second.ended
    second.says(PUT[-5:] + get())  # was on its way: must not reset the answer away
    assert not second.aborted
    assert not second.transport.is_closing()
    second.leaves()
    first.says(get())
    assert len(rig.targets) == 1
    assert rig.count(Slot.CONNECTIONS) == 1


def test_a_reload_makes_room_for_more_connections() -> None:
    rig, _ = started(limits={"connections": 1})
    rig.install(limits={"connections": 2})
    rig.connect().says(get())
    assert len(rig.targets) == 1


def test_a_full_worker_answers_the_probes_of_one_client_too_many() -> None:
    """A flood of connections must not look like a worker that hangs."""
    rig, first = started(limits={"connections": 1})
    for request, status in ((get("/-/healthz"), 200), (get("/-/readyz"), 503)):
        probe = rig.connect()
        probe.says(request + get("/-/healthz"))
        assert (one(probe).status, one(probe).fields["connection"]) == (status, "close")
        assert probe.ended
        probe.leaves()
    head = rig.connect()
    head.says(get(method="HEAD"))
    assert one(head, b"HEAD").status == 503
    head.leaves()
    assert len(rig.targets) == 0
    first.says(get())
    assert len(rig.targets) == 1


@pytest.mark.parametrize(("came", "answered"), [(b"", b""), (get()[:-5], b"HTTP/1.1 400 ")])
def test_one_client_too_many_has_a_second_to_ask(came: bytes, answered: bytes) -> None:
    rig, _ = started(limits={"connections": 1})
    silent = rig.connect()
    if came:
        silent.says(came)
    rig.pass_time(0.9)
    assert not silent.ended
    rig.pass_time(0.5)
    assert silent.ended
    assert silent.take().startswith(answered)


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


def drained(worker: WorkerState) -> bool:
    return worker.empty.is_set()


def test_draining() -> None:
    rig, busy = started()
    idle, uploading, answering = rig.connect(), rig.connect(), rig.connect()
    busy.says(get())
    rig.target.stalls()
    uploading.says(PUT[:-5])
    answering.says(get())
    answering_target = rig.target
    answering_target.says(ok(BODY)[:-5])
    rig.worker.drain()
    rig.pass_time(2)
    assert idle.transport.ended
    assert not drained(rig.worker)
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
    assert drained(rig.worker)


def test_a_request_on_its_way_when_draining_begins_is_answered() -> None:
    rig, client = started()
    rig.worker.drain()
    client.says(get())
    rig.target.says(ok())
    assert one(client).fields["connection"] == "close"
    assert client.ended


def test_cutting_counts_requests() -> None:
    rig, busy = started()
    idle = rig.connect()
    busy.says(get())
    rig.worker.drain()
    assert rig.worker.cut() == 1
    rig.settle()
    assert busy.aborted
    assert idle.aborted
    assert rig.count(Slot.CUT) == 1
    assert drained(rig.worker)


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
    rig.worker.drain()
    client.says(get("/-/healthz"))
    assert one(client).status == 503
    assert client.ended


def test_readiness() -> None:
    """D2: `/-/readyz` is 200 only while the next client would be served."""
    rig, client = started(mode="sigv4", limits={"connections": 2})
    ready, alive = get("/-/readyz"), get("/-/healthz")
    client.says(ready + get("/-/readyz", method="HEAD"))
    assert [answer.status for answer in answers(client, b"GET", b"HEAD")] == [200, 200]
    assert rig.lines("access") == []
    client.take()
    other = rig.connect()
    client.says(ready + alive)
    assert [answer.status for answer in answers(client, b"GET", b"GET")] == [503, 200]
    assert b"\r\n\r\nfull\n" in client.take()
    other.leaves()
    client.says(ready)
    assert one(client).status == 200
    client.take()
    rig.worker.drain()
    client.says(ready)
    assert (one(client).status, one(client).body) == (503, b"draining\n")
    assert client.ended


def test_who_is_turned_away_is_told_and_so_is_the_operator_once_a_minute() -> None:
    """A11: one line when the limit bites, and no more of them than one a minute."""
    rig, _ = started(limits={"connections": 1})
    refused = [rig.connect() for _ in range(5)]
    for client in refused:
        client.says(get())
    assert [one(client).code for client in refused] == ["SlowDown"] * 5
    assert len(turned_away(rig)) == 1
    assert "1 connections are open; raise router.limits.connections" in turned_away(rig)[0]
    rig.pass_time(61)
    rig.connect()
    assert len(turned_away(rig)) == 2


def turned_away(rig: Rig) -> list[str]:
    told = [event["message"] for event in rig.lines("event") if event["level"] == "warning"]
    return [line for line in told if line.startswith("clients are turned away: ")]


def test_turning_away_takes_a_bounded_number_of_descriptors() -> None:
    """A11: more than can be told at a time are closed with their answer."""
    rig, _ = started(limits={"connections": 1})
    refused = [rig.connect() for _ in range(REFUSED_AT_ONCE + 5)]
    assert [client.transport.ended for client in refused] == [False] * REFUSED_AT_ONCE + [True] * 5
    for client in refused[:REFUSED_AT_ONCE]:
        client.says(get())
    assert {one(client).code for client in refused} == {"SlowDown"}


@pytest.mark.parametrize(
    ("wanted", "descriptors", "most"),
    [(20000, 1 << 20, 20000), (20000, 40064, 20000), (20000, 4096, 2016), (5, 4096, 5), (5, 10, 1)],
)
def test_descriptors_bound_connections(wanted: int, descriptors: int, most: int) -> None:
    """A11: each connection may need two."""
    assert most_connections(wanted, descriptors) == most


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


def test_nothing_is_heard_of_a_defect_but_internal_error() -> None:
    rig, client = started()
    client.says(get())
    (connection,) = rig.worker.connections
    connection.crash(ValueError("secret detail"))
    rig.settle()
    answer = one(client)
    assert (answer.status, answer.code) == (500, "InternalError")
    assert b"secret detail" not in client.heard
    assert "secret detail" in rig.defects[0]
    assert rig.target.aborted


def test_a_defect_between_requests_drops_the_connection() -> None:
    rig, client = started()
    (connection,) = rig.worker.connections
    connection.crash(ValueError("a defect"))
    rig.settle()
    assert client.reset
    assert len(rig.defects) == 1
