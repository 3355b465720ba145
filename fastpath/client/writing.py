"""The writing half of a client's connection: answers out, the time to take them, how it ends.

Rules: what the kernel cannot take waits in the transport, up to a bound, for a client that reads,
however slowly, above the minimum rate; an answer that is whole ends with the end of the stream, one
that is not with a reset, wherever it is cut, so that no client takes it for whole.

Not here: reading, and when a connection ends (`downstream`).
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from fastpath.client.lifetime import Lifetime
from fastpath.sockets.reset import reset, reset_if_killed
from fastpath.sockets.send_queue import unsent

if TYPE_CHECKING:
    from fastpath.worker.state import Service

_GOODBYE = 1.0  # seconds a client that was told of the end, and has everything, may take to close


class WritingHalf(asyncio.BufferedProtocol):
    """Two deadlines, in the loop's monotonic seconds, infinite when somebody else is waited for.

    `deadline` is for what the client is to send, `_send_deadline` for what it is to take.
    """

    transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self._service = service
        self._limits = service.snapshot.limits
        self.lifetime = Lifetime(self._limits, service.now)
        self.descriptor = -1  # to splice from and to; -1 under TLS
        self.deadline = math.inf
        self._closing = False
        self._write_paused = False
        self._send_deadline = math.inf
        self._pending = 0  # bytes in the write buffer when that was set

    def send(self, data: bytes, more: bytes = b"") -> None:
        """Write answer bytes, `more` after `data`."""
        self._service.outbox.write(self.transport, self.descriptor, data, more)

    def flushed(self) -> bool:
        """Whether its socket may be spliced into: nothing that was written waits."""
        return self._service.outbox.flushed(self.transport)

    def sink_stuck(self, *, stuck: bool) -> None:
        """It takes nothing of what is spliced into it, or does again."""
        if stuck:
            self._await_reader()
        else:
            self._send_deadline = math.inf

    def ends_by_closing(self) -> None:
        """What is written from now on looks whole whenever the stream ends."""
        reset_if_killed(self.transport, on=True)

    def abort(self) -> None:
        """Reset the connection: what was sent so far must not look whole."""
        self._closing = True
        reset(self.transport)

    def _await_reader(self) -> None:
        """Give the client time to take what is in the write buffer."""
        self._pending = unsent(self.transport)
        self._send_deadline = self._service.now + self._limits.send_idle_seconds

    def _expire_reader(self) -> None:
        """A client that has taken too little has left, or is as good as gone."""
        taken = self._pending - unsent(self.transport)
        enough = self._limits.send_idle_seconds * self._limits.minimum_rate_bytes
        if taken >= enough or (taken > 0 and self._pending <= enough):
            self._await_reader()
        else:
            self.abort()

    def _end_stream(self, *, told: bool) -> bool:
        """Send the end of the stream after what was written; whether to wait for the client's.

        `told`: the answer says where it ends. Another one is ended by the end of the stream, and
        TLS has only one, for both directions.
        """
        self._service.outbox.push(self.transport)
        self._await_reader()
        if not told:
            reset_if_killed(self.transport, on=False)
        if self.transport.can_write_eof():
            try:
                self.transport.write_eof()
            except OSError:  # reset by the client meanwhile
                self.transport.abort()
                return False
        elif not told:
            self.transport.close()
            return False
        return True

    def _hang_up(self) -> None:
        """Close, once the client has everything; a slow reader has its own deadline until then.

        What is closed cannot be reset any more. A TLS transport would then wait for the client's
        own goodbye, however long.
        """
        self.deadline = self._service.now + _GOODBYE
        if unsent(self.transport):
            return
        if not self.transport.is_closing():
            self.transport.close()
        else:
            self.transport.abort()
