"""Answers cut out of the byte stream, seen from the client's side of a whole exchange."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastpath.upstream.connection import MAX_ANSWER_HEAD
from tests.doubles.http1 import Answer, get, ok, put, read_answers
from tests.doubles.wire import Peer, Rig

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\nx-trailer: 1\r\n\r\n"
)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nETag: x\r\n\r\nhello, world"
ANSWERS = {
    "length": (ok(b"hello, world"), True),
    "chunked": (CHUNKED, True),
    "until close": (UNTIL_CLOSE, False),
    "until close, 1.0": (UNTIL_CLOSE.replace(b"1.1", b"1.0"), False),
    "1.0 with length": (ok(b"hello, world").replace(b"1.1", b"1.0"), False),
    "1.0 keep-alive": (
        ok(b"hello, world", "Connection: keep-alive").replace(b"1.1", b"1.0"),
        True,
    ),
    "close": (ok(b"hello, world", "Connection: close"), False),
    "after 100": (b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"hello, world"), True),
    "after two 1xx": (
        b"HTTP/1.1 102 Processing\r\na: b\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED,
        True,
    ),
}


def asked(request: bytes = get()) -> tuple[Rig, Peer, Peer]:
    rig = Rig()
    client = rig.connect()
    client.says(request)
    return rig, client, rig.target


def the_answer(client: Peer, method: bytes = b"GET") -> Answer:
    (answer,) = read_answers(client.heard, [method], ended=client.ended)
    return answer


def kept(rig: Rig) -> bool:
    return "idle=1" in repr(rig.worker.pool(rig.worker.snapshot.targets["first"].route, "first"))


def splits(raw: bytes) -> Iterator[list[bytes]]:
    for cut in range(1, len(raw)):
        yield [raw[:cut], raw[cut:]]
    yield [raw[at : at + 1] for at in range(len(raw))]


@pytest.mark.parametrize("name", ANSWERS)
def test_every_framing_split_at_every_byte(name: str) -> None:
    raw, keeps = ANSWERS[name]
    for pieces in [[raw], *splits(raw)]:
        rig, client, target = asked()
        target.says(*pieces)
        if b"ETag" in raw:
            assert not the_answer(client).whole
            target.leaves()
        answer = the_answer(client)
        assert (answer.status, answer.body, answer.whole) == (200, b"hello, world", True), pieces
        assert kept(rig) is keeps, pieces
        assert not client.ended
        assert not rig.defects


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("HEAD", ok(b"")[:-4].replace(b": 0", b": 1234") + b"\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 404 Not Found\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        ("GET", ok(b"")),
    ],
)
def test_answers_without_a_body(method: str, raw: bytes) -> None:
    for pieces in [[raw], *splits(raw)]:
        rig, client, target = asked(get(method=method))
        target.says(*pieces)
        (answer,) = read_answers(client.heard, [method.encode()])
        assert answer.body == b""
        assert answer.status == int(raw[9:12])
        assert kept(rig)
        if b"1234" in raw:
            assert answer.fields["content-length"] == "1234"
        client.says(get())  # the next one is not put out of step
        target.says(ok(b"next"))
        assert read_answers(client.heard, [method.encode(), b"GET"])[1].body == b"next"


@pytest.mark.parametrize("stray", [b"x", b"\r\n", ok(b"smuggled")])
@pytest.mark.parametrize(
    "raw", [ok(b"hello"), ok(b""), b"HTTP/1.1 204 No Content\r\n\r\n", CHUNKED]
)
def test_bytes_behind_an_answer_reach_nobody(raw: bytes, stray: bytes) -> None:
    """A10: a whole answer is whole, whatever comes behind it."""
    rig, client, target = asked()
    target.says(raw + stray)
    assert the_answer(client).whole
    assert not kept(rig)
    assert target.aborted
    rig, client, target = asked()
    target.says(raw)
    assert kept(rig)
    target.says(stray)  # later, while nobody uses it
    assert the_answer(client).whole
    assert not kept(rig)


GARBAGE = [
    b"hello\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"HTTP/2.0 200 OK\r\n\r\n",
    b"HTTP/1.1 99 Low\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nA\x00: b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * (MAX_ANSWER_HEAD // 6),
]


@pytest.mark.parametrize("raw", GARBAGE, ids=lambda raw: repr(raw[:50]))
def test_garbage_is_503(raw: bytes) -> None:
    for pieces in ([raw], [raw[at : at + 997] for at in range(0, len(raw), 997)]):
        rig, client, target = asked()
        target.says(*pieces)
        answer = the_answer(client)
        assert (answer.status, answer.code) == (503, "ServiceUnavailable")
        assert target.aborted
        assert not client.ended
        (event,) = rig.lines("event")
        assert event["level"] == "warning"
        assert "answered garbage" in event["message"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "answered garbage: expected HTTP, got a TLS record"),
        (b"SSH-2.0-server\r\n", "got an SSH server"),
        (b"\0\0\x12\x04\0\0\0\0\0", "got HTTP/2"),
        (b"", "closed the connection without an answer (if the port speaks TLS, write https://"),
    ],
    ids=["D7 TLS alert", "D7 SSH", "D7 HTTP/2", "D7 nothing"],
)
def test_another_protocol_is_named_when_the_target_leaves(said: bytes, told: str) -> None:
    rig, client, target = asked()
    if said:
        target.says(said)
    target.leaves()
    assert the_answer(client).status == 503
    (event,) = rig.lines("event")
    assert told in event["message"]


def test_another_protocol_is_named_when_the_target_waits() -> None:
    """D7: an SSH server says its name and waits for ours."""
    rig, client, target = asked()
    target.says(b"SSH-2.0-server\r\n")
    rig.pass_time(200)
    assert the_answer(client).status == 503
    (event,) = rig.lines("event")
    assert "did not answer in time; answered garbage: expected HTTP, got an SSH" in event["message"]


def test_a_port_that_asks_for_tls_in_plain_words() -> None:
    """D7: its 400 is no answer of a store, so the client gets none."""
    rig, client, target = asked()
    page = b"<h1>400 Bad Request</h1>The plain HTTP request was sent to HTTPS port"
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(page)
    target.says(head + page)
    answer = the_answer(client)
    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    assert b"plain HTTP" not in client.heard
    (event,) = rig.lines("event")
    assert "write https:// in the target's endpoint" in event["message"]


def test_bad_chunks_in_mid_answer_break_it_off() -> None:
    rig, client, target = asked()
    target.says(CHUNKED[:57])
    assert client.heard.startswith(b"HTTP/1.1 200 OK")
    target.says(b"zz\r\n")
    assert client.reset
    assert target.aborted
    assert rig.lines("access")[0]["code"] == "BrokenOff"


@pytest.mark.parametrize("raw", [ok(b"hello, world"), CHUNKED])
@pytest.mark.parametrize("end", ["leaves", "resets"])
def test_an_end_in_mid_answer_never_looks_whole(raw: bytes, end: str) -> None:
    for cut in range(raw.index(b"\r\n\r\n") + 4, len(raw) - 1):
        _, client, target = asked()
        target.says(raw[:cut])
        getattr(target, end)()
        assert client.reset, cut
        assert not the_answer(client).whole, cut


def test_a_reset_in_an_answer_until_close_never_looks_whole() -> None:
    _, client, target = asked()
    target.says(UNTIL_CLOSE)
    target.resets()
    assert client.reset
    assert not the_answer(client).whole


@pytest.mark.parametrize("end", ["leaves", "resets"])
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_end_before_an_answer_is_503_on_a_fresh_connection(said: bytes, end: str) -> None:
    rig, client, target = asked()
    target.says(said)
    getattr(target, end)()
    answer = the_answer(client)
    assert (answer.status, answer.code, answer.fields["retry-after"]) == (
        503,
        "ServiceUnavailable",
        "1",
    )
    assert len(rig.targets) == 1
    assert not client.ended


@pytest.mark.parametrize("sent", [1000, 999, 500])
def test_an_answer_is_heard_though_the_connection_broke_under_the_request(sent: int) -> None:
    """A target that refuses an upload and closes: the reset overtakes the loop, not the kernel."""
    whole = put("/b-b/k", bytes(1000))
    head = len(whole) - 1000
    rig, client, target = asked(whole[: head + sent])
    target.whispers(ok(b"denied", status="403 Forbidden"))
    target.resets(BrokenPipeError(32, "Broken pipe"))
    answer = the_answer(client, b"PUT")
    assert (answer.status, answer.body) == (403, b"denied")
    assert answer.whole
    assert not kept(rig)
    assert client.ended is (sent < 1000)
    assert not rig.defects


def test_half_an_answer_is_no_answer_though_the_connection_broke() -> None:
    for said in (ok(b"denied")[:-1], UNTIL_CLOSE):
        _, client, target = asked(put("/b-b/k", bytes(1000))[:-1])
        target.whispers(said)
        target.resets()
        assert client.reset
        assert not the_answer(client, b"PUT").whole


# --- the second try ---


def kept_then(request: bytes, *, goes_up: bool = True) -> tuple[Rig, Peer, Peer]:
    """A request on a connection that has served before."""
    rig, client, target = asked()
    target.says(ok())
    client.take()
    target.take()
    client.says(request)
    assert bool(target.heard) is goes_up
    return rig, client, target


@pytest.mark.parametrize("end", ["leaves", "resets"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_what_died_in_the_moment_of_reuse_goes_up_again(method: str, end: str) -> None:
    rig, client, target = kept_then(get(method=method))
    getattr(target, end)()
    assert len(rig.targets) == 2
    assert rig.target.heard.startswith(method.encode())
    rig.target.says(ok(b"" if method == "HEAD" else b"hello"))
    (answer,) = read_answers(client.heard, [method.encode()])
    assert answer.status == 200
    assert rig.lines("event") == []


def test_once() -> None:
    rig, client, target = kept_then(get())
    target.leaves()
    rig.target.leaves()
    assert the_answer(client).status == 503
    assert len(rig.targets) == 2


def test_a_second_try_that_finds_no_connection() -> None:
    rig, client, target = kept_then(get())
    rig.connect_fault = ConnectionRefusedError(111, "Connection refused")
    target.leaves()
    assert the_answer(client).status == 503


@pytest.mark.parametrize("said", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_not_once_a_byte_of_the_answer_was_here(said: bytes) -> None:
    rig, client, target = kept_then(get())
    target.says(said)
    target.leaves()
    assert the_answer(client).status == 503
    assert len(rig.targets) == 1


def test_not_after_garbage_and_not_after_silence() -> None:
    rig, client, target = kept_then(get())
    target.says(b"garbage\r\n\r\n")
    assert the_answer(client).status == 503
    rig, client, target = kept_then(get(method="DELETE"))
    rig.pass_time(121)
    assert target.aborted
    (answer,) = read_answers(client.heard, [b"DELETE"])
    assert answer.status == 503
    assert len(rig.targets) == 1


@pytest.mark.parametrize(
    "request_",
    [get(method="POST", path="/b-b/k?uploads"), get("/b-b/k", "If-Match: x", method="DELETE")],
)
def test_not_a_post_and_not_a_conditional_write(request_: bytes) -> None:
    rig, client, target = kept_then(request_)
    target.leaves()
    (answer,) = read_answers(client.heard, [request_.split(b" ")[0]])
    assert answer.status == 503
    assert len(rig.targets) == 1


def test_not_with_a_body_begun_but_with_one_that_was_not() -> None:
    whole = put("/b-b/k", b"0123456789")
    rig, client, target = kept_then(whole[:-9])
    target.leaves()
    assert the_answer(client, b"PUT").status == 503
    assert len(rig.targets) == 1
    rig, client, target = kept_then(whole[:-10], goes_up=False)  # the head waits for a byte of it
    target.leaves()
    assert len(rig.targets) == 2
    client.says(whole[-10:])
    assert rig.target.heard.endswith(b"\r\n\r\n0123456789")


# --- the second head, flow ---


def test_a_client_that_does_not_read_holds_the_target() -> None:
    rig, client, target = asked()
    client.stalls()
    target.says(ok(bytes(1_000_000))[:400_000])
    assert not target.transport.reading
    target.says(bytes(100_000))  # stays in the kernel
    assert client.transport.get_write_buffer_size() < 500_000
    rig.pass_time(59)  # the time of the client, not of the target
    assert not target.aborted
    client.reads(300_000)
    assert not target.transport.reading
    client.reads(100_000, on=True)
    assert target.transport.reading
    rig.pass_time(59)
    assert not target.aborted
    rig.pass_time(2)
    assert target.aborted
    assert client.reset


def test_a_target_that_does_not_read_holds_the_client() -> None:
    rig = Rig()
    client = rig.connect()
    whole = put("/b-b/k", bytes(1_000_000))
    client.says(whole[:1000])
    rig.target.stalls()
    client.says(whole[1000:100_000])
    assert not client.transport.reading
    client.says(whole[100_000:])
    assert rig.target.transport.get_write_buffer_size() < 100_000
    rig.pass_time(59)
    assert not client.ended
    rig.target.reads(on=True)
    assert client.transport.reading
    assert rig.target.heard.endswith(b"\r\n\r\n" + bytes(1_000_000))
    rig.target.says(ok())
    assert the_answer(client, b"PUT").status == 200


def test_a_target_that_takes_nothing_for_too_long() -> None:
    rig = Rig()
    client = rig.connect()
    client.says(put("/b-b/k", bytes(1_000_000))[:1000])
    rig.target.stalls()
    client.says(bytes(100_000))
    rig.pass_time(61)
    assert rig.target.aborted
    assert the_answer(client, b"PUT").status == 503


def test_a_target_that_ends_with_request_bytes_unread_is_dropped_at_once() -> None:
    rig = Rig()
    client = rig.connect()
    client.says(put("/b-b/k", bytes(1_000_000))[:1000])
    rig.target.stalls()
    client.says(bytes(10_000))
    rig.target.leaves()
    assert rig.target.aborted
    assert the_answer(client, b"PUT").status == 503


def test_a_connection_with_request_bytes_unsent_is_not_kept() -> None:
    rig = Rig()
    client = rig.connect()
    whole = put("/b-b/k", bytes(10_000))
    client.says(whole[:1000])
    rig.target.stalls()
    client.says(whole[1000:])
    rig.target.says(ok())
    assert the_answer(client, b"PUT").status == 200
    assert rig.target.aborted
    assert not client.ended


# --- time ---


def test_the_answer_has_its_time_from_the_last_byte_of_the_request() -> None:
    rig = Rig(timeouts={"response_seconds": 30})
    client = rig.connect()
    whole = put("/b-b/k", b"0123456789")
    client.says(whole[:-1])
    rig.pass_time(19)
    client.says(whole[-1:])
    rig.pass_time(29)
    assert not rig.target.aborted
    rig.pass_time(2)
    assert rig.target.aborted
    assert the_answer(client, b"PUT").status == 503


def test_silence_inside_an_answer_breaks_it_off() -> None:
    rig, client, target = asked()
    target.says(ok(b"0123456789")[:-5])
    for _ in range(4):
        rig.pass_time(50)
        target.says(b"x")
    assert not target.aborted
    rig.pass_time(61)
    assert target.aborted
    assert client.reset


def test_a_kept_connection_has_no_deadline_of_the_last_answer() -> None:
    rig = Rig(pool={"idle_seconds": 1000})
    client = rig.connect()
    client.says(get())
    rig.target.says(ok())
    rig.pass_time(70)
    assert kept(rig)
    client.says(get())
    assert len(rig.targets) == 1
