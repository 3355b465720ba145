"""One request and its answer, between a client's connection and a target's.

    start -> (a coroutine) -> lease -> send -> answer -> (filters) -> end

The joint state of both sides is one of `states`; the events that its two connections report move it
from one state to the next. What must be known before the lease, a coroutine finds out
(`preparation`); what may change the answer, response filters decide (`filter_chain`).

Rules: the exchange ends exactly once, on the snapshot it began with, and leaves one access-log
line. Nothing unverified completes: a body filter keeps the last bytes of a hashed body until its
digest is good. A body is spliced only if nothing between the two connections looks at it. Once the
head of an answer is out, a failure breaks the client's connection off, so that no truncated object
looks whole. A client that leaves cancels the request to the target.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from fastpath.composed.chains.first_look import look_first, with_replaced
from fastpath.composed.chains.hiding_objects import HidingObjects, removed
from fastpath.composed.chains.moved_objects import MovedObjects
from fastpath.composed.copies.native import RefusedCopies
from fastpath.composed.finding_targets import find_target, known_target
from fastpath.composed.operation import ComposedRequest, awaited, run
from fastpath.composed.request_body import RequestBody
from fastpath.dialects.delete_objects import error_entries, refused_answer
from fastpath.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    NOT_IMPLEMENTED,
    SERVICE_UNAVAILABLE,
    SLOW_DOWN,
    S3Error,
)
from fastpath.exchange import preparation
from fastpath.exchange.error_code import ErrorCode
from fastpath.exchange.form_upload import FormAnswer, FormUpload
from fastpath.exchange.splice_sinks import AnswerSink, RequestSink
from fastpath.exchange.states import (
    ANSWERED,
    ANSWERING,
    ASK,
    AWAITING,
    BEGUN,
    BUFFER,
    CAME,
    EARLY,
    ENDED,
    HOLDING_BODY,
    INCOMPLETE,
    LEASE,
    LEASED,
    LEASING,
    NEW,
    READ,
    READING,
    REPLY,
    REPLYING,
    RESEND,
    RUN,
    SENDING,
    SENT,
    TAKE_OVER,
    after,
)
from fastpath.exchange.upload_body import body_plan_of, verified_body_plan_of
from fastpath.http.framing import (
    BY_LENGTH,
    IN_CHUNKS,
    NO_BODY,
    UNTIL_CLOSE,
    BodyKind,
    may_have_unannounced_body,
    request_body,
)
from fastpath.http.hop_by_hop import with_other_headers
from fastpath.http.trace_context import trace_headers, trace_id
from fastpath.ipc.access_log import AccessLine
from fastpath.ipc.cells import TargetCounter
from fastpath.ipc.counters import Slot
from fastpath.ipc.meter import UNVERIFIED
from fastpath.payload.body_plan import STREAMING, BodyPlan
from fastpath.payload.held_body import HeldBody
from fastpath.renaming.answers import RenamedDocuments, RenamedHeaders
from fastpath.request.across import CopySource
from fastpath.request.admission import Unadmitted, admit
from fastpath.request.admitted import Admitted
from fastpath.request.chains import Looking, looked
from fastpath.request.decision import Undecided, decided
from fastpath.request.trail import Trail
from fastpath.request.upstream_head import upstream_head
from fastpath.request.virtual_host import server_name
from fastpath.response.cors import answer_preflight
from fastpath.response.filters import Reason
from fastpath.response.heads import (
    CONTINUE,
    error_response,
    head_of_answer,
    own_head,
    relayed_head,
    reply_framing,
    with_lines,
)
from fastpath.s3.operations import BODY_METHODS
from fastpath.s3.refusals import REFUSAL_STATUSES
from fastpath.s3.xml_writer import error_document, without_declaration
from fastpath.upstream.bucket_regions import Destination
from fastpath.upstream.call import ask
from fastpath.upstream.filter_chain import FilterChain
from fastpath.upstream.lessee import Failure
from fastpath.upstream.refusals import AnsweredRequest, RefusedSignatures, RegionRedirects
from fastpath.upstream.retry import RETRY_COUNTERS, may_resend
from fastpath.upstream.shares import holder_at

if TYPE_CHECKING:
    from fastpath.composed.client_reply import ClientReply
    from fastpath.composed.operation import Operation
    from fastpath.dialects.translation import Translation
    from fastpath.exchange.client_protocol import Client
    from fastpath.exchange.worker_protocol import Worker
    from fastpath.http.head import RequestHead, ResponseHead
    from fastpath.payload.delete_batch import DeleteBatch
    from fastpath.payload.filters import BodyFilter
    from fastpath.request.admitted import Renamed
    from fastpath.response.filters import Question, Reply, ResponseFilter, SendAgain
    from fastpath.response.own_answer import OwnAnswer
    from fastpath.routing.identities import Caller
    from fastpath.routing.snapshot import Target
    from fastpath.upstream.lessee import Connection
    from fastpath.upstream.pool import Pool

_STARTED, _FINISHED = Slot.STARTED, Slot.REQUESTS  # as globals: see `exchange.states`
NO_LENGTH = 1 << 62  # bytes left of a body whose end is not known yet
_RETRY_AFTER = 1  # seconds; SDKs back off by themselves, other clients need the header
_NEVER: frozenset[Reason] = frozenset()

# Makes a coroutine, which returns what the exchange does next. (Not the coroutine itself: Python
# complains of one that was cancelled before it began.)
Work: TypeAlias = Callable[[], Coroutine[Any, Any, Callable[[], None]]]


class Exchange:
    """One request on its way."""

    __slots__ = (
        "_answer_head",
        "_answered_at",
        "_body",
        "_body_plan",
        "_client",
        "_cors",
        "_ended_at",
        "_error_code",
        "_filter",
        "_filters",
        "_form",
        "_held",
        "_pool",
        "_reply",
        "_resent_for",
        "_sent_head",
        "_sent_raw",
        "_task",
        "_tries",
        "_upstream",
        "_upstream_head",
        "_wants_continue",
        "_worker",
        "admitted",
        "answer_kind",
        "body_left",
        "bytes_in",
        "bytes_out",
        "code",
        "head",
        "request_id",
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
        self.head = head
        self.snapshot = worker.snapshot
        self.request_id = worker.next_request_id()
        self.started = time.perf_counter()  # the loop's own clock may count milliseconds only
        self.state = NEW
        # the request
        self.trail = Trail()
        self.admitted: Admitted  # once it is
        self._sent_raw, self._sent_head = raw, head  # a form's are those of its PutObject
        self._form: FormUpload | None = None  # None: it is no browser's form
        self._wants_continue = head.expect_continue  # and has not got it yet
        self.body_left = NO_LENGTH if head.chunked else head.content_length or 0
        self._body: RequestBody  # of the coroutine that runs
        self._reply: ClientReply  # of the composed operation that runs
        self._body_plan: BodyPlan | None = None  # None: the body goes up as it comes
        self._filter: BodyFilter | None = None  # None: nothing looks at it
        self._held = b""  # of it, what was read before the target was known
        self._upstream_head = b""  # waits for the first byte of the body
        # the way up
        self._task: asyncio.Task[None] | None = None  # in a state of WITH_TASK
        self._pool: Pool  # once it has asked for a connection
        self._upstream: Connection | None = None  # in a state of WITH_UPSTREAM
        self._tries = 0
        self._resent_for = _NEVER
        # the answer
        self._filters: FilterChain | None = None  # None: it goes to the client as it comes
        self._error_code: ErrorCode | None = None  # None: the answer's body is no error document
        self._answered_at = 0.0  # when its first byte came; 0.0: not yet
        self._answer_head = b""  # waits for the first piece of its body
        self._cors = b""  # header lines for a page of another origin
        self.answer_kind = NO_BODY
        self.wants_close = not head.keep_alive
        # the log
        self._ended_at: float  # once it has
        self.bytes_in = 0
        self.bytes_out = 0
        self.status = 0
        self.code = ""
        worker.row[_STARTED] += 1  # the log counts its end

    def __repr__(self) -> str:
        operation = self.trail.operation
        name = operation.name if operation is not None else "?"
        return f"<Exchange {self.request_id} {name} {self.state.name}>"

    # --- begins ---

    def start(self) -> None:
        """Admit the request and send it on its way. Raises S3Error when it is refused."""
        now = time.time()
        cors = self.snapshot.cors
        if cors is not None and b"origin" in self.head.fields:
            self._cors = cors.answer_lines(self.head.fields[b"origin"], self.head.method)
        admitted = admit(self.head, self.snapshot, now, self.trail)
        if isinstance(admitted, Unadmitted):
            self._begin_unadmitted(admitted, now)
        elif isinstance(admitted, Admitted):
            self._begin(admitted)
        else:
            self._begin_undecided(admitted)

    def _begin_undecided(self, request: Undecided | Looking) -> None:
        """Find out where a request goes; what the router has said before needs no coroutine."""
        request_body(self.head, streaming=request.understood.signed[0] in STREAMING)
        if isinstance(request, Undecided):
            known = known_target(request, self.snapshot, self._worker.custom)
            if known is not None:
                found = decided(request, known.placed, None, self.snapshot, self.trail)
                if isinstance(found, Admitted):
                    self._begin(found)
                    return
                request = found
        self._run(partial(self._find_target, request))

    def _begin(self, admitted: Admitted) -> None:
        """Send an admitted request on its way, or find out first what must be known."""
        self.admitted = admitted
        first = self._first_work(admitted)
        if first is not None:
            self._run(*first)
        elif self.body_left or admitted.translation is not None:
            self._set_out()
        else:
            self._lease(fresh=False)

    def _first_work(self, admitted: Admitted) -> tuple[Work, BodyFilter | None] | None:
        """What a coroutine does first, and what it reads the body through; None: there is none."""
        composed, across = self._worker.composed.get(admitted.operation.name), admitted.across
        if composed is not None and (
            composed.is_always or (across is not None and across.is_elsewhere)
        ):
            return self._compose(composed.operation)
        streaming = admitted.payload in STREAMING
        request_body(self.head, streaming=streaming)
        if streaming or self.body_left or self.head.method in BODY_METHODS:
            self._prepare_body(admitted)
            if self.body_left and self._body_plan is not None and not self._body_plan.is_sent:
                return self._read_ignored_body(admitted)
        return None

    def _begin_unadmitted(self, request: Unadmitted, now: float) -> None:
        """Answer a preflight; or read a browser's form, whose body says what it asks for."""
        address = request.address
        if not request.is_form:
            self._answer(answer_preflight(self.snapshot.cors, self.head.fields, address))
            return
        memory = self._worker.form_memory
        self._form = FormUpload(self.head, address, self.trail, self.snapshot, now, memory)
        self._run(partial(self._read_form, self._form))

    def _prepare_body(self, admitted: Admitted) -> None:
        """Choose the checks that the body passes; check an empty one at once."""
        body_plan = body_plan_of(self.head, admitted)
        if body_plan is None:
            return
        self._body_plan = body_plan
        if self.body_left:
            self._filter = body_plan.filter
        elif self._held:
            self._filter = HeldBody(self._held, body_plan.filter)
        else:
            body_plan.filter.feed(b"", True)

    def _read_ignored_body(self, admitted: Admitted) -> tuple[Work, BodyFilter | None]:
        """Read and verify a body that S3 does not know, or that goes to no target."""
        if admitted.own_answer is None:
            self._refuse_long_ignored_body()
        body_filter, self._filter = self._filter, None
        return self._verify_body, body_filter

    def _refuse_long_ignored_body(self) -> None:
        if self.body_left > self.snapshot.limits.ignored_body_bytes:
            self.wants_close = True
            raise S3Error(INVALID_REQUEST, message="This request has no body in S3.")

    # --- coroutines, before the lease ---

    def _run(self, work: Work, body_filter: BodyFilter | None = None) -> None:
        """Have a coroutine run; it returns what the exchange does next."""
        self.state = after(self.state, RUN)
        ended = not self.body_left
        self._body = RequestBody(self._read_piece, ended=ended, body_filter=body_filter)
        self._task = self._worker.start(self._end_run(work))

    async def _end_run(self, work: Work) -> None:
        try:
            go_on = await work()
        except S3Error as error:
            go_on = partial(self._fail, error)
        except Exception as fault:
            go_on = partial(self._fail, fault)
        self._task = None
        try:
            go_on()
        except S3Error as error:
            self.refuse(error)
        except Exception as fault:
            self.crash(fault)

    def _fail(self, fault: Exception) -> None:
        """End with the failure of the coroutine, unless the exchange has ended before it."""
        if self.state is not ENDED:
            raise fault
        self._worker.log.crash(fault, self.request_id)  # the client may be at its next request

    def _read_piece(self) -> None:
        """Read a piece of the body for the coroutine."""
        if self.state is REPLYING:
            raise RuntimeError("the reply has begun, and the rest of the body is discarded")
        self.state = after(self.state, READ)
        if self._wants_continue:
            self._continue()
        self._client.read_piece()

    def _continue(self) -> None:
        """Tell the client to send its body."""
        self._wants_continue = False
        self._client.send(CONTINUE)

    async def _read_form(self, form: FormUpload) -> Callable[[], None]:
        """Read a browser's form as far as its file; the rest is an upload like any other."""
        await form.read(self._body, self._decide)
        self.admitted, self._sent_raw, self._sent_head = form.admitted, form.raw, form.head
        self._filter, self._body_plan = form.file, form.body_plan
        return await self._find_out()

    async def _find_target(self, request: Undecided | Looking) -> Callable[[], None]:
        """Find out where the request goes, and begin as if its head had said so."""
        self.admitted = await self._decide(request)
        first = self._first_work(self.admitted)
        if first is None:
            return await self._find_out()
        work, body_filter = first
        self._body.set_filter(body_filter)
        if self._held:
            self._body.put_back(self._held)
        return await work()

    async def _decide(self, request: Undecided | Looking) -> Admitted:
        """Find out where a request goes, and admit it."""
        if isinstance(request, Undecided):
            found = await find_target(request, self.snapshot, self._worker.custom, self._body)
            self._held = found.body
            placed = decided(
                request, found.placed, found.source, self.snapshot, self.trail, found.split
            )
            if isinstance(placed, Admitted):
                return placed
            request = placed
        return await self._look_first(request)

    async def _look_first(self, request: Looking) -> Admitted:
        """Look for the object that a request is about, and admit it."""
        own = ComposedRequest(self._worker, self, self._body, 0)
        seen = await awaited(look_first(own, request))
        if seen.replaces:
            request = request._replace(
                understood=request.understood._replace(
                    head=with_replaced(request.understood.head, seen.replaces)
                )
            )
            added = [field for field in seen.replaces.items() if field[1]]
            self._sent_raw = with_other_headers(self._sent_raw, seen.replaces, added)
            self._sent_head = with_replaced(self._sent_head, seen.replaces)
        return looked(request, seen.placed, seen.hides, self.snapshot, self.trail)

    async def _verify_body(self) -> Callable[[], None]:
        """Read and verify a body that goes to no target."""
        await self._body.skip()
        return await self._find_out()

    async def _find_out(self, *, fresh: bool = False) -> Callable[[], None]:
        """Find out what must be known before the request is sent."""
        translation, is_copy = self.admitted.translation, self.admitted.across is not None
        if translation is not None and not is_copy:
            self._begin_translation(translation, fresh=fresh)
        if self._must_find_region():
            await preparation.find_region(self, self._worker)
        if translation is not None:
            try:
                await preparation.ask_first(self, self._worker, translation)
            except S3Error as error:
                if not is_copy or error.kind is not NOT_IMPLEMENTED:
                    raise
                return await self._copy_here()
            if is_copy:  # made here, its own requests have translations that begin
                self._begin_translation(translation, fresh=fresh)
        return partial(self._proceed, fresh=fresh)

    async def _find_other_signer(self) -> Callable[[], None]:
        """Wait for other credentials than those that the target refused."""
        signer = await preparation.find_other_signer(self, self._worker)
        self.admitted = replace(self.admitted, signer=signer)
        self._count_retry(TargetCounter.RETRIES_CREDENTIALS)
        return await self._find_out(fresh=True)

    # --- a composed operation, instead of the lease ---

    def _compose(self, operation: Operation) -> tuple[Work, BodyFilter | None]:
        """Have a composed operation answer. Raises S3Error: its body is not what it should be."""
        request_body(self.head, streaming=self.admitted.payload in STREAMING)
        body_plan = self._body_plan = verified_body_plan_of(self.head, self.admitted)
        length = self.head.content_length or 0
        if body_plan is None:
            return partial(self._operate, operation, length), None
        if body_plan.body_headers is not None:  # without its chunks
            length = body_plan.body_headers.length or 0
        if not body_plan.is_sent:
            self._refuse_long_ignored_body()
        if not (self.body_left or self._held):
            body_plan.filter.feed(b"", True)
        return partial(self._operate, operation, length), body_plan.filter

    async def _operate(self, operation: Operation, length: int) -> Callable[[], None]:
        if self._body_plan is not None and not self._body_plan.is_sent:
            await self._body.skip()
        self._worker.meter.composed(self.target_name, self.admitted.operation.action)
        request = ComposedRequest(self._worker, self, self._body, length)
        self._reply = request.reply
        return await run(operation, request)

    async def _copy_here(self) -> Callable[[], None]:
        """Make the copy that the target does not make by itself: it has said so."""
        admitted = self.admitted
        assert isinstance(admitted.across, CopySource)
        across = admitted.across._replace(is_elsewhere=True)
        self.admitted = replace(admitted, across=across, translation=None)
        self.trail.renamed = None  # the operation gives errors the client's names
        self._body_plan = None  # the body, which S3 does not know, was read
        return await self._operate(self._worker.composed[admitted.operation.name].operation, 0)

    @property
    def is_ended(self) -> bool:
        """Whether the exchange is over."""
        return self.state is ENDED

    def begin_reply(
        self, status: int, lines: Sequence[bytes], length: int | None, *, more: bool
    ) -> None:
        """Send the head of an operation's reply; `more`: bytes of its body come next."""
        self.state = after(self.state, REPLY)
        self._answered_at = time.perf_counter()
        self.status = status
        self.wants_close = not self._may_keep()
        self.answer_kind, framing = reply_framing(self.head, status, length)
        if self.answer_kind is UNTIL_CLOSE:
            self.wants_close = True
            self._client.ends_by_closing()
        head = own_head(
            status,
            [*lines, *framing],
            self.request_id,
            keep=not self.wants_close,
            is_http10=not self.head.http_minor,
            extra_lines=self._extra_lines(),
        )
        if self._client.is_paused:
            self._reply.client_paused()
        if more:
            self._answer_head = head
        else:
            self._client.send(head)
        if self.body_left:
            self._client.resume_body()  # only to discard it

    def take_over(self, connection: Connection | None) -> None:
        """Relay the answer that the operation has found; it comes next."""
        self.state = after(self.state, TAKE_OVER)
        self._upstream = connection
        if connection is not None and self._client.secure:
            connection.read_less()
        if connection is not None and self._client.is_paused:
            connection.pause_reading()
        self.wants_close = not self._may_keep()
        if self.body_left:
            self._client.resume_body()  # only to discard it

    def _end_document(self, error: S3Error) -> None:
        """End a document that has begun with white space by the error, as S3 does."""
        self.code = error.kind.code
        self._leave_upstream()
        document = error_document(error, self.request_id, self._worker.host_id)
        self.pass_bytes(without_declaration(document))
        self.pass_end()

    # --- the request ---

    def _set_out(self, *, fresh: bool = False) -> None:
        """Send the request on its way; `fresh`: on a new connection."""
        translation = self.admitted.translation
        must_ask = translation is not None and translation.first_question is not None
        if must_ask or (self.body_left and self._must_find_region()):
            self._run(partial(self._find_out, fresh=fresh))
        elif translation is not None:
            self._begin_translation(translation, fresh=fresh)
            self._proceed(fresh=fresh)
        else:
            self._lease(fresh=fresh)

    def _begin_translation(self, translation: Translation, *, fresh: bool) -> None:
        """Tell the translation about the client, and the operator about it."""
        translation.secure = self._client.secure
        if translation.dropped and not fresh:
            self._worker.log.headers_dropped(self, translation.dropped)

    def _must_find_region(self) -> bool:
        admitted = self.admitted
        return bool(
            self.body_left or self._form or self._held
        ) and self._worker.bucket_regions.must_ask(
            admitted.target, admitted.upstream_address.bucket, admitted.operation.name
        )

    def _proceed(self, *, fresh: bool) -> None:
        """Lease a connection, unless the answer is known."""
        translation = self.admitted.translation
        if translation is not None and translation.own_answer is not None:
            self._answer(translation.own_answer)
        else:
            self._lease(fresh=fresh)

    def _lease(self, *, fresh: bool) -> None:
        if self._worker.bucket_regions.any_redirected:
            self._follow_bucket()
        admitted = self.admitted
        target = admitted.target
        if (
            admitted.translation is not None
            or admitted.renamed is not None
            or admitted.across is not None
            or admitted.hides
            or admitted.was_seen
            or self._form is not None
        ):
            self._filters = self._new_filters()
        barred = self._worker.barred
        if barred and target.name in barred:
            self.lease_failed(barred[target.name], how=Failure.REFUSED)
            return
        self.state = after(self.state, LEASE)
        self._pool = self._worker.pool(target.route, target.name)
        name = server_name(target, admitted.upstream_address) if target.virtual else None
        self._pool.lease(self, self.holder(), fresh=fresh, name=name)

    def _follow_bucket(self) -> None:
        """Send the request to the region of its bucket, if that is known."""
        admitted = self.admitted
        target, signer = self._worker.bucket_regions.destination(
            self.home,
            admitted.signer,
            admitted.upstream_address.bucket,
            admitted.operation.name,
        )
        if target is not admitted.target or signer is not admitted.signer:
            self.admitted = replace(admitted, target=target, signer=signer)

    def lease_failed(self, reason: str, *, how: Failure) -> None:
        """End with an error: there is no connection."""
        self._target_failed(reason, how)
        kind = SLOW_DOWN if how is Failure.OVERLOAD else SERVICE_UNAVAILABLE
        self.refuse(S3Error(kind, retry_after=_RETRY_AFTER))

    def leased(self, connection: Connection) -> None:
        """Send the head over the leased connection, and ask the client for the body."""
        self._upstream = connection
        self._tries += 1
        if self._client.secure:
            connection.read_less()
        head = self._head_up(self._body_plan)
        if not self.body_left and self._form is None and not self._held:
            self.state = after(self.state, SENT)
            connection.send_head(head, self.head.method)
            connection.expect_answer_within(connection.timeouts.response_seconds)
            return
        self.state = after(self.state, LEASED)
        # Some stores take a head without a body byte for an empty object. So the head goes out
        # together with the first byte, and not at all if the body is refused before.
        self._upstream_head = head
        if not self.body_left:
            self._send_body(b"", True)  # a body that is here as a whole
            return
        if self._wants_continue:
            self._continue()
        if self.head.expect_continue and self._client.is_paused:  # 100 Continue waits
            connection.pause_reading()
        self._client.resume_body()

    def _head_up(self, body_plan: BodyPlan | None) -> bytes:
        return upstream_head(
            self._sent_raw,
            self._sent_head,
            self.admitted,
            self.snapshot.instance,
            time.time(),
            body_plan,
        )

    @property
    def wants_body(self) -> bool:
        """Whether the exchange takes bytes of the request's body now."""
        return self.state is SENDING or self.state is READING

    @property
    def waits_for_target(self) -> bool:
        """Whether the body must wait, for a connection or a coroutine."""
        return self.state in HOLDING_BODY

    def request_bytes(self, data: bytes, last: bool) -> None:
        """Take a piece of the body, while `wants_body`."""
        self.bytes_in += len(data)
        self.body_left = 0 if last else self.body_left - len(data)
        if self.state is READING:
            self.state = after(self.state, CAME)
            self._client.hold_body()
            self._body.feed(data, last=last)
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
            batch = self._body_plan.batch if self._body_plan is not None else None
            if last and batch is not None and batch.is_rewritten and not self._settle(batch, data):
                return
        head, self._upstream_head = self._upstream_head, b""
        if head:
            upstream.send_head(head, self.head.method, data)
        else:
            if last:
                upstream.look_for_answer()
            upstream.send_body(data)
        if last:
            self._request_sent(upstream)

    def _settle(self, batch: DeleteBatch, body: bytes) -> bool:
        """Make a head for a batch that was written anew; False: no key is left: it is answered."""
        if body:
            self._upstream_head = self._head_up(BodyPlan(batch, batch.body_headers(body)))
            return True
        self._leave_upstream()
        self._answer(refused_answer(batch.refused_for_client))
        return False

    def request_sink(self) -> RequestSink | None:
        """The sink that the rest of the body may be spliced into; None if a filter reads it."""
        upstream = self._upstream
        if self._filter is not None or upstream is None or self.state is not SENDING:
            return None
        if upstream.descriptor < 0 or not self.bytes_in:  # the head goes with the first bytes
            return None
        upstream.look_for_answer()
        return RequestSink(self, upstream, self._worker.row)

    def request_moved(self, count: int) -> None:
        """Count body bytes that the kernel moved."""
        upstream = self._upstream
        assert upstream is not None  # the sink of these bytes
        self.bytes_in += count
        self.body_left -= count
        if not self.body_left:
            self._request_sent(upstream)
        else:
            upstream.look_for_answer()

    def _request_sent(self, upstream: Connection) -> None:
        self.state = after(self.state, SENT)
        upstream.expect_answer_within(upstream.timeouts.response_seconds)

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

    def _expect_answer(self) -> None:
        assert self._upstream is not None  # AWAITING
        self._upstream.expect_answer_within(self._upstream.timeouts.response_seconds)

    # --- the answer ---

    def answer_head(
        self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool, passed: bool = False
    ) -> None:
        """Take the head of the answer; `more`: bytes of its body come next.

        `passed`, here and below: the filters have passed it on.
        """
        if not passed and (self._filters is not None or head.status in REFUSAL_STATUSES):
            self._filter_head(raw, head, kind, more=more)
            return
        self.state = after(self.state, ANSWERED)
        self._answered_at = time.perf_counter()
        self.status = head.status
        if head.status >= 400 and b"content-encoding" not in head.fields:
            self._error_code = ErrorCode()
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
        if self.trail.caller.sees_decisions:
            relayed = with_lines(relayed, self.trail.decision_lines())
        if more:
            self._answer_head = relayed  # one write, and one segment, for a small answer
        else:
            self._client.send(relayed)

    def answer_bytes(self, data: bytes, *, passed: bool = False) -> None:
        """Take a piece of the answer's body."""
        if self._filters is not None and not passed:
            self._filters.pass_bytes(data)
            return
        if self._error_code is not None:
            self._note_error_code(self._error_code, data)
        self.bytes_out += len(data)
        if self.answer_kind is not BY_LENGTH and self.head.http_minor:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        head, self._answer_head = self._answer_head, b""
        if head:
            self._client.send(head, data)
        else:
            self._client.send(data)

    def _note_error_code(self, error_code: ErrorCode, data: bytes) -> None:
        error_code.feed(data)
        self.code = error_code.found
        if not error_code.sought:
            self._error_code = None

    def answer_complete(self, *, passed: bool = False) -> None:
        """Take the end of the answer, and end the exchange: the client has all of it."""
        if self._filters is not None and not passed:
            self._filters.pass_end()
            return
        if self.answer_kind >= IN_CHUNKS and self.head.http_minor:
            self._client.send(b"0\r\n\r\n")
        self._end(keep=not self.wants_close)

    def answer_sink(self) -> AnswerSink | None:
        """The sink that the rest of the answer may be spliced into; None if it must be copied."""
        if self._filters is not None or self.state is not ANSWERING:
            return None
        if self.answer_kind is not BY_LENGTH or self._client.descriptor < 0:
            return None
        return AnswerSink(self, self._client, self._worker.row)

    # --- filters of the answer: filter_chain.Filtered ---

    def _filter_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """Have the filters decide about the answer."""
        if not self._tries:  # what an operation's call has found: it passed them there
            self.answer_head(raw, head, kind, more=more, passed=True)
            return
        if self._filters is None:
            self._filters = self._new_filters()
        self._filters.pass_head(raw, head, kind, more=more)
        # Unless the head was decided about; what is sent again is not sent at once.
        if self.state is AWAITING or self.state is SENDING:
            self._buffer()

    def _new_filters(self) -> FilterChain:
        """The filters for one answer, in the order in which they see it."""
        members: list[ResponseFilter] = []
        if self.admitted.across is not None:
            members.append(RefusedCopies())
        if self.admitted.translation is not None:
            members.append(self.admitted.translation)
        if self.admitted.hides:
            members.append(HidingObjects())
        if self.admitted.was_seen:
            members.append(MovedObjects())
        if self._form is not None:
            members.append(FormAnswer(self._form, secure=self._client.secure))
        answered = self._answered_request()
        members.append(RegionRedirects(answered, self._worker))
        members.append(RefusedSignatures(answered, self._worker))
        if self.admitted.renamed is not None:  # refusals are understood by the target's names
            members += self._renaming_filters(self.admitted.renamed)
        return FilterChain(members, self)

    def _renaming_filters(self, renamed: Renamed) -> Sequence[ResponseFilter]:
        """The filters that put the client's names into the answer."""
        batch = self._body_plan.batch if self._body_plan is not None else None
        documents = RenamedDocuments(
            self.admitted.operation.name,
            renamed.names,
            renamed.query,
            renamed.upstream_query,
            None if batch is None else lambda: error_entries(batch.unnamed),
        )
        return RenamedHeaders(renamed.names), documents

    def _answered_request(self) -> AnsweredRequest:
        admitted = self.admitted
        return AnsweredRequest(
            logged=self,
            method=self.head.method,
            operation=admitted.operation.name,
            bucket=admitted.upstream_address.bucket,
            home=self.home,
            target=admitted.target,
            signer=admitted.signer,
            resent_for=self._resent_for,
        )

    def _buffer(self) -> None:
        """Note that an answer has begun of which the client may see nothing yet."""
        is_early = self.state is SENDING
        self.state = after(self.state, BUFFER)
        if is_early:
            self._client.resume_body()  # only to discard it

    def pass_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """Relay the head that the filters have passed on."""
        if self._filters is not None and not self._filters.rewrites:
            self._filters = None  # none of them looks at the body
        self.answer_head(raw, head, kind, more=more, passed=True)

    def pass_bytes(self, data: bytes) -> None:
        """Relay a piece of the body."""
        self.answer_bytes(data, passed=True)

    def pass_end(self) -> None:
        """Take the end of the body."""
        self.answer_complete(passed=True)

    def ask(self, question: Question, on_reply: Callable[[Reply | None], None]) -> None:
        """Ask the target what its answer, which is whole, means."""
        self._release()
        self.state = after(self.state, ASK)
        work = partial(self._find_meaning, question, on_reply)
        self._task = self._worker.start(self._end_run(work))

    async def _find_meaning(
        self, question: Question, on_reply: Callable[[Reply | None], None]
    ) -> Callable[[], None]:
        to = Destination(self.admitted.target, self.admitted.signer)
        return partial(on_reply, await ask(self._worker, self, question, to))

    def remove_hiding(self, on_reply: Callable[[Reply | None], None]) -> None:
        """Remove older objects that would hide the one that the target has stored."""
        self._release()
        self.state = after(self.state, ASK)
        self._task = self._worker.start(self._end_run(partial(self._remove_hiding, on_reply)))

    async def _remove_hiding(self, on_reply: Callable[[Reply | None], None]) -> Callable[[], None]:
        body = RequestBody(self._read_piece, ended=True, body_filter=None)
        request = ComposedRequest(self._worker, self, body, 0)
        return partial(on_reply, await removed(request))

    def send_again(self, step: SendAgain) -> None:
        """Drop the answer and send the request again, unless bytes of its body are gone."""
        is_incomplete = self.state is SENDING or self.state in INCOMPLETE
        self._release()
        if is_incomplete or self.body_taken:
            self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))
            return
        self.state = after(self.state, RESEND)
        self._filters = None
        self._resent_for |= {step.reason}
        if step.reason is Reason.CREDENTIALS:
            self._run(self._find_other_signer)
        elif step.reason is Reason.COPY:
            self._run(self._copy_here)
        else:
            self._count_retry(RETRY_COUNTERS[step.reason])
            self._set_out(fresh=True)

    def answer_instead(self, answer: OwnAnswer) -> None:
        """Drop the answer and send this one, unless the request is not complete."""
        is_incomplete = self.state is SENDING or self.state in INCOMPLETE
        self._release()
        if is_incomplete:
            self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))
        else:
            self._answer(answer)

    def refuse_instead(self, error: S3Error) -> None:
        """Drop the answer and send this error."""
        if error.note:
            self._worker.log.target_failed(self, error.note)
        self._release()
        self.refuse(error)

    # --- the target leaves, the client pauses or leaves ---

    def upstream_lost(self, reason: str, *, stale: bool, how: Failure) -> None:
        """Send the request again or end: the connection broke before the answer was whole."""
        self._upstream = None
        if self.state not in BEGUN and self._may_resend(stale):
            self.state = after(self.state, RESEND)
            self._count_retry(TargetCounter.RETRIES_STALE)
            self._set_out(fresh=True)
            return
        self._target_failed(reason, how)
        self.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))

    def _target_failed(self, reason: str, how: Failure) -> None:
        """Log and count that the target gave no whole answer."""
        self._worker.log.target_failed(self, reason)
        self._worker.meter.failed(self.target_name, how.counter)

    def _count_retry(self, reason: TargetCounter) -> None:
        self._worker.meter.retried(self.target_name, reason)

    @property
    def body_taken(self) -> bool:
        """Whether bytes of the body are gone; the gateway keeps no copy of them."""
        return self.bytes_in > 0 and (self._body_plan is None or self._body_plan.is_sent)

    def _may_resend(self, stale: bool) -> bool:
        return may_resend(
            self.head.method,
            self.head.fields,
            stale=stale,
            body_taken=self.body_taken,
            tries=self._tries,
        )

    def client_paused(self) -> None:
        """Stop reading the answer: the client is slower than the target."""
        if self._upstream is not None:
            self._upstream.pause_reading()
        elif self.state is REPLYING:
            self._reply.client_paused()

    def client_resumed(self) -> None:
        """Read the answer on."""
        if self._upstream is not None:
            self._upstream.resume_reading()
            if self.state is AWAITING:
                self._expect_answer()
        elif self.state is REPLYING:
            self._reply.client_resumed()

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
        head = head_of_answer(
            answer,
            self.request_id,
            keep=keep,
            is_http10=is_http10,
            extra_lines=self._extra_lines(),
        )
        self._client.send(head, answer.body)  # not joined: a merged list has 250 KB
        self._end(keep=keep)

    def refuse(self, error: S3Error) -> None:
        """End with an error of the gateway's own; if an answer has begun, break it off."""
        if self.state is REPLYING and self._reply.takes_error:
            self._end_document(error)
            return
        if self.state in BEGUN or self.state is ENDED:
            self._break_off()
            return
        if self.trail.renamed is not None:
            error = self.trail.renamed.error_for_client(error)
        self.status = error.kind.status
        self.code = error.kind.code
        self._worker.meter.refused(error.kind)
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
                extra_lines=self._extra_lines(),
            )
        )
        self._leave_upstream()
        self._end(keep=keep)

    def _extra_lines(self) -> bytes:
        """Header lines of an answer of the gateway's own: for a page, and about the decision."""
        return self._cors + self.trail.decision_lines()

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
        self._worker.row[Slot.BROKEN_OFF] += 1
        self._leave_upstream()
        self._end_log()
        self._client.abort()

    def _leave_upstream(self) -> None:
        """Drop what the exchange has at its target, or waits for."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        if self._upstream is not None:
            self._upstream.abort()
            self._upstream = None
        elif self.state is LEASING:
            self._pool.give_up(self)

    def _release(self) -> None:
        """Give the connection to the target back; it is kept if its answer was whole."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.release(request_read=self._was_read(upstream))

    def _was_read(self, upstream: Connection) -> bool:
        """Whether no byte of the request can wait at the target."""
        if self.state is SENDING or self.state in INCOMPLETE:
            return False
        return not self.body_taken or upstream.has_read(self.admitted.operation.name)

    def _end(self, *, keep: bool) -> None:
        upstream, self._upstream = self._upstream, None
        is_read = False
        if upstream is not None:
            # Most requests have no body, which a target could leave unread.
            is_read = self.state is ANSWERING and (not self.bytes_in or self._was_read(upstream))
        self._end_log()
        if upstream is not None:
            upstream.release(request_read=is_read)
        self._client.finish(keep=keep)

    def _end_log(self, how: Slot = _FINISHED) -> None:
        if self.state is not ENDED:
            self.state = ENDED  # from any other (heads: `after` is 600 instructions)
            self._filters = None  # they refer to the exchange
            if self._form is not None:
                self._form.close()
            self._ended_at = time.perf_counter()
            trail = self.trail
            operation, decision = trail.operation, trail.decision
            self._worker.meter.request_ended(
                decision.target if decision is not None else "",
                operation.action if operation is not None else "",
                trail.caller.name,
                self.status,
                self.bytes_in,
                self.bytes_out,
                self.started,
                self._answered_at,
                self._ended_at,
            )
            self._worker.log.exchange_ended(self, how)

    # --- for the log, and for requests of the gateway's own: Logged, Requester, Prepared ---

    @property
    def remote(self) -> str:
        """The client's address and port: of the connection, or what a trusted proxy says."""
        proxies = self.snapshot.trusted_proxies
        if proxies is None:
            return self._client.remote
        return proxies.client(self._client.remote, self.head.fields.get(b"x-forwarded-for"))

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
    def caller(self) -> Caller:
        """Who sent it, as far as that is known."""
        return self.trail.caller

    @property
    def unverified_key_id(self) -> str:
        """The access key id that a client claimed without proof; empty if there is none."""
        name = self.trail.caller.name
        return name.removeprefix(UNVERIFIED) if name.startswith(UNVERIFIED) else ""

    @property
    def home(self) -> Target:
        """Its target as the configuration has it."""
        return self.snapshot.targets[self.admitted.decision.target]

    @property
    def trace(self) -> Sequence[tuple[bytes, bytes]]:
        """The headers that say which trace it is part of."""
        return trace_headers(self.head.fields)

    def holder(self) -> str:
        """Whose share of connections it takes from: who signed, else the address that connected.

        Not what a proxy says of the client: where a proxy passes on what clients wrote, one client
        would be as many as it likes.
        """
        return self.trail.caller.name or holder_at(self._client.remote.rpartition(":")[0])

    def access_line(self, worker: int) -> AccessLine:
        """Its line in the access log of this worker."""
        trail = self.trail
        address, decision, operation = trail.address, trail.decision, trail.operation
        remote, connection, fields = self.remote, self._client.remote, self.head.fields
        # By position: names cost 0.8 us a request (bench: GET 1 KiB).
        return AccessLine(
            time.time(),
            self.request_id,
            remote,
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
            self._ended_at - self.started,
            self.snapshot.generation,
            worker,
            trail.caller.key_id,
            "" if remote is connection else connection,
            trace_id(fields[b"traceparent"]) if b"traceparent" in fields else "",
        )
