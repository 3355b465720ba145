"""Coroutines before the lease: what must be known before a request is sent.

Rules: a coroutine asks and records, and leaves the exchange as it is; it raises the S3Error that
the client gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.ipc.log import Logged
from fastpath.signing.sigv4.sign import Signer
from fastpath.upstream import call
from fastpath.upstream.bucket_regions import Destination
from fastpath.upstream.credential_refresh import Refused

if TYPE_CHECKING:
    from fastpath.dialects.translation import Translation
    from fastpath.exchange.worker_protocol import Worker
    from fastpath.request.admitted import Admitted
    from fastpath.routing.identities import Caller
    from fastpath.routing.snapshot import Snapshot, Target


class Prepared(Logged, Protocol):
    """The exchange whose request is prepared."""

    admitted: Admitted
    snapshot: Snapshot

    @property
    def caller(self) -> Caller:
        """Who sent it."""

    @property
    def home(self) -> Target:
        """Its target as the configuration has it."""

    @property
    def trace(self) -> Sequence[tuple[bytes, bytes]]:
        """The headers that say which trace it is part of."""

    def holder(self) -> str:
        """Whose share of connections it takes from."""


async def find_region(exchange: Prepared, worker: Worker) -> None:
    """Ask where the bucket of an upload is: a body that has begun cannot be sent again."""
    home = Destination(exchange.home, exchange.admitted.signer)
    bucket = exchange.admitted.upstream_address.bucket
    await call.find_region(worker, exchange, exchange, home, bucket)


async def ask_first(exchange: Prepared, worker: Worker, translation: Translation) -> None:
    """Ask what the translation must know."""
    question = translation.first_question
    if question is None:
        return
    admitted = exchange.admitted
    to = Destination(admitted.target, admitted.signer)
    try:
        reply = await call.reply_to(worker, exchange, question, to)
    except call.CallFailed as failure:
        worker.log.target_failed(exchange, f"gave no answer to a question: {failure.reason}")
        raise S3Error(SERVICE_UNAVAILABLE, retry_after=1) from None
    translation.on_first_reply(reply)


async def find_other_signer(exchange: Prepared, worker: Worker) -> Signer:
    """Wait for other credentials than those that the target refused."""
    refused = exchange.admitted.signer
    assert isinstance(refused, Signer)  # an unsigned request has no signature to refuse
    signer = await worker.credential_refresh.other_signer(
        Refused(exchange.home, exchange.caller, refused), worker.snapshot
    )
    if signer is None:
        raise S3Error(SERVICE_UNAVAILABLE, retry_after=1)
    return signer
