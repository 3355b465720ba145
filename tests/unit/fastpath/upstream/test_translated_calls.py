"""`fastpath.upstream.call`: calls to a target that differs from S3, and bodies nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fastpath.dialects.translation import ErrorInstead, Translation
from fastpath.errors import NO_SUCH_KEY, NOT_IMPLEMENTED, SERVICE_UNAVAILABLE, S3Error
from fastpath.http.head import ResponseHead
from fastpath.ipc.counters import Slot
from fastpath.response.filters import HeadChange, Question, Reason, Reply, SendAgain, Step
from fastpath.response.own_answer import OwnAnswer
from fastpath.upstream.call import Call, CallFailed
from fastpath.upstream.lessee import Failure
from fastpath.upstream.own_request import OwnRequest
from tests.doubles.http1 import ok
from tests.unit.fastpath.upstream.test_call import READ, Bench, answer, failure, write

QUESTION = Question(b"/bucket", b"location=")


class Translated(Bench):
    """Calls with a translation of a test's own; errors get a name of the client's."""

    def __init__(self, translation: Translation, **options: Any) -> None:
        super().__init__(**options)
        self.translation = translation

    def call(self, request: OwnRequest = READ) -> Call:
        def named(error: S3Error) -> S3Error:
            error.message = "by the client's name"
            return error

        worker = self.rig.worker
        return Call(worker, self, request, self.to, translation=self.translation, named=named)

    def hears(self, line: bytes) -> bytes:
        heard = self.rig.target.take()
        assert heard.startswith(line), heard
        return heard


def refusal(task: asyncio.Task[Any]) -> tuple[str, str]:
    """Code and text of the error that a task has ended with."""
    fault = task.exception()
    assert isinstance(fault, S3Error)
    return fault.kind.code, fault.message


class First(Translation):
    """Asks before the request is sent."""

    def __init__(self) -> None:
        self.first_question = QUESTION
        self.replies: list[Reply] = []

    def on_first_reply(self, reply: Reply) -> None:
        self.replies.append(reply)
        if reply.status == 404:
            raise S3Error(NO_SUCH_KEY)


def test_a_request_is_changed_for_its_target() -> None:
    translation = Translation()
    translation.query, translation.drop = b"q=1", (b"x-amz-acl",)
    translation.add = ((b"x-amz-meta-a", b"1"),)
    bench = Translated(translation)
    bench.reads(READ._replace(headers=[(b"x-amz-acl", b"private"), (b"x-amz-meta-b", b"2")]))
    heard = bench.hears(b"GET /bucket/a%20key?q=1 HTTP/1.1\r\n")
    assert b"x-amz-acl" not in heard
    assert b"\r\nx-amz-meta-b: 2\r\nx-amz-meta-a: 1\r\n" in heard
    signed = heard.partition(b"SignedHeaders=")[2].partition(b",")[0]
    assert b"x-amz-meta-a;x-amz-meta-b" in signed


def test_a_question_comes_before_the_request() -> None:
    bench = Translated(translation := First())
    task = bench.reads()
    bench.hears(b"GET /bucket?location= ")
    bench.rig.target.says(ok(b"there"))
    bench.hears(b"GET /bucket/a%20key ")
    bench.rig.target.says(ok(b"abc"))
    assert task.result() == (200, b"abc")
    assert [(reply.status, reply.body) for reply in translation.replies] == [(200, b"there")]
    assert bench.ended() == [(200, ""), (200, "")]


def test_a_reply_that_is_an_error_ends_the_call_before_it_is_sent() -> None:
    bench = Translated(First())
    task = bench.reads()
    bench.hears(b"GET /bucket?location= ")
    bench.rig.target.says(answer(404))
    assert refusal(task) == ("NoSuchKey", "by the client's name")
    assert bench.rig.target.heard == b""
    assert bench.ended() == [(404, ""), (0, "Aborted")]


def test_a_first_question_without_a_reply() -> None:
    bench = Translated(First())
    bench.rig.connect_fault = ConnectionRefusedError()
    reason = "cannot connect to first.test:9000: ConnectionRefusedError"
    task = bench.reads()
    assert failure(task) == f"gave no answer to a question: {reason}"
    fault = task.exception()
    assert isinstance(fault, CallFailed)
    assert fault.how is Failure.REFUSED


def test_an_answer_of_its_own_sends_nothing() -> None:
    translation = Translation()
    translation.own_answer = OwnAnswer(200, [b"ETag: x", b"x-a: b"], b"body")
    bench = Translated(translation)

    async def read() -> tuple[int, dict[bytes, bytes], bytes | None, bool]:
        async with bench.call(write(3)) as call:
            is_wanted = await call.send(b"abc")
            head = await call.answer()
            return head.status, dict(head.fields), await call.document(100), is_wanted

    task = bench.runs(read())
    assert task.result() == (200, {b"etag": b"x", b"x-a": b"b"}, b"body", False)
    assert bench.rig.targets == []
    assert bench.ended() == [(200, "")]


def test_headers_that_are_dropped_are_told() -> None:
    translation = Translation()
    translation.dropped = (b"x-amz-tagging",)
    bench = Translated(translation)
    bench.reads()
    bench.rig.target.says(ok(b""))
    (told,) = bench.rig.lines("event")
    assert (told["headers"], told["target"]) == ("x-amz-tagging", "first")
    assert bench.rig.count(Slot.FORGOTTEN) == 1


# --- answers ---


class Deciding(Translation):
    """Decides about the answer as a test says."""

    def __init__(self, decision: Callable[[ResponseHead], Step]) -> None:
        self.answer = decision  # type: ignore[method-assign]  # what this class is for


def test_a_changed_head_and_the_body_as_it_is() -> None:
    bench = Translated(Deciding(lambda head: HeadChange(add=[(b"x-added", b"1")])))

    async def read() -> tuple[bytes, bytes | None]:
        async with bench.call() as call:
            head = await call.answer()
            return head.fields[b"x-added"], await call.document(100)

    task = bench.runs(read())
    bench.rig.target.says(ok(b"abc")[:-2], b"b", b"c")
    assert task.result() == (b"1", b"abc")
    assert not bench.rig.target.ended


def test_an_error_instead_of_the_answer() -> None:
    bench = Translated(Deciding(lambda head: ErrorInstead(S3Error(NO_SUCH_KEY))))
    task = bench.reads()
    bench.rig.target.says(answer(404, b"what lakeFS says"))
    assert refusal(task) == ("NoSuchKey", "by the client's name")
    assert bench.ended() == [(404, "")]
    assert not bench.rig.target.ended  # it was read to its end


def test_an_error_at_once_ends_the_connection() -> None:
    def refuse(head: ResponseHead) -> Step:
        raise S3Error(NOT_IMPLEMENTED)

    bench = Translated(Deciding(refuse))
    task = bench.reads()
    bench.rig.target.says(ok(b"abc")[:-1])
    assert refusal(task)[0] == "NotImplemented"
    assert bench.rig.target.ended
    assert bench.ended() == [(200, "")]


def test_what_cannot_be_translated_is_a_failure_of_the_target() -> None:
    def refuse(head: ResponseHead) -> Step:
        error = S3Error(SERVICE_UNAVAILABLE)
        error.note = "answered what cannot be read"
        raise error

    bench = Translated(Deciding(refuse))
    task = bench.reads()
    bench.rig.target.says(ok(b"abc"))
    assert isinstance(task.exception(), CallFailed)
    assert [line["message"] for line in bench.rig.lines("event")] == [
        "answered what cannot be read"
    ]
    assert bench.ended() == [(200, "Failed")]


class Asking(Translation):
    """Asks what a 500 means."""

    def question(self, status: int) -> Question | None:
        return QUESTION if status == 500 else None

    def on_reply(self, reply: Reply) -> S3Error | None:
        return S3Error(NO_SUCH_KEY) if reply.status == 404 else None


@pytest.mark.parametrize(
    ("status", "expected"), [(404, ("NoSuchKey", "by the client's name")), (200, None)]
)
def test_a_question_about_an_answer(status: int, expected: tuple[str, str] | None) -> None:
    bench = Translated(Asking())
    task = bench.reads()
    bench.rig.target.says(answer(500, b"why"))
    bench.hears(b"GET /bucket/a%20key ")
    assert not task.done()
    bench.rig.target.says(answer(status))
    if expected is None:
        assert task.result() == (500, b"why")
    else:
        assert refusal(task) == expected
    assert not bench.rig.defects


def test_a_question_about_an_answer_without_a_reply() -> None:
    bench = Translated(Asking())
    task = bench.reads()
    bench.rig.connect_fault = ConnectionRefusedError()
    target = bench.rig.target
    target.says(answer(500, b"why").replace(b"No\r\n", b"No\r\nConnection: close\r\n"))
    assert task.result() == (500, b"why")


def test_a_request_that_is_translated_in_another_way_is_sent_again() -> None:
    class Again(Translation):
        def answer(self, head: ResponseHead) -> Step:
            if head.status != 416:
                return None
            self.drop = (b"range",)
            return SendAgain(Reason.TRANSLATION)

    bench = Translated(Again())
    task = bench.reads(READ._replace(headers=[(b"range", b"bytes=0-1")]))
    assert b"range: bytes=0-1" in bench.rig.target.take()
    bench.rig.target.says(answer(416))
    assert b"range:" not in bench.rig.target.take()
    bench.rig.target.says(ok(b"abc"))
    assert task.result() == (200, b"abc")
    assert bench.rig.count(Slot.RETRIES) == 1
    assert bench.ended() == [(200, "")]


def test_a_body_that_has_begun_is_not_sent_again() -> None:
    bench = Translated(Deciding(lambda head: SendAgain(Reason.TRANSLATION)))
    task = bench.writes(b"abc")
    bench.rig.target.says(answer(416))
    assert failure(task) == "refused the gateway's request"
    assert len(bench.rig.targets) == 1


class Checking:
    """A check of the body: it has three bytes."""

    def __init__(self) -> None:
        self.read = b""

    def update(self, data: bytes | memoryview, /) -> None:
        self.read += bytes(data)

    def confirm(self) -> None:
        if self.read != b"abc":
            raise S3Error(NOT_IMPLEMENTED)


@pytest.mark.parametrize("pieces", [(b"abc",), (b"a", b"", b"bc")])
def test_a_translation_looks_at_the_body(pieces: tuple[bytes, ...]) -> None:
    translation = Translation()
    translation.check = check = Checking()
    bench = Translated(translation)
    task = bench.writes(*pieces)
    bench.rig.target.says(ok(b""))
    assert task.result()[0] == 200
    assert check.read == b"abc"


def test_a_body_that_a_translation_refuses_is_never_complete() -> None:
    translation = Translation()
    translation.check = Checking()
    bench = Translated(translation)
    task = bench.writes(b"ab", b"cd")
    assert isinstance(task.exception(), S3Error)
    assert bench.rig.target.heard.endswith(b"\r\n\r\nab")
    assert bench.rig.target.ended


def test_what_is_translated_to_its_end_is_not_handed_over() -> None:
    class Upper:
        status = None

        def feed(self, data: bytes) -> bytes:
            return data.upper()

        def finish(self) -> bytes:
            return b""

    bench = Translated(Deciding(lambda head: Upper()))

    async def find() -> None:
        async with bench.call() as call:
            await call.answer()
            call.hand_over(None)  # type: ignore[arg-type]  # it comes to nobody

    task = bench.runs(find())
    bench.rig.target.says(ok(b"abc")[:-1])
    assert str(task.exception()) == "the rest of this answer must pass through its filters"


# --- a target that answers before it has the whole body ---


def stopped(*answers: bytes, sent: bytes = b"ab", breaks: bool = False) -> int:
    """How often a sender that waits for its next piece was told to stop."""
    bench = Bench()
    told: list[bool] = []

    async def wait() -> None:
        async with bench.call(write(4)) as call:
            call.on_early(lambda: told.append(True))
            await call.send(sent)
            await asyncio.get_running_loop().create_future()

    task = bench.runs(wait())
    assert told == []
    bench.rig.target.says(*answers)
    if breaks:
        bench.rig.target.resets()
    task.cancel()
    bench.rig.settle()
    return len(told)


def test_a_sender_is_told_of_an_early_answer_once() -> None:
    assert stopped() == 0
    assert stopped(answer(403)) == 1
    assert stopped(answer(500, b"abc")[:-1], b"c") == 1
    assert stopped(answer(403, b"<Error>")[:-1]) == 1  # the filters have not decided
    assert stopped(ok(b"")) == 1
    assert stopped(breaks=True) == 1
    assert stopped(answer(200), sent=b"abcd") == 0


def test_a_sender_that_asks_late_is_told_at_once() -> None:
    bench = Bench()
    told: list[bool] = []
    goes_on = bench.rig.loop.create_future()

    async def wait() -> None:
        async with bench.call(write(4)) as call:
            await call.send(b"ab")
            await goes_on
            call.on_early(lambda: told.append(True))

    bench.runs(wait())
    bench.rig.target.says(answer(403))
    goes_on.set_result(None)
    bench.rig.settle()
    assert told == [True]
