"""Resets connections, so that the peer cannot mistake a broken message for a complete one.

Rules: a body that ends with the stream, or a request of which only the head went out, looks
complete to some peers when the stream ends with FIN (SeaweedFS stores an empty object then). A
reset never does.
"""

from __future__ import annotations

import asyncio
import socket
import struct

# l_onoff 1, l_linger 0: close() sends RST and drops what is not sent yet (socket(7)).
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_END_ON_CLOSE = struct.pack("ii", 0, 0)


def reset(transport: asyncio.Transport) -> None:
    """Close at once, by RST; nothing if the transport is closing already."""
    connection = transport.get_extra_info("socket")  # None once a TLS transport is closed
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


def reset_if_killed(transport: asyncio.Transport, *, on: bool) -> None:
    """Let the kernel end it by RST, or by FIN again, whoever closes it: this process may be killed.

    Before an answer that ends with its stream, and after it.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        option = _RESET_ON_CLOSE if on else _END_ON_CLOSE
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
