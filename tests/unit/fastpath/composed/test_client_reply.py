"""`fastpath.composed.client_reply`: the reply that an operation awaits, and errors within it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fastpath.composed.client_reply import ClientReply
from fastpath.composed.operation import ComposedRequest
from fastpath.errors import NO_SUCH_KEY, S3Error
from fastpath.response.own_answer import OwnAnswer
from tests.doubles.http1 import Answer, get, put, read_answers
from tests.unit.fastpath.composed.bench import KEEP, Bench, forever

RESULT = b'<?xml version="1.0" encoding="UTF-8"?>\n<Result><Tag>1</Tag></Result>'
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


class Gate:
    """An operation that waits, once it has done something, until the test opens the gate."""

    def __init__(
        self,
        before: Callable[[ComposedRequest], Coroutine[Any, Any, None]],
        after: Callable[[ComposedRequest], Coroutine[Any, Any, None]],
    ) -> None:
        self._before, self._after = before, after
        self.bench: Bench
        self._opened: asyncio.Future[None]

    async def __call__(self, request: ComposedRequest) -> None:
        await self._before(request)
        self._opened = asyncio.get_running_loop().create_future()
        await self._opened
        await self._after(request)

    def opens(self) -> None:
        self._opened.set_result(None)
        self.bench.rig.settle()


def gated(
    before: Callable[[ComposedRequest], Coroutine[Any, Any, None]],
    after: Callable[[ComposedRequest], Coroutine[Any, Any, None]],
    **options: Any,
) -> tuple[Bench, Gate]:
    gate = Gate(before, after)
    gate.bench = Bench(gate, **options)
    return gate.bench, gate


async def announce(request: ComposedRequest) -> None:
    request.reply.announce_document()


async def skip_and_announce(request: ComposedRequest) -> None:
    request.reply.announce_document()
    await request.body.skip()


async def result(request: ComposedRequest) -> None:
    await request.reply.document(200, RESULT, [b"x-amz-version-id: 1"])


async def fail(_: ComposedRequest) -> None:
    raise S3Error(NO_SUCH_KEY)


async def crash(_: ComposedRequest) -> None:
    raise ValueError("a defect")


def sends(*pieces: bytes, length: int | None = None, status: int = 200) -> Any:
    async def operation(request: ComposedRequest) -> None:
        await request.reply.begin(status, [b"x-a: b"], length)
        for piece in pieces:
            await request.reply.write(piece)
        await request.reply.end()

    return operation


# --- the head and its framing ---


def framing(answer: Answer) -> tuple[str, ...]:
    names = ("content-length", "transfer-encoding", "connection")
    return tuple(f"{name}: {answer.fields[name]}" for name in names if name in answer.fields)


@pytest.mark.parametrize(
    ("length", "version", "lines", "expected"),
    [
        (6, "1.1", (), ("content-length: 6",)),
        (None, "1.1", (), ("transfer-encoding: chunked",)),
        (6, "1.1", ("Connection: close",), ("content-length: 6", "connection: close")),
        (6, "1.0", (), ("content-length: 6", "connection: close")),
        (6, "1.0", (KEEP,), ("content-length: 6", "connection: keep-alive")),
        (None, "1.0", (KEEP,), ("connection: close",)),
    ],
)
def test_a_reply_ends_where_its_framing_says(
    length: int | None, version: str, lines: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    bench = Bench(sends(b"abc", b"", b"def", length=length))
    bench.asks(*lines, version=version)
    answer = bench.answer()
    assert (answer.status, answer.body, answer.whole) == (200, b"abcdef", True)
    assert framing(answer) == expected
    assert answer.fields["x-a"] == "b"
    assert len(answer.fields["x-amz-request-id"]) == 16
    assert bench.client.ended is ("connection: close" in expected)
    assert not bench.client.aborted
    assert bench.line() == (200, "")
    assert bench.rig.lines("access")[0]["bytes_out"] == 6
    assert bench.is_at_rest


def test_a_reply_until_the_end_is_reset_if_the_process_dies() -> None:
    bench, _ = gated(sends_open(b"abc"), result)
    bench.asks(version="1.0")
    assert bench.client.kernel.options
    assert not bench.client.ended


def sends_open(*pieces: bytes, length: int | None = None) -> Any:
    """The beginning of a reply."""

    async def operation(request: ComposedRequest) -> None:
        await request.reply.begin(200, [], length)
        for piece in pieces:
            await request.reply.write(piece)

    return operation


@pytest.mark.parametrize(
    ("status", "length", "method"), [(200, 6, "HEAD"), (200, None, "HEAD"), (304, None, "GET")]
)
def test_an_answer_without_a_body(status: int, length: int | None, method: str) -> None:
    async def operation(request: ComposedRequest) -> None:
        await request.reply.begin(status, [], length)
        if method == "HEAD":
            await request.reply.write(b"abcdef")
        await request.reply.end()

    bench = Bench(operation)
    bench.asks(method=method)
    head, _, rest = bench.client.heard.partition(b"\r\n\r\n")
    assert rest == b""
    assert (b"Content-Length: 6" in head) is (length == 6)
    assert b"chunked" not in head
    assert not bench.client.ended
    assert bench.line() == (status, "")


def test_the_next_request_is_served_after_the_reply() -> None:
    bench = Bench(sends(b"abc", length=3))
    bench.client.says(get("/b-b/1") + get("/b-b/2"))
    answers = read_answers(bench.client.heard, [b"GET", b"GET"])
    assert [answer.body for answer in answers] == [b"abc", b"abc"]


def test_the_last_answer_of_a_worker_that_drains_says_so() -> None:
    bench, gate = gated(announce, result)
    bench.asks()
    bench.rig.worker.drain()
    gate.opens()
    assert bench.answer().fields["connection"] == "close"
    assert bench.client.ended


def test_headers_for_a_page_of_another_origin() -> None:
    rule = {
        "allowed_origins": ["*"],
        "allowed_methods": ["GET"],
        "allowed_headers": [],
        "expose_headers": [],
        "max_age_seconds": None,
    }
    bench = Bench(sends(b"abc", length=3), cors={"rules": [rule], "preflight": "answer"})
    bench.asks("Origin: https://page.test")
    assert bench.answer().fields["access-control-allow-origin"] == "*"


# --- whole answers ---


def test_a_document_keeps_its_status_and_header_lines() -> None:
    bench = Bench(result)
    bench.asks()
    answer = bench.answer()
    assert (answer.status, answer.body) == (200, RESULT)
    assert answer.fields["x-amz-version-id"] == "1"
    assert answer.fields["content-type"] == "application/xml"


def test_a_document_has_no_body_for_head() -> None:
    bench = Bench(result)
    bench.asks(method="HEAD")
    head, _, rest = bench.client.heard.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(RESULT) in head
    assert rest == b""
    assert not bench.client.ended


def test_an_own_answer() -> None:
    async def operation(request: ComposedRequest) -> None:
        await request.reply.answer(OwnAnswer(204, [b"x-a: b"], b""))

    bench = Bench(operation)
    bench.asks()
    assert (bench.answer().status, bench.answer().fields["x-a"]) == (204, "b")


def test_nothing_is_a_success_before_the_operation_has_returned() -> None:
    async def operation(request: ComposedRequest) -> None:
        await result(request)
        await fail(request)

    bench = Bench(operation)
    bench.asks()
    assert (bench.answer().status, bench.answer().code) == (404, "NoSuchKey")
    assert bench.line() == (404, "NoSuchKey")


# --- slow clients ---


def test_a_client_that_takes_no_bytes_holds_the_operation_back() -> None:
    written: list[int] = []

    async def operation(request: ComposedRequest) -> None:
        await request.reply.begin(200, [], 5000)
        for number in range(50):
            await request.reply.write(b"x" * 100)
            written.append(number)
        await request.reply.end()

    bench = Bench(operation, limits={"write_buffer_bytes": 1000})
    bench.client.stalls()
    bench.asks()
    assert 0 < len(written) < 12
    bench.client.reads(on=True)
    assert len(written) == 50
    assert bench.answer().body == b"x" * 5000


def test_a_client_that_never_reads_is_gone_and_the_operation_cancelled() -> None:
    bench = Bench(sends(*[b"x" * 1000] * 5), limits={"write_buffer_bytes": 1000})
    bench.client.stalls()
    bench.asks()
    bench.rig.pass_time(61)
    assert bench.client.reset
    assert bench.line() == (200, "ClientGone")
    assert bench.is_at_rest


# --- errors after the head ---


@pytest.mark.parametrize("fault", [fail, crash])
@pytest.mark.parametrize("length", [None, 6])
def test_an_error_breaks_a_reply_off(fault: Any, length: int | None) -> None:
    bench, gate = gated(sends_open(b"abc", length=length), fault)
    bench.asks()
    gate.opens()
    assert bench.client.reset
    assert not bench.answer().whole
    assert bench.answer().body == b"abc"
    assert bench.line() == (200, "BrokenOff")
    assert bench.is_at_rest


# --- documents that take their time ---


def test_a_document_begins_with_white_space_after_five_seconds() -> None:
    bench, gate = gated(announce, result)
    bench.asks()
    bench.rig.pass_time(4.5)
    assert bench.client.heard == b""
    bench.rig.pass_time(0.5)
    assert bench.answer().status == 200
    assert bench.answer().fields["content-type"] == "application/xml"
    assert bench.answer().body == DECLARATION + b" "
    bench.rig.pass_time(10)
    assert bench.answer().body == DECLARATION + b"   "
    gate.opens()
    assert bench.answer().body == DECLARATION + b"   <Result><Tag>1</Tag></Result>"
    assert bench.answer().whole
    assert not bench.client.ended
    assert bench.line() == (200, "")
    bench.rig.pass_time(10)  # no white space for the next request
    assert bench.answer().whole


def test_what_fails_quickly_keeps_its_status() -> None:
    bench, gate = gated(announce, fail)
    bench.asks()
    bench.rig.pass_time(4.5)
    gate.opens()
    assert (bench.answer().status, bench.answer().code) == (404, "NoSuchKey")


@pytest.mark.parametrize(("fault", "code"), [(fail, "NoSuchKey"), (crash, "InternalError")])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_an_error_after_white_space_is_the_document(fault: Any, code: str, version: str) -> None:
    bench, gate = gated(announce, fault)
    bench.asks(version=version)
    bench.rig.pass_time(5)
    gate.opens()
    answer = bench.answer()
    assert (answer.status, answer.code, answer.whole) == (200, code, True)
    assert answer.body.startswith(DECLARATION + b" <Error><Code>")
    assert answer.body.count(b"<?xml") == 1
    assert bench.line() == (200, code)
    assert not bench.client.aborted
    assert bench.is_at_rest


def test_white_space_waits_for_a_client_that_still_sends() -> None:
    bench, gate = gated(skip_and_announce, result)
    bench.client.says(put("/b-b/k", b"body")[:-1])
    bench.rig.pass_time(10)
    assert bench.client.heard == b""
    bench.client.says(b"y")
    bench.rig.pass_time(5)
    assert bench.answer(b"PUT").body == DECLARATION + b" "
    gate.opens()
    assert bench.answer(b"PUT").whole
    assert not bench.rig.defects


def test_white_space_that_is_due_when_the_client_leaves() -> None:
    bench, _ = gated(announce, result)
    bench.asks()
    bench.client.transport.break_off(None)
    bench.rig.loop.now += 5  # both in one turn of the loop
    bench.rig.settle()
    assert bench.line() == (0, "ClientGone")
    assert not bench.rig.defects


def test_white_space_does_not_pile_up_for_a_client_that_reads_nothing() -> None:
    bench, _ = gated(announce, result, limits={"write_buffer_bytes": 10})
    bench.client.stalls()
    bench.asks()
    bench.rig.pass_time(5)
    waiting = bench.client.transport.get_write_buffer_size()
    bench.rig.pass_time(20)
    assert bench.client.transport.get_write_buffer_size() == waiting


def test_no_white_space_for_head() -> None:
    bench, gate = gated(announce, result)
    bench.asks(method="HEAD")
    bench.rig.pass_time(10)
    assert bench.client.heard == b""
    gate.opens()
    assert bench.client.heard.endswith(b"\r\n\r\n")


def test_a_client_that_closes_before_white_space_is_noticed_by_it() -> None:
    bench, _ = gated(announce, result)
    bench.asks()
    bench.rig.pass_time(5)
    bench.client.resets()
    assert bench.line() == (200, "ClientGone")
    bench.rig.pass_time(20)
    assert bench.is_at_rest
    assert not bench.rig.defects


# --- misuse is a defect, and never a wrong reply ---


def misused(*uses: Callable[[ClientReply], Coroutine[Any, Any, None]]) -> Any:
    async def operation(request: ComposedRequest) -> None:
        for use in uses:
            await use(request.reply)

    return operation


@pytest.mark.parametrize(
    ("operation", "defect"),
    [
        (misused(), "without a reply"),
        (misused(lambda r: r.end()), "no reply has begun"),
        (misused(lambda r: r.write(b"")), "no reply that takes more bytes"),
        (misused(lambda r: r.document(200, b""), lambda r: r.begin(200, [], 0)), "replied before"),
        (
            misused(lambda r: r.document(200, b""), lambda r: r.document(200, b"")),
            "replied before",
        ),
    ],
)
def test_misuse_before_the_head(operation: Any, defect: str) -> None:
    bench = Bench(operation)
    bench.asks()
    assert (bench.answer().status, bench.answer().code) == (500, "InternalError")
    (told,) = bench.rig.defects
    assert defect in told


@pytest.mark.parametrize(
    ("operation", "defect"),
    [
        (misused(lambda r: r.begin(200, [], 3), lambda r: r.end()), "3 bytes less"),
        (misused(lambda r: r.begin(200, [], 3), lambda r: r.write(b"abcd")), "1 bytes more"),
        (misused(lambda r: r.begin(200, [], 3)), "without a reply"),
        (misused(lambda r: r.begin(200, [], 0), lambda r: r.document(200, b"")), "replied before"),
    ],
)
def test_misuse_after_the_head(operation: Any, defect: str) -> None:
    bench = Bench(operation)
    bench.asks()
    assert bench.client.reset
    assert bench.line() == (200, "BrokenOff")
    (told,) = bench.rig.defects
    assert defect in told


def test_a_document_of_another_status_than_was_announced() -> None:
    async def operation(request: ComposedRequest) -> None:
        request.reply.announce_document()
        await request.reply.document(404, b"")

    bench = Bench(operation)
    bench.asks()
    assert bench.answer().code == "InternalError"


def test_an_operation_that_goes_on_after_its_client_has_left_replies_to_nobody() -> None:
    """Its client's connection may serve another request by then."""
    waiting: list[asyncio.Future[None]] = []
    outcome: list[BaseException] = []

    async def operation(request: ComposedRequest) -> None:
        try:
            await forever(request)
        except asyncio.CancelledError:
            waiting.append(asyncio.get_running_loop().create_future())
            await waiting[0]
            try:
                await request.reply.begin(200, [], 0)
            except BaseException as fault:
                outcome.append(fault)
            await request.reply.document(200, b"")

    bench = Bench(operation)
    bench.asks()
    bench.client.resets()
    waiting[0].set_result(None)
    bench.rig.settle()
    assert isinstance(outcome[0], asyncio.CancelledError)
    assert bench.line() == (0, "ClientGone")
    assert not bench.rig.defects


@pytest.mark.parametrize("status", [204, 304])
def test_a_reply_that_has_no_body_gets_none(status: int) -> None:
    """The client would take it for the next answer."""

    async def operation(request: ComposedRequest) -> None:
        await request.reply.begin(status, [], None)
        await request.reply.write(b"oops")

    bench = Bench(operation)
    bench.asks()
    assert b"oops" not in bench.client.heard
    assert len(bench.rig.defects) == 1


def test_a_client_that_took_nothing_before_the_reply_holds_it_back() -> None:
    written: list[int] = []

    async def operation(request: ComposedRequest) -> None:
        await request.body.read()
        await request.reply.begin(200, [], 1000)
        for number in range(10):
            await request.reply.write(b"x" * 100)
            written.append(number)
        await request.reply.end()

    bench = Bench(operation, buffer=10)
    bench.client.stalls()
    bench.client.transport.high = 0
    bench.client.says(put("/b-b/k", b"abc", "Expect: 100-continue")[:-3], b"abc")
    assert written == []
    bench.client.reads(on=True)
    assert written == [*range(10)]


def test_a_body_is_not_read_after_the_reply_has_begun() -> None:
    async def operation(request: ComposedRequest) -> None:
        await request.reply.begin(200, [], None)
        await request.body.read()

    bench = Bench(operation)
    bench.client.says(put("/b-b/k", b"abc")[:-3], b"abc")
    assert "the reply has begun" in bench.rig.defects[0]
    assert bench.line() == (200, "BrokenOff")
