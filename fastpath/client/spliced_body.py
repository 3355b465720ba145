"""The rest of a request's body on its way through the kernel, from the client to its target.

Rules: the flow reads the client's socket, so the transport does not. Bytes that the kernel moved
are counted like bytes that were copied; the side that is slow has the deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fastpath.client.reading import SPLICED

if TYPE_CHECKING:
    from fastpath.client.deadlines import Deadlines
    from fastpath.client.reading import Reading
    from fastpath.client.worker_protocol import ConnectionWorker
    from fastpath.sockets.splice import Flow, Sink, Splicer


class BodySource(Protocol):
    """The client's connection, as far as its body is concerned."""

    descriptor: int
    unread: int  # bytes of the body that have not come yet
    spliced: SplicedBody | None
    deadlines: Deadlines
    reading: Reading

    def abort(self) -> None:
        """Reset the connection."""

    def crash(self, fault: Exception) -> None:
        """Handle a defect of the gateway."""


class SplicedBody:
    """The rest of one body; the owner of its flow."""

    __slots__ = ("_client", "_flow", "_sink", "_worker")

    def __init__(self, client: BodySource, sink: Sink, worker: ConnectionWorker) -> None:
        self._client = client
        self._sink = sink
        self._worker = worker
        self._flow: Flow

    def begin(self, splicer: Splicer) -> None:
        """Move what can be moved now, and go on whenever there is more; nothing without a pipe."""
        client = self._client
        flow = splicer.begin(client.descriptor, self._sink.descriptor, client.unread, self)
        if flow is None:
            return
        self._flow = flow
        client.spliced = self
        flow.pump()
        if not flow.over:
            client.reading.pause(SPLICED)

    def stop(self) -> None:
        """Stop splicing: what is left of the body is copied, or discarded."""
        self._client.spliced = None
        self._flow.stop()
        self._client.unread = self._flow.left

    # --- sockets.splice.Owner ---

    def flow_moved(self, count: int) -> None:
        """Count body bytes that the kernel moved."""
        self._client.unread -= count
        self._client.deadlines.body_came(self._worker.now, count)
        self._sink.moved(count)

    def flow_paused(self) -> None:
        """Stop the client's deadline: the target is slower."""
        self._client.deadlines.await_others()
        self._sink.set_paused(paused=True)

    def flow_resumed(self) -> None:
        """Start the client's deadline anew: the target takes bytes again."""
        self._client.deadlines.await_body(self._worker.now)
        self._sink.set_paused(paused=False)

    def flow_done(self) -> None:
        """Read on: the whole body is with the target."""
        self._client.spliced = None
        self._client.deadlines.await_others()
        self._client.reading.resume(SPLICED)

    def flow_broken(self, reason: str, *, source: bool) -> None:
        """End: the client left, or the target's connection broke, which ends the exchange."""
        self._client.spliced = None
        if source:
            self._client.abort()
        else:
            self._sink.broken()

    def crash(self, fault: Exception) -> None:
        """Handle a defect of the gateway that showed in the flow."""
        self._client.crash(fault)
