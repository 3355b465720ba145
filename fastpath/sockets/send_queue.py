"""How much of what was written has not reached the peer, and how much of that the kernel takes.

Rules: the kernel's queue counts, and acknowledgements empty it, not writes. A TLS transport keeps
its last bytes where `get_write_buffer_size` does not see them, but only while the kernel's queue is
full, so that 0 means delivered on every transport. Of what cannot be sent to a slow client the
kernel takes a bounded part; what is on its way is not bounded, so that long paths keep their speed.

Not here: what is done about a peer that takes nothing (`downstream`).
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import socket
import termios

# The kernel's own bound is tcp_wmem, 4 MiB for each connection, all charged to the container. Twice
# a wide pipe costs no CPU: GET 64 MiB 17.4 / 17.5 ms. 1 MiB (a third of the buffers' memory) costs
# 17.3 -> 19.4 ms. Uploads have no bound: 1 MiB towards a store took 16 -> 28 ms.
UNSENT_BYTES = 2097152

_OUTQ = termios.TIOCOUTQ  # the same number as SIOCOUTQ (tcp(7))


def unsent(transport: asyncio.Transport) -> int:
    """Bytes, the kernel's included; those of a socket that is closed do not count."""
    queued = array.array("i", [0])
    connection = transport.get_extra_info("socket")  # a TLS transport loses it before it is told
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(-1 if connection is None else connection.fileno(), _OUTQ, queued)
    return transport.get_write_buffer_size() + queued[0]


def bound_unsent(connection: socket.socket) -> None:
    """Let the kernel take no more of what cannot be sent; what a listener accepts inherits it."""
    with contextlib.suppress(OSError):  # not of TCP, or gone
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
