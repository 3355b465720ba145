"""Writes bytes to sockets at once, except that small messages of one loop iteration are batched.

Rules: the bytes of one transport go out in the order in which they were written. A large message is
written at once, so that a splice may begin in the same iteration, and so is the first small message
of an iteration: its peer works while this process goes on. Later small messages wait for the end of
the iteration: peers sleep meanwhile, and a peer that was woken for the first of several messages is
awake for the others. Waking peers took a sixth of a small request's CPU (ADR 6).

While a transport has bytes buffered, all bytes go to it. Bytes that the kernel does not take go to
the transport too, which tells its protocol of a slow peer or a broken connection as usual.
Transports of TLS have no descriptor here.
"""

from __future__ import annotations

import asyncio
import os

_SMALL_BYTES = 81920  # a head and 64 KiB
_MOST = 8  # messages that wait in one iteration (ADR 6 compares other numbers)


class Outbox:
    """The outgoing messages of one worker.

    `descriptor` is that of the transport's socket, or -1. The owner pushes a transport before it
    closes it; messages of a transport that broke or was aborted are dropped.
    """

    __slots__ = ("_in_iteration", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._in_iteration = False  # a small message was written in this iteration
        self._waiting: dict[asyncio.Transport, tuple[int, bytes, bytes]] = {}

    def write(
        self, transport: asyncio.Transport, descriptor: int, data: bytes, more: bytes = b""
    ) -> None:
        """Write `data` and then `more`, now or at the end of this iteration."""
        waiting = self._waiting
        if transport in waiting:  # rare: its second message in one iteration
            self.push(transport)
        if descriptor >= 0 and len(data) + len(more) <= _SMALL_BYTES:
            if self._in_iteration:
                waiting[transport] = (descriptor, data, more)
                if len(waiting) >= _MOST:
                    self.flush()
                return
            self._in_iteration = True
            self._loop.call_soon(self._end_iteration)
        _write(transport, descriptor, data, more)

    def _end_iteration(self) -> None:
        self._in_iteration = False
        self.flush()

    def push(self, transport: asyncio.Transport) -> None:
        """Write the message that waits for this transport."""
        waits = self._waiting.pop(transport, None)
        if waits is not None:
            _write(transport, *waits)

    def flush(self) -> None:
        """Write all messages that wait."""
        waiting, self._waiting = self._waiting, {}
        for transport, waits in waiting.items():
            _write(transport, *waits)

    def flushed(self, transport: asyncio.Transport) -> bool:
        """Whether no byte waits in the process, so that the socket may be written to directly.

        False for a transport that is closing, which it is from the moment that a write failed: its
        socket is closed before its protocol is told, and the descriptor may be another's.
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
    except OSError:  # full or broken: the transport finds out
        sent = 0
    if sent < len(data) + len(more):
        transport.write((data + more)[sent:])
