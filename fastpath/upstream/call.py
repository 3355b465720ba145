"""A call: one request of the gateway's own to a target, for a coroutine to await.

    async with Call(worker, requester, request, destination) as call:
        await call.send(data)                   the body, if it has one
        head = await call.answer()
        async for piece in call.body(): ...     or: call.hand_over(relay)

Rules: a call has exactly one end: complete (its answer was read to the end, or handed over),
aborted (the coroutine left before) or failed (`CallFailed`). It leaves one line in the access log
and counts once. At most WINDOW bytes of the answer wait, and one read; `send` returns once the
target has taken what was sent before. A call is sent again as the relay is: `upstream.retry` after
a kept connection broke, `upstream.refusals` after a refused signature or a redirect. A call to a
target that differs from S3 has a translation, as the relay has: what it makes of an error is raised
as the S3Error.

`ask` is the call for a small question, whose reply is kept to MAX_REPLY bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.http.content_codings import decoded
from fastpath.http.framing import BY_LENGTH
from fastpath.http.head import ResponseHead
from fastpath.http.trace_context import trace_id
from fastpath.ipc.access_log import AccessLine
from fastpath.ipc.cells import TargetCounter
from fastpath.response.filters import Question, Reason, Reply, ResponseFilter, SendAgain
from fastpath.s3.refusals import REFUSAL_STATUSES
from fastpath.signing.sigv4.sign import Signer
from fastpath.upstream.bucket_regions import Destination
from fastpath.upstream.credential_refresh import Refused
from fastpath.upstream.filter_chain import FilterChain
from fastpath.upstream.lessee import Failure, Lessee
from fastpath.upstream.own_request import question_request, traced, translated
from fastpath.upstream.refusals import (
    AnsweredRequest,
    RefusalWorker,
    RefusedSignatures,
    RegionRedirects,
)
from fastpath.upstream.retry import RETRY_COUNTERS, may_resend

if TYPE_CHECKING:
    from fastpath.dialects.translation import Translation
    from fastpath.http.framing import BodyKind
    from fastpath.ipc.log import Logged
    from fastpath.response.own_answer import OwnAnswer
    from fastpath.routing.identities import Caller
    from fastpath.routing.snapshot import Route, Snapshot
    from fastpath.upstream.lessee import Connection
    from fastpath.upstream.own_request import OwnRequest
    from fastpath.upstream.pool import Pool

# Bytes of a reply: 1,000 parts, or names of uploads, are a fifth of it.
MAX_REPLY = 1 << 20
# Bytes of an answer that wait for the coroutine. A read is at most as much again.
WINDOW = 262144


class CallFailed(Exception):
    """The target gave no whole answer, or none that can be used."""

    def __init__(self, reason: str, *, how: Failure = Failure.UNUSABLE) -> None:
        super().__init__(reason)
        self.reason = reason
        self.how = how

    @property
    def overload(self) -> bool:
        """Whether too many requests wait for the target."""
        return self.how is Failure.OVERLOAD


class CallState(IntEnum):
    """The state of a call."""

    NEW = 0  # it has not asked for a connection
    LEASING = 1  # it has no connection yet
    SENDING = 2  # the target gets the head and the body
    AWAITING = 3  # the target has the whole request
    BUFFERING = 4  # an answer has begun, and the filters have not decided about it
    ANSWERING = 5  # the head of the answer is here
    ANSWERED = 6  # the whole answer is here
    COMPLETE = 7  # its answer was read, or handed over
    ABORTED = 8  # the coroutine left before
    FAILED = 9  # the target gave no whole answer


_ENDS = (CallState.COMPLETE, CallState.ABORTED, CallState.FAILED)
_HAS_ANSWER = (CallState.ANSWERING, CallState.ANSWERED, CallState.COMPLETE)


class Relay(Lessee, Protocol):
    """What relays an answer that a call has found."""

    def take_over(self, connection: Connection | None) -> None:
        """Take the connection whose answer follows; None: all of the answer is here."""


class Requester(Protocol):
    """Whom a call is for: the exchange of a client, or an operation that runs by itself."""

    request_id: str
    snapshot: Snapshot

    @property
    def caller(self) -> Caller:
        """The identity that the call is for."""

    @property
    def trace(self) -> Sequence[tuple[bytes, bytes]]:
        """The headers that say which trace the call is part of."""

    def holder(self) -> str:
        """Whose share of connections it takes from."""


class CallWorker(RefusalWorker, Protocol):
    """What a call uses of its worker."""

    snapshot: Snapshot  # in force
    barred: Mapping[str, str]  # targets that get no request, and why (`upstream.breakers`)

    def pool(self, route: Route, target: str) -> Pool:
        """The pool of connections of a route, which a request for this target needs."""


class Call:
    """One request to a target, made by `async with`."""

    def __init__(  # noqa: PLR0913 (what a call is)
        self,
        worker: CallWorker,
        requester: Requester,
        request: OwnRequest,
        to: Destination,
        *,
        is_question: bool = False,
        translation: Translation | None = None,
        named: Callable[[S3Error], S3Error] | None = None,
    ) -> None:
        """`is_question`: whoever asks looks at the answer, or at its lack, and tells the operator.

        Otherwise the call goes where its bucket is, and refreshes credentials that are refused.
        `named`: gives an error of the translation other names than the target's.
        """
        self.request_id = requester.request_id
        self.status = 0
        self.code = ""
        self.bytes_in = 0  # of the request's body
        self.bytes_out = 0  # of the answer's body
        self._worker = worker
        self._requester = requester
        self._request = request
        self._home = to.target
        self._to = to
        self._is_question = is_question
        self._translation = translation
        self._named = named
        self._filters: FilterChain | None = None  # None: nothing looks at the answer
        self._step: Callable[[], Awaitable[None]] | None = None  # what a filter waits for
        self._is_kept = False  # until it is handed over
        self._resent_for: frozenset[Reason] = frozenset()
        self._started = time.perf_counter()
        self._state = CallState.NEW
        self._pool: Pool | None = None
        self._connection: Connection | None = None
        self._tries = 0
        self._write_paused = False
        self._read_paused = False
        self._raw = b""
        self._head: ResponseHead | None = None
        self._kind: BodyKind | None = None
        self._pieces: deque[bytes] = deque()
        self._waiting = 0  # bytes in `_pieces`
        self._failure: Exception | None = None
        self._wakes: set[asyncio.Future[None]] = set()
        self._on_early: Callable[[], object] | None = None

    def __repr__(self) -> str:
        return f"<Call {self.request_id} {self._request.operation} {self._state.name}>"

    # --- used by the coroutine ---

    async def __aenter__(self) -> Self:
        try:
            if self._translation is not None and await self._is_answered_here(self._translation):
                return self
            if not self._is_question and self._request.length:
                await self._find_region()
            self._lease(fresh=False)
            await self._until(self._is_leased)
        except BaseException:
            self.abort()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_kept:
            self.abort()

    async def send(self, data: bytes) -> bool:
        """Send a piece of the body; False once the target needs no more of it: it has answered.

        Raises CallFailed.
        """
        length = self._request.length
        if length is None or self.bytes_in + len(data) > length:
            raise ValueError("more bytes than the head has promised")  # they would be a request
        await self._until(self._may_send)
        if self._state is not CallState.SENDING:
            return False
        if not data:  # its head goes up with the first byte
            return True
        connection = self._connection
        assert connection is not None  # SENDING
        is_first = not self.bytes_in
        self.bytes_in += len(data)
        is_last = self.bytes_in == length
        self._check_body(data, is_last=is_last)
        if is_last:
            connection.look_for_answer()
        if is_first:
            connection.send_head(self._head_up(), self._request.method, data)
        else:
            connection.send_body(data)
        if is_last:
            self._request_sent(connection)
        return True

    def on_early(self, stop: Callable[[], object]) -> None:
        """Have `stop` called if the target answers, or fails, before it has the whole body.

        For a sender that waits for its next piece meanwhile; `send` says the same to others.
        """
        self._on_early = stop
        self._tell_early()

    def _tell_early(self) -> None:
        is_early = self._state > CallState.SENDING and self.bytes_in < (self._request.length or 0)
        if is_early and self._on_early is not None:
            stop, self._on_early = self._on_early, None
            stop()

    def _check_body(self, data: bytes, *, is_last: bool) -> None:
        """Have the translation look at the body. Raises S3Error."""
        check = self._translation.check if self._translation is not None else None
        if check is not None:
            check.update(data)
            if is_last:
                check.confirm()

    async def answer(self) -> ResponseHead:
        """Wait for the head of the answer. Raises CallFailed, and the S3Error of a translation."""
        await self._until(self._has_answer_or_step)
        while self._step is not None:
            step, self._step = self._step, None
            await step()
            await self._until(self._has_answer_or_step)
        assert self._head is not None  # it has an answer
        return self._head

    def body(self) -> AsyncIterator[bytes]:
        """The pieces of the answer's body, to its end. Raises CallFailed."""
        return _Pieces(self.piece)

    async def piece(self) -> bytes:
        """The next piece of the answer's body; empty at its end. Raises CallFailed."""
        await self._until(self._has_piece)
        if not self._pieces:
            self._end(CallState.COMPLETE)
            return b""
        piece = self._pieces.popleft()
        self._waiting -= len(piece)
        if self._read_paused and self._waiting <= WINDOW // 2 and self._connection is not None:
            self._read_paused = False
            self._connection.resume_reading()
        return piece

    async def document(self, most: int) -> bytes | None:
        """The whole body of the answer; None if it is longer than `most`. Raises CallFailed."""
        pieces, size = [], 0
        async for piece in self.body():
            pieces.append(piece)
            size += len(piece)
            if size > most:
                return None
        return b"".join(pieces)

    def keep(self) -> None:
        """Outlive the `async with`: whoever has the call hands it over, or aborts it."""
        self._is_kept = True

    def hand_over(self, relay: Relay) -> None:
        """Have the relay send the answer on, of which nothing was read yet."""
        assert self._head is not None  # after `answer`
        assert self._kind is not None
        connection = self._connection
        is_whole = self._state is CallState.ANSWERED
        if self._filters is not None and not is_whole:
            raise RuntimeError("the rest of this answer must pass through its filters")
        if connection is not None:  # which this call has paused, or the connection itself
            connection.resume_reading()
        relay.take_over(connection)
        self._connection = None
        self.bytes_out = 0  # the relay counts them
        self._end(CallState.COMPLETE)
        if connection is not None:
            connection.lessee = relay
            if not self._was_read(connection):
                connection.close_after()
        relay.answer_head(self._raw, self._head, self._kind, more=bool(self._pieces))
        for piece in self._pieces:
            relay.answer_bytes(piece)
        self._pieces.clear()
        if is_whole:
            relay.answer_complete()

    # --- before the lease ---

    async def _is_answered_here(self, translation: Translation) -> bool:
        """Ask what the translation must know; whether it answers by itself. Raises S3Error."""
        if translation.dropped:
            self._worker.log.headers_dropped(self, translation.dropped)
        if translation.first_question is not None:
            question = translation.first_question
            try:
                reply = await reply_to(self._worker, self._requester, question, self._to)
            except CallFailed as failure:
                reason = f"gave no answer to a question: {failure.reason}"
                self._fail(CallFailed(reason, how=failure.how))
                assert self._failure is not None
                raise self._failure from None
            self._take_first_reply(translation, reply)
        if translation.own_answer is None:
            return False
        self.answer_instead(translation.own_answer)
        return True

    def _take_first_reply(self, translation: Translation, reply: Reply) -> None:
        try:
            translation.on_first_reply(reply)
        except S3Error as error:
            raise self._with_names(error) from None

    def _with_names(self, error: S3Error) -> S3Error:
        return error if self._named is None else self._named(error)

    async def _find_region(self) -> None:
        """Find out where the bucket of an upload is: a body that has begun cannot be sent again."""
        bucket, operation = self._request.address.bucket, self._request.operation
        if self._worker.bucket_regions.must_ask(self._home, bucket, operation):
            await find_region(self._worker, self._requester, self, self._to, bucket)

    # --- filters of the answer: filter_chain.Filtered ---

    def _new_filters(self) -> FilterChain:
        """The filters for one answer, in the order in which they see it."""
        members: list[ResponseFilter] = []
        if self._translation is not None:
            members.append(self._translation)
        answered = AnsweredRequest(
            logged=self,
            method=self._request.method,
            operation=self._request.operation,
            bucket=self._request.address.bucket,
            home=self._home,
            target=self._to.target,
            signer=self._to.signer,
            resent_for=self._resent_for,
        )
        members.append(RegionRedirects(answered, self._worker))
        members.append(RefusedSignatures(answered, self._worker))
        return FilterChain(members, self)

    def pass_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """Take the head that the filters have passed on: it is what the target says."""
        if self._filters is not None and not self._filters.rewrites:
            self._filters = None  # none of them looks at the body
        self._raw, self._head, self._kind = raw, head, kind
        self._state = CallState.ANSWERING
        self._changed()

    def pass_bytes(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._pieces.append(data)
        self._waiting += len(data)
        self.bytes_out += len(data)
        if self._waiting >= WINDOW and not self._read_paused and self._connection is not None:
            self._read_paused = True
            self._connection.pause_reading()
        self._changed()

    def pass_end(self) -> None:
        """Take the end of the body."""
        self._state = CallState.ANSWERED
        self._changed()

    def ask(self, question: Question, on_reply: Callable[[Reply | None], None]) -> None:
        """Have the coroutine ask the target what its answer, which is whole, means."""

        async def find_meaning() -> None:
            on_reply(await ask(self._worker, self._requester, question, self._to))

        self._do(find_meaning)

    def remove_hiding(self, on_reply: Callable[[Reply | None], None]) -> None:
        """Remove nothing: whoever stores by a call does that itself."""
        on_reply(None)

    def send_again(self, step: SendAgain) -> None:
        """Have the coroutine send the request again, if that is possible."""

        async def drop_and_lease() -> None:
            await self._drop_answer(step)
            self._lease(fresh=True)

        self._do(drop_and_lease)

    def answer_instead(self, answer: OwnAnswer) -> None:
        """Drop the answer and take this one."""
        self._leave()
        fields = dict(_field(line) for line in answer.lines)
        size = len(answer.body)
        self._raw, self._kind = b"", BY_LENGTH
        self._head = ResponseHead(
            answer.status, list(fields.items()), fields, size, chunked=False, keep_alive=True
        )
        self.status = answer.status
        if answer.body:
            self.pass_bytes(answer.body)
        self.pass_end()

    def refuse_instead(self, error: S3Error) -> None:
        """End with what a filter makes of the answer: the target failed, or an error of S3."""
        self._leave()
        if error.note:
            self._worker.log.target_failed(self, error.note)
        if error.kind is SERVICE_UNAVAILABLE:  # which was logged
            self._failure = CallFailed("refused the gateway's request")
            self._end(CallState.FAILED)
        else:
            self._failure = self._with_names(error)
            self._end(CallState.COMPLETE)
        self._changed()

    def _do(self, step: Callable[[], Awaitable[None]]) -> None:
        self._step = step
        self._changed()

    async def _drop_answer(self, step: SendAgain) -> None:
        """Make ready to send the request again. Raises CallFailed: that is impossible."""
        self._leave()
        self._filters = None
        try:
            if self.bytes_in:
                raise S3Error(SERVICE_UNAVAILABLE)
            if step.reason is Reason.CREDENTIALS:
                await self._find_other_signer()
        except S3Error as error:
            self.refuse_instead(error)
            assert self._failure is not None
            raise self._failure from None
        self._pieces.clear()
        self._waiting = self.bytes_out = self.status = 0
        self._head = None
        self._resent_for |= {step.reason}
        self._worker.meter.retried(self.target_name, RETRY_COUNTERS[step.reason])

    async def _find_other_signer(self) -> None:
        refused = self._to.signer
        assert isinstance(refused, Signer)  # an unsigned request has no signature to refuse
        signer = await self._worker.credential_refresh.other_signer(
            Refused(self._home, self._requester.caller, refused), self._worker.snapshot
        )
        if signer is None:
            raise S3Error(SERVICE_UNAVAILABLE)
        self._to = self._to._replace(signer=signer)

    # --- what it waits for ---

    def _is_leased(self) -> bool:
        # Not by the connection: a short answer may be whole before the coroutine goes on.
        return self._state is not CallState.LEASING

    def _may_send(self) -> bool:
        is_sending = self._state is CallState.SENDING
        return not (self._state is CallState.LEASING or (is_sending and self._write_paused))

    def _has_answer_or_step(self) -> bool:
        return self._state in _HAS_ANSWER or self._step is not None

    def _has_piece(self) -> bool:
        return bool(self._pieces) or self._state in (CallState.ANSWERED, CallState.COMPLETE)

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready`. Raises what ended the call before."""
        while not ready():
            if self._failure is not None:
                raise self._failure
            wake = asyncio.get_running_loop().create_future()
            self._wakes.add(wake)
            try:
                await wake
            finally:
                self._wakes.discard(wake)
        if self._failure is not None:
            raise self._failure

    def _changed(self) -> None:
        self._tell_early()
        for wake in self._wakes:
            if not wake.done():
                wake.set_result(None)

    # --- the request ---

    def _lease(self, *, fresh: bool) -> None:
        self._state = CallState.LEASING
        if not self._is_question and self._worker.bucket_regions.any_redirected:
            address, operation = self._request.address, self._request.operation
            self._to = self._worker.bucket_regions.destination(
                self._home, self._to.signer, address.bucket, operation
            )
        barred = self._worker.barred.get(self._to.target.name)
        if barred is not None:
            self.lease_failed(barred, how=Failure.REFUSED)
            return
        self._pool = self._worker.pool(self._to.target.route, self._to.target.name)
        name = self._request.server_name(self._to.target)
        self._pool.lease(self, self._requester.holder(), fresh=fresh, name=name)

    def _head_up(self) -> bytes:
        instance = self._requester.snapshot.instance
        request = self._request
        if self._translation is not None:
            request = translated(request, self._translation)
        request = traced(request, self._requester.trace)
        return request.head(self._to.target, self._to.signer, instance, time.time())

    def _request_sent(self, connection: Connection) -> None:
        self._state = CallState.AWAITING
        connection.expect_answer_within(connection.timeouts.response_seconds)

    # --- lessee.Lessee ---

    def leased(self, connection: Connection) -> None:
        self._connection = connection
        self._tries += 1
        self._state = CallState.SENDING
        self._write_paused = self._read_paused = False
        if self._request.is_for_document:
            connection.read_whole()
        # A body follows: the head goes up with its first byte (as in `exchange.exchange`).
        if not self._request.length:
            connection.send_head(self._head_up(), self._request.method)
            self._request_sent(connection)
        self._changed()

    def lease_failed(self, reason: str, *, how: Failure) -> None:
        self._fail(CallFailed(reason, how=how))

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        connection = self._connection
        if head.status < 300 and connection is not None and not connection.flushed():
            # Bytes of the body still wait here: the target cannot have stored it.
            self._leave()
            self._fail(CallFailed("answered before it had the whole request"))
            return
        self.status = head.status
        must_look = self._translation is not None or head.status in REFUSAL_STATUSES
        if self._is_question or not must_look:
            self.pass_head(raw, head, kind, more=more)
            return
        self._filters = self._new_filters()
        self._filters.pass_head(raw, head, kind, more=more)
        if self._state in (CallState.SENDING, CallState.AWAITING):
            self._state = CallState.BUFFERING
            self._changed()

    def answer_bytes(self, data: bytes) -> None:
        if self._filters is not None:
            self._filters.pass_bytes(data)
        elif self._state is CallState.ANSWERING:
            self.pass_bytes(data)

    def answer_sink(self) -> None:
        """Nothing is spliced: the coroutine reads the answer."""

    def answer_complete(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        connection.release(request_read=self._was_read(connection))
        if self._filters is not None:
            self._filters.pass_end()
        else:
            self.pass_end()

    def _was_read(self, connection: Connection) -> bool:
        """Whether no byte of the request can wait at the target, or is missing there."""
        if self.bytes_in != (self._request.length or 0):
            return False
        return not self.bytes_in or connection.has_read(self._request.operation)

    def upstream_lost(self, reason: str, *, stale: bool, how: Failure) -> None:
        self._connection = None
        has_begun = self._state is CallState.BUFFERING or self._state in _HAS_ANSWER
        if has_begun or not self._may_resend(stale):
            self._fail(CallFailed(reason, how=how))
            return
        if not self._is_question:
            self._worker.meter.retried(self.target_name, TargetCounter.RETRIES_STALE)
        self._lease(fresh=True)

    def _may_resend(self, stale: bool) -> bool:
        return may_resend(
            self._request.method,
            self._request.fields,
            stale=stale,
            body_taken=self.bytes_in > 0,
            tries=self._tries,
        )

    def crash(self, fault: Exception) -> None:
        self._leave()
        self._fail(fault)

    def upstream_paused(self) -> None:
        self._write_paused = True

    def upstream_resumed(self) -> None:
        self._write_paused = False
        if self._state is CallState.AWAITING and self._connection is not None:
            self._request_sent(self._connection)
        self._changed()

    # --- ends ---

    def _fail(self, failure: Exception) -> None:
        self._failure = failure
        if isinstance(failure, CallFailed) and not self._is_question:
            self._worker.log.target_failed(self, failure.reason)
            self._worker.meter.failed(self.target_name, failure.how.counter)
        self._end(CallState.FAILED)
        self._changed()

    def abort(self) -> None:
        """Break the call off, unless it has ended."""
        self._leave()
        self._end(CallState.ABORTED)

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        elif self._pool is not None:
            self._pool.give_up(self)

    def _end(self, state: CallState) -> None:
        if self._state in _ENDS:
            return
        self._state = state
        self._filters = None  # they refer to the call
        if state is not CallState.COMPLETE:
            self.code = state.name.capitalize()
        self._worker.meter.call_ended(
            self.target_name, self.bytes_in, self.bytes_out, failed=bool(self.code)
        )
        self._worker.log.call_ended(self)

    @property
    def method(self) -> bytes:
        """The method of its request."""
        return self._request.method

    # --- ipc.log.Logged ---

    @property
    def remote(self) -> str:
        """Empty: the gateway itself asked."""
        return ""

    @property
    def target_name(self) -> str:
        """The target that is asked."""
        return self._to.target.name

    @property
    def bucket_name(self) -> str:
        """The bucket at the target."""
        return self._request.address.bucket.decode()

    @property
    def unverified_key_id(self) -> str:
        """Empty: nobody claims anything."""
        return ""

    def access_line(self, worker: int) -> AccessLine:
        """Its line in the access log of this worker."""
        return AccessLine(
            time=time.time(),
            request_id=self.request_id,
            remote="",
            method=self._request.method.decode("latin-1"),
            operation=self._request.operation,
            bucket=self.bucket_name,
            key=self._request.address.key.decode("utf-8", "replace"),
            identity=self._requester.caller.name,
            target=self._to.target.name,
            rule=None,
            status=self.status,
            code=self.code,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            seconds=time.perf_counter() - self._started,
            generation=self._requester.snapshot.generation,
            worker=worker,
            access_key_id=self._requester.caller.key_id,
            trace_id=next((trace_id(value) for _, value in self._requester.trace), ""),
        )


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.lower(), value.strip()


class _Pieces:
    """Pieces to their end; no generator, which a task of its own would have to close."""

    def __init__(self, next_piece: Callable[[], Awaitable[bytes]]) -> None:
        self._next_piece = next_piece

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if piece := await self._next_piece():
            return piece
        raise StopAsyncIteration


async def ask(
    worker: CallWorker, requester: Requester, question: Question, to: Destination
) -> Reply | None:
    """Ask a target a small question; None if it gives no reply that can be used.

    The reply comes as it is, even if it refuses the gateway's signature.
    """
    try:
        return await reply_to(worker, requester, question, to)
    except CallFailed:
        return None


async def reply_to(
    worker: CallWorker, requester: Requester, question: Question, to: Destination
) -> Reply:
    """The same, but raises CallFailed if there is no reply that can be used."""
    request = question_request(question)
    async with Call(worker, requester, request, to, is_question=True) as call:
        head = await call.answer()
        body = await call.document(MAX_REPLY)
    if body is None:
        raise CallFailed(f"its reply has more than {MAX_REPLY} bytes")
    coding = head.fields.get(b"content-encoding", b"")
    if body and coding:
        body = decoded(body, coding, MAX_REPLY) or b""
    return Reply(head.status, body, head.fields)


async def find_region(
    worker: CallWorker, requester: Requester, logged: Logged, home: Destination, bucket: bytes
) -> None:
    """Ask a target, as the configuration has it, where a bucket is, and record the reply."""
    reply = await ask(worker, requester, Question(b"/" + bucket, b"", b"HEAD"), home)
    if reply is None or reply.status >= 500:
        return
    region = reply.fields.get(b"x-amz-bucket-region", b"")
    if worker.bucket_regions.record_answer(home.target, bucket, region):
        worker.log.bucket_found(logged, region.decode())
