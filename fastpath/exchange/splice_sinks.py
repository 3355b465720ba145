"""What a spliced body is written to: the client's socket for an answer, the target's for a request.

Rules: bytes that the kernel moved are counted like bytes that were copied; the side whose peer is
slow is told, because that side's deadline counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fastpath.ipc.counters import Slot

if TYPE_CHECKING:
    from fastpath.exchange.client_protocol import Client
    from fastpath.upstream.lessee import Connection


class Spliced(Protocol):
    """The exchange whose bodies are spliced."""

    bytes_out: int

    def request_moved(self, count: int) -> None:
        """Count body bytes that the kernel moved."""


class AnswerSink:
    """The client of an exchange whose answer is spliced."""

    __slots__ = ("_client", "_exchange", "_row", "descriptor")

    def __init__(self, exchange: Spliced, client: Client, row: memoryview) -> None:
        self.descriptor = client.descriptor
        self._exchange = exchange
        self._client = client
        self._row = row

    def flushed(self) -> bool:
        """Whether the client's socket may be spliced into: no byte written before still waits."""
        return self._client.flushed()

    def moved(self, count: int) -> None:
        """Count bytes that the kernel moved to the client."""
        self._row[Slot.SPLICED] += count
        self._exchange.bytes_out += count

    def set_paused(self, *, paused: bool) -> None:
        """Note that the client has stopped to take bytes, or takes them again."""
        self._client.sink_paused(paused=paused)

    def broken(self) -> None:
        """Reset the client's connection: its transport may not have noticed the break."""
        self._client.abort()


class RequestSink:
    """The target of an exchange whose request body is spliced."""

    __slots__ = ("_exchange", "_row", "_upstream", "descriptor")

    def __init__(self, exchange: Spliced, upstream: Connection, row: memoryview) -> None:
        self.descriptor = upstream.descriptor
        self._exchange = exchange
        self._upstream = upstream
        self._row = row

    def flushed(self) -> bool:
        """Whether the target's socket may be spliced into: no byte written before still waits."""
        return self._upstream.flushed()

    def moved(self, count: int) -> None:
        """Count bytes that the kernel moved to the target."""
        self._row[Slot.SPLICED] += count
        self._exchange.request_moved(count)

    def set_paused(self, *, paused: bool) -> None:
        """Note that the target has stopped to take bytes, or takes them again."""
        self._upstream.expect_taking(paused=paused)

    def broken(self) -> None:
        """Leave it to the target's transport, which reports the break itself."""
