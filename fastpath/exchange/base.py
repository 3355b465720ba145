"""The part of an exchange that moves no bytes: its facts, the gateway's own answers, and its end.

Rules: an exchange ends exactly once and leaves one access-log line. Once the head of an answer is
out, a failure breaks the client's connection off, so that no truncated object looks whole. A client
that leaves cancels the request to the target.
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
from fastpath.ipc.access_log import AccessLine
from fastpath.ipc.counters import Slot
from fastpath.request.admission import Trail
from fastpath.response.heads import error_response, own_response
from fastpath.routing.identities import UNVERIFIED
from fastpath.upstream.retry import may_resend
from fastpath.upstream.shares import holder_at

if TYPE_CHECKING:
    from fastpath.exchange.buffered_response import BufferedResponse, NextStep
    from fastpath.exchange.client_protocol import Client
    from fastpath.exchange.dialect_filter import DialectFilter
    from fastpath.exchange.form_upload import FormUpload
    from fastpath.exchange.worker_protocol import Worker
    from fastpath.http.head import RequestHead
    from fastpath.payload.body_plan import BodyPlan
    from fastpath.payload.filters import BodyFilter
    from fastpath.request.admitted import Admitted
    from fastpath.response.own_answer import OwnAnswer
    from fastpath.upstream.connection import UpstreamConnection
    from fastpath.upstream.pool import Pool
    from fastpath.upstream.subrequest import Subrequest

_STARTED, _FINISHED = Slot.STARTED, Slot.REQUESTS  # as globals: see `exchange.states`
NO_LENGTH = 1 << 62  # bytes left of a body whose end is not known yet

# Operations whose success proves that the target read the body: it stored it, or answered each
# member of it.
_READ_TO_THE_END = frozenset(
    {"PutObject", "UploadPart", "DeleteObjects", "CompleteMultipartUpload"}
)


class ExchangeBase:
    """The facts of one exchange, and its end."""

    __slots__ = (
        "_answer_head",
        "_body_plan",
        "_buffered",
        "_client",
        "_cors",
        "_dialect_filter",
        "_filter",
        "_form_upload",
        "_pool",
        "_subrequest",
        "_tries",
        "_upstream",
        "_upstream_head",
        "_worker",
        "admitted",
        "answer_kind",
        "body_left",
        "bytes_in",
        "bytes_out",
        "code",
        "head",
        "raw",
        "request_id",
        "resent_for",
        "snapshot",
        "started",
        "state",
        "status",
        "trail",
        "wants_close",
    )

    def __init__(self, worker: Worker, client: Client, raw: bytes, head: RequestHead) -> None:
        self._worker = worker
        self._client = client
        self.raw = raw
        self.head = head
        self.snapshot = worker.snapshot
        self.request_id = worker.next_request_id()
        self.started = time.perf_counter()  # the loop's own clock may count milliseconds only
        self.trail = Trail()
        self.admitted: Admitted  # once it is
        self.state = LEASING
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
        self._buffered: BufferedResponse | None = None
        # Takes the target's answer in place of the exchange. (Without one it is None: a reference
        # to itself would leave every exchange to the garbage collector: heads, 30,000
        # instructions.)
        self._dialect_filter: DialectFilter | None = None
        self._subrequest: Subrequest | None = None  # asked before the request goes up
        self._form_upload: FormUpload | None = None  # of a browser's form
        self._cors = b""  # header lines for a page of another origin
        self.resent_for: frozenset[NextStep] = frozenset()  # reasons why it went up again already
        self._upstream_head = b""  # waits for the first byte of the body
        self._answer_head = b""  # waits for the first piece of its body
        self._tries = 0
        worker.row[_STARTED] += 1  # the log counts its end

    def __repr__(self) -> str:
        operation = self.trail.operation
        name = operation.name if operation is not None else "?"
        return f"<Exchange {self.request_id} {name} {self.state.name}>"

    @property
    def wants_body(self) -> bool:
        """Whether the exchange takes bytes of the request's body now."""
        return self.state is SENDING or self.state is READING

    @property
    def waits_for_target(self) -> bool:
        """Whether the body must wait for a connection."""
        return self.state is LEASING

    @property
    def body_taken(self) -> bool:
        """Whether bytes of the body went up; the gateway keeps no copy of them."""
        return self.bytes_in > 0 and (self._body_plan is None or self._body_plan.is_sent)

    def _may_resend(self, stale: bool) -> bool:
        return may_resend(
            self.head.method,
            self.head.fields,
            stale=stale,
            body_taken=self.body_taken,
            tries=self._tries,
        )

    # --- what its log lines need (ipc.log.Logged) ---

    @property
    def remote(self) -> str:
        """The client's address and port."""
        return self._client.remote

    @property
    def target_name(self) -> str:
        """The target it was admitted to; empty before that."""
        decision = self.trail.decision
        return decision.target if decision is not None else ""

    @property
    def bucket_name(self) -> str:
        """The client's bucket; empty if none is known."""
        address = self.trail.address
        return address.bucket.decode() if address is not None else ""

    @property
    def unverified_key_id(self) -> str:
        """The access key id that a client claimed without proof; empty if there is none."""
        name = self.trail.caller.name
        return name.removeprefix(UNVERIFIED) if name.startswith(UNVERIFIED) else ""

    def access_line(self, worker: int) -> AccessLine:
        """Its line in the access log of this worker."""
        trail = self.trail
        address, decision, operation = trail.address, trail.decision, trail.operation
        # By position: these seventeen names cost 0.8 us a request (bench: GET 1 KiB).
        return AccessLine(
            time.time(),
            self.request_id,
            self.remote,
            self.head.method.decode("latin-1"),
            operation.name if operation is not None else "",
            address.bucket.decode() if address is not None else "",
            address.key.decode("utf-8", "replace") if address is not None else "",
            trail.caller.name,
            decision.target if decision is not None else "",
            decision.rule if decision is not None else None,
            self.status,
            self.code,
            self.bytes_in,
            self.bytes_out,
            time.perf_counter() - self.started,
            self.snapshot.generation,
            worker,
        )

    def holder(self) -> str:
        """Whose share of connections it takes from: who signed, else the client's address."""
        return self.trail.caller.name or holder_at(self._client.remote.rpartition(":")[0])

    def report_target_fault(self, reason: str) -> None:
        """Log what the target did wrong."""
        self._worker.log.target_failed(self, reason)

    def note_error_code(self, document: BufferedResponse, data: bytes) -> None:
        """Look for the error code, for the log, in an error document that is being relayed."""
        wanted = document.take(data)
        self.code = document.code()
        if self.code or not wanted:
            self._buffered = None

    # --- the client leaves ---

    def client_lost(self) -> None:
        """The client left: cancel the request to the target."""
        if self.state is not ENDED:
            self.code = "ClientGone"
            self._worker.count_aborted()
            self._leave_upstream()
            self._end_log()

    def cut(self) -> None:
        """Break off: the worker ends and waits no longer."""
        if self.state is not ENDED:
            self.code = "Cut"
            self._leave_upstream()
            self._end_log(Slot.CUT)

    # --- ends ---

    def _answer(self, answer: OwnAnswer) -> None:
        """End with an answer of the gateway's own."""
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
        """End with an answer of the gateway's own, without a request to the target."""
        self._answer(answer)

    def refuse(self, error: S3Error) -> None:
        """End with an error of the gateway's own; if an answer has begun, break it off."""
        if self.state in (ANSWERING, EARLY, ENDED):
            self._break_off()
            return
        self.status = error.kind.status
        self.code = error.kind.code
        if not self.trail.verified and self.trail.decision is None:
            self._client.lifetime.refuse()
        keep = self._may_keep()
        self._client.send(
            error_response(
                error,
                (self.request_id, self._worker.host_id),
                to_head=self.head.method == b"HEAD",
                keep=keep,
                is_http10=not self.head.http_minor,
                extra_lines=self._cors,
            )
        )
        self._leave_upstream()
        self._end(keep=keep)

    def _may_keep(self) -> bool:
        """Whether the connection can serve another request after the gateway's own answer."""
        # A client that waits for 100 Continue may or may not send its body now (RFC 9110 10.1.1).
        return not (
            self._is_last()
            or self.wants_close
            or may_have_unannounced_body(self.head)
            or (self.head.expect_continue and self.body_left and not self.bytes_in)
            or self.body_left > self.snapshot.limits.discard_bytes
        )

    def _is_last(self) -> bool:
        """Whether this answer is the last of its connection, whatever the client asked for."""
        worker = self._worker
        return worker.draining or worker.now >= self._client.lifetime.end

    def crash(self, fault: BaseException) -> None:
        """A defect of the gateway: answer InternalError, and log where it happened."""
        self._worker.log.crash(fault, self.request_id)
        if self.state is ENDED:
            self._client.abort()  # how much of its end was done is unknown
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
            self._pool.give_up(self._dialect_filter or self)
        if self._subrequest is not None:
            self._subrequest.cancel()
        if self._dialect_filter is not None:
            self._dialect_filter.cancel()

    def _end(self, *, keep: bool) -> None:
        complete = self.state is ANSWERING
        self._end_log()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            # Most requests have no body, which a target could leave unread.
            read = complete and (not self.bytes_in or self._was_read(upstream))
            upstream.release(request_read=read)
        self._client.finish(keep=keep)

    def _was_read(self, upstream: UpstreamConnection) -> bool:
        """Whether the target has certainly read all of the request.

        A server may answer without reading the body (most do when they refuse) and then takes the
        unread bytes for the next request: the next client would get the answer to them.
        """
        if (
            self.admitted.operation.name in _READ_TO_THE_END
            and 200 <= upstream.status < 300
            and not upstream.answered_early
        ):
            return True
        return not self.body_taken

    def _end_log(self, how: Slot = _FINISHED) -> None:
        if self.state is not ENDED:
            self.state = after(self.state, END)
            if self._form_upload is not None:
                self._form_upload.close()
            self._worker.log.exchange_ended(self, how)
