"""One request and its answer, between a client's connection and a target's.

The joint state of both sides is one of `states`; the events that its two connections report move it
from one state to the next.

Rules: the exchange ends on the snapshot it began with. Nothing unverified completes: a filter keeps
the last bytes of a hashed body until its digest is good. A body is spliced only if nothing between
the two connections looks at it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fastpath.dialects.delete_objects import refused_answer
from fastpath.dialects.translation import Question, Reply
from fastpath.errors import INVALID_REQUEST, SERVICE_UNAVAILABLE, SLOW_DOWN, S3Error
from fastpath.exchange.base import ExchangeBase
from fastpath.exchange.buffered_response import (
    BufferedResponse,
    NextStep,
    conclude,
    decide,
    signature_question,
)
from fastpath.exchange.dialect_filter import DialectFilter
from fastpath.exchange.form_upload import FormUpload
from fastpath.exchange.splice_sinks import AnswerSink, RequestSink
from fastpath.exchange.states import (
    ANSWERED,
    ANSWERING,
    AWAITING,
    BUFFER,
    BUFFERING,
    BUFFERING_EARLY,
    EARLY,
    LEASED,
    READ,
    READ_FIRST,
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
from fastpath.request.admission import POST_OBJECT, admit
from fastpath.request.upstream_head import upstream_head
from fastpath.request.virtual_host import server_name
from fastpath.response.cors import answer_preflight
from fastpath.response.heads import CONTINUE, relayed_head
from fastpath.s3.operations import BODY_METHODS
from fastpath.s3.refusals import BUFFERED_STATUSES, MAX_ERROR_BYTES
from fastpath.upstream.subrequest import Subrequest, subrequest_head

if TYPE_CHECKING:
    from fastpath.request.admitted import Admitted
    from fastpath.signing.sigv4.sign import Signer
    from fastpath.upstream.connection import UpstreamConnection

_RETRY_AFTER = 1  # seconds; SDKs back off by themselves, other clients need the header


class Exchange(ExchangeBase):
    """One request on its way."""

    __slots__ = ()

    # --- the request ---

    def start(self) -> None:
        """Admit the request and look for a connection. Raises S3Error when it is refused."""
        now = time.time()
        cors = self.snapshot.cors
        if cors is not None and b"origin" in self.head.fields:
            self._cors = cors.answer_lines(self.head.fields[b"origin"], self.head.method)
        admitted = admit(self.head, self.snapshot, now, self.trail)
        if admitted is None:
            self._begin_unsigned(now)
            return
        self.admitted = admitted
        streaming = admitted.payload in STREAMING
        request_body(self.head, streaming=streaming)
        if streaming or self.body_left or self.head.method in BODY_METHODS:
            self._prepare_body(admitted)
            if self.body_left and self._body_plan is not None and not self._body_plan.is_sent:
                self._read_first()
                return
        self._set_out()

    def _begin_unsigned(self, now: float) -> None:
        """Answer a preflight; or read a browser's form, whose body says what it asks for."""
        address, cors = self.trail.address, self.snapshot.cors
        assert address is not None  # located
        if self.trail.operation is not POST_OBJECT:
            self._answer(answer_preflight(cors, self.head.fields, address))
            return
        self._form_upload = FormUpload(
            self.head, address, self.trail, self.snapshot, now, self._worker.form_memory
        )
        self._read_first()

    def _read_first(self) -> None:
        """Read the body before the exchange leases a connection."""
        is_ignored = self._form_upload is None and self.admitted.own_answer is None
        if is_ignored and self.body_left > self.snapshot.limits.ignored_body_bytes:
            self.wants_close = True
            raise S3Error(INVALID_REQUEST, message="This request has no body in S3.")
        self.state = after(self.state, READ_FIRST)
        if self.head.expect_continue:
            self._client.send(CONTINUE)
        self._client.resume_body()

    def _read_bytes(self, data: bytes, last: bool) -> None:
        """Take a piece of a form, or of a body that S3 does not know: verified, never sent up."""
        form_upload = self._form_upload
        try:
            if form_upload is not None:
                last = form_upload.feed(data, last)
            elif self._body_plan is not None:
                self._body_plan.filter.feed(data, last)
        except S3Error as error:
            self.refuse(error)
            return
        if last:
            if form_upload is not None:
                self.admitted = form_upload.admitted
                self._filter, self._body_plan = form_upload.file, form_upload.body_plan
            else:
                self._filter = None
            self.state = after(self.state, READ)
            self._set_out()

    def _set_out(self) -> None:
        """Look for a connection; of an upload it must be known before where its bucket is.

        A body that has begun cannot be sent again to another region.
        """
        if (self.body_left or self._form_upload) and self._worker.bucket_regions.must_ask(
            self.admitted
        ):
            self._ask_for_bucket()
        else:
            self._lease()

    def _ask_for_bucket(self) -> None:
        address = self.admitted.upstream_address
        self._ask_target(Question(b"/" + address.bucket, b"", b"HEAD"), self._on_bucket_reply)

    def _ask_target(self, question: Question, on_reply: Callable[[Reply | None], None]) -> None:
        target = self.admitted.target
        head = subrequest_head(self.admitted, question, time.time())
        self._subrequest = Subrequest(head, on_reply, self.crash, question.method)
        self._subrequest.send(self._worker.pool(target.route), self.holder())

    def _on_bucket_reply(self, reply: Reply | None) -> None:
        self._subrequest = None
        if reply is not None and reply.status < 500:
            region = reply.fields.get(b"x-amz-bucket-region", b"")
            moved = self._worker.bucket_regions.record_answer(self.admitted, region)
            if moved is not None:
                self.admitted = moved
                self._worker.log.bucket_found(self, region.decode())
        self._lease()

    def _lease(self, *, fresh: bool = False) -> None:
        if self._worker.bucket_regions.any_redirected:
            self.admitted = self._worker.bucket_regions.redirect(self.admitted)
        admitted = self.admitted
        target = admitted.target
        self._pool = self._worker.pool(target.route)
        name = server_name(target, admitted.upstream_address) if target.virtual else None
        translation = admitted.translation
        if translation is None:
            self._pool.lease(self, self.holder(), fresh=fresh, name=name)
        else:
            translation.secure = self._client.secure
            if translation.dropped and not fresh:
                self._worker.log.headers_dropped(self, translation.dropped)
            self._dialect_filter = DialectFilter(self, translation, self._pool)
            self._dialect_filter.begin(fresh=fresh, name=name)

    def _prepare_body(self, admitted: Admitted) -> None:
        """Choose the checks that the body passes; check an empty one at once."""
        body_plan = body_plan_of(self.head, admitted)
        if body_plan is None:
            return
        self._body_plan = body_plan
        if self.body_left:
            self._filter = body_plan.filter
        else:
            body_plan.filter.feed(b"", True)

    def leased(self, connection: UpstreamConnection) -> None:
        """Send the head over the leased connection, and ask the client for the body."""
        self._upstream = connection
        self._tries += 1
        if self._client.secure:
            connection.read_less()
        self.state = after(self.state, LEASED)
        form_upload = self._form_upload
        head = self._head_up(self._body_plan)
        if not self.body_left and form_upload is None:
            connection.send_head(head, self.head.method)
            self._request_sent()
            return
        # Some stores take a head without a body byte for an empty object. So the head goes out
        # together with the first byte, and not at all if the body is refused before.
        self._upstream_head = head
        if not self.body_left:
            self._send_body(b"", True)  # a browser's file that is here as a whole
            return
        if self.head.expect_continue and self._tries == 1 and form_upload is None:
            self._client.send(CONTINUE)
        self._client.resume_body()

    def _head_up(self, body_plan: BodyPlan | None) -> bytes:
        sent, instance = self._form_upload or self, self.snapshot.instance
        return upstream_head(sent.raw, sent.head, self.admitted, instance, time.time(), body_plan)

    def request_bytes(self, data: bytes, last: bool) -> None:
        """Take a piece of the body, while `wants_body`."""
        self.bytes_in += len(data)
        self.body_left = 0 if last else self.body_left - len(data)
        if self.state is READING:
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
        """Make another head for a batch that lost keys; False: none is left, and it is answered."""
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
        """The sink that the rest of the body may be spliced into; None if a filter reads it."""
        upstream = self._upstream
        if self._filter is not None or upstream is None or not self.wants_body:
            return None
        if upstream.descriptor < 0 or not self.bytes_in:  # the head goes with the first bytes
            return None
        upstream.look_for_answer()
        return RequestSink(self, upstream, self._worker.row)

    def request_moved(self, count: int) -> None:
        """Count body bytes that the kernel moved."""
        self.bytes_in += count
        self.body_left -= count
        if not self.body_left:
            self._request_sent()
        elif self._upstream is not None:
            self._upstream.look_for_answer()

    def _request_sent(self) -> None:
        self.state = after(self.state, SENT)
        self._expect_answer()

    def _expect_answer(self) -> None:
        assert self._upstream is not None  # AWAITING
        self._upstream.expect_answer_within(self._upstream.timeouts.response_seconds)

    def lease_failed(self, reason: str, *, overload: bool) -> None:
        """End with an error: the pool has no connection."""
        self._worker.log.target_failed(self, reason)
        kind = SLOW_DOWN if overload else SERVICE_UNAVAILABLE
        self.refuse(S3Error(kind, retry_after=_RETRY_AFTER))

    def upstream_paused(self) -> None:
        """Stop reading the request: the target is slower than the client."""
        if self.state is SENDING:
            self._client.pause_body()

    def upstream_resumed(self) -> None:
        """The target takes bytes again."""
        if self.state is SENDING:
            self._client.resume_body()
        elif self.state is AWAITING:
            self._expect_answer()

    # --- the answer ---

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """Relay or buffer the head of the answer; `more`: bytes of its body come next."""
        is_of_form = self._form_upload is not None and head.status < 300
        if is_of_form or head.status in BUFFERED_STATUSES:
            self.buffer_answer()
            self._buffered = BufferedResponse(raw, head, kind, early=self.state is BUFFERING_EARLY)
        else:
            self._relay_head(raw, head, kind, more=more)

    def take_answers(self) -> None:
        """Take the answer from the connection directly: it needs no translation."""
        if self._upstream is not None:  # else the filter has all of it
            self._upstream.lessee = self

    def buffer_answer(self) -> None:
        """Note that an answer has begun of which the client may see nothing yet."""
        early = self.state is SENDING
        if self.state not in (BUFFERING, BUFFERING_EARLY):
            self.state = after(self.state, BUFFER)
        if early:
            self._client.resume_body()  # only to discard it

    def _relay_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        self.state = after(self.state, ANSWERED)
        self.status = head.status
        if head.status >= 400:
            self._buffered = BufferedResponse(b"", head, kind, early=False, most=MAX_ERROR_BYTES)
        if self.state is EARLY:
            self.wants_close = True
            self._client.resume_body()  # only to discard it
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
        """Relay or buffer a piece of the answer's body."""
        if self._buffered is not None:
            if self.state is BUFFERING or self.state is BUFFERING_EARLY:
                if not self._buffered.take(data):
                    self._end_buffering(self._buffered, complete=False)
                return
            self.note_error_code(self._buffered, data)
        self.bytes_out += len(data)
        if self.answer_kind is not BY_LENGTH and self.head.http_minor:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        head, self._answer_head = self._answer_head, b""
        if head:
            self._client.send(head, data)
        else:
            self._client.send(data)

    def answer_sink(self) -> AnswerSink | None:
        """The sink that the rest of the answer may be spliced into; None if it must be copied."""
        if self.state is not ANSWERING or self.answer_kind is not BY_LENGTH:
            return None
        if self._client.descriptor < 0:
            return None
        return AnswerSink(self, self._client, self._worker.row)

    def answer_complete(self) -> None:
        """End the exchange, or decide about a buffered answer: the target's answer is whole."""
        buffered = self._buffered
        if (
            buffered
            and self.state in (BUFFERING, BUFFERING_EARLY)
            and not self._end_buffering(buffered, complete=True)
        ):
            return
        if self.answer_kind >= IN_CHUNKS and self.head.http_minor:
            self._client.send(b"0\r\n\r\n")
        self._end(keep=not self.wants_close)

    def _end_buffering(self, buffered: BufferedResponse, *, complete: bool) -> bool:
        """Take the next step after a buffered answer; whether the answer goes to the client."""
        self._buffered = None
        stored = buffered.head.status < 300  # a browser's file, which the gateway answers itself
        step = NextStep.RELAY if stored else decide(self, buffered, self._worker)
        if step is NextStep.RELAY and not stored:
            body = buffered.body
            self._relay_head(buffered.raw, buffered.head, buffered.kind, more=bool(body))
            if body:
                self.answer_bytes(body)
            return True
        self.release(complete=complete)
        if stored and not buffered.early:
            self._answer_form(buffered.head)
        elif stored:
            self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))
        elif step is NextStep.ASK:
            on_reply = partial(self._on_signature_reply, buffered)
            self._ask_target(signature_question(self.admitted), on_reply)
        else:
            self._follow(step)
        return False

    def _on_signature_reply(self, buffered: BufferedResponse, reply: Reply | None) -> None:
        """Take the next step after an answer without a document, by the reply of a subrequest."""
        self._subrequest = None
        step = conclude(self, reply, self._worker)
        if step is NextStep.RELAY:
            self._relay_head(buffered.raw, buffered.head, buffered.kind, more=False)
            self.answer_complete()
        else:
            self._follow(step)

    def _follow(self, step: NextStep) -> None:
        """Send the request again, or answer 503: the target's answer is not for the client."""
        if step is NextStep.REFUSE:
            self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))
            return
        self.resent_for |= {step}
        self.state = after(self.state, RESEND)
        if step is NextStep.RESEND:
            self._send_again()
        else:
            self._worker.credential_refresh.wait(self, self._worker.snapshot)

    def release(self, *, complete: bool = True) -> None:
        """Give the connection to the target back; `complete`: its answer was whole."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            read = complete and self.state is BUFFERING and self._was_read(upstream)
            upstream.release(request_read=read)

    def resend(self) -> None:
        """Send the request once more, translated in another way; drop the answer."""
        self.release(complete=False)
        self.state = after(self.state, RESEND)
        self._send_again()

    def _answer_form(self, stored: ResponseHead) -> None:
        """Answer a browser whose file is stored in the way that its form asked for."""
        assert self._form_upload is not None
        self.state = after(self.state, ANSWERED)
        self._answer(self._form_upload.answer(stored, secure=self._client.secure))

    def _send_again(self) -> None:
        self._worker.count_retry()
        self._lease(fresh=True)

    def credentials_refreshed(self, signer: Signer) -> None:
        """Send the request again, signed with other credentials."""
        region = self.admitted.signer.region
        self.admitted = replace(self.admitted, signer=signer.in_region(region))
        self._send_again()

    def credentials_unavailable(self) -> None:
        """End with an error: there are no other credentials."""
        self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))

    def upstream_lost(self, reason: str, *, stale: bool) -> None:
        """Send the request again or end: the connection broke before the answer was whole."""
        self._upstream = None
        if self.state in (ANSWERING, EARLY):
            self._worker.log.target_failed(self, reason)
            self._break_off()
            return
        if self._may_resend(stale):
            self.state = after(self.state, RESEND)
            self._send_again()
            return
        self._worker.log.target_failed(self, reason)
        self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))

    # --- the client ---

    def client_paused(self) -> None:
        """Stop reading the answer: the client is slower than the target."""
        if self._upstream is not None:
            self._upstream.pause_reading()

    def client_resumed(self) -> None:
        """Read the answer on."""
        if self._upstream is not None:
            self._upstream.resume_reading()
            if self.state is AWAITING:
                self._expect_answer()

    def _leave_upstream(self) -> None:
        self._worker.credential_refresh.give_up(self)
        super()._leave_upstream()
