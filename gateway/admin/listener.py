"""Binds the admin plane's address to a socket that outlives control.

Rules: the sockets are the supervisor's (`supervisor.sockets.admin_pair`); a replaced control finds
its address bound, and clients that connected meanwhile in the queue.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Final

_BACKLOG: Final = 128


class ListenError(Exception):
    """The address cannot be listened on; the text is for the operator."""

    def __init__(self, text: str, *, in_use: bool = False) -> None:
        super().__init__(text)
        self.in_use = in_use  # by another process


def listen(sockets: Sequence[socket.socket], address: tuple[str, int]) -> socket.socket:
    """Returns the listening socket, bound now or by an earlier control. Raises ListenError."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    listener = next((one for one in sockets if one.family == family), None)
    if listener is None:
        raise ListenError(f"cannot listen on {shown}: this machine lacks the address family")
    if not _is_bound(listener):
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            text = f"cannot listen on {shown}: {error.strerror}"
            raise ListenError(text, in_use=error.errno == errno.EADDRINUSE) from error
    return listener


def _is_bound(listener: socket.socket) -> bool:
    return bool(listener.getsockname()[1])


def url(listener: socket.socket, *, tls: bool) -> str:
    """Returns the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"
