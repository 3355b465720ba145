"""Stands between a target's connection and an exchange whose request was translated.

    target -> UpstreamConnection -> Interpreter -> Exchange -> client

Rules: the exchange gets an answer of S3 and does not know of another one; nothing goes down before
the first translated byte, so that an answer that cannot be understood is still an error of S3 and
not half a document; what is translated goes down without a content coding; what must be known
before is asked first, while the request waits, and what an answer means is asked with
MAX_QUESTIONS, while it waits.

Not here: what is translated (`dialects`), asking (`inquiry`), refused signatures (`holdback`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastpath.dialects.translation import ASK_AGAIN, ErrorInstead, HeadChange
from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.http.content_codings import Decoder, Undecodable
from fastpath.http.framing import BY_LENGTH, IN_CHUNKS, BodyKind
from fastpath.http.head import ResponseHead
from fastpath.response.heads import changed_head, document_head
from fastpath.upstream.subrequest import Inquiry, question_head

if TYPE_CHECKING:
    from fastpath.dialects.translation import BodyRewriter, Question, Reply, Translation
    from fastpath.exchange.exchange import Exchange
    from fastpath.upstream.connection import UpstreamConnection
    from fastpath.upstream.pool import Pool

# As much as waits of an answer in question; one of lakeFS has less than 1 KiB.
_MAX_HELD = 65536
MAX_QUESTIONS = 2  # no dialect has more
_MAX_DECODED = 16 << 20  # bytes of one document; 1,000 of the longest keys, escaped, are 6 MiB


class _Held:
    """An answer that waits for what it means."""

    def __init__(self, question: Question, raw: bytes, head: ResponseHead, kind: BodyKind) -> None:
        self.question = question  # that must be asked first
        self.questions = 0  # that were asked
        self.raw = raw
        self.head = head
        self.kind = kind
        self.body = b""


class Interpreter:
    """The lessee of one translated request."""

    __slots__ = (
        "_decoder",
        "_exchange",
        "_head",
        "_held",
        "_inquiry",
        "_name",
        "_over",
        "_pool",
        "_rewriter",
        "_translation",
    )

    def __init__(self, exchange: Exchange, translation: Translation, pool: Pool) -> None:
        self._exchange = exchange
        self._translation = translation
        self._pool = pool
        self._rewriter: BodyRewriter | None = None
        self._decoder: Decoder | None = None  # of what is rendered
        self._head: bytes | None = None  # of a rendering, until it goes out
        self._held: _Held | None = None
        self._inquiry: Inquiry | None = None
        self._name: str | None = None  # what the target must prove under TLS
        self._over = False  # nothing more of the answer is of use

    def begin(self, *, fresh: bool, name: str | None) -> None:
        """Look for a connection, once what must be known first is known; `name` as in `pool`."""
        self._name = name
        first = self._translation.first_question
        if first is None:
            self._proceed(fresh=fresh)
        else:
            self._ask(first, self._learnt)

    def _proceed(self, *, fresh: bool = False) -> None:
        if self._translation.own_answer is None:
            self._pool.lease(self, self._exchange.holder(), fresh=fresh, name=self._name)
        else:
            self._exchange.answer_unsent(self._translation.own_answer)

    def _learnt(self, reply: Reply | None) -> None:
        self._inquiry = None
        try:
            if reply is not None:
                self._translation.on_first_reply(reply)
        except S3Error as error:
            self._refuse(error)
            return
        if reply is None:
            self._exchange.lease_failed("gave no answer to a question", overload=False)
        else:
            self._proceed()

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if self._inquiry is not None:
            self._inquiry.cancel()

    # --- lessee.Lessee: the answer ---

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        question = self._translation.question(head.status)
        if question is not None:
            self._exchange.doubt()
            self._held = _Held(question, raw, head, kind)
            return
        self._open(raw, head, kind, more=more)

    def _open(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        try:
            answer = self._translation.answer(head)
        except S3Error as error:
            self._refuse(error)
            return
        if answer is None:
            self._exchange.take_over()
            self._exchange.answer_head(raw, head, kind, more=more)
        elif isinstance(answer, HeadChange):
            self._exchange.take_over()
            self._exchange.answer_head(*changed_head(raw, *answer), kind, more=more)
        else:
            self._exchange.doubt()
            if answer is ASK_AGAIN:
                self._over = True
                self._exchange.again()
            else:
                self._rewrite(answer, raw, head)

    def answer_bytes(self, data: bytes) -> None:
        if self._over:
            return
        if self._held is not None:
            self._held.body += data
            if len(self._held.body) > _MAX_HELD:
                self._let_go(self._held)
        elif self._rewriter is not None:
            self._pass(self._rewriter, data)
        else:
            self._exchange.answer_bytes(data)

    def answer_sink(self) -> None:
        """What is translated is looked at."""

    def answer_complete(self) -> None:
        if self._over:
            return
        if self._held is not None:
            self._exchange.release()
            self._held.questions += 1
            self._ask(self._held.question, self._informed)
        elif self._rewriter is None or self._pass(self._rewriter, None):
            self._exchange.answer_complete()

    # --- translated ---

    def _rewrite(self, rewriter: BodyRewriter, raw: bytes, head: ResponseHead) -> None:
        self._rewriter = rewriter
        self._head = raw
        coding = head.fields.get(b"content-encoding")
        if coding is not None and not isinstance(rewriter, ErrorInstead):  # which reads nothing
            try:
                self._decoder = Decoder(coding, _MAX_DECODED)
            except Undecodable:
                self._refuse(_undecodable(coding))

    def _plain(self, data: bytes) -> bytes:
        if self._decoder is None:
            return data
        try:
            return self._decoder.feed(data)
        except Undecodable:
            raise _undecodable(b"broken, or too large") from None

    def _pass(self, rewriter: BodyRewriter, data: bytes | None) -> bool:
        """Hand a piece of the answer on, or its end; False if that ended the exchange."""
        is_end = data is None
        try:
            data = rewriter.finish() if data is None else rewriter.feed(self._plain(data))
        except S3Error as error:
            if is_end:
                self._exchange.release()
            self._refuse(error)
            return False
        if self._head is not None and (data or is_end):
            length = len(data) if is_end else None
            raw, head = document_head(self._head, rewriter.status, length)
            self._head = None
            kind = BY_LENGTH if is_end else IN_CHUNKS
            self._exchange.answer_head(raw, head, kind, more=bool(data))
        if data:
            self._exchange.answer_bytes(data)
        return True

    def _refuse(self, error: S3Error) -> None:
        self._over = True
        if error.note:
            self._exchange.blame(error.note)
        self._exchange.refuse(error)

    # --- in question ---

    def _ask(self, question: Question, told: Callable[[Reply | None], None]) -> None:
        head = question_head(self._exchange.admission, question, time.time())
        self._inquiry = Inquiry(head, told, self._exchange.crash, question.method)
        self._inquiry.ask(self._pool, self._exchange.holder())

    def _informed(self, reply: Reply | None) -> None:
        self._inquiry = None
        held = self._held
        assert held is not None  # it was asked about
        outcome = self._translation.on_reply(reply) if reply is not None else None
        if isinstance(outcome, S3Error):
            self._refuse(outcome)
        elif outcome is not None and held.questions < MAX_QUESTIONS:
            held.questions += 1
            self._ask(outcome, self._informed)
        else:
            self._let_go(held)
            self.answer_complete()

    def _let_go(self, held: _Held) -> None:
        """It is an answer as any other."""
        self._held = None
        self._open(held.raw, held.head, held.kind, more=bool(held.body))
        if held.body:
            self.answer_bytes(held.body)

    # --- lessee.Lessee: the rest is the exchange's ---

    def leased(self, connection: UpstreamConnection) -> None:
        self._exchange.leased(connection)

    def lease_failed(self, reason: str, *, overload: bool) -> None:
        self._exchange.lease_failed(reason, overload=overload)

    def upstream_lost(self, reason: str, *, stale: bool) -> None:
        self._exchange.upstream_lost(reason, stale=stale)

    def crash(self, fault: Exception) -> None:
        self._exchange.crash(fault)

    def upstream_paused(self) -> None:
        self._exchange.upstream_paused()

    def upstream_resumed(self) -> None:
        self._exchange.upstream_resumed()


def _undecodable(coding: bytes) -> S3Error:
    error = S3Error(SERVICE_UNAVAILABLE, retry_after=1)
    error.note = f"answered in a coding that is not read here: {coding[:40].decode('latin-1')}"
    return error
