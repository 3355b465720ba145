"""What exchanges use of their worker, as a Protocol: `worker.state` implements it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fastpath.composed.operation import Operations
    from fastpath.custom.client import RouterClient
    from fastpath.exchange.form_upload import FormMemory
    from fastpath.ipc.log import WorkerLog
    from fastpath.ipc.meter import Meter
    from fastpath.routing.snapshot import Route, Snapshot
    from fastpath.upstream.bucket_regions import BucketRegions
    from fastpath.upstream.credential_refresh import CredentialRefresh
    from fastpath.upstream.pool import Pool


class Worker(Protocol):
    """The state that all exchanges of one worker share."""

    snapshot: Snapshot  # in force
    log: WorkerLog
    meter: Meter
    row: memoryview  # the worker's counters
    now: float  # of the loop's clock, at most half a second old
    draining: bool
    host_id: str  # of error documents
    bucket_regions: BucketRegions
    credential_refresh: CredentialRefresh
    form_memory: FormMemory
    custom: RouterClient  # asked where the snapshot has a `custom`
    composed: Operations  # what is answered by these, and not relayed
    barred: Mapping[str, str]  # targets that get no request, and why (`upstream.breakers`)

    def next_request_id(self) -> str:
        """An id that is unique in this worker."""

    def pool(self, route: Route, target: str) -> Pool:
        """The pool of connections of a route, which a request for this target needs."""

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have a coroutine run as a task."""

    def afterwards(self, work: Coroutine[Any, Any, None]) -> None:
        """Do work that outlives its request, and that a worker which leaves waits for."""

    def count_aborted(self) -> None:
        """Count a client that left before its answer was whole."""
