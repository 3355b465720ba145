"""One request and its answer, between a client's connection and a target's.

The joint state of both sides is one of `phases`; what its two connections report leads a request
from one to the next.

Rules: the exchange ends on the snapshot it began with; nothing unverified completes (the last
bytes of a hashed body are held back until its digest is good); a body is spliced only if nothing
between the two connections looks at it.

Not here: how it ends (`course`), bytes and sockets (`downstream`, `upstream`), whether it may
happen (`admission`), what a held answer leads to (`holdback`), what a dialect makes of it
(`interpreter`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from fastpath.dialects.delete_objects import refused_answer
from fastpath.dialects.translation import Question, Reply
from fastpath.errors import INVALID_REQUEST, SERVICE_UNAVAILABLE, SLOW_DOWN, S3Error
from fastpath.exchange.base import Course
from fastpath.exchange.buffered_response import Held, Next, conclude, decide, question_of_signature
from fastpath.exchange.dialect_filter import Interpreter
from fastpath.exchange.form_upload import Posting
from fastpath.exchange.splice_ends import AnswerSink, RequestSink
from fastpath.exchange.states import (
    ANSWERED,
    ANSWERING,
    AWAITING,
    DOUBTED,
    EARLY,
    FORM,
    HELD,
    HELD_EARLY,
    LEASED,
    READ,
    READING,
    RESEND,
    SENDING,
    SENT,
    after,
)
from fastpath.exchange.upload_body import body_plan_of
from fastpath.http.framing import BY_LENGTH, IN_CHUNKS, BodyKind, request_body
from fastpath.http.head import ResponseHead
from fastpath.payload.body_plan import STREAMING, BodyPlan
from fastpath.request.admission import POST_OBJECT, Admission, admit
from fastpath.request.upstream_head import upstream_head
from fastpath.request.virtual_host import server_name
from fastpath.response.cors import answer_preflight
from fastpath.response.heads import CONTINUE, relayed_head
from fastpath.s3.operations import BODY_METHODS
from fastpath.s3.refusals import HELD_STATUSES, MAX_ERROR_BYTES
from fastpath.upstream.subrequest import Inquiry, question_head

if TYPE_CHECKING:
    from fastpath.signing.sigv4.sign import Signer
    from fastpath.upstream.connection import UpstreamConnection

_RETRY_AFTER = 1  # seconds; SDKs back off by themselves, the header is for the others


class Exchange(Course):
    """One request on its way."""

    __slots__ = ()

    # --- the request ---

    def start(self) -> None:
        """Admit the request and look for a connection. Raises S3Error when it is refused."""
        admission = self.admission
        now = time.time()
        cors = self.snapshot.cors
        if cors is not None and b"origin" in self.head.fields:
            self._cors = cors.answer_lines(self.head.fields[b"origin"], self.head.method)
        admit(self.head, self.snapshot, now, admission)
        if admission.signer is None:
            self._begin_unsigned(now)
            return
        streaming = admission.payload in STREAMING
        request_body(self.head, streaming=streaming)
        if streaming or self.body_left or self.head.method in BODY_METHODS:
            self._prepare_body(admission)
            if self.body_left and self._body_plan is not None and not self._body_plan.is_sent:
                self._read_first()
                return
        self._set_out()

    def _begin_unsigned(self, now: float) -> None:
        """A preflight is answered here; what a form asks for is in its body, so that is read."""
        address, cors = self.admission.address, self.snapshot.cors
        assert address is not None  # located
        if self.admission.operation is not POST_OBJECT:
            self._answer(answer_preflight(cors, self.head.fields, address))
            return
        self._posting = Posting(
            self.head, self.admission, self.snapshot, now, self._service.form_memory
        )
        self._read_first()

    def _read_first(self) -> None:
        """Read the body before a connection is looked for."""
        is_ignored = self._posting is None and self.admission.own_answer is None
        if is_ignored and self.body_left > self.snapshot.limits.ignored_body_bytes:
            self.wants_close = True
            raise S3Error(INVALID_REQUEST, message="This request has no body in S3.")
        self.phase = after(self.phase, FORM)
        if self.head.expect_continue:
            self._client.send(CONTINUE)
        self._client.resume_body()

    def _read_bytes(self, data: bytes, last: bool) -> None:
        """A form, or a body that S3 does not know: it is what was signed, and goes no further."""
        posting = self._posting
        try:
            if posting is not None:
                last = posting.feed(data, last)
            elif self._body_plan is not None:
                self._body_plan.filter.feed(data, last)
        except S3Error as error:
            self.refuse(error)
            return
        if last:
            if posting is not None:
                self._filter, self._body_plan = posting.file, posting.body_plan
            else:
                self._filter = None
            self.phase = after(self.phase, READ)
            self._set_out()

    def _set_out(self) -> None:
        """Look for a connection; of an upload it must be known before where its bucket is.

        A body that has begun cannot be sent again to another region.
        """
        if (self.body_left or self._posting) and self._service.places.unknown(self.admission):
            self._ask_for_bucket()
        else:
            self._lease()

    def _ask_for_bucket(self) -> None:
        address = self.admission.address
        assert address is not None  # admitted
        self._inquire(Question(b"/" + address.bucket, b"", b"HEAD"), self._told_of_bucket)

    def _inquire(self, question: Question, told: Callable[[Reply | None], None]) -> None:
        target = self.admission.target
        assert target is not None  # admitted
        head = question_head(self.admission, question, time.time())
        self._inquiry = Inquiry(head, told, self.crash, question.method)
        self._inquiry.ask(self._service.pool(target.route), self.holder())

    def _told_of_bucket(self, reply: Reply | None) -> None:
        self._inquiry = None
        if reply is not None and reply.status < 500:
            region = reply.fields.get(b"x-amz-bucket-region", b"")
            if self._service.places.told(self.admission, region):
                self._service.journal.bucket_found(self, region.decode())
        self._lease()

    def _lease(self, *, fresh: bool = False) -> None:
        if self._service.places.learnt:
            self._service.places.direct(self.admission)
        target, address = self.admission.target, self.admission.address
        assert target is not None  # admitted
        assert address is not None
        self._pool = self._service.pool(target.route)
        name = server_name(target, address) if target.virtual else None
        translation = self.admission.translation
        if translation is None:
            self._pool.lease(self, self.holder(), fresh=fresh, name=name)
        else:
            translation.secure = self._client.secure
            if translation.dropped and not fresh:
                self._service.journal.forgotten(self, translation.dropped)
            self._interpreter = Interpreter(self, translation, self._pool)
            self._interpreter.begin(fresh=fresh, name=name)

    def _prepare_body(self, admission: Admission) -> None:
        """Decide what the body is checked against; one of no bytes is checked at once."""
        body_plan = body_plan_of(self.head, admission)
        if body_plan is None:
            return
        self._body_plan = body_plan
        if self.body_left:
            self._filter = body_plan.filter
        else:
            body_plan.filter.feed(b"", True)

    def leased(self, connection: UpstreamConnection) -> None:
        """The pool found a connection: send the head, ask the client for the body."""
        self._upstream = connection
        self._tries += 1
        if self._client.secure:
            connection.read_less()
        self.phase = after(self.phase, LEASED)
        posting = self._posting
        head = self._head_up(self._body_plan)
        if not self.body_left and posting is None:
            connection.send_head(head, self.head.method)
            self._request_sent()
            return
        # Some stores take a head that ends without a body byte for an empty object: it goes out
        # together with the first byte, and not at all if the body is refused before.
        self._upstream_head = head
        if not self.body_left:
            self._send_body(b"", True)  # a browser's file, all of which is here
            return
        if self.head.expect_continue and self._tries == 1 and posting is None:
            self._client.send(CONTINUE)
        self._client.resume_body()

    def _head_up(self, body_plan: BodyPlan | None) -> bytes:
        sent, instance = self._posting or self, self.snapshot.instance
        return upstream_head(sent.raw, sent.head, self.admission, instance, time.time(), body_plan)

    def request_bytes(self, data: bytes, last: bool) -> None:
        """A piece of the body, while `wants_body`."""
        self.bytes_in += len(data)
        self.body_left = 0 if last else self.body_left - len(data)
        if self.phase is READING:
            self._read_bytes(data, last)
        else:
            self._send_body(data, last)

    def _send_body(self, data: bytes, last: bool) -> None:
        upstream = self._upstream
        assert upstream is not None  # SENDING
        if self._filter is not None:
            try:
                data = self._filter.feed(data, last)
            except S3Error as error:
                self.refuse(error)
                return
            if not (data or last):
                return
            if last and not self._settle_batch(data):
                return
        head, self._upstream_head = self._upstream_head, b""
        if head:
            upstream.send_head(head, self.head.method, data)
        else:
            if last:
                upstream.look_for_answer()
            upstream.send_body(data)
        if last:
            self._request_sent()

    def _settle_batch(self, body: bytes) -> bool:
        """Keys may have been taken out of a batch: another head, or the answer if none is left."""
        batch = self._body_plan.batch if self._body_plan is not None else None
        if batch is None or not batch.refused:
            return True
        if body:
            self._upstream_head = self._head_up(BodyPlan(batch, batch.body_headers(body)))
            return True
        self._leave_upstream()
        self._answer(refused_answer(batch.refused))
        return False

    def request_sink(self) -> RequestSink | None:
        """Where the rest of the body may be spliced to; None: somebody has to look at it."""
        upstream = self._upstream
        if self._filter is not None or upstream is None or not self.wants_body:
            return None
        if upstream.descriptor < 0 or not self.bytes_in:  # the head goes with the first bytes
            return None
        upstream.look_for_answer()
        return RequestSink(self, upstream, self._service.row)

    def request_moved(self, count: int) -> None:
        """The kernel moved more of the body."""
        self.bytes_in += count
        self.body_left -= count
        if not self.body_left:
            self._request_sent()
        elif self._upstream is not None:
            self._upstream.look_for_answer()

    def _request_sent(self) -> None:
        self.phase = after(self.phase, SENT)
        self._expect_answer()

    def _expect_answer(self) -> None:
        assert self._upstream is not None  # AWAITING
        self._upstream.expect_answer_within(self._upstream.timeouts.response_seconds)

    def lease_failed(self, reason: str, *, overload: bool) -> None:
        """The pool found none."""
        self._service.journal.upstream_fault(self, reason)
        kind = SLOW_DOWN if overload else SERVICE_UNAVAILABLE
        self.refuse(S3Error(kind, retry_after=_RETRY_AFTER))

    def upstream_paused(self) -> None:
        """The target is slower than the client."""
        if self.phase is SENDING:
            self._client.pause_body()

    def upstream_resumed(self) -> None:
        """The target takes bytes again."""
        if self.phase is SENDING:
            self._client.resume_body()
        elif self.phase is AWAITING:
            self._expect_answer()

    # --- the answer ---

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """The target began to answer; `more`: bytes of the body come next."""
        if head.status in HELD_STATUSES or (self._posting is not None and head.status < 300):
            self.doubt()
            self._held = Held(raw, head, kind, early=self.phase is HELD_EARLY)
        else:
            self._relay_head(raw, head, kind, more=more)

    def take_over(self) -> None:
        """The answer needs no interpreter: it comes here from now on."""
        if self._upstream is not None:  # else all of it was kept
            self._upstream.lessee = self

    def doubt(self) -> None:
        """The target began to answer, but nothing of it may be told yet."""
        early = self.phase is SENDING
        if self.phase not in (HELD, HELD_EARLY):
            self.phase = after(self.phase, DOUBTED)
        if early:
            self._client.resume_body()  # only to read it away

    def _relay_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        self.phase = after(self.phase, ANSWERED)
        self.status = head.status
        if head.status >= 400:
            self._held = Held(b"", head, kind, early=False, most=MAX_ERROR_BYTES)
        if self.phase is EARLY:
            self.wants_close = True
            self._client.resume_body()  # only to read it away
        close = self._is_last() or self.wants_close
        if kind >= IN_CHUNKS and not self.head.http_minor:
            close = True
            self._client.ends_by_closing()
        self.wants_close = close
        self.answer_kind = kind
        ids = (self.request_id.encode(), close)
        relayed = relayed_head(raw, head, kind, self.head, ids, self._cors)
        if more:
            self._answer_head = relayed  # one write, and one segment, for a small answer
        else:
            self._client.send(relayed)

    def answer_bytes(self, data: bytes) -> None:
        """A piece of the answer's body."""
        if self._held is not None:
            if self.phase is HELD or self.phase is HELD_EARLY:
                if not self._held.take(data):
                    self._judge(self._held, complete=False)
                return
            self.overhear(self._held, data)
        self.bytes_out += len(data)
        if self.answer_kind is not BY_LENGTH and self.head.http_minor:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        head, self._answer_head = self._answer_head, b""
        if head:
            self._client.send(head, data)
        else:
            self._client.send(data)

    def answer_sink(self) -> AnswerSink | None:
        """Where the rest of the answer may be spliced to; None: it is changed, held or framed."""
        if self.phase is not ANSWERING or self.answer_kind is not BY_LENGTH:
            return None
        if self._client.descriptor < 0:
            return None
        return AnswerSink(self, self._client, self._service.row)

    def answer_complete(self) -> None:
        """The target's answer is whole."""
        held = self._held
        if held and self.phase in (HELD, HELD_EARLY) and not self._judge(held, complete=True):
            return
        if self.answer_kind >= IN_CHUNKS and self.head.http_minor:
            self._client.send(b"0\r\n\r\n")
        self._end(keep=not self.wants_close)

    def _judge(self, held: Held, *, complete: bool) -> bool:
        """End the doubt about an answer; whether it goes to the client."""
        self._held = None
        stored = held.head.status < 300  # a browser's file: it is answered here
        step = Next.RELAY if stored else decide(self, held, self._service)
        if step is Next.RELAY and not stored:
            body = held.body
            self._relay_head(held.raw, held.head, held.kind, more=bool(body))
            if body:
                self.answer_bytes(body)
            return True
        self.release(complete=complete)
        if stored and not held.early:
            self._answer_form(held.head)
        elif stored:
            self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))
        elif step is Next.ASK:
            told = partial(self._told_of_signature, held)
            self._inquire(question_of_signature(self.admission), told)
        else:
            self._detour(step)
        return False

    def _told_of_signature(self, held: Held, reply: Reply | None) -> None:
        """Whether an answer without a document is about the gateway's signature."""
        self._inquiry = None
        step = conclude(self, reply, self._service)
        if step is Next.RELAY:
            self._relay_head(held.raw, held.head, held.kind, more=False)
            self.answer_complete()
        else:
            self._detour(step)

    def _detour(self, step: Next) -> None:
        """The answer does not go to the client: send the request again, or say to come again."""
        if step is Next.REFUSE:
            self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))
            return
        self.detours |= {step}
        self.phase = after(self.phase, RESEND)
        if step is Next.AGAIN:
            self._send_again()
        else:
            self._service.renewals.wait(self, self._service.snapshot)

    def release(self, *, complete: bool = True) -> None:
        """The connection to the target is not needed any more; was its answer whole?"""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            read = complete and self.phase is HELD and self._was_read(upstream)
            upstream.release(request_read=read)

    def again(self) -> None:
        """Send the request once more, in other words; nothing of the answer is wanted."""
        self.release(complete=False)
        self.phase = after(self.phase, RESEND)
        self._send_again()

    def _answer_form(self, stored: ResponseHead) -> None:
        """The file is stored: tell the browser what its form asked to be told."""
        assert self._posting is not None
        self.phase = after(self.phase, ANSWERED)
        self._answer(self._posting.answer(stored, secure=self._client.secure))

    def _send_again(self) -> None:
        self._service.count_retry()
        self._lease(fresh=True)

    def renewed(self, signer: Signer) -> None:
        """Other credentials are here: the second try."""
        old = self.admission.signer
        assert old is not None  # admitted
        self.admission.signer = signer.in_region(old.region)
        self._send_again()

    def not_renewed(self) -> None:
        """There are no others."""
        self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))

    def upstream_lost(self, reason: str, *, stale: bool) -> None:
        """The connection to the target broke before the answer was whole."""
        self._upstream = None
        if self.phase in (ANSWERING, EARLY):
            self._service.journal.upstream_fault(self, reason)
            self._break_off()
            return
        if self._may_resend(stale):
            self.phase = after(self.phase, RESEND)
            self._send_again()
            return
        self._service.journal.upstream_fault(self, reason)
        self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))

    # --- the client ---

    def client_paused(self) -> None:
        """The client is slower than the target."""
        if self._upstream is not None:
            self._upstream.hold()

    def client_resumed(self) -> None:
        """The client takes bytes again."""
        if self._upstream is not None:
            self._upstream.unhold()
            if self.phase is AWAITING:
                self._expect_answer()

    def _leave_upstream(self) -> None:
        self._service.renewals.give_up(self)
        super()._leave_upstream()
