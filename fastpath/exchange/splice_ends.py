"""The two ends that a flow may fill: the client with the answer, the target with the request.

Rules: what the kernel moved is counted as if it had been copied; who is slow is told to the side
whose time it costs.

Not here: moving (`splice`), when it may begin (`exchange` gives a sink, or none).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.ipc.counters import Slot

if TYPE_CHECKING:
    from fastpath.exchange.client_side import Client
    from fastpath.exchange.exchange import Exchange
    from fastpath.upstream.connection import UpstreamConnection


class AnswerSink:
    """The client of an exchange whose answer flows."""

    __slots__ = ("_client", "_exchange", "_row", "descriptor")

    def __init__(self, exchange: Exchange, client: Client, row: memoryview) -> None:
        self.descriptor = client.descriptor
        self._exchange = exchange
        self._client = client
        self._row = row

    def flushed(self) -> bool:
        """Whether the client's socket may be spliced into: nothing that was written waits."""
        return self._client.flushed()

    def moved(self, count: int) -> None:
        """The client has so many bytes more."""
        self._row[Slot.SPLICED] += count
        self._exchange.bytes_out += count

    def stuck(self, *, stuck: bool) -> None:
        """The client takes nothing for now, or does again."""
        self._client.sink_stuck(stuck=stuck)

    def broken(self) -> None:
        """The client's connection broke; its transport may not have noticed."""
        self._client.abort()


class RequestSink:
    """The target of an exchange whose request is sent."""

    __slots__ = ("_exchange", "_row", "_upstream", "descriptor")

    def __init__(self, exchange: Exchange, upstream: UpstreamConnection, row: memoryview) -> None:
        self.descriptor = upstream.descriptor
        self._exchange = exchange
        self._upstream = upstream
        self._row = row

    def flushed(self) -> bool:
        """Whether the target's socket may be spliced into: nothing that was written waits."""
        return self._upstream.flushed()

    def moved(self, count: int) -> None:
        """The target has so many bytes more."""
        self._row[Slot.SPLICED] += count
        self._exchange.request_moved(count)

    def stuck(self, *, stuck: bool) -> None:
        """The target takes nothing for now, or does again."""
        self._upstream.expect_taking(stuck=stuck)
