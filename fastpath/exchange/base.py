"""The course of an exchange: its facts, its phase, and the ways it can end.

Rules: an exchange ends exactly once and leaves one access-log line; once an answer's head is out,
nothing else is said: what fails then breaks the client's connection off, so that no truncated
object looks whole; a client that leaves cancels upstream.

Not here: what leads a request from one phase to the next (`exchange`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastpath.errors import INTERNAL_ERROR, S3Error
from fastpath.exchange.states import (
    ANSWERING,
    EARLY,
    END,
    ENDED,
    LEASING,
    READING,
    SENDING,
    after,
)
from fastpath.http.framing import NO_BODY, may_have_unannounced_body
from fastpath.ipc.counters import Slot
from fastpath.request.admission import Admission
from fastpath.response.heads import error_response, own_response
from fastpath.upstream.retry import may_resend
from fastpath.upstream.shares import holder_at

if TYPE_CHECKING:
    from fastpath.exchange.buffered_response import Held, Next
    from fastpath.exchange.client_side import Client
    from fastpath.exchange.dialect_filter import Interpreter
    from fastpath.exchange.form_upload import Posting
    from fastpath.http.head import RequestHead
    from fastpath.payload.body_plan import BodyPlan
    from fastpath.payload.filters import BodyFilter
    from fastpath.response.own_answer import OwnAnswer
    from fastpath.upstream.connection import UpstreamConnection
    from fastpath.upstream.pool import Pool
    from fastpath.upstream.subrequest import Inquiry
    from fastpath.worker.state import Service

_STARTED, _FINISHED = Slot.STARTED, Slot.REQUESTS  # by themselves; `phases` says why
NO_LENGTH = 1 << 62  # bytes left of a body whose end is not known yet

# Whose success says that the body was read: it is stored, or was answered member by member.
_READ_TO_THE_END = frozenset(
    {"PutObject", "UploadPart", "DeleteObjects", "CompleteMultipartUpload"}
)


class Course:
    """What is known of one exchange, and how it ends."""

    __slots__ = (
        "_answer_head",
        "_body_plan",
        "_client",
        "_cors",
        "_filter",
        "_held",
        "_inquiry",
        "_interpreter",
        "_pool",
        "_posting",
        "_service",
        "_tries",
        "_upstream",
        "_upstream_head",
        "admission",
        "answer_kind",
        "body_left",
        "bytes_in",
        "bytes_out",
        "code",
        "detours",
        "head",
        "phase",
        "raw",
        "request_id",
        "snapshot",
        "started",
        "status",
        "wants_close",
    )

    def __init__(self, service: Service, client: Client, raw: bytes, head: RequestHead) -> None:
        self._service = service
        self._client = client
        self.raw = raw
        self.head = head
        self.snapshot = service.snapshot
        self.request_id = service.next_request_id()
        self.started = time.perf_counter()  # the loop's own clock may count milliseconds only
        self.admission = Admission()
        self.phase = LEASING
        self.answer_kind = NO_BODY
        self.body_left = NO_LENGTH if head.chunked else head.content_length or 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.status = 0
        self.code = ""
        self.wants_close = not head.keep_alive
        self._pool: Pool | None = None
        self._upstream: UpstreamConnection | None = None
        self._body_plan: BodyPlan | None = None
        self._filter: BodyFilter | None = None
        self._held: Held | None = None
        # Who the target's answer goes to, if not the exchange. (Not a reference to itself, which
        # would leave every exchange to the garbage collector: heads, 30,000 instructions.)
        self._interpreter: Interpreter | None = None
        self._inquiry: Inquiry | None = None  # what must be known before it sets out
        self._posting: Posting | None = None  # the request is a browser's form
        self._cors = b""  # what an answer tells a browser that shows a page of another origin
        self.detours: frozenset[Next] = frozenset()  # what it was already sent again for
        self._upstream_head = b""  # held back until the first byte of the body
        self._answer_head = b""  # the same of the answer, if its body is here already
        self._tries = 0
        service.row[_STARTED] += 1  # the journal counts its end

    def __repr__(self) -> str:
        operation = self.admission.operation
        name = operation.name if operation is not None else "?"
        return f"<Exchange {self.request_id} {name} {self.phase.name}>"

    @property
    def wants_body(self) -> bool:
        """Whether bytes of the request's body are of use now."""
        return self.phase is SENDING or self.phase is READING

    @property
    def waits_for_target(self) -> bool:
        """Whether the body must wait for a connection."""
        return self.phase is LEASING

    @property
    def body_taken(self) -> bool:
        """Whether bytes of the body went up, which nobody has any more."""
        return self.bytes_in > 0 and (self._body_plan is None or self._body_plan.is_sent)

    def _may_resend(self, stale: bool) -> bool:
        return may_resend(
            self.head.method,
            self.head.fields,
            stale=stale,
            body_taken=self.body_taken,
            tries=self._tries,
        )

    @property
    def remote(self) -> str:
        """The client's address and port."""
        return self._client.remote

    def holder(self) -> str:
        """Whose share of connections it takes from: who signed, else the client's address."""
        return self.admission.caller.name or holder_at(self._client.remote.rpartition(":")[0])

    def blame(self, reason: str) -> None:
        """Tell the operator what the target did."""
        self._service.journal.upstream_fault(self, reason)

    def overhear(self, document: Held, data: bytes) -> None:
        """Take a piece of an error's document that goes on at once: its code is for the log."""
        wanted = document.take(data)
        self.code = document.code()
        if self.code or not wanted:
            self._held = None

    # --- the client leaves ---

    def client_lost(self) -> None:
        """The client is gone: cancel upstream."""
        if self.phase is not ENDED:
            self.code = "ClientGone"
            self._service.count_aborted()
            self._leave_upstream()
            self._end_log()

    def cut(self) -> None:
        """The worker leaves and waits for nobody."""
        if self.phase is not ENDED:
            self.code = "Cut"
            self._leave_upstream()
            self._end_log(Slot.CUT)

    # --- ends ---

    def _answer(self, answer: OwnAnswer) -> None:
        """End with an answer made here."""
        self.status = answer.status
        keep = self._may_keep()
        is_http10 = not self.head.http_minor
        self._client.send(
            own_response(
                answer, self.request_id, keep=keep, is_http10=is_http10, extra_lines=self._cors
            )
        )
        self._end(keep=keep)

    def answer_unsent(self, answer: OwnAnswer) -> None:
        """End with an answer made here to a request that need not go up: its body was read."""
        self._answer(answer)

    def refuse(self, error: S3Error) -> None:
        """Answer with an error made here; too late for that, break the connection off."""
        if self.phase in (ANSWERING, EARLY, ENDED):
            self._break_off()
            return
        self.status = error.kind.status
        self.code = error.kind.code
        if self.admission.proof is None and self.admission.decision is None:
            self._client.lifetime.refuse()
        keep = self._may_keep()
        self._client.send(
            error_response(
                error,
                (self.request_id, self._service.host_id),
                to_head=self.head.method == b"HEAD",
                keep=keep,
                is_http10=not self.head.http_minor,
                extra_lines=self._cors,
            )
        )
        self._leave_upstream()
        self._end(keep=keep)

    def _may_keep(self) -> bool:
        """Whether the connection can serve another request after an answer made here."""
        # A client that waits for 100 Continue may or may not send its body now (RFC 9110 10.1.1).
        return not (
            self._is_last()
            or self.wants_close
            or may_have_unannounced_body(self.head)
            or (self.head.expect_continue and self.body_left and not self.bytes_in)
            or self.body_left > self.snapshot.limits.discard_bytes
        )

    def _is_last(self) -> bool:
        """Whether the connection ends after the answer that is given now, whatever was asked."""
        service = self._service
        return service.draining or service.now >= self._client.lifetime.end

    def crash(self, fault: BaseException) -> None:
        """A defect of ours: the client gets InternalError, the operator the place."""
        self._service.journal.crash(self, fault)
        if self.phase is ENDED:
            self._client.abort()  # nobody knows how far its end came
        else:
            self.refuse(S3Error(INTERNAL_ERROR))

    def _break_off(self) -> None:
        self.code = "BrokenOff"
        self._leave_upstream()
        self._end_log()
        self._client.abort()

    def _leave_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.abort()
            self._upstream = None
        elif self._pool is not None:
            self._pool.give_up(self._interpreter or self)
        if self._inquiry is not None:
            self._inquiry.cancel()
        if self._interpreter is not None:
            self._interpreter.cancel()

    def _end(self, *, keep: bool) -> None:
        complete = self.phase is ANSWERING
        self._end_log()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            # Most have no body: there is nothing that could be left unread.
            read = complete and (not self.bytes_in or self._was_read(upstream))
            upstream.release(request_read=read)
        self._client.finish(keep=keep)

    def _was_read(self, upstream: UpstreamConnection) -> bool:
        """Whether the target has certainly read all of the request.

        A server may answer without reading a body (most refuse so), and takes what lies unread for
        the next request: the next client's answers would be out of step by one.
        """
        operation = self.admission.operation
        if (
            operation is not None
            and operation.name in _READ_TO_THE_END
            and 200 <= upstream.status < 300
            and not upstream.answered_early
        ):
            return True
        return not self.body_taken

    def _end_log(self, how: Slot = _FINISHED) -> None:
        if self.phase is not ENDED:
            self.phase = after(self.phase, END)
            if self._posting is not None:
                self._posting.close()
            self._service.journal.exchange_ended(self, how)
