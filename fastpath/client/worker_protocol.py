"""What client connections use of their worker, as a Protocol: `worker.state` implements it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fastpath.exchange.worker_protocol import Worker

if TYPE_CHECKING:
    from fastpath.client.connection import ClientConnection
    from fastpath.client.pipelining import Turns
    from fastpath.sockets.outbox import Outbox
    from fastpath.sockets.splice import Splicer


class ConnectionWorker(Worker, Protocol):
    """The state that all connections of one worker share."""

    outbox: Outbox
    splicer: Splicer | None  # None: every body is copied
    turns: Turns

    @property
    def full(self) -> bool:
        """Whether the next client would be turned away."""

    @property
    def overfull(self) -> bool:
        """Whether a refused client cannot even be given time to read its refusal."""

    def enter(self, connection: ClientConnection) -> bool:
        """Register a connection; False if the worker has as many as it may."""

    def leave(self, connection: ClientConnection) -> None:
        """Forget a connection that is closed."""
