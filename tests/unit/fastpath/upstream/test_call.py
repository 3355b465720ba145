"""`fastpath.upstream.call`: requests of the gateway's own, and questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from fastpath.http.framing import BodyKind
from fastpath.http.head import ResponseHead
from fastpath.http.trace_context import trace_headers
from fastpath.ipc.counters import Slot
from fastpath.response.filters import Question, Reply
from fastpath.routing.identities import OPEN_CALLER, Caller
from fastpath.s3.addressing import Address
from fastpath.upstream.bucket_regions import Destination
from fastpath.upstream.call import MAX_REPLY, WINDOW, Call, CallFailed, ask
from fastpath.upstream.lessee import Connection, Failure
from fastpath.upstream.own_request import OwnRequest
from tests.doubles.http1 import ok
from tests.doubles.wire import Rig, document
from tests.unit.fastpath.http.test_trace_context import TRACE, VALID

KEY = Address(b"bucket", b"a key", path_style=True, path=b"/bucket/a%20key")
READ = OwnRequest("GetObject", b"GET", KEY)
REFUSAL = b"<Error><Code>%b</Code>%b</Error>"


def write(length: int) -> OwnRequest:
    return OwnRequest("PutObject", b"PUT", KEY, length=length)


def answer(status: int, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


class Bench:
    """A rig whose worker makes calls."""

    def __init__(self, **options: Any) -> None:
        self.rig = Rig(**options)
        self.request_id = "0000000000000001"
        self.snapshot = self.rig.worker.snapshot
        self.caller: Caller = OPEN_CALLER
        self.trace: Sequence[tuple[bytes, bytes]] = ()

    def holder(self) -> str:
        return "somebody"

    @property
    def to(self) -> Destination:
        target = self.snapshot.targets["first"]
        assert target.signer is not None
        return Destination(target, target.signer)

    def call(self, request: OwnRequest = READ) -> Call:
        return Call(self.rig.worker, self, request, self.to)

    def runs(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self.rig.loop.create_task(work)
        self.rig.settle()
        return task

    def reads(self, request: OwnRequest = READ) -> asyncio.Task[Any]:
        async def read() -> tuple[int, bytes]:
            async with self.call(request) as call:
                head = await call.answer()
                body = await call.document(1 << 30)
            assert body is not None
            return head.status, body

        return self.runs(read())

    def writes(self, *pieces: bytes) -> asyncio.Task[Any]:
        async def write_all() -> tuple[int, list[bool]]:
            async with self.call(write(sum(map(len, pieces)))) as call:
                wanted = [await call.send(piece) for piece in pieces]
                return (await call.answer()).status, wanted

        return self.runs(write_all())

    def asks(self, path: bytes = b"/repo") -> asyncio.Task[Reply | None]:
        question = Question(path, b"uploads=")
        return self.runs(ask(self.rig.worker, self, question, self.to))

    def ended(self) -> list[tuple[int, str]]:
        """How each call ended, by its line; their number is in the counters too."""
        lines = self.rig.lines("call")
        assert self.rig.count(Slot.CALLS) == len(lines)
        assert self.rig.count(Slot.CALLS_FAILED) == sum(line["code"] != "" for line in lines)
        assert not self.rig.lines("access")
        assert not self.rig.defects
        return [(line["status"], line["code"]) for line in lines]


def failure(task: asyncio.Task[Any]) -> str:
    fault = task.exception()
    assert isinstance(fault, CallFailed)
    return fault.reason


def how_it_failed(task: asyncio.Task[Any]) -> Failure:
    fault = task.exception()
    assert isinstance(fault, CallFailed)
    return fault.how


def test_a_call_carries_the_trace_of_its_request_and_is_logged_with_it() -> None:
    bench = Bench()
    bench.trace = trace_headers({b"traceparent": VALID, b"tracestate": b"a=b"})
    done = bench.reads()
    assert bench.rig.target.heard.count(b"\r\ntraceparent: %b\r\ntracestate: a=b\r\n" % VALID) == 1
    bench.rig.target.says(answer(200, b"x"))
    assert done.result() == (200, b"x")
    bench.rig.target.take()
    own = READ._replace(headers=[(b"traceparent", VALID)])  # of the client's headers, passed on
    bench.reads(own)
    assert bench.rig.target.heard.count(b"traceparent") == 1
    bench.rig.target.says(answer(200))
    assert [line["trace_id"] for line in bench.rig.lines("call")] == [TRACE.decode()] * 2


def test_a_failure_says_how_the_target_failed() -> None:
    bench = Bench(pool={"max_waiters": 1, "max_connections": 1})
    rig = bench.rig
    rig.connect_fault = ConnectionRefusedError(111, "x")
    assert how_it_failed(bench.reads()) is Failure.REFUSED
    rig.connect_fault = TimeoutError()
    assert how_it_failed(bench.reads()) is Failure.TIMEOUT
    rig.connect_fault = None
    silent = bench.reads()
    rig.pass_time(121)
    assert how_it_failed(silent) is Failure.TIMEOUT
    broken, waits, overloads = bench.reads(), bench.reads(), bench.reads()
    assert how_it_failed(overloads) is Failure.OVERLOAD
    rig.target.resets()
    assert how_it_failed(broken) is Failure.BROKEN
    rig.target.says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    rig.target.resets()
    assert how_it_failed(waits) is Failure.BROKEN
    bench.ended()


def test_a_target_that_is_barred_is_not_called() -> None:
    bench = Bench()
    bench.rig.worker.breakers.barred["first"] = "not asked: it is disabled"
    task = bench.reads()
    assert (how_it_failed(task), failure(task)) == (Failure.REFUSED, "not asked: it is disabled")
    assert not bench.rig.targets
    assert bench.ended() == [(0, "Failed")]


def test_an_answer_is_read_and_the_connection_kept() -> None:
    bench = Bench()
    task = bench.reads()
    head = bench.rig.target.take()
    assert head.startswith(
        b"GET /bucket/a%20key HTTP/1.1\r\nhost: first.test:9000\r\nauthorization: "
    )
    assert b"via: 1.1 s3gateway-rig\r\n" in head
    bench.rig.target.says(ok(b"abc")[:-1], b"c")
    assert task.result() == (200, b"abc")
    again = bench.reads()
    assert len(bench.rig.targets) == 1
    bench.rig.target.says(answer(500))
    assert again.result() == (500, b"")
    assert bench.ended() == [(200, ""), (500, "")]
    (line, _) = bench.rig.lines("call")
    assert (line["operation"], line["bucket"], line["key"]) == ("GetObject", "bucket", "a key")
    assert (line["remote"], line["request_id"], line["target"]) == ("", "0000000000000001", "first")
    assert (line["bytes_in"], line["bytes_out"]) == (0, 3)


def test_the_line_of_a_call_names_who_it_is_made_for() -> None:
    bench = Bench()
    bench.caller = Caller("alice", b"AKIDALICE", b"hush")
    bench.reads()
    bench.rig.target.says(ok(b"abc"))
    (line,) = bench.rig.lines("call")
    assert (line["identity"], line["access_key_id"]) == ("alice", "AKIDALICE")


def test_an_answer_that_is_whole_before_the_coroutine_goes_on() -> None:
    """One iteration of the loop may make the connection, send the head and read the answer."""
    bench = Bench()
    bench.rig.hold_connects()
    task = bench.reads()
    assert bench.rig.held_connects is not None
    connect: Any = bench.rig.held_connects.popleft()
    connect.set_result(bench.rig._open(connect.factory))
    while not bench.rig.target.heard:
        bench.rig.loop.turn()
    bench.rig.target.says(ok(b"abc"), settle=False)
    bench.rig.settle()
    assert task.result() == (200, b"abc")


def test_a_body_goes_up_with_its_head() -> None:
    """Some stores take a head without a byte of its body for an empty object."""
    bench = Bench()
    task = bench.writes(b"0123", b"456789")
    heard = bench.rig.target.take()
    assert heard.startswith(b"PUT /bucket/a%20key HTTP/1.1\r\n")
    assert b"content-length: 10\r\n" in heard
    assert heard.endswith(b"\r\n\r\n0123456789")
    bench.rig.target.says(answer(200))
    assert task.result() == (200, [True, True])
    assert bench.rig.lines("call")[0]["bytes_in"] == 10


def test_a_target_that_takes_no_bytes_holds_the_sender_back() -> None:
    bench = Bench(buffer=10)
    bench.reads()
    bench.rig.target.says(ok(b"abc"))
    bench.rig.target.stalls()
    sent: list[int] = []

    async def write_all() -> int:
        async with bench.call(write(500)) as call:
            for number in range(5):
                await call.send(b"x" * 100)
                sent.append(number)
            return (await call.answer()).status

    task = bench.runs(write_all())
    assert sent == [0]  # what was written waits in the transport; nothing more is
    bench.rig.target.reads(on=True)
    bench.rig.settle()
    assert sent == [0, 1, 2, 3, 4]
    assert bench.rig.target.take().endswith(b"x" * 500)
    bench.rig.target.says(answer(200))
    assert task.result() == 200


def test_a_target_that_answers_early_wants_no_more() -> None:
    bench = Bench()
    wanted: list[bool] = []
    goes_on = bench.rig.loop.create_future()

    async def write_some() -> int:
        async with bench.call(write(8)) as call:
            wanted.append(await call.send(b"1234"))
            await goes_on
            wanted.append(await call.send(b"5678"))
            return (await call.answer()).status

    task = bench.runs(write_some())
    bench.rig.target.says(answer(403))
    goes_on.set_result(None)
    bench.rig.settle()
    assert wanted == [True, False]
    assert task.result() == 403
    assert bench.rig.target.ended  # it may take the rest of the body for a request


def test_a_success_before_the_whole_body_ends_the_connection() -> None:
    """The target waits for the rest, and would take the next request for it."""
    bench = Bench()

    async def write_some() -> int:
        async with bench.call(write(8)) as call:
            await call.send(b"1234")
            head = await call.answer()
            await call.document(10)
            return head.status

    task = bench.runs(write_some())
    bench.rig.target.says(answer(200))
    assert task.result() == 200
    assert bench.rig.target.ended


def test_more_than_the_head_has_promised_is_a_defect() -> None:
    bench = Bench()
    task = bench.writes(b"1234")
    bench.rig.target.says(answer(200))
    assert task.result() == (200, [True])

    async def write_more() -> None:
        async with bench.call(write(4)) as call:
            await call.send(b"12345")

    task = bench.runs(write_more())
    assert isinstance(task.exception(), ValueError)
    assert b"12345" not in bench.rig.target.heard


def test_a_success_before_the_last_byte_has_left_is_none() -> None:
    bench = Bench(buffer=10)
    bench.reads()
    bench.rig.target.says(ok(b"abc"))
    bench.rig.target.stalls()
    task = bench.writes(b"x" * 100)
    bench.rig.target.says(answer(200))
    assert failure(task) == "answered before it had the whole request"
    assert bench.rig.target.ended
    assert bench.ended() == [(200, ""), (0, "Failed")]


def test_an_answer_that_nobody_reads_is_bounded() -> None:
    bench = Bench()
    goes_on = bench.rig.loop.create_future()
    length = 4 * WINDOW

    async def read_late() -> int:
        async with bench.call() as call:
            await call.answer()
            await goes_on
            body = await call.document(length)
            return len(body or b"")

    task = bench.runs(read_late())
    target = bench.rig.target
    target.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
    said = 0
    while target.transport.is_reading():
        target.says(b"x" * 65536)
        said += 65536
    assert WINDOW <= said <= WINDOW + 65536
    goes_on.set_result(None)
    bench.rig.settle()
    assert target.transport.is_reading()
    target.says(b"x" * (length - said))
    assert task.result() == length
    assert bench.ended() == [(200, "")]


def test_a_kept_connection_that_closed_is_no_answer() -> None:
    bench = Bench()
    bench.reads()
    bench.rig.target.says(ok(b"abc"))
    task = bench.reads()
    bench.rig.target.leaves()
    assert len(bench.rig.targets) == 2
    assert bench.rig.target.take().startswith(b"GET ")
    bench.rig.target.leaves()
    assert failure(task).startswith("closed the connection without an answer")
    assert bench.ended() == [(200, ""), (0, "Failed")]
    assert bench.rig.count(Slot.RETRIES) == 1


def test_a_body_that_has_begun_is_not_sent_again() -> None:
    bench = Bench()
    bench.reads()
    bench.rig.target.says(ok(b"abc"))
    task = bench.writes(b"body")
    bench.rig.target.leaves()
    assert failure(task) == "closed the connection"
    assert len(bench.rig.targets) == 1


def test_a_target_that_cannot_be_reached() -> None:
    bench = Bench()
    bench.rig.connect_fault = ConnectionRefusedError()
    assert failure(bench.reads()).startswith("cannot connect to first.test:9000")
    assert bench.ended() == [(0, "Failed")]


def test_a_target_that_is_silent() -> None:
    bench = Bench()
    task = bench.reads()
    bench.rig.pass_time(121)
    assert failure(task) == "did not answer in time"


def test_an_answer_that_breaks_off_is_a_failure() -> None:
    bench = Bench()
    task = bench.reads()
    bench.rig.target.says(ok(b"abc")[:-1])
    bench.rig.target.leaves()
    assert failure(task) == "closed the connection"
    assert bench.ended() == [(200, "Failed")]


@pytest.mark.parametrize("when", ["it waits for a connection", "it waits for the answer"])
def test_a_call_that_is_cancelled(when: str) -> None:
    bench = Bench()
    if when == "it waits for a connection":
        bench.rig.hold_connects()
    task = bench.reads()
    task.cancel()
    bench.rig.settle()
    assert task.cancelled()
    if bench.rig.held_connects is not None:
        bench.rig.open_held()
        assert bench.rig.target.heard == b""
    else:
        assert bench.rig.target.ended
    assert bench.ended() == [(0, "Aborted")]


def test_a_coroutine_that_leaves_aborts_the_call() -> None:
    bench = Bench()

    async def look() -> int:
        async with bench.call() as call:
            return (await call.answer()).status

    task = bench.runs(look())
    bench.rig.target.says(ok(b"abc")[:-1])
    assert task.result() == 200
    assert bench.rig.target.ended
    assert bench.ended() == [(200, "Aborted")]


def test_a_defect_is_raised_where_the_call_is_awaited() -> None:
    bench = Bench()
    made: list[Call] = []

    async def read() -> None:
        async with bench.call() as call:
            made.append(call)
            await call.answer()

    task = bench.runs(read())
    made[0].crash(ValueError("a defect"))
    bench.rig.settle()
    assert str(task.exception()) == "a defect"
    assert bench.rig.target.ended


# --- what the target refuses of the gateway's own ---


def test_a_bucket_in_another_region_is_followed() -> None:
    bench = Bench()
    task = bench.reads()
    moved = REFUSAL % (b"PermanentRedirect", b"<Region>eu-west-1</Region>")
    bench.rig.target.says(answer(301, moved))
    assert b"/eu-west-1/s3/" in bench.rig.target.take()
    bench.rig.target.says(ok(b"abc"))
    assert task.result() == (200, b"abc")
    assert bench.ended() == [(200, "")]


def test_a_body_goes_where_the_bucket_is_known_to_be() -> None:
    """It could not go there after a redirect: it is gone by then."""
    bench = Bench()
    task = bench.writes(b"body")
    moved = REFUSAL % (b"PermanentRedirect", b"<Region>eu-west-1</Region>")
    bench.rig.target.says(answer(301, moved))
    assert failure(task) == "refused the gateway's request"
    task = bench.writes(b"body")
    assert b"/eu-west-1/s3/" in bench.rig.target.take()
    bench.rig.target.says(answer(200))
    assert task.result() == (200, [True])
    asked = bench.asks(b"/bucket")  # a question goes where it is told to
    assert b"/us-east-1/s3/" in bench.rig.target.take()
    bench.rig.target.says(answer(404))
    assert asked.done()


def test_an_upload_asks_first_where_its_bucket_is() -> None:
    """A body that has begun cannot be sent to another region."""
    first = document()["targets"][0]
    host = "s3.us-east-1.store.example"
    bench = Bench(targets=[{**first, "host": host, "authority": f"{host}:9000"}])
    task = bench.writes(b"body")
    assert bench.rig.target.take().startswith(b"HEAD /bucket HTTP/1.1\r\n")
    bench.rig.target.says(
        b"HTTP/1.1 200 OK\r\nx-amz-bucket-region: eu-west-1\r\nContent-Length: 0\r\n\r\n"
    )
    assert [host for host, _ in bench.rig.loop.connects] == [host, "s3.eu-west-1.store.example"]
    assert bench.rig.target.take().startswith(b"PUT /bucket/a%20key HTTP/1.1\r\n")
    bench.rig.target.says(answer(200))
    assert task.result() == (200, [True])
    assert [line["operation"] for line in bench.rig.lines("call")] == ["HeadBucket", "PutObject"]


def test_a_refused_signature_is_a_failure_without_other_credentials() -> None:
    bench = Bench()
    task = bench.reads()
    bench.rig.target.says(answer(403, REFUSAL % (b"InvalidAccessKeyId", b"")))
    assert failure(task) == "refused the gateway's request"
    assert bench.rig.count(Slot.SIGNATURES_REFUSED) == 1
    assert [line["kind"] for line in bench.rig.lines("refresh")] == ["refresh"]
    (told,) = bench.rig.lines("event")
    assert told["message"] == "refused the gateway's signature: InvalidAccessKeyId"


def test_a_refused_signature_is_sent_again_with_other_credentials() -> None:
    def credentials(key: str) -> dict[str, Any]:
        one = {"access_key_id": key, "secret_access_key": "secret", "token": "token"}
        return {"credentials": {"first": one, "generic": one}}

    bench = Bench(**credentials("ASIAOLD"))
    task = bench.reads()
    bench.rig.target.says(answer(400, REFUSAL % (b"ExpiredToken", b"")))
    assert not task.done()
    bench.rig.install(**credentials("ASIANEW"))
    bench.rig.settle()
    assert b"Credential=ASIANEW/" in bench.rig.target.take()
    bench.rig.target.says(ok(b"abc"))
    assert task.result() == (200, b"abc")
    assert bench.ended() == [(200, "")]
    assert bench.rig.count(Slot.RETRIES) == 1


def test_a_denied_request_is_an_answer() -> None:
    bench = Bench()
    task = bench.reads()
    document = REFUSAL % (b"AccessDenied", b"")
    bench.rig.target.says(answer(403, document))
    assert task.result() == (403, document)


# --- handing over ---


class Relay:
    """What a call hands its connection over to."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.told: list[Any] = []

    def take_over(self, connection: Connection | None) -> None:
        self.connection = connection

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        self.told.append((head.status, more))

    def answer_bytes(self, data: bytes) -> None:
        self.told.append(data)

    def answer_complete(self) -> None:
        self.told.append("complete")
        if self.connection is not None:
            self.connection.release(request_read=True)

    def __getattr__(self, name: str) -> Callable[..., None]:
        raise AssertionError(f"{name} was called")


@pytest.mark.parametrize("is_whole", [True, False])
def test_what_a_call_has_found_is_relayed(is_whole: bool) -> None:
    bench, relay = Bench(), Relay()

    async def find() -> None:
        async with bench.call() as call:
            await call.answer()
            call.hand_over(relay)  # type: ignore[arg-type]  # as much of one as is called

    whole = ok(b"abcdef")
    task = bench.runs(find())
    bench.rig.target.says(whole if is_whole else whole[:-3])
    assert task.done()
    if not is_whole:
        bench.rig.target.says(whole[-3:])
    assert relay.told == [(200, True), *([b"abcdef"] if is_whole else [b"abc", b"def"]), "complete"]
    assert not bench.rig.target.ended
    assert bench.ended() == [(200, "")]


# --- questions ---


def test_a_question_is_answered() -> None:
    bench = Bench()
    task = bench.asks()
    assert bench.rig.target.take().startswith(b"GET /repo?uploads= HTTP/1.1\r\n")
    bench.rig.target.says(answer(404, b"no"))
    reply = task.result()
    assert reply is not None
    assert reply[:2] == (404, b"no")
    assert bench.rig.lines("call")[0]["operation"] == "ListMultipartUploads"


def test_a_question_does_not_hide_that_a_signature_was_refused() -> None:
    bench = Bench()
    task = bench.asks()
    bench.rig.target.says(answer(403, REFUSAL % (b"InvalidAccessKeyId", b"")))
    reply = task.result()
    assert reply is not None
    assert reply.status == 403
    assert bench.rig.count(Slot.SIGNATURES_REFUSED) == 0


def test_a_reply_that_is_too_long_is_none() -> None:
    bench = Bench()
    task = bench.asks()
    bench.rig.target.says(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"a" * MAX_REPLY)
    assert not task.done()
    bench.rig.target.says(b"a")
    assert task.result() is None
    assert bench.rig.target.ended
    assert bench.ended() == [(200, "Aborted")]


def test_no_reply_is_none() -> None:
    bench = Bench()
    bench.rig.connect_fault = ConnectionRefusedError()
    assert bench.asks().result() is None


# --- what operations do that are written carelessly ---


def test_an_empty_piece_sends_no_head() -> None:
    """A body filter that keeps bytes back gives one."""
    bench = Bench()
    bench.writes(b"", b"abc", b"")
    assert bench.rig.target.take().count(b"PUT ") == 1


def test_an_answer_that_was_read_is_at_its_end() -> None:
    bench = Bench()

    async def read_twice() -> tuple[int, bytes | None, bytes | None]:
        async with bench.call() as call:
            once = await call.document(100)
            return (await call.answer()).status, once, await call.document(100)

    task = bench.runs(read_twice())
    bench.rig.target.says(ok(b"abc"))
    assert task.result() == (200, b"abc", b"")


def test_a_question_that_fails_is_told_by_who_asked() -> None:
    bench = Bench()
    bench.rig.connect_fault = ConnectionRefusedError()
    assert bench.asks().result() is None
    assert bench.rig.lines("event") == []
    assert bench.ended() == [(0, "Failed")]
