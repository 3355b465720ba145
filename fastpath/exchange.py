"""One request and its answer, between a client's connection and a target's.

The joint state of both sides is one of `phases`; what its two connections report leads a request
from one to the next.

Rules: the exchange ends on the snapshot it began with; nothing unverified completes (the last
bytes of a hashed body are held back until its digest is good); a client that leaves cancels
upstream; an answer that breaks off breaks the client's connection off, so that no truncated object
looks whole; once an answer's head is out, nothing else is said; every exchange ends exactly once
and leaves one access-log line.

Not here: bytes and sockets (`downstream`, `upstream`), whether it may happen (`admission`), what a
held answer leads to (`holdback`).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from fastpath.admission import Admission, admit
from fastpath.errors import (
    INTERNAL_ERROR,
    SERVICE_UNAVAILABLE,
    SLOW_DOWN,
    S3Error,
)
from fastpath.forward import upstream_head
from fastpath.framing import BodyKind, body_is_unclear, request_body
from fastpath.head import RequestHead, ResponseHead
from fastpath.holdback import Held, Next, decide
from fastpath.interpreter import Interpreter
from fastpath.payload.choose import BODY_METHODS, STREAMING, Context, Passage, choose
from fastpath.phases import MOVES, Event, Phase, ProtocolFault
from fastpath.reply import CONTINUE, error_reply, relayed_head
from fastpath.retry import may_resend
from fastpath.verdict import IN_QUESTION

if TYPE_CHECKING:
    from fastpath.payload.filters import BodyFilter
    from fastpath.pool import Pool
    from fastpath.service import Service
    from fastpath.sigv4.sign import Signer
    from fastpath.upstream import UpstreamConnection

NO_LENGTH = 1 << 62  # bytes left of a body whose end is not known yet
_RETRY_AFTER = 1  # seconds; SDKs back off by themselves, the header is for the others


class Client(Protocol):
    """What an exchange asks of the client's connection."""

    remote: str

    def send(self, data: bytes) -> None:
        """Write answer bytes."""

    def finish(self, *, keep: bool) -> None:
        """The answer is complete; serve the next request, or close once this one is read."""

    def abort(self) -> None:
        """Break off, so that the client notices."""

    def pause_body(self) -> None:
        """Read no more of the request for now."""

    def resume_body(self) -> None:
        """Read on."""


class Exchange:
    """One request on its way."""

    __slots__ = (
        "_client",
        "_filter",
        "_held",
        "_lessee",
        "_passage",
        "_pool",
        "_raw",
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
        "request_id",
        "snapshot",
        "started",
        "status",
        "wants_close",
    )

    def __init__(self, service: Service, client: Client, raw: bytes, head: RequestHead) -> None:
        self._service = service
        self._client = client
        self._raw = raw
        self.head = head
        self.snapshot = service.snapshot
        self.request_id = service.next_request_id()
        self.started = time.perf_counter()  # the loop's own clock may count milliseconds only
        self.admission = Admission()
        self.phase = Phase.LEASING
        self.answer_kind = BodyKind.NONE
        self.body_left = NO_LENGTH if head.chunked else head.content_length or 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.status = 0
        self.code = ""
        self.wants_close = not head.keep_alive
        self._pool: Pool | None = None
        self._upstream: UpstreamConnection | None = None
        self._passage: Passage | None = None
        self._filter: BodyFilter | None = None
        self._held: Held | None = None
        self._lessee: Exchange | Interpreter = self  # who the target's answer goes to
        self.detours: frozenset[Next] = frozenset()  # what it was already sent again for
        self._upstream_head = b""  # held back until the first byte of the body
        self._tries = 0
        service.exchange_began()

    def __repr__(self) -> str:
        operation = self.admission.operation
        name = operation.name if operation is not None else "?"
        return f"<Exchange {self.request_id} {name} {self.phase.name}>"

    def _move(self, event: Event) -> None:
        try:
            self.phase = MOVES[self.phase][event]
        except KeyError:
            raise ProtocolFault(f"{event.name} while {self.phase.name}") from None

    @property
    def wants_body(self) -> bool:
        """Whether bytes of the request's body are of use now."""
        return self.phase is Phase.SENDING

    @property
    def waits_for_target(self) -> bool:
        """Whether the body must wait for a connection."""
        return self.phase is Phase.LEASING

    @property
    def remote(self) -> str:
        """The client's address and port."""
        return self._client.remote

    # --- the request ---

    def start(self) -> None:
        """Admit the request and look for a connection. Raises S3Error when it is refused."""
        admission = self.admission
        admit(self.head, self.snapshot, time.time(), admission)
        streaming = admission.payload in STREAMING
        request_body(self.head, streaming=streaming)
        if streaming or self.head.method in BODY_METHODS:
            self._prepare_body(admission)
        if self._service.places.learnt:
            self._service.places.direct(admission)
        self._lease()

    def _lease(self, *, fresh: bool = False) -> None:
        target = self.admission.target
        assert target is not None  # admitted
        self._pool = self._service.pool(target.route)
        if self.admission.translation is None:
            self._pool.lease(self, fresh=fresh)
        else:
            self._lessee = Interpreter(self, self.admission.translation, self._pool)
            self._lessee.begin(fresh=fresh)

    def _prepare_body(self, admission: Admission) -> None:
        """Decide what the body is checked against; one of no bytes is checked at once."""
        target, operation = admission.target, admission.operation
        assert target is not None  # admitted
        assert operation is not None
        passage = choose(
            self.head,
            Context(
                {**self.head.fields, **dict(admission.added)}
                if admission.added
                else self.head.fields,
                operation,
                admission.payload,
                admission.proof,
                target.profile,
                target.route.tls is not None,
                admission.translation.check if admission.translation is not None else None,
            ),
        )
        if passage is None:
            return
        if self.body_left:
            self._passage = passage
            self._filter = passage.filter
        else:
            passage.filter.feed(b"", True)

    def leased(self, connection: UpstreamConnection) -> None:
        """The pool found a connection: send the head, ask the client for the body."""
        self._upstream = connection
        self._tries += 1
        self._move(Event.LEASED)
        head = upstream_head(
            self._raw,
            self.head,
            self.admission,
            self.snapshot.instance,
            time.time(),
            self._passage,
        )
        if not self.body_left:
            connection.send_head(head, self.head.method)
            self._request_sent()
            return
        # Some stores take a head that ends without a body byte for an empty object: it goes out
        # together with the first byte, and not at all if the body is refused before.
        self._upstream_head = head
        if self.head.expect_continue and self._tries == 1:
            self._client.send(CONTINUE)
        self._client.resume_body()

    def request_bytes(self, data: bytes, last: bool) -> None:
        """A piece of the body, while `wants_body`."""
        upstream = self._upstream
        assert upstream is not None  # SENDING
        self.bytes_in += len(data)
        self.body_left = 0 if last else self.body_left - len(data)
        if self._filter is not None:
            try:
                data = self._filter.feed(data, last)
            except S3Error as error:
                self.refuse(error)
                return
            if not (data or last):
                return
        head, self._upstream_head = self._upstream_head, b""
        if head:
            upstream.send_head(head, self.head.method)
        upstream.transport.write(data)
        if last:
            self._request_sent()

    def _request_sent(self) -> None:
        self._move(Event.SENT)
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
        if self.phase is Phase.SENDING:
            self._client.pause_body()

    def upstream_resumed(self) -> None:
        """The target takes bytes again."""
        if self.phase is Phase.SENDING:
            self._client.resume_body()
        elif self.phase is Phase.AWAITING:
            self._expect_answer()

    # --- the answer ---

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, length: int) -> None:
        """The target began to answer."""
        if head.status in IN_QUESTION:
            self.doubt()
            self._held = Held(raw, head, kind, early=self.phase is Phase.HELD_EARLY)
        else:
            self._relay_head(raw, head, kind)

    def doubt(self) -> None:
        """The target began to answer, but nothing of it may be told yet."""
        early = self.phase is Phase.SENDING
        if self.phase not in (Phase.HELD, Phase.HELD_EARLY):
            self._move(Event.DOUBTED)
        if early:
            self._client.resume_body()  # only to read it away

    def _relay_head(self, raw: bytes, head: ResponseHead, kind: BodyKind) -> None:
        self._move(Event.ANSWERED)
        self.status = head.status
        if self.phase is Phase.EARLY:
            self.wants_close = True
            self._client.resume_body()  # only to read it away
        close = self._service.draining or self.wants_close
        if kind >= BodyKind.CHUNKED and not self.head.http_minor:
            close = True
        self.wants_close = close
        self.answer_kind = kind
        self._client.send(
            relayed_head(raw, head, kind, self.head, (self.request_id.encode(), close))
        )

    def answer_bytes(self, data: bytes) -> None:
        """A piece of the answer's body."""
        if self._held is not None:
            if not self._held.take(data):
                self._judge(self._held, complete=False)
            return
        self.bytes_out += len(data)
        if self.answer_kind is BodyKind.LENGTH or not self.head.http_minor:
            self._client.send(data)
        else:
            self._client.send(b"%x\r\n%b\r\n" % (len(data), data))

    def answer_complete(self) -> None:
        """The target's answer is whole."""
        if self._held is not None and not self._judge(self._held, complete=True):
            return
        if self.answer_kind >= BodyKind.CHUNKED and self.head.http_minor:
            self._client.send(b"0\r\n\r\n")
        self._end(keep=not self.wants_close)

    def _judge(self, held: Held, *, complete: bool) -> bool:
        """End the doubt about an answer; whether it goes to the client."""
        self._held = None
        step = decide(self, held, self._service)
        if step is Next.RELAY:
            self._relay_head(held.raw, held.head, held.kind)
            if body := held.body:
                self.answer_bytes(body)
            return True
        self.release(complete=complete)
        if step is Next.REFUSE:
            self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))
            return False
        self.detours |= {step}
        self._move(Event.RESEND)
        if step is Next.AGAIN:
            self._send_again()
        else:
            self._service.renewals.wait(self, self._service.snapshot)
        return False

    def release(self, *, complete: bool = True) -> None:
        """The connection to the target is not needed any more; was its answer whole?"""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.release(request_sent=complete and self.phase is Phase.HELD)

    def again(self) -> None:
        """Send the request once more, in other words; nothing of the answer is wanted."""
        self.release(complete=False)
        self._move(Event.RESEND)
        self._send_again()

    def blame(self, reason: str) -> None:
        """Tell the operator what the target did."""
        self._service.journal.upstream_fault(self, reason)

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
        if self.phase in (Phase.ANSWERING, Phase.EARLY):
            self._service.journal.upstream_fault(self, reason)
            self._break_off()
            return
        if self._may_resend(stale):
            self._move(Event.RESEND)
            self._service.count_retry()
            assert self._pool is not None  # it was leased from there
            self._pool.lease(self._lessee, fresh=True)
            return
        self._service.journal.upstream_fault(self, reason)
        self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))

    def _may_resend(self, stale: bool) -> bool:
        return may_resend(
            self.head.method,
            self.head.fields,
            stale=stale,
            body_taken=self.bytes_in > 0,
            tries=self._tries,
        )

    # --- the client ---

    def client_paused(self) -> None:
        """The client is slower than the target."""
        if self._upstream is not None:
            self._upstream.hold()

    def client_resumed(self) -> None:
        """The client takes bytes again."""
        if self._upstream is not None:
            self._upstream.unhold()
            if self.phase is Phase.AWAITING:
                self._expect_answer()

    def client_lost(self) -> None:
        """The client is gone: cancel upstream."""
        if self.phase is not Phase.ENDED:
            self.code = self.code or "ClientGone"
            self._leave_upstream()
            self._end_log()

    # --- ends ---

    def refuse(self, error: S3Error) -> None:
        """Answer with an error made here; too late for that, break the connection off."""
        if self.phase in (Phase.ANSWERING, Phase.EARLY, Phase.ENDED):
            self._break_off()
            return
        self.status = error.kind.status
        self.code = error.kind.code
        # A client that waits for 100 Continue may or may not send its body now (RFC 9110 10.1.1).
        keep = not (
            self._service.draining
            or self.wants_close
            or body_is_unclear(self.head)
            or (self.head.expect_continue and self.body_left and not self.bytes_in)
            or self.body_left > self.snapshot.limits.discard_bytes
        )
        self._client.send(
            error_reply(
                error,
                (self.request_id, self._service.host_id),
                to_head=self.head.method == b"HEAD",
                keep=keep,
                old=not self.head.http_minor,
            )
        )
        self._leave_upstream()
        self._end(keep=keep)

    def crash(self, fault: BaseException) -> None:
        """A defect of ours: the client gets InternalError, the operator the place."""
        self._service.journal.crash(self, fault)
        if self.phase is Phase.ENDED:
            self._client.abort()  # nobody knows how far its end came
        else:
            self.refuse(S3Error(INTERNAL_ERROR))

    def _break_off(self) -> None:
        self.code = self.code or "BrokenOff"
        self._leave_upstream()
        self._end_log()
        self._client.abort()

    def _leave_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.abort()
            self._upstream = None
        elif self._pool is not None:
            self._pool.give_up(self._lessee)
            self._service.renewals.give_up(self)
        if isinstance(self._lessee, Interpreter):
            self._lessee.cancel()

    def _end(self, *, keep: bool) -> None:
        complete = self.phase is Phase.ANSWERING
        self._end_log()
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.release(request_sent=complete)
        self._client.finish(keep=keep)

    def _end_log(self) -> None:
        if self.phase is not Phase.ENDED:
            self._move(Event.END)
            self._service.journal.exchange_ended(self)
