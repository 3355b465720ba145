"""Runs the response filters of one exchange, each after the other.

    connection -> exchange -> filter -> filter -> exchange -> client

Rules: the next filter sees a response once the one before has passed it on. Nothing goes on before
the first rewritten byte, so that a response that cannot be read becomes an error and not half a
document; a rewritten response goes on without a content coding. At most MAX_QUESTIONS questions are
asked about a response.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from fastpath.dialects.translation import ErrorInstead
from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.http.content_codings import Decoder, Undecodable
from fastpath.http.framing import BY_LENGTH, IN_CHUNKS, BodyKind
from fastpath.response.filters import (
    MAX_ASKED_BYTES,
    Buffer,
    HeadChange,
    Question,
    Removal,
    SendAgain,
)
from fastpath.response.heads import changed_head, document_head
from fastpath.response.own_answer import OwnAnswer

if TYPE_CHECKING:
    from fastpath.http.head import ResponseHead
    from fastpath.response.filters import BodyRewriter, Reply, ResponseFilter, Step

MAX_QUESTIONS = 2  # no dialect has more
_MAX_DECODED = 16 << 20  # bytes of one document; 1,000 of the longest keys, escaped, are 6 MiB


class Next(Protocol):
    """What comes after a filter: another one, or the relay to the client."""

    def pass_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """Take the head; `more`: bytes of the body come next."""

    def pass_bytes(self, data: bytes) -> None:
        """Take a piece of the body."""

    def pass_end(self) -> None:
        """Take the end of the body."""


class Filtered(Next, Protocol):
    """The exchange whose response is filtered."""

    def ask(self, question: Question, on_reply: Callable[[Reply | None], None]) -> None:
        """Ask the target, now that its response is whole."""

    def remove_hiding(self, on_reply: Callable[[Reply | None], None]) -> None:
        """Remove what would hide the new object; a reply without a body: it is removed."""

    def send_again(self, step: SendAgain) -> None:
        """Drop the response and send the request again."""

    def answer_instead(self, answer: OwnAnswer) -> None:
        """Drop the response and send this one."""

    def refuse_instead(self, error: S3Error) -> None:
        """Drop the response and send this error."""


class _Mode(IntEnum):
    """What a filter does with the bytes that come."""

    PASSING = 0
    BUFFERING = 1
    REWRITING = 2
    DROPPING = 3  # the filter dropped the response, or its end has come


class FilterChain:
    """The filters of one exchange, in the order in which they see the response."""

    __slots__ = ("_first", "rewrites")

    def __init__(self, filters: Sequence[ResponseFilter], exchange: Filtered) -> None:
        self.rewrites = False  # one of them rewrites the body
        following: Next = exchange
        for member in reversed(filters):
            following = _Stage(self, member, following, exchange)
        self._first = following

    def pass_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """Take the head of the target's response."""
        self._first.pass_head(raw, head, kind, more=more)

    def pass_bytes(self, data: bytes) -> None:
        """Take a piece of its body."""
        self._first.pass_bytes(data)

    def pass_end(self) -> None:
        """Take its end."""
        self._first.pass_end()


class _Stage:
    """One filter in its place."""

    __slots__ = (
        "_chain",
        "_decoder",
        "_exchange",
        "_filter",
        "_head",
        "_is_whole",
        "_kind",
        "_mode",
        "_most",
        "_next",
        "_pieces",
        "_question",
        "_questions",
        "_raw",
        "_rewriter",
        "_size",
    )

    def __init__(
        self, chain: FilterChain, member: ResponseFilter, following: Next, exchange: Filtered
    ) -> None:
        self._chain = chain
        self._filter = member
        self._next = following
        self._exchange = exchange
        self._mode = _Mode.PASSING
        self._raw = b""  # of the head, until it has gone on
        self._head: ResponseHead
        self._kind: BodyKind
        # BUFFERING
        self._most = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._question: Question | Removal | None = None  # to be asked once the response is whole
        self._questions = 0  # asked so far
        self._is_whole = False
        # REWRITING
        self._rewriter: BodyRewriter
        self._decoder: Decoder | None = None

    # --- Next ---

    def pass_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        self._raw, self._head, self._kind = raw, head, kind
        self._decide(lambda: self._filter.head(head), more=more)

    def pass_bytes(self, data: bytes) -> None:
        if self._mode is _Mode.PASSING:
            self._next.pass_bytes(data)
        elif self._mode is _Mode.REWRITING:
            self._rewrite(data)
        elif self._mode is _Mode.BUFFERING:
            self._pieces.append(data)
            self._size += len(data)
            if self._size >= self._most:
                self._decide_by_body()

    def pass_end(self) -> None:
        self._is_whole = True
        if self._mode is _Mode.BUFFERING and self._question is not None:
            self._ask(self._question)
            return
        if self._mode is _Mode.BUFFERING:
            self._decide_by_body()
        self._end()

    # --- decisions ---

    def _decide(self, decision: Callable[[], Step], *, more: bool = False) -> None:
        """Take the step that the filter decides for."""
        try:
            step = decision()
        except S3Error as error:
            self._refuse(error)
            return
        if step is None:
            self._go_on(self._raw, self._head, more=more)
        elif isinstance(step, HeadChange):
            self._go_on(*changed_head(self._raw, *step), more=more)
        elif isinstance(step, Buffer):
            self._mode, self._most = _Mode.BUFFERING, step.most
        elif isinstance(step, Question | Removal):
            self._mode, self._most, self._question = _Mode.BUFFERING, MAX_ASKED_BYTES, step
            if self._is_whole:
                self._ask(step)
        elif isinstance(step, SendAgain):
            self._mode = _Mode.DROPPING
            self._exchange.send_again(step)
        elif isinstance(step, OwnAnswer):
            self._mode = _Mode.DROPPING
            self._exchange.answer_instead(step)
        else:
            self._begin_rewriting(step)

    def _decide_by_body(self) -> None:
        """Decide: the body is whole, or there is no room for more of it."""
        if self._question is not None:  # which cannot be asked now
            self._decide(lambda: self._filter.reply(None))
        else:
            body = b"".join(self._pieces)
            self._decide(lambda: self._filter.whole(body, complete=self._is_whole))

    def _ask(self, question: Question | Removal) -> None:
        if isinstance(question, Removal):
            self._exchange.remove_hiding(self._take_reply)
        elif self._questions < MAX_QUESTIONS:
            self._questions += 1
            self._exchange.ask(question, self._take_reply)
        else:
            self._take_reply(None)  # within an earlier call of it: `_end` acts once

    def _take_reply(self, reply: Reply | None) -> None:
        self._question = None
        self._decide(lambda: self._filter.reply(reply))
        if self._question is None:
            self._end()

    # --- what was decided ---

    def _go_on(self, raw: bytes, head: ResponseHead, *, more: bool) -> None:
        """Pass the response on, with what is here of its body."""
        self._mode = _Mode.PASSING
        self._next.pass_head(raw, head, self._kind, more=more or bool(self._pieces))
        if self._pieces:
            body = b"".join(self._pieces)
            self._pieces.clear()
            self._next.pass_bytes(body)

    def _begin_rewriting(self, rewriter: BodyRewriter) -> None:
        self._mode, self._rewriter, self._chain.rewrites = _Mode.REWRITING, rewriter, True
        coding = self._head.fields.get(b"content-encoding")
        if coding is not None and not isinstance(rewriter, ErrorInstead):  # which reads nothing
            try:
                self._decoder = Decoder(coding, _MAX_DECODED)
            except Undecodable:
                self._refuse(_undecodable(coding))
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            self.pass_bytes(piece)

    def _rewrite(self, data: bytes) -> None:
        try:
            if self._decoder is not None:
                data = self._decoder.feed(data)
            data = self._rewriter.feed(data)
        except Undecodable:
            self._refuse(_undecodable(b"broken, or too large"))
        except S3Error as error:
            self._refuse(error)
        else:
            if data:
                self._send_rewritten(data, length=None)

    def _send_rewritten(self, data: bytes, length: int | None) -> None:
        """Pass rewritten bytes on, the head before the first; `length` of all, if it is known."""
        if self._raw:
            raw, head = document_head(self._raw, self._rewriter.status, length)
            self._raw = b""
            kind = IN_CHUNKS if length is None else BY_LENGTH
            self._next.pass_head(raw, head, kind, more=bool(data))
        if data:
            self._next.pass_bytes(data)

    def _end(self) -> None:
        if self._mode is _Mode.REWRITING:
            try:
                data = self._rewriter.finish()
            except S3Error as error:
                self._refuse(error)
                return
            self._send_rewritten(data, length=len(data))
        if self._mode in (_Mode.PASSING, _Mode.REWRITING):
            self._mode = _Mode.DROPPING
            self._next.pass_end()

    def _refuse(self, error: S3Error) -> None:
        self._mode = _Mode.DROPPING
        self._exchange.refuse_instead(error)


def _undecodable(coding: bytes) -> S3Error:
    error = S3Error(SERVICE_UNAVAILABLE, retry_after=1)
    error.note = f"answered in a coding that is not read here: {coding[:40].decode('latin-1')}"
    return error
