"""The frame of composed operations: what one gets, how it is run, and what becomes of its failures.

    async def operation(request: ComposedRequest) -> None:
        async with request.call(own_request, request.destination("a-target")) as call: ...
        await request.reply.document(200, xml)

Calls about a bucket or an object of the client are made by `calls.call_at`.

Rules: an operation is one task, and cancelled when its client leaves, its worker ends or its
deadline passes. A target that fails is ServiceUnavailable or, if too many wait for it, SlowDown,
and nothing of what it said reaches the client. What is no S3Error is a defect: InternalError. An
operation that makes several calls at a time makes them in a TaskGroup, which ends them together. A
target is called for the client only if the client's identity reaches it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

from fastpath.composed.client_reply import ClientReply, RepliedExchange
from fastpath.errors import ACCESS_DENIED, SERVICE_UNAVAILABLE, SLOW_DOWN, S3Error
from fastpath.routing.identities import ANONYMOUS_CALLER
from fastpath.upstream.bucket_regions import Destination
from fastpath.upstream.call import Call, CallFailed, CallWorker, Requester
from fastpath.upstream.credential_refresh import signer_in_force

if TYPE_CHECKING:
    from fastpath.composed.finding_targets import Router
    from fastpath.composed.request_body import RequestBody
    from fastpath.dialects.translation import Translation
    from fastpath.http.head import RequestHead
    from fastpath.ipc.log import WorkerLog
    from fastpath.request.admitted import Admitted
    from fastpath.request.trail import Trail
    from fastpath.routing.chain import Decision
    from fastpath.routing.identities import Caller
    from fastpath.routing.snapshot import Snapshot
    from fastpath.upstream.own_request import OwnRequest

T = TypeVar("T")

# Each wait inside an operation has a deadline of its own; this one is for an operation that makes
# too little progress between them. 5 GiB, the most that one request of S3 uploads or copies, take
# an hour at 1.5 MB/s.
DEADLINE_SECONDS = 3600.0

_RETRY_AFTER = 1  # seconds, as for the relay


class ComposedExchange(RepliedExchange, Requester, Protocol):
    """The exchange that an operation runs for."""

    admitted: Admitted
    trail: Trail

    def refuse(self, error: S3Error) -> None:
        """End with this error, and cancel the operation."""


class ComposedWorker(CallWorker, Protocol):
    """What an operation uses of its worker."""

    @property
    def custom(self) -> Router:
        """Who answers for the custom router."""

    def afterwards(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that outlives its request, and that a worker which leaves waits for."""


class ComposedRequest:
    """What an operation gets: the client's request, calls to targets, the reply.

    body: verified as far as it was read, without the framing of its transfer; once its last piece
        was read, all of it is verified.
    length: of that body.
    """

    __slots__ = ("_exchange", "_worker", "body", "length", "reply")

    def __init__(
        self, worker: ComposedWorker, exchange: ComposedExchange, body: RequestBody, length: int
    ) -> None:
        self._worker = worker
        self._exchange = exchange
        self.body = body
        self.length = length
        self.reply = ClientReply(exchange, body)

    @property
    def head(self) -> RequestHead:
        """The client's."""
        return self._exchange.head

    @property
    def admitted(self) -> Admitted:
        """What was admitted: the operation, the address, who asks, the decision."""
        return self._exchange.admitted

    @property
    def snapshot(self) -> Snapshot:
        """The configuration that the request began with."""
        return self._exchange.snapshot

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self._exchange.caller

    def served_by(self, decision: Decision) -> None:
        """Note, for the log and for who may see it, which place the answer is of."""
        self._exchange.trail.decision = decision

    def destination(self, target: str) -> Destination:
        """A target by its name, with the signer for this client. Raises S3Error."""
        caller, place = self._exchange.caller, self.snapshot.targets[target]
        if not caller.reaches(target):
            raise S3Error(ACCESS_DENIED)
        if caller is ANONYMOUS_CALLER and not place.profile.anonymous:
            raise S3Error(ACCESS_DENIED)
        signer = self.snapshot.signer(place, caller)
        if signer is None:
            raise S3Error(SERVICE_UNAVAILABLE)
        return Destination(place, signer_in_force(place, caller, signer, self._worker.snapshot))

    def call(
        self,
        request: OwnRequest,
        to: Destination,
        translation: Translation | None = None,
        named: Callable[[S3Error], S3Error] | None = None,
    ) -> Call:
        """A call to a target; use it with `async with`."""
        worker, exchange = self._worker, self._exchange
        return Call(worker, exchange, request, to, translation=translation, named=named)

    def warn(self, target: str, what: str) -> None:
        """Tell the operator what a target did."""
        log = self._worker.log
        log.event("warning", what, request_id=self._exchange.request_id, target=target)

    def afterwards(self, work: Coroutine[Any, Any, None]) -> None:
        """Have work done that outlives the request: what failed is undone at a target."""
        self._worker.afterwards(work)

    @property
    def router(self) -> Router:
        """Who answers for the custom router."""
        return self._worker.custom

    @property
    def log(self) -> WorkerLog:
        """The worker's log."""
        return self._worker.log

    @property
    def request_id(self) -> str:
        """The client's request."""
        return self._exchange.request_id

    # --- used by the frame ---

    @property
    def is_over(self) -> bool:
        """Whether the exchange has ended before the operation has."""
        return self._exchange.is_ended

    def expire(self) -> None:
        """End the exchange: the operation has passed its deadline."""
        if not self.is_over:
            self._worker.log.event(
                "warning",
                f"{self.admitted.operation.name} took longer than {DEADLINE_SECONDS:.0f} seconds",
                request_id=self._exchange.request_id,
            )
            self._exchange.refuse(S3Error(SERVICE_UNAVAILABLE, retry_after=_RETRY_AFTER))


Operation: TypeAlias = Callable[[ComposedRequest], Coroutine[Any, Any, None]]


class Composed(NamedTuple):
    """A composed operation.

    is_always: it answers each request for an operation of S3, not only those that one target alone
        cannot answer.
    """

    operation: Operation
    is_always: bool = False


Operations: TypeAlias = Mapping[str, Composed]  # by the name of S3's operation


async def run(operation: Operation, request: ComposedRequest) -> Callable[[], None]:
    """Run an operation; returns what ends its exchange. Raises S3Error."""
    deadline = asyncio.get_running_loop().call_later(DEADLINE_SECONDS, request.expire)
    failed = True
    try:
        await operation(request)
        if request.is_over:
            return _nothing
        last_step = request.reply.last_step()
        failed = False
        return last_step
    except (S3Error, CallFailed, ExceptionGroup) as failure:
        error = _error_for_client(failure)
        if request.is_over:
            return _nothing
        raise error from None
    finally:
        deadline.cancel()
        request.reply.close(failed=failed)


async def awaited(work: Awaitable[T]) -> T:
    """Await a part of a request that is no operation; a target that fails is an S3Error."""
    try:
        return await work
    except (CallFailed, ExceptionGroup) as failure:
        raise _error_for_client(failure) from None


def _error_for_client(failure: S3Error | CallFailed | ExceptionGroup[Exception]) -> S3Error:
    """The error for the client. Raises what is a defect in a group."""
    first: BaseException = failure
    while isinstance(first, BaseExceptionGroup):
        defects = first.split((S3Error, CallFailed))[1]
        if defects is not None:
            raise defects
        first = first.exceptions[0]
    if isinstance(first, S3Error):
        return first
    kind = SLOW_DOWN if isinstance(first, CallFailed) and first.overload else SERVICE_UNAVAILABLE
    return S3Error(kind, retry_after=_RETRY_AFTER)


def _nothing() -> None:
    """The exchange has ended."""
