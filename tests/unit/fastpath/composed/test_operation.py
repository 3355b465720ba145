"""`fastpath.composed.operation`: what an operation gets, and what becomes of its failures."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import Any

import pytest

from fastpath.composed.operation import DEADLINE_SECONDS, Composed, ComposedRequest
from fastpath.errors import NO_SUCH_KEY, S3Error
from fastpath.ipc.counters import Slot
from fastpath.s3.addressing import Address
from fastpath.sockets.read_buffers import LESS_READ
from fastpath.upstream.call import WINDOW, CallFailed
from fastpath.upstream.lessee import Failure
from fastpath.upstream.own_request import OwnRequest
from tests.doubles.aws_chunked import UNSIGNED_TRAILER, checksum, frame
from tests.doubles.http1 import get, ok, put, read_answers
from tests.doubles.signing import RawClient
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import KEY as KEYS
from tests.doubles.wire import document
from tests.unit.fastpath.composed.bench import Bench, forever

BODY = b"0123456789" * 10
KEY = Address(b"b-b", b"k", path_style=True, path=b"/b-b/k")
READ = OwnRequest("GetObject", b"GET", KEY)
MOVED = b"<Error><Code>PermanentRedirect</Code><Region>eu-west-1</Region></Error>"
DENIED = b"<Error><Code>AccessDenied</Code><Message>by the target</Message></Error>"


class Reading:
    """An operation that reads the request's body, and answers when it has all of it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.length: int | None = None

    async def __call__(self, request: ComposedRequest) -> None:
        self.length = request.length
        async for piece in request.body:
            self.pieces.append(piece)
        await request.reply.document(200, b"")


async def answer(request: ComposedRequest) -> None:
    """One that reads nothing."""
    await request.reply.document(200, b"")


def fails(fault: BaseException) -> Any:
    async def operation(_: ComposedRequest) -> None:
        raise fault

    return operation


async def begin(request: ComposedRequest) -> None:
    """One that reads nothing, and replies piece by piece."""
    await request.reply.begin(200, [], None)
    await request.reply.end()


def finds(target: str = "generic") -> Any:
    """An operation that has the answer to a call relayed."""

    async def operation(composed: ComposedRequest) -> None:
        composed.reply.announce_document()
        async with composed.call(READ, composed.destination(target)) as call:
            await call.answer()
            await composed.reply.relay(call)

    return operation


# --- which requests an operation answers ---


def test_other_operations_are_relayed() -> None:
    bench = Bench()
    bench.rig.worker.composed = {"CopyObject": Composed(answer, is_always=True)}
    bench.asks()
    bench.rig.target.says(ok(b"abc"))
    assert bench.answer().body == b"abc"


def test_a_request_that_is_not_admitted_reaches_no_operation() -> None:
    bench = Bench(answer, mode="sigv4")
    bench.asks()
    assert bench.answer().status == 403


# --- the request's body ---


def test_the_body_comes_in_pieces_each_when_it_is_asked_for() -> None:
    operation = Reading()
    bench = Bench(operation)
    bench.client.says(put("/b-b/k", BODY)[: -len(BODY)], BODY[:40], BODY[40:])
    assert (operation.pieces, operation.length) == ([BODY[:40], BODY[40:]], 100)
    assert bench.answer(b"PUT").status == 200
    assert bench.rig.lines("access")[0]["bytes_in"] == 100
    assert not bench.client.ended


def test_a_client_is_read_only_as_fast_as_the_operation_reads() -> None:
    bench = Bench(forever)
    bench.client.says(put("/b-b/k", BODY)[:-1])
    assert not bench.client.transport.is_reading()


def test_the_client_waits_for_100_continue_until_its_body_is_read() -> None:
    operation = Reading()
    bench = Bench(operation)
    request = put("/b-b/k", BODY, "Expect: 100-continue")
    bench.client.says(request[: -len(BODY)])
    assert bench.client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    bench.client.says(BODY)
    assert bench.answer(b"PUT").status == 200
    assert not bench.client.ended


@pytest.mark.parametrize("operation", [answer, begin])
def test_a_client_that_was_not_told_to_go_on_may_send_its_body_or_not(operation: Any) -> None:
    bench = Bench(operation)
    bench.client.says(put("/b-b/k", BODY, "Expect: 100-continue")[: -len(BODY)])
    assert bench.answer(b"PUT").fields["connection"] == "close"
    assert bench.client.ended


@pytest.mark.parametrize("operation", [answer, begin])
@pytest.mark.parametrize("is_long", [False, True])
def test_a_body_that_nobody_reads_is_discarded_if_it_is_short(
    operation: Any, is_long: bool
) -> None:
    bench = Bench(operation, limits={"discard_bytes": 10 if is_long else 1000})
    bench.client.says(put("/b-b/k", BODY)[:-20])
    assert bench.answer(b"PUT").status == 200
    if is_long:
        assert bench.client.ended
        return
    bench.client.says(BODY[-20:] + get("/b-b/k"))
    answers = read_answers(bench.client.heard, [b"PUT", b"GET"])
    assert [one.status for one in answers] == [200, 200]


def test_a_body_that_nobody_reads_is_discarded_while_the_reply_goes_on() -> None:
    """A client that sends all of its request before it reads would never read."""

    async def operation(request: ComposedRequest) -> None:
        await request.reply.begin(200, [], None)
        await forever(request)

    bench = Bench(operation)
    bench.client.says(put("/b-b/k", BODY)[:-20])
    assert bench.client.transport.is_reading()
    bench.client.says(BODY[-20:])
    assert not bench.client.ended


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        (f"x-amz-content-sha256: {hashlib.sha256(BODY).hexdigest()}", 200, ""),
        (f"x-amz-content-sha256: {'0' * 64}", 400, "XAmzContentSHA256Mismatch"),
        ("Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==", 400, "BadDigest"),
        (f"x-amz-checksum-crc32: {checksum('crc32', BODY)}", 200, ""),
        ("x-amz-checksum-crc32: AAAAAA==", 400, "BadDigest"),
        (f"x-amz-checksum-xxhash3: {checksum('xxhash3', BODY)}", 200, ""),
    ],
)
def test_the_body_is_verified_whatever_the_target_verifies(
    line: str, status: int, code: str
) -> None:
    operation = Reading()
    bench = Bench(operation)
    bench.client.says(put("/b-b/k", BODY, line))
    assert (bench.answer(b"PUT").status, bench.answer(b"PUT").code) == (status, code)
    assert (b"".join(operation.pieces) == BODY) is (status == 200)


def test_an_empty_body_is_verified_before_the_operation_begins() -> None:
    operation = Reading()
    bench = Bench(operation)
    bench.client.says(put("/b-b/k", b"", f"x-amz-content-sha256: {'0' * 64}"))
    assert bench.answer(b"PUT").code == "XAmzContentSHA256Mismatch"
    assert operation.length is None


@pytest.mark.parametrize("is_good", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_in_chunks_comes_without_them(is_good: bool, chunked: bool) -> None:
    value = checksum("crc32", BODY if is_good else b"another")
    wire = frame([BODY], None, [f"x-amz-checksum-crc32:{value}"]).wire()
    lines = [
        f"x-amz-content-sha256: {UNSIGNED_TRAILER}",
        "x-amz-decoded-content-length: 100",
        "x-amz-trailer: x-amz-checksum-crc32",
        "Content-Encoding: aws-chunked",
    ]
    if chunked:
        coded = b"%x\r\n%b\r\n0\r\n\r\n" % (len(wire), wire)
        request = get("/b-b/k", *lines, "Transfer-Encoding: chunked", method="PUT") + coded
    else:
        request = put("/b-b/k", wire, *lines)
    operation = Reading()
    bench = Bench(operation)
    bench.client.says(request)
    assert operation.length == 100
    assert bench.answer(b"PUT").code == ("" if is_good else "BadDigest")
    assert (b"".join(operation.pieces) == BODY) is is_good


def test_checksums_in_a_document_reach_the_operation() -> None:
    document = (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag>"
        b"<ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part></CompleteMultipartUpload>"
    )
    operation = Reading()
    bench = Bench(operation)
    bench.client.says(put(with_sealed_id("/g-b/k?uploadId=u"), document, method="POST"))
    assert b"".join(operation.pieces) == document


def test_a_body_where_s3_has_none_is_verified_and_dropped() -> None:
    operation = Reading()
    bench = Bench(operation)
    bench.client.says(put("/b-b/k", BODY, method="GET"))
    assert bench.answer().status == 200
    assert operation.pieces == []
    bench = Bench(operation)
    bench.client.says(put("/b-b/k", BODY, f"x-amz-content-sha256: {'0' * 64}", method="GET"))
    assert bench.answer().code == "XAmzContentSHA256Mismatch"
    bench = Bench(operation, limits={"ignored_body_bytes": 10})
    bench.client.says(put("/b-b/k", BODY, method="GET"))
    assert bench.answer().code == "InvalidRequest"
    assert bench.client.ended


def test_a_put_without_a_length() -> None:
    bench = Bench(answer)
    bench.client.says(get("/b-b/k", method="PUT"))
    assert bench.answer(b"PUT").code == "MissingContentLength"


def test_a_client_that_sends_too_slowly() -> None:
    bench = Bench(Reading())
    bench.client.says(put("/b-b/k", BODY)[:-1])
    bench.rig.pass_time(21)
    assert bench.answer(b"PUT").code == "RequestTimeout"
    assert bench.is_at_rest


# --- failures ---


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (S3Error(NO_SUCH_KEY), 404, "NoSuchKey"),
        (CallFailed("the target said: secret"), 503, "ServiceUnavailable"),
        (CallFailed("too many", how=Failure.OVERLOAD), 503, "SlowDown"),
        (ValueError("secret"), 500, "InternalError"),
    ],
)
def test_what_an_operation_raises(fault: Exception, status: int, code: str) -> None:
    bench = Bench(fails(fault))
    bench.asks()
    assert (bench.answer().status, bench.answer().code) == (status, code)
    assert b"secret" not in bench.client.heard
    assert ("retry-after" in bench.answer().fields) is (status == 503)
    assert not bench.client.ended
    assert bench.line() == (status, code)
    assert bool(bench.rig.defects) is (status == 500)
    assert bench.is_at_rest


def test_a_defect_is_logged_with_its_place() -> None:
    bench = Bench(fails(ValueError("a defect")))
    bench.asks()
    (told,) = bench.rig.defects
    assert told.startswith("internal error: ValueError: a defect at ")
    assert "test_operation.py:" in told


def test_a_target_that_too_many_wait_for() -> None:
    bench = Bench(finds(), pool={"max_connections": 1, "max_waiters": 0})
    bench.asks()
    assert bench.answer().code == "SlowDown"
    assert bench.calls() == [("GetObject", 0, "Failed")]


@pytest.mark.parametrize("when", ["it waits", "it reads", "it replies"])
@pytest.mark.parametrize("how", ["leaves", "is cut", "is late"])
def test_an_operation_is_cancelled(when: str, how: str) -> None:
    async def operation(request: ComposedRequest) -> None:
        if when == "it reads":
            await request.body.skip()
        if when == "it replies":
            await request.reply.begin(200, [], None)
        async with request.call(READ, request.destination("first")) as call:
            await call.answer()

    bench = Bench(operation, timeouts={"response_seconds": 10 * DEADLINE_SECONDS})
    whole = put("/b-b/k", BODY)
    bench.client.says(whole[:-1] if when == "it reads" else whole)
    if how == "leaves":
        bench.client.resets()
    elif how == "is cut":
        assert bench.rig.worker.cut() == 1
        bench.rig.settle()
    else:
        bench.rig.loop.now += DEADLINE_SECONDS
        bench.rig.settle()
    status = 200 if when == "it replies" else 503 if how == "is late" else 0
    late = "BrokenOff" if when == "it replies" else "ServiceUnavailable"
    code = {"leaves": "ClientGone", "is cut": "Cut", "is late": late}[how]
    assert bench.line() == (status, code)
    assert bench.is_at_rest
    assert bench.calls() == ([] if when == "it reads" else [("GetObject", 0, "Aborted")])
    assert all(target.ended for target in bench.rig.targets)
    assert not bench.rig.defects
    events = [line["message"] for line in bench.rig.lines("event")]
    assert events == (["PutObject took longer than 3600 seconds"] if how == "is late" else [])
    assert bench.rig.count(Slot.ABORTED) == (how == "leaves")
    assert bench.rig.count(Slot.CUT) == (how == "is cut")


def test_an_operation_that_ends_in_time_has_no_deadline_any_more() -> None:
    """Nor has what it has found: the relay has its own."""
    bench = Bench(finds())
    bench.asks()
    bench.rig.target.says(ok(b"abc")[:-1])
    bench.rig.loop.now += DEADLINE_SECONDS
    bench.rig.settle()
    bench.rig.target.says(b"c")
    assert bench.answer().body == b"abc"
    assert bench.rig.lines("event") == []


def test_a_deadline_that_passes_when_the_client_leaves() -> None:
    bench = Bench(forever)
    bench.asks()
    bench.client.transport.break_off(None)
    bench.rig.loop.now += DEADLINE_SECONDS  # both in one turn of the loop
    bench.rig.settle()
    assert bench.line() == (0, "ClientGone")
    assert bench.rig.lines("event") == []


def test_an_operation_that_is_not_to_be_stopped_answers_nobody_twice() -> None:
    async def operation(request: ComposedRequest) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await forever(request)
        await answer(request)

    bench = Bench(operation)
    bench.asks()
    bench.rig.loop.now += DEADLINE_SECONDS
    bench.rig.settle()
    assert bench.answer().code == "ServiceUnavailable"
    assert not bench.client.ended


def test_the_deadline_of_a_document_that_has_begun_is_its_error() -> None:
    async def operation(request: ComposedRequest) -> None:
        request.reply.announce_document()
        await forever(request)

    bench = Bench(operation)
    bench.asks()
    bench.rig.pass_time(5)
    bench.rig.loop.now += DEADLINE_SECONDS
    bench.rig.settle()
    assert (bench.answer().status, bench.answer().code) == (200, "ServiceUnavailable")
    assert bench.answer().whole
    assert bench.line() == (200, "ServiceUnavailable")
    assert bench.is_at_rest


def test_a_failure_while_an_operation_is_cancelled_is_nobody_s() -> None:
    async def operation(request: ComposedRequest) -> None:
        try:
            await forever(request)
        finally:
            raise S3Error(NO_SUCH_KEY)

    bench = Bench(operation)
    bench.asks()
    bench.rig.loop.now += DEADLINE_SECONDS
    bench.rig.settle()
    assert bench.answer().status == 503
    assert not bench.client.ended


# --- destinations ---


def test_a_target_is_signed_for_with_its_own_credentials() -> None:
    bench = Bench(finds())
    bench.asks()
    assert b"host: generic.test:9000\r\n" in bench.rig.target.heard
    assert b"Credential=AKIDTARGET" in bench.rig.target.heard


def test_an_unsigned_request_is_unsigned_at_every_target() -> None:
    bench = Bench(finds(), mode="sigv4", anonymous="forward")
    bench.asks()
    assert b"authorization" not in bench.rig.target.heard.lower()
    bench = Bench(finds("first"), mode="sigv4", anonymous="forward", profile="lakefs")
    bench.client.says(get("/g-b/k"))  # it does not decide about unsigned requests
    assert bench.answer().code == "AccessDenied"


def test_a_target_that_the_client_s_identity_does_not_reach() -> None:
    identity = {**document()["identities"][0], "targets": ["first"]}
    bench = Bench(finds(), mode="sigv4", identities=[identity])
    signed = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    bench.client.says(RawClient("gateway.test", 80, *KEYS).head("GET", b"/b-b/k", 0, signed))
    assert bench.answer().code == "AccessDenied"
    assert bench.rig.lines("access")[0]["identity"] == "client"
    assert not bench.rig.targets


# --- what a call has found is relayed ---


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "403 Forbidden"])
def test_what_a_call_has_found_goes_to_the_client(status: str, is_whole: bool) -> None:
    bench = Bench(finds())
    bench.asks()
    said = ok(DENIED, "ETag: 1", status=status)
    bench.rig.target.says(said if is_whole else said[:-10])
    if not is_whole:
        bench.rig.target.says(said[-10:])
    found = bench.answer()
    assert (found.status, found.body, found.fields["etag"]) == (int(status[:3]), DENIED, "1")
    assert found.whole
    assert bench.line() == (int(status[:3]), "" if status == "200 OK" else "AccessDenied")
    assert bench.calls() == [("GetObject", int(status[:3]), "")]
    assert not bench.client.ended
    assert not bench.rig.target.ended  # it serves the next request
    assert bench.is_at_rest


def test_a_redirect_that_was_found_is_not_followed_for_the_client_s_own_target() -> None:
    """Which is another target, and has not answered."""
    bench = Bench(finds())
    bench.asks()
    bench.rig.target.says(ok(MOVED, status="301 Moved Permanently"))
    assert (bench.answer().status, bench.answer().body) == (301, MOVED)
    assert len(bench.rig.targets) == 1


def test_no_white_space_gets_into_what_was_found() -> None:
    bench = Bench(finds())
    bench.asks()
    bench.rig.target.says(ok(b"abc")[:-1])
    bench.rig.pass_time(20)
    bench.rig.target.says(b"c")
    assert bench.answer().body == b"abc"
    assert not bench.rig.defects


def test_what_waited_in_the_call_comes_first_and_the_target_is_read_on() -> None:
    goes_on: list[asyncio.Future[None]] = []

    async def operation(request: ComposedRequest) -> None:
        async with request.call(READ, request.destination("generic")) as call:
            await call.answer()
            goes_on.append(asyncio.get_running_loop().create_future())
            await goes_on[0]
            await request.reply.relay(call)

    bench = Bench(operation)
    bench.client.protocol.secure = True  # type: ignore[attr-defined]  # as if it came by TLS
    bench.asks()
    size = 2 * WINDOW
    target = bench.rig.target
    target.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    target.says(b"x" * WINDOW)
    assert not target.transport.is_reading()
    goes_on[0].set_result(None)
    bench.rig.settle()
    assert target.transport.is_reading()
    assert target.protocol._room is LESS_READ  # type: ignore[attr-defined]  # of its connection
    target.says(b"y" * WINDOW)
    assert bench.answer().body == b"x" * WINDOW + b"y" * WINDOW


def test_an_answer_that_breaks_off_breaks_the_client_off() -> None:
    bench = Bench(finds())
    bench.asks()
    bench.rig.target.says(ok(b"abcdef")[:-3])
    bench.rig.target.leaves()
    assert bench.client.reset
    assert bench.line() == (200, "BrokenOff")
    assert bench.is_at_rest


def test_a_client_that_leaves_within_what_was_found() -> None:
    bench = Bench(finds())
    bench.asks()
    bench.rig.target.says(ok(b"abcdef")[:-3])
    bench.client.resets()
    assert bench.rig.target.ended
    assert bench.line() == (200, "ClientGone")
    assert bench.is_at_rest


def test_a_slow_client_holds_back_what_was_found() -> None:
    bench = Bench(finds(), limits={"write_buffer_bytes": 1000})
    bench.client.stalls()
    bench.asks()
    bench.rig.target.says(ok(b"x" * 5000)[:-2000])
    assert not bench.rig.target.transport.is_reading()
    bench.client.reads(on=True)
    bench.rig.target.says(b"x" * 2000)
    assert bench.answer().body == b"x" * 5000


def test_a_request_that_its_target_may_not_have_read_ends_its_connection() -> None:
    """What the target reads of it would be the next client's request."""

    async def operation(request: ComposedRequest) -> None:
        write = OwnRequest("PutObject", b"PUT", KEY, length=6)
        async with request.call(write, request.destination("generic")) as call:
            await call.send(b"abc")
            await call.answer()
            await request.reply.relay(call)

    bench = Bench(operation)
    bench.asks()
    bench.rig.target.says(ok(b"1234")[:-1])
    bench.rig.target.says(b"4")
    assert bench.answer().body == b"1234"
    assert bench.rig.target.ended
    assert not bench.client.ended


@pytest.mark.parametrize("is_long", [False, True])
def test_the_rest_of_the_client_s_body_is_discarded(is_long: bool) -> None:
    bench = Bench(finds(), limits={"discard_bytes": 10 if is_long else 1000})
    bench.client.says(put("/b-b/k", BODY)[:-20])
    bench.rig.target.says(ok(b"abc")[:-1])
    assert bench.client.transport.is_reading()  # it may send all before it reads
    bench.rig.target.says(b"c")
    found = bench.answer(b"PUT")
    assert found.body == b"abc"
    assert (found.fields.get("connection") == "close") is is_long
    if is_long:
        assert bench.client.ended
        return
    bench.client.says(BODY[-20:] + get("/b-b/k"))
    assert bench.rig.target.heard.count(b"GET ") == 2


@pytest.mark.parametrize("use", ["twice", "after the head", "another method"])
def test_misuse_of_a_relay_leaks_nothing(use: str) -> None:
    async def operation(request: ComposedRequest) -> None:
        to = request.destination("generic")
        if use == "after the head":
            await request.reply.begin(200, [], None)
        if use == "another method":
            call = request.call(OwnRequest("HeadObject", b"HEAD", KEY), to)
        else:
            call = request.call(READ, to)
        async with call:
            await call.answer()
            if use == "twice":
                await request.reply.document(200, b"")
            await request.reply.relay(call)

    bench = Bench(operation)
    bench.asks()
    bench.rig.target.says(ok(b"abc")[:-1])
    assert len(bench.rig.defects) == 1
    assert bench.is_at_rest
    assert bench.rig.target.ended or use == "another method"


def test_many_small_chunks_that_were_found_are_relayed() -> None:
    """A connection that gives way to others is read on though it has another user."""
    bench = Bench(finds())
    bench.asks()
    chunks = b"1\r\na\r\n" * 5000
    bench.rig.target.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    bench.rig.target.says(b"0\r\n\r\n")
    assert bench.line() == (200, "")
    assert bench.answer().whole


def test_an_operation_that_has_a_call_relayed_is_cancelled_with_its_client() -> None:
    async def operation(request: ComposedRequest) -> None:
        async with request.call(READ, request.destination("first")) as call:
            await call.answer()
            await request.reply.relay(call)
        await forever(request)

    bench = Bench(operation)
    bench.asks()
    bench.rig.target.says(ok(b"abc"))
    bench.client.resets()
    assert bench.is_at_rest
    assert bench.line() == (0, "ClientGone")
    assert bench.calls() == [("GetObject", 200, "Aborted")]


def test_a_defect_after_the_deadline_leaves_the_next_request_alone() -> None:
    async def operation(request: ComposedRequest) -> None:
        try:
            await forever(request)
        finally:
            raise ValueError("a defect")

    bench = Bench(operation)
    bench.asks("Connection: keep-alive")
    bench.rig.worker.composed = {}
    bench.asks("Connection: keep-alive")
    bench.rig.loop.now += DEADLINE_SECONDS + 1
    bench.rig.settle()
    bench.rig.target.says(ok(b"next"))
    first, second = read_answers(bench.client.heard, [b"GET", b"GET"])
    assert (first.status, second.status, second.body) == (503, 200, b"next")
    assert len(bench.rig.defects) == 1


def test_calls_of_a_group_end_together() -> None:
    """One target fails: that is its failure, and the others' calls are ended."""

    async def read(request: ComposedRequest, target: str) -> None:
        async with request.call(READ, request.destination(target)) as call:
            await call.answer()

    async def operation(request: ComposedRequest) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(request, "first"))
            group.create_task(read(request, "generic"))

    bench = Bench(operation)
    bench.asks()
    bench.rig.targets[0].leaves()
    assert bench.line() == (503, "ServiceUnavailable")
    assert sorted(bench.calls()) == [("GetObject", 0, "Aborted"), ("GetObject", 0, "Failed")]
    assert bench.is_at_rest
    assert not bench.rig.defects
