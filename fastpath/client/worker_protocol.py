"""What client connections and their worker use of each other, as two Protocols.

`client.connection` implements one, `worker.state` the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fastpath.exchange.worker_protocol import Worker

if TYPE_CHECKING:
    import asyncio

    from fastpath.client.pipelining import Turns
    from fastpath.exchange.exchange import Exchange
    from fastpath.sockets.outbox import Outbox
    from fastpath.sockets.splice import Splicer


class Connection(Protocol):
    """One client connection, as its worker knows it."""

    transport: asyncio.Transport
    exchange: Exchange | None  # the one that runs

    def sweep(self, now: float) -> None:
        """End what is past its deadline; called about twice a second."""

    def drain(self) -> None:
        """Shorten the deadline of an idle connection: the worker drains."""

    def abort(self) -> None:
        """Reset the connection, so that the client sees the answer broken."""


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

    def enter(self, connection: Connection) -> bool:
        """Register a connection; False if the worker has as many as it may."""

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
