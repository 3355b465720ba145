"""The writing half of a client's connection: answers, slow readers, and how the connection ends.

Rules: bytes that the kernel does not take wait in the transport, up to a bound, for a client that
reads at least at the minimum rate. A complete answer ends with the end of the stream and an
incomplete one with a reset, wherever it is cut, so that no client takes it for complete.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from fastpath.client.lifetime import Lifetime
from fastpath.sockets.reset import reset, reset_if_killed
from fastpath.sockets.unsent_bytes import unsent

if TYPE_CHECKING:
    from fastpath.client.worker_protocol import ConnectionWorker

_CLOSE_SECONDS = 1.0  # for a client that has got the whole answer and the end of the stream


class WritingHalf(asyncio.BufferedProtocol):
    """The writing half, with the two deadlines of the connection in the loop's seconds.

    `deadline` is for bytes that the client must send, `_send_deadline` for bytes that it must take;
    either is infinite while the connection waits for somebody else.
    """

    transport: asyncio.Transport

    def __init__(self, worker: ConnectionWorker) -> None:
        self._worker = worker
        self._limits = worker.snapshot.limits
        self.lifetime = Lifetime(self._limits, worker.now)
        self.descriptor = -1  # to splice from and to; -1 under TLS
        self.deadline = math.inf
        self._closing = False
        self._write_paused = False
        self._send_deadline = math.inf
        self._pending = 0  # bytes in the write buffer when `_send_deadline` was set

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
            self._send_deadline = math.inf

    def ends_by_closing(self) -> None:
        """Have the kernel reset the connection if the process dies within this answer."""
        reset_if_killed(self.transport, on=True)

    def abort(self) -> None:
        """Reset the connection, so that the client sees the answer broken."""
        self._closing = True
        reset(self.transport)

    def _await_reader(self) -> None:
        """Set the deadline for the client to take the write buffer."""
        self._pending = unsent(self.transport)
        self._send_deadline = self._worker.now + self._limits.send_idle_seconds

    def _expire_reader(self) -> None:
        """Reset the connection of a client that has taken too little; give others more time."""
        taken = self._pending - unsent(self.transport)
        enough = self._limits.send_idle_seconds * self._limits.minimum_rate_bytes
        if taken >= enough or (taken > 0 and self._pending <= enough):
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
        self.deadline = self._worker.now + _CLOSE_SECONDS
        if unsent(self.transport):
            return
        if not self.transport.is_closing():
            self.transport.close()
        else:
            self.transport.abort()
