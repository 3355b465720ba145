"""Bytes out: into the kernel at once, but for small messages that come many in a turn of the loop.

Rules: the bytes of one transport go out in the order in which they were written. What is large is
written at once, so that a splice may begin in the same turn (`splice`), and so is what comes first
in a turn: its peer works while this process goes on. Small messages after it wait for the end of
the turn: peers sleep while this process works, and one that was woken for the first of several is
awake for the others. Waking was a sixth of a small request (docs/adr/0006-small-requests.md).

While a transport keeps anything back, all goes to it; what the kernel does not take, and what it
refuses, is left to it, and it tells its protocol of a slow peer or a broken connection as ever. The
transports of TLS have no descriptor here.

Not here: what is written.
"""

from __future__ import annotations

import asyncio
import os

_SMALL_BYTES = 81920  # a head and 64 KiB
_MOST = 8  # messages that wait, the first for the time that the others take (ADR 6 has others)


class Outbox:
    """The writing of one worker's connections.

    `descriptor` is that of a transport's socket, or -1. Whoever closes a transport in an orderly
    way pushes it before; what waits for one that broke, or was broken off, is dropped.
    """

    __slots__ = ("_in_turn", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._in_turn = False  # something small was written in this turn of the loop
        self._waiting: dict[asyncio.Transport, tuple[int, bytes, bytes]] = {}

    def write(
        self, transport: asyncio.Transport, descriptor: int, data: bytes, more: bytes = b""
    ) -> None:
        """Write `data` and then `more`, now or at the end of this turn."""
        waiting = self._waiting
        if transport in waiting:  # rare: a second message in one turn
            self.push(transport)
        if descriptor >= 0 and len(data) + len(more) <= _SMALL_BYTES:
            if self._in_turn:
                waiting[transport] = (descriptor, data, more)
                if len(waiting) >= _MOST:
                    self.flush()
                return
            self._in_turn = True
            self._loop.call_soon(self._end_turn)
        _write(transport, descriptor, data, more)

    def _end_turn(self) -> None:
        self._in_turn = False
        self.flush()

    def push(self, transport: asyncio.Transport) -> None:
        """Write what waits for this transport."""
        waits = self._waiting.pop(transport, None)
        if waits is not None:
            _write(transport, *waits)

    def flush(self) -> None:
        """Write all that waits."""
        waiting, self._waiting = self._waiting, {}
        for transport, waits in waiting.items():
            _write(transport, *waits)

    def flushed(self, transport: asyncio.Transport) -> bool:
        """Whether nothing waits in the process, so that its socket may be written to.

        Never of one that is closing, as it is from the moment that a write failed: its socket is
        closed before its protocol is told, and the descriptor may be another's.
        """
        self.push(transport)
        return not transport.is_closing() and not transport.get_write_buffer_size()


def _write(transport: asyncio.Transport, descriptor: int, data: bytes, more: bytes) -> None:
    if transport.is_closing():  # its descriptor may be another connection's by now
        return
    if descriptor < 0 or transport.get_write_buffer_size():
        transport.write(data + more)
        return
    try:
        sent = os.writev(descriptor, (data, more)) if more else os.write(descriptor, data)
    except OSError:  # it takes nothing now, or is broken: the transport finds out
        sent = 0
    if sent < len(data) + len(more):
        transport.write((data + more)[sent:])
