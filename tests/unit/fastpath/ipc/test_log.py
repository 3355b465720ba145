"""What a worker tells control: lines, batches, counters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fastpath.errors import REQUEST_TIMEOUT, S3Error
from fastpath.ipc.counters import Slot
from fastpath.ipc.log import (
    FLUSH_SECONDS,
    MAX_DATAGRAM,
    RECENT_A_SECOND,
    RECENT_ERRORS_A_SECOND,
    SAME_FAILURE_SECONDS,
    SAME_MISTAKE_SECONDS,
    WorkerLog,
)
from fastpath.ipc.process_identity import this_process
from fastpath.ipc.repair_lines import BEGUN, DONE, LEFT, LeftUpload, read
from tests.doubles.http1 import get, ok, put
from tests.doubles.wire import Rig


def test_an_access_line() -> None:
    rig = Rig()
    client = rig.connect()
    client.says(put("/g-b/a%20key%E2%98%83", b"12345"))
    rig.target.says(ok(b"123"))
    (line,) = rig.lines()
    told = {name: line[name] for name in line if name not in ("time", "request_id", "seconds")}
    assert told == {
        "kind": "access",
        "remote": "192.0.2.1:50000",
        "method": "PUT",
        "operation": "PutObject",
        "bucket": "g-b",
        "key": "a key\N{SNOWMAN}",
        "identity": "",
        "target": "generic",
        "rule": 1,
        "status": 200,
        "code": "",
        "bytes_in": 5,
        "bytes_out": 3,
        "generation": 1,
        "worker": 0,
        "access_key_id": "",
        "proxy": "",
        "trace_id": "",
    }
    assert line["request_id"].encode() in client.heard
    assert 0 < line["seconds"] < 10


def test_a_target_that_fails_all_the_time_is_told_of_seldom() -> None:
    rig = Rig()
    log = rig.log
    client = rig.connect()
    client.says(get("/g-b/key"))
    exchange = client.protocol.exchange  # type: ignore[attr-defined]  # a connection's

    def told() -> list[tuple[str, str]]:
        return [(line["message"], line["untold"]) for line in rig.lines("event")]

    for _ in range(100):
        log.target_failed(exchange, "broke")
    log.target_failed(exchange, "is silent")
    assert told() == [("broke", ""), ("is silent", "")]
    for number in range(100):
        log.target_failed(exchange, f"cannot connect as {number}")
    assert len(told()) == 8
    rig.pass_time(SAME_FAILURE_SECONDS)
    log.target_failed(exchange, "broke")
    log.target_failed(exchange, "is silent")
    assert told()[8:] == [("broke", str(99 + 94)), ("is silent", "")]


def test_a_refused_request_is_told_with_what_was_known() -> None:
    rig = Rig(mode="sigv4")
    rig.connect().says(get("/b-b/k"))
    (line,) = rig.lines()
    assert (line["operation"], line["bucket"], line["key"]) == ("GetObject", "b-b", "k")
    assert (line["identity"], line["target"], line["rule"]) == ("", "", None)
    assert (line["status"], line["code"]) == (403, "AccessDenied")
    rig = Rig()
    rig.connect().says(get("/b/k"))
    (line,) = rig.lines()
    assert (line["operation"], line["bucket"], line["code"]) == ("", "", "InvalidBucketName")


def test_every_exchange_leaves_one_line_and_is_counted() -> None:
    rig = Rig()
    client = rig.connect()
    client.says(get() + get("/x") + get())
    rig.target.says(ok(b"hello"))
    rig.target.says(ok(b"", status="500 Oh"))
    assert [line["status"] for line in rig.lines("access")] == [200, 400, 500]
    counted = (Slot.REQUESTS, Slot.ERRORS_4XX, Slot.ERRORS_5XX)
    assert [rig.count(slot) for slot in counted] == [3, 1, 1]


def test_a_request_that_is_cut_leaves_one_line_and_is_counted() -> None:
    """A7: whatever it was doing when the worker had to leave; nothing tells of it twice."""
    rig = Rig()
    clients = [rig.connect() for _ in range(4)]
    clients[0].says(get())  # no answer yet
    clients[1].says(get())
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")  # in its answer
    clients[2].says(put("/g-b/k", b"12345")[:-2])  # in its body
    assert rig.worker.cut() == 3  # the fourth was idle
    rig.settle()
    told = [(line["method"], line["status"], line["code"]) for line in rig.lines("access")]
    assert sorted(told) == [("GET", 0, "Cut"), ("GET", 200, "Cut"), ("PUT", 0, "Cut")]
    counted = (Slot.STARTED, Slot.CUT, Slot.REQUESTS, Slot.ABORTED)
    assert [rig.count(slot) for slot in counted] == [3, 3, 0, 0]
    assert all(client.transport.aborted for client in clients)


def test_the_account_of_every_way_a_request_can_end() -> None:
    """A7: started = finished + cut + in flight, and a line for each that is not in flight."""
    rig = Rig(limits={"connections": 3})
    answered, gone, broken = (rig.connect() for _ in range(3))
    answered.says(get() + b"GET /-/healthz HTTP/1.1\r\nHost: h\r\n\r\n" + get("/x"))
    rig.target.says(ok(b"whole"))
    refused = rig.connect()  # one too many
    refused.says(get())
    assert b"SlowDown" in refused.heard
    gone.says(get())
    gone.resets()
    rig.settle()
    broken.says(get())
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    rig.target.leaves()
    rig.settle()
    rig.connect().says(b"garbage\r\n\r\n")
    codes = [line["code"] for line in rig.lines("access")]
    assert codes == ["", "InvalidBucketName", "SlowDown", "ClientGone", "BrokenOff", "BadRequest"]
    counted = (Slot.STARTED, Slot.REQUESTS, Slot.CUT, Slot.ABORTED)
    assert [rig.count(slot) for slot in counted] == [6, 6, 0, 1]


def test_lines_wait_a_little_and_travel_together() -> None:
    rig = Rig(limits={"refused_requests": 0})  # as many as one likes
    rig.connect().says(get("/x") * 3)
    assert rig.sink.datagrams == []
    rig.loop.now += FLUSH_SECONDS
    rig.settle()
    (datagram,) = rig.sink.datagrams
    assert len(datagram.split(b"\n")) == 3
    rig.connect().says(get("/x") * 64)
    assert len(rig.sink.datagrams) == 2  # many do not wait


def test_datagrams_are_bounded() -> None:
    rig = Rig()
    for length in (100, 20_000, 20_000, 12_000, 40_000, 10):
        rig.log.event("info", "x" * length)
    rig.log.flush()
    assert all(len(datagram) <= MAX_DATAGRAM for datagram in rig.sink.datagrams[:-2])
    sizes = [
        [len(json.loads(line)["message"]) for line in data.split(b"\n")]
        for data in rig.sink.datagrams
    ]
    assert sizes == [[100, 20_000], [20_000, 12_000], [40_000], [10]]


def test_a_batch_is_filled_to_the_last_byte() -> None:
    rig = Rig()
    rig.log.event("info", "")
    rig.log.flush()
    empty = len(rig.sink.datagrams.pop())
    half = MAX_DATAGRAM // 2 - empty
    rig.log.event("info", "x" * half)
    rig.log.event("info", "x" * (MAX_DATAGRAM - empty - half - empty - 1 - 8))
    rig.log.flush()
    assert len(rig.sink.datagrams) == 1
    assert MAX_DATAGRAM - 60 < len(rig.sink.datagrams[0]) <= MAX_DATAGRAM


def test_a_full_socket_drops_and_counts() -> None:
    rig = Rig()
    rig.sink.full = True
    rig.connect().says(get("/x") * 3)
    rig.log.flush()
    assert rig.count(Slot.LOG_DROPPED) == 3
    rig.sink.full = False
    rig.connect().says(get("/x"))
    assert len(rig.lines()) == 1


def test_without_an_access_log_everything_is_counted_and_events_are_told() -> None:
    rig = Rig()
    rig.log._form = None
    client = rig.connect()
    client.says(get("/x") + b"garbage\r\n")
    rig.log.event("info", "hello")
    assert [line["kind"] for line in rig.lines()] == ["event"]
    assert rig.count(Slot.REQUESTS) == 2
    assert rig.count(Slot.ERRORS_4XX) == 2


def test_a_defect_is_told_with_its_place() -> None:
    rig = Rig()
    try:
        raise ValueError("a defect")
    except ValueError as fault:
        rig.log.crash(fault)
    rig.log.crash(ValueError("never raised"))
    first, second = rig.lines("event")
    assert first["level"] == "error"
    assert first["message"].startswith("internal error: ValueError: a defect at ")
    assert "test_log.py:" in first["message"]
    assert second["message"] == "internal error: ValueError: never raised"


@pytest.mark.parametrize("mode", ["open", "sigv4"])
def test_no_line_holds_a_secret_or_a_signature(mode: str) -> None:
    rig = Rig(mode=mode)
    rig.connect_fault = OSError("no")
    client = rig.connect()
    client.says(get("/b-b/k?X-Amz-Signature=hush", "Authorization: hush", "Cookie: hush"))
    told = json.dumps(rig.lines())
    assert "hush" not in told
    assert "secret" not in told


def test_the_journal_is_one_workers() -> None:
    rig = Rig()
    log = WorkerLog(rig.loop, rig.sink, rig.row, worker=3, access_log="off")  # type: ignore[arg-type]
    log.event("info", "hello", target="first")
    log.flush()
    line = json.loads(rig.sink.datagrams[-1])
    assert (line["worker"], line["target"]) == (3, "first")


@pytest.mark.parametrize(
    ("hello", "says"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "a client speaks TLS to an address of"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "a client speaks HTTP/2"),
        (b"PROXY TCP4 192.0.2.7 192.0.2.8 5 80\r\n", "PROXY protocol"),
    ],
    ids=["D7 TLS", "D7 HTTP/2", "D7 PROXY"],
)
def test_a_client_of_another_protocol_is_told_once_a_minute(hello: bytes, says: str) -> None:
    rig = Rig()
    for _ in range(3):
        client = rig.connect()
        client.says(hello)
        assert client.heard.startswith(b"HTTP/1.1 400 ")
    (event,) = rig.lines("event")
    assert says in event["message"]
    assert event["remote"] == "192.0.2.1:50000"
    rig.pass_time(SAME_MISTAKE_SECONDS + 1)
    rig.connect().says(hello)
    assert len(rig.lines("event")) == 2


def _telling(rig: Rig) -> WorkerLog:
    """The log of a worker that tells control of requests, for the admin plane."""
    row: Any = rig.row
    return WorkerLog(
        rig.loop,  # type: ignore[arg-type]  # it has the calls that a log needs
        rig.sink,  # type: ignore[arg-type]
        row,
        worker=3,
        access_log="off",
        tells_requests=True,
    )


def test_few_requests_of_a_second_are_told_for_the_admin_plane_and_the_rest_counted() -> None:
    rig = Rig()
    client = rig.connect()
    client.says(get("/g-b/key"))
    exchange = client.protocol.exchange  # type: ignore[attr-defined]  # a connection's
    rig.target.says(ok(b"123"))
    log = _telling(rig)

    def told() -> list[int]:
        log.flush()
        return [line["left_out"] for line in rig.lines("recent")]

    for status, many in ((200, 100), (503, 70)):
        exchange.status = status
        for _ in range(many):
            log.exchange_ended(exchange)
    log.head_refused("192.0.2.9:1", "0A", S3Error(REQUEST_TIMEOUT, "slow"))
    most = RECENT_A_SECOND + RECENT_ERRORS_A_SECOND
    assert told() == [0] * RECENT_A_SECOND + [90] + [0] * (RECENT_ERRORS_A_SECOND - 1)
    rig.pass_time(1.0)
    log.head_refused("192.0.2.9:1", "0B", S3Error(REQUEST_TIMEOUT, "slow"))
    assert told()[most:] == [51]
    last = rig.lines("recent")[-1]
    assert (last["request_id"], last["status"], last["worker"]) == ("0B", 400, 3)


def test_nothing_is_told_where_there_is_no_admin_plane() -> None:
    rig = Rig(mode="sigv4")
    client = rig.connect()
    client.says(get("/b-b/k"))
    client.says(b"nonsense\r\n\r\n")
    assert rig.lines("recent") == []


UPLOAD = LeftUpload("generic", b"b", b"\xff\n", b"id", "0A1B")


def test_a_repair_line_is_sent_at_once_and_its_end_like_other_lines() -> None:
    rig = Rig()
    rig.log.event("info", "before")
    assert rig.log.repair(UPLOAD)
    assert [[json.loads(line)["kind"]] for line in rig.sink.datagrams] == [["event"], ["repair"]]
    rig.log.repaired(UPLOAD)
    assert len(rig.sink.datagrams) == 2
    begun, done = (read(line) for line in rig.lines("repair"))
    assert (begun.upload, begun.state) == (UPLOAD, BEGUN)
    assert (done.upload, done.state) == (UPLOAD, DONE)
    assert begun.process == this_process()


def test_an_upload_that_is_left_is_told_and_counted() -> None:
    rig = Rig()
    rig.log.left(UPLOAD)
    (left,) = (read(line) for line in rig.lines("repair"))
    assert (left.upload, left.state) == (UPLOAD, LEFT)
    assert rig.count(Slot.UPLOADS_LEFT) == 1


def test_a_repair_line_that_cannot_be_sent_is_told_and_counted() -> None:
    rig = Rig()
    rig.sink.full = True
    assert not rig.log.repair(UPLOAD)
    assert rig.count(Slot.LOG_DROPPED) == 1
    rig.sink.full = False
    assert rig.log.repair(UPLOAD)
    assert len(rig.lines("repair")) == 1  # nobody waits for the first one
