"""The writing half of a client's connection: answers, slow readers, and how the connection ends.

Rules: bytes that the kernel does not take wait in the transport, up to a bound, for a client that
reads at least at the minimum rate. A complete answer ends with the end of the stream and an
incomplete one with a reset, wherever it is cut, so that no client takes it for complete.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastpath.client.deadlines import Deadlines
from fastpath.client.lifetime import Lifetime
from fastpath.client.states import CLOSE, IDLE, after
from fastpath.sockets.reset import reset, reset_if_killed
from fastpath.sockets.unsent_bytes import unsent

if TYPE_CHECKING:
    from fastpath.client.worker_protocol import ConnectionWorker


class WritingHalf(asyncio.BufferedProtocol):
    """The writing half, with what both halves share: transport, state, deadlines."""

    transport: asyncio.Transport

    def __init__(self, worker: ConnectionWorker) -> None:
        self._worker = worker
        self._limits = worker.snapshot.limits
        self.lifetime = Lifetime(self._limits, worker.now)
        self.descriptor = -1  # to splice from and to; -1 under TLS
        self.state = IDLE
        self.deadlines = Deadlines(self._limits)
        self._write_paused = False  # the client takes no more bytes, whatever the state

    def send(self, data: bytes, more: bytes = b"") -> None:
        """Write answer bytes, `more` after `data`."""
        self._worker.outbox.write(self.transport, self.descriptor, data, more)

    def flushed(self) -> bool:
        """Whether the socket may be spliced into: no byte written before still waits."""
        return self._worker.outbox.flushed(self.transport)

    def sink_paused(self, *, paused: bool) -> None:
        """Start the client's deadline while it takes no spliced bytes, or stop it."""
        if paused:
            self._await_reader()
        else:
            self.deadlines.reader_done()

    def ends_by_closing(self) -> None:
        """Have the kernel reset the connection if the process dies within this answer."""
        reset_if_killed(self.transport, on=True)

    def abort(self) -> None:
        """Reset the connection, so that the client sees the answer broken."""
        self.state = after(self.state, CLOSE)
        reset(self.transport)

    def _await_reader(self) -> None:
        """Set the deadline for the client to take what was written."""
        self.deadlines.await_reader(self._worker.now, unsent(self.transport))

    def _expire_reader(self) -> None:
        """Reset the connection of a client that has taken too little; give others more time."""
        if self.deadlines.took_enough(unsent(self.transport)):
            self._await_reader()
        else:
            self.abort()

    def _end_stream(self, *, framed: bool) -> bool:
        """Send the end of the stream after the answer; whether to wait for the client's end.

        `framed`: the answer says itself where it ends. Any other answer ends with the stream, and
        under TLS both directions end together.
        """
        self._worker.outbox.push(self.transport)
        self._await_reader()
        if not framed:
            reset_if_killed(self.transport, on=False)
        if self.transport.can_write_eof():
            try:
                self.transport.write_eof()
            except OSError:  # reset by the client meanwhile
                self.transport.abort()
                return False
        elif not framed:
            self.transport.close()
            return False
        return True

    def _close_when_taken(self) -> None:
        """Close once the client has got everything; a slow reader has its own deadline.

        A closed connection cannot be reset any more, and a closed TLS transport would wait for the
        client's close_notify for ever.
        """
        self.deadlines.await_close(self._worker.now)
        if unsent(self.transport):
            return
        if not self.transport.is_closing():
            self.transport.close()
        else:
            self.transport.abort()
