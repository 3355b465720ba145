"""Translates the answer of a target that speaks a dialect, between its connection and the exchange.

    target -> UpstreamConnection -> DialectFilter -> Exchange -> client

Rules: the exchange gets an answer of S3 and knows of no other. Nothing goes down before the first
translated byte, so that an answer that cannot be understood becomes an error of S3 and not half a
document. A translated answer goes down without a content coding. What the translation must know
first is asked before the request goes up; what an answer means is asked, with at most MAX_QUESTIONS
subrequests, while the answer is buffered.
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
from fastpath.upstream.subrequest import Subrequest, subrequest_head

if TYPE_CHECKING:
    from fastpath.dialects.translation import BodyRewriter, Question, Reply, Translation
    from fastpath.exchange.exchange import Exchange
    from fastpath.upstream.connection import UpstreamConnection
    from fastpath.upstream.pool import Pool

# Bytes of an answer that is buffered; one of lakeFS has less than 1 KiB.
_MAX_BUFFERED = 65536
MAX_QUESTIONS = 2  # no dialect has more
_MAX_DECODED = 16 << 20  # bytes of one document; 1,000 of the longest keys, escaped, are 6 MiB


class _BufferedResponse:
    """An answer that waits until subrequests have shown what it means."""

    def __init__(self, question: Question, raw: bytes, head: ResponseHead, kind: BodyKind) -> None:
        self.question = question  # to be asked first
        self.questions = 0  # asked so far
        self.raw = raw
        self.head = head
        self.kind = kind
        self.body = b""


class DialectFilter:
    """The lessee of one translated request."""

    __slots__ = (
        "_buffered",
        "_decoder",
        "_ended",
        "_exchange",
        "_head",
        "_name",
        "_pool",
        "_rewriter",
        "_subrequest",
        "_translation",
    )

    def __init__(self, exchange: Exchange, translation: Translation, pool: Pool) -> None:
        self._exchange = exchange
        self._translation = translation
        self._pool = pool
        self._rewriter: BodyRewriter | None = None
        self._decoder: Decoder | None = None  # of the answer that is translated
        self._head: bytes | None = None  # of a translated answer, until it goes out
        self._buffered: _BufferedResponse | None = None
        self._subrequest: Subrequest | None = None
        self._name: str | None = None  # the name that the target must prove under TLS
        self._ended = False  # the rest of the answer is dropped

    def begin(self, *, fresh: bool, name: str | None) -> None:
        """Ask the target what the translation must know, then lease; `name` as in `Pool.lease`."""
        self._name = name
        first = self._translation.first_question
        if first is None:
            self._proceed(fresh=fresh)
        else:
            self._ask(first, self._on_first_reply)

    def _proceed(self, *, fresh: bool = False) -> None:
        if self._translation.own_answer is None:
            self._pool.lease(self, self._exchange.holder(), fresh=fresh, name=self._name)
        else:
            self._exchange.answer_unsent(self._translation.own_answer)

    def _on_first_reply(self, reply: Reply | None) -> None:
        self._subrequest = None
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
        """Break off: nobody waits for the answer any more."""
        if self._subrequest is not None:
            self._subrequest.cancel()

    # --- lessee.Lessee: the answer ---

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        question = self._translation.question(head.status)
        if question is not None:
            self._exchange.buffer_answer()
            self._buffered = _BufferedResponse(question, raw, head, kind)
            return
        self._open(raw, head, kind, more=more)

    def _open(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        try:
            answer = self._translation.answer(head)
        except S3Error as error:
            self._refuse(error)
            return
        if answer is None:
            self._exchange.take_answers()
            self._exchange.answer_head(raw, head, kind, more=more)
        elif isinstance(answer, HeadChange):
            self._exchange.take_answers()
            self._exchange.answer_head(*changed_head(raw, *answer), kind, more=more)
        else:
            self._exchange.buffer_answer()
            if answer is ASK_AGAIN:
                self._ended = True
                self._exchange.resend()
            else:
                self._rewrite(answer, raw, head)

    def answer_bytes(self, data: bytes) -> None:
        if self._ended:
            return
        if self._buffered is not None:
            self._buffered.body += data
            if len(self._buffered.body) > _MAX_BUFFERED:
                self._release_buffered(self._buffered)
        elif self._rewriter is not None:
            self._feed_rewriter(self._rewriter, data)
        else:
            self._exchange.answer_bytes(data)

    def answer_sink(self) -> None:
        """Nothing is spliced: the filter reads the answer."""

    def answer_complete(self) -> None:
        if self._ended:
            return
        if self._buffered is not None:
            self._exchange.release()
            self._buffered.questions += 1
            self._ask(self._buffered.question, self._on_reply)
        elif self._rewriter is None or self._feed_rewriter(self._rewriter, None):
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

    def _feed_rewriter(self, rewriter: BodyRewriter, data: bytes | None) -> bool:
        """Translate a piece of the answer, or its end; False if that ended the exchange."""
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
        self._ended = True
        if error.note:
            self._exchange.report_target_fault(error.note)
        self._exchange.refuse(error)

    # --- subrequests ---

    def _ask(self, question: Question, on_reply: Callable[[Reply | None], None]) -> None:
        head = subrequest_head(self._exchange.admitted, question, time.time())
        self._subrequest = Subrequest(head, on_reply, self._exchange.crash, question.method)
        self._subrequest.send(self._pool, self._exchange.holder())

    def _on_reply(self, reply: Reply | None) -> None:
        self._subrequest = None
        buffered = self._buffered
        assert buffered is not None  # it was asked about
        outcome = self._translation.on_reply(reply) if reply is not None else None
        if isinstance(outcome, S3Error):
            self._refuse(outcome)
        elif outcome is not None and buffered.questions < MAX_QUESTIONS:
            buffered.questions += 1
            self._ask(outcome, self._on_reply)
        else:
            self._release_buffered(buffered)
            self.answer_complete()

    def _release_buffered(self, buffered: _BufferedResponse) -> None:
        """Pass the buffered answer on like any other."""
        self._buffered = None
        self._open(buffered.raw, buffered.head, buffered.kind, more=bool(buffered.body))
        if buffered.body:
            self.answer_bytes(buffered.body)

    # --- lessee.Lessee: passed on to the exchange ---

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
