"""Measures and bounds the bytes that were written to a socket and have not reached the peer.

Rules: the kernel's send queue counts, and acknowledgements empty it, not writes. A TLS transport
keeps its last bytes where `get_write_buffer_size` does not see them, but only while the kernel's
queue is full, so 0 means delivered on every transport. The kernel takes a bounded part of the bytes
that a slow client has no window for; bytes in flight are not bounded, so that long paths stay fast.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import socket
import termios

# The kernel's own bound is tcp_wmem: 4 MiB for each connection, charged to the container. Twice the
# size of a wide pipe costs no CPU: GET 64 MiB 17.4 / 17.5 ms. 1 MiB (a third of the buffers'
# memory) costs 17.3 -> 19.4 ms. Uploads have no bound: 1 MiB towards a store took 16 -> 28 ms.
UNSENT_BYTES = 2097152

_OUTQ = termios.TIOCOUTQ  # the same number as SIOCOUTQ (tcp(7))


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that have not reached the peer, the kernel's included; 0 for a closed socket."""
    queued = array.array("i", [0])
    connection = transport.get_extra_info("socket")  # None once a TLS transport is closed
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(-1 if connection is None else connection.fileno(), _OUTQ, queued)
    return transport.get_write_buffer_size() + queued[0]


def bound_unsent(connection: socket.socket) -> None:
    """Bound the unsent bytes in the kernel; accepted connections inherit it from a listener."""
    with contextlib.suppress(OSError):  # not of TCP, or gone
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
