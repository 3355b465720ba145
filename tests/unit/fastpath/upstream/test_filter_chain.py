"""Response filters that compose: what each sees, and what comes out of the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from fastpath.errors import INTERNAL_ERROR, S3Error
from fastpath.http.framing import BY_LENGTH, IN_CHUNKS, BodyKind
from fastpath.http.head import ResponseHead, parse_response_head
from fastpath.response.filters import (
    Buffer,
    HeadChange,
    Question,
    Reason,
    Reply,
    ResponseFilter,
    SendAgain,
    Step,
)
from fastpath.response.own_answer import OwnAnswer
from fastpath.upstream.filter_chain import MAX_QUESTIONS, FilterChain

RAW = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
QUESTION = Question(b"/bucket", b"")
REPLY = Reply(200, b"", {})


class Filtered:
    """The exchange: it notes what comes out."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.on_reply: Callable[[Reply | None], None]

    def pass_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        self.told.append((head.status, kind, more))

    def pass_bytes(self, data: bytes) -> None:
        self.told.append(data)

    def pass_end(self) -> None:
        self.told.append("end")

    def ask(self, question: Question, on_reply: Callable[[Reply | None], None]) -> None:
        self.told.append(question)
        self.on_reply = on_reply

    def send_again(self, step: SendAgain) -> None:
        self.told.append(step)

    def answer_instead(self, answer: OwnAnswer) -> None:
        self.told.append(answer)

    def refuse_instead(self, error: S3Error) -> None:
        self.told.append(error.kind.code)


class Scripted(ResponseFilter):
    """Takes these steps, one at each decision; what it was asked to decide by is in `seen`."""

    def __init__(self, *steps: Step | S3Error) -> None:
        self._steps = list(steps)
        self.seen: list[Any] = []

    def _next(self, seen: object) -> Step:
        self.seen.append(seen)
        step = self._steps.pop(0)
        if isinstance(step, S3Error):
            raise step
        return step

    def head(self, head: ResponseHead) -> Step:
        return self._next(head.status)

    def whole(self, body: bytes, *, complete: bool) -> Step:
        return self._next((body, complete))

    def reply(self, reply: Reply | None) -> Step:
        return self._next(reply)


class Rewriter:
    """Puts brackets around each piece, and an end behind the last."""

    status = 404

    def feed(self, data: bytes) -> bytes:
        return b"[" + data + b"]"

    def finish(self) -> bytes:
        return b"."


class Refusing(Rewriter):
    """Finds at the end that the document is none."""

    def feed(self, data: bytes) -> bytes:
        return b""

    def finish(self) -> bytes:
        raise S3Error(INTERNAL_ERROR)


def run(
    filters: Sequence[Scripted], *pieces: bytes, end: bool = True
) -> tuple[Filtered, FilterChain]:
    exchange = Filtered()
    chain = FilterChain(filters, exchange)
    chain.pass_head(RAW, parse_response_head(RAW), BY_LENGTH, more=bool(pieces))
    for piece in pieces:
        chain.pass_bytes(piece)
    if end:
        chain.pass_end()
    return exchange, chain


def test_what_all_pass_on_is_as_it_came() -> None:
    exchange, chain = run([Scripted(None), Scripted(None)], b"abc", b"def")
    assert exchange.told == [(200, BY_LENGTH, True), b"abc", b"def", "end"]
    assert not chain.rewrites


def test_the_next_filter_sees_what_the_one_before_made() -> None:
    first, second = Scripted(HeadChange(status=206)), Scripted(HeadChange(status=404))
    exchange, _ = run([first, second], b"abcdef")
    assert (first.seen, second.seen) == ([200], [206])
    assert exchange.told == [(404, BY_LENGTH, True), b"abcdef", "end"]


def test_a_response_is_rewritten_twice() -> None:
    second = Scripted(Rewriter())
    exchange, chain = run([Scripted(Rewriter()), second], b"a", b"b")
    assert second.seen == [404]
    head = (404, IN_CHUNKS, True)
    assert exchange.told == [head, b"[[a]]", b"[[b]]", b"[.]", b".", "end"]
    assert chain.rewrites


def test_a_buffered_response_is_rewritten_by_the_next() -> None:
    first, second = Scripted(Buffer(100), None), Scripted(Rewriter())
    exchange, _ = run([first, second], b"a", b"b")
    assert first.seen == [200, (b"ab", True)]
    assert exchange.told == [(404, IN_CHUNKS, True), b"[ab]", b".", "end"]


def test_both_may_buffer() -> None:
    first, second = Scripted(Buffer(100), None), Scripted(Buffer(100), None)
    exchange, _ = run([first, second], b"a", b"b")
    assert second.seen == [200, (b"ab", True)]
    assert exchange.told == [(200, BY_LENGTH, True), b"ab", "end"]


def test_a_full_buffer_decides_before_the_end() -> None:
    first = Scripted(Buffer(2), None)
    exchange, _ = run([first], b"a", b"b", b"c")
    assert first.seen == [200, (b"ab", False)]
    assert exchange.told == [(200, BY_LENGTH, True), b"ab", b"c", "end"]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (SendAgain(Reason.REGION), SendAgain(Reason.REGION)),
        (OwnAnswer(204, (), b""), OwnAnswer(204, (), b"")),
        (S3Error(INTERNAL_ERROR), "InternalError"),
    ],
)
@pytest.mark.parametrize("when", ["by the head", "by the body"])
def test_a_response_that_is_dropped(step: Step | S3Error, told: object, when: str) -> None:
    steps = [step] if when == "by the head" else [Buffer(100), step]
    second = Scripted(None)
    exchange, _ = run([Scripted(*steps), second], b"abc", b"def")
    assert exchange.told == [told]
    assert not second.seen


def test_a_rewriter_that_refuses_at_the_end_sends_nothing_before() -> None:
    exchange, _ = run([Scripted(Refusing())], b"abc")
    assert exchange.told == ["InternalError"]


def test_a_question_is_asked_once_the_response_is_whole() -> None:
    first, second = Scripted(QUESTION, None), Scripted(None)
    exchange, _ = run([first, second], b"abc", end=False)
    assert exchange.told == []
    exchange, _ = run([Scripted(QUESTION, None), second := Scripted(None)], b"abc")
    assert exchange.told == [QUESTION]
    exchange.on_reply(REPLY)
    assert exchange.told[1:] == [(200, BY_LENGTH, True), b"abc", "end"]
    assert second.seen == [200]


def test_a_reply_may_lead_to_a_rewritten_response() -> None:
    exchange, _ = run([Scripted(QUESTION, Rewriter())], b"abc")
    exchange.on_reply(REPLY)
    assert exchange.told[1:] == [(404, IN_CHUNKS, True), b"[abc]", b".", "end"]


def test_questions_are_bounded() -> None:
    only = Scripted(*[QUESTION] * (MAX_QUESTIONS + 1), None)
    exchange, _ = run([only], b"abc")
    for _ in range(MAX_QUESTIONS):
        exchange.on_reply(REPLY)
    assert exchange.told == [*[QUESTION] * MAX_QUESTIONS, (200, BY_LENGTH, True), b"abc", "end"]
    assert only.seen[-1] is None


def test_a_response_that_is_too_long_to_wait_for_a_reply_is_decided_without_one() -> None:
    only = Scripted(QUESTION, None)
    exchange, _ = run([only], b"x" * 65536, b"y")
    assert only.seen == [200, None]
    assert exchange.told == [(200, BY_LENGTH, True), b"x" * 65536, b"y", "end"]


def test_two_filters_may_both_ask() -> None:
    exchange, _ = run([Scripted(QUESTION, None), Scripted(QUESTION, None)], b"abc")
    exchange.on_reply(REPLY)
    exchange.on_reply(REPLY)
    assert exchange.told == [QUESTION, QUESTION, (200, BY_LENGTH, True), b"abc", "end"]
