"""How much of what was written has not reached the peer.

Rules: the kernel's queue counts, and acknowledgements empty it, not writes. A TLS transport keeps
its last bytes where `get_write_buffer_size` does not see them, but only while the kernel's queue is
full, so that 0 means delivered on every transport.

Not here: what is done about a peer that takes nothing (`downstream`).
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import termios

_OUTQ = termios.TIOCOUTQ  # the same number as SIOCOUTQ (tcp(7))


def unsent(transport: asyncio.Transport) -> int:
    """Bytes, the kernel's included; those of a socket that is closed do not count."""
    queued = array.array("i", [0])
    connection = transport.get_extra_info("socket")  # a TLS transport loses it before it is told
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(-1 if connection is None else connection.fileno(), _OUTQ, queued)
    return transport.get_write_buffer_size() + queued[0]
