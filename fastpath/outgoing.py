"""Bytes out: into the kernel at once where nothing waits before them, else to the transport.

Rules: while a transport keeps anything back, all goes to it, so that the order is one; what the
kernel does not take, and what it refuses, is left to the transport, which tells its protocol of a
slow peer or a broken connection as ever. The transports of TLS have no descriptor here. The loop
would write at the end of its turn: doing it now lets a splice begin now (`splice`), without pausing
its source (PUT and GET of 1 MiB in `make bench`: docs/adr/0005-splice.md has the figures).

Not here: what is written.
"""

from __future__ import annotations

import asyncio
import os


def write(transport: asyncio.Transport, descriptor: int, data: bytes, more: bytes = b"") -> None:
    """Write `data` and then `more`; `descriptor` is that of the transport's socket, or -1."""
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


def flushed(transport: asyncio.Transport) -> bool:
    """Whether nothing that was written waits in the process, so that its socket may be written to.

    Never of one that is closing, as it is from the moment that a write failed: its socket is closed
    before its protocol is told, and the descriptor may be another's.
    """
    return not transport.is_closing() and not transport.get_write_buffer_size()
