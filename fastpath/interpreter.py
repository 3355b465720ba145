"""Stands between a target's connection and an exchange whose request was translated.

    target -> UpstreamConnection -> Interpreter -> Exchange -> client

Rules: the exchange gets an answer of S3 and does not know of another one; nothing goes down before
the first translated byte, so that an answer that cannot be understood is still an error of S3 and
not half a document; what an answer means is asked with MAX_QUESTIONS, while it waits.

Not here: what is translated (`dialects`), asking (`inquiry`), refused signatures (`holdback`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.framing import BodyKind
from fastpath.head import ResponseHead
from fastpath.inquiry import Inquiry, Reply, question_head
from fastpath.reply import as_document

if TYPE_CHECKING:
    from fastpath.dialects.translation import Question, Rendering, Translation
    from fastpath.exchange import Exchange
    from fastpath.pool import Pool
    from fastpath.upstream import UpstreamConnection

# As much as waits of an answer in question; one of lakeFS has less than 1 KiB.
_MAX_HELD = 65536
MAX_QUESTIONS = 2  # no dialect has more


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

    __slots__ = ("_exchange", "_head", "_held", "_inquiry", "_pool", "_rendering", "_translation")

    def __init__(self, exchange: Exchange, translation: Translation, pool: Pool) -> None:
        self._exchange = exchange
        self._translation = translation
        self._pool = pool
        self._rendering: Rendering | None = None
        self._head: tuple[bytes, ResponseHead] | None = None  # of a rendering, until it goes out
        self._held: _Held | None = None
        self._inquiry: Inquiry | None = None

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        if self._inquiry is not None:
            self._inquiry.cancel()

    # --- upstream.Lessee: the answer ---

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        question = self._translation.question(head.status)
        if question is not None:
            self._exchange.doubt()
            self._held = _Held(question, raw, head, kind)
            return
        try:
            self._rendering = self._translation.answer(head)
        except S3Error as error:
            self._exchange.refuse(error)
            return
        if self._rendering is None:
            self._exchange.take_over()
            self._exchange.answer_head(raw, head, kind, more=more)
        else:
            self._exchange.doubt()
            self._head = (raw, head)

    def answer_bytes(self, data: bytes) -> None:
        if self._held is not None:
            self._held.body += data
            if len(self._held.body) > _MAX_HELD:
                self._let_go(self._held)
        elif self._rendering is not None:
            self._pass(self._rendering, data)
        else:
            self._exchange.answer_bytes(data)

    def answer_sink(self) -> None:
        """What is translated is looked at."""

    def answer_complete(self) -> None:
        if self._held is not None:
            self._exchange.release()
            self._ask(self._held, self._held.question)
        elif self._rendering is None or self._pass(self._rendering, None):
            self._exchange.answer_complete()

    # --- translated ---

    def _pass(self, rendering: Rendering, data: bytes | None) -> bool:
        """Hand a piece of the answer on, or its end; False if that ended the exchange."""
        try:
            data = rendering.finish() if data is None else rendering.feed(data)
        except S3Error as error:
            if error.kind is SERVICE_UNAVAILABLE:
                self._exchange.blame("answered what cannot be translated")
            self._exchange.refuse(error)
            return False
        if data:
            if self._head is not None:
                raw, head = as_document(*self._head, rendering.status)
                self._head = None
                self._exchange.answer_head(raw, head, BodyKind.CHUNKED, more=True)
            self._exchange.answer_bytes(data)
        return True

    # --- in question ---

    def _ask(self, held: _Held, question: Question) -> None:
        held.questions += 1
        head = question_head(self._exchange.admission, *question, time.time())
        self._inquiry = Inquiry(head, self._informed, self._exchange.crash)
        self._inquiry.ask(self._pool)

    def _informed(self, reply: Reply | None) -> None:
        self._inquiry = None
        held = self._held
        assert held is not None  # it was asked about
        outcome = None
        if reply is not None:
            outcome = self._translation.conclude(reply.status, reply.body)
        if isinstance(outcome, S3Error):
            self._exchange.refuse(outcome)
        elif outcome is not None and held.questions < MAX_QUESTIONS:
            self._ask(held, outcome)
        else:
            self._let_go(held)
            self._exchange.answer_complete()

    def _let_go(self, held: _Held) -> None:
        """It stands as it came."""
        self._held = None
        self._exchange.answer_head(held.raw, held.head, held.kind, more=bool(held.body))
        if held.body:
            self._exchange.answer_bytes(held.body)

    # --- upstream.Lessee: the rest is the exchange's ---

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
