"""Ends what a program has chosen for the sockets that share an address: the kernel's hash does."""

from __future__ import annotations

import contextlib
import socket

_SO_DETACH_REUSEPORT_BPF = 68  # asm-generic/socket.h


def choose_by_hash(listener: socket.socket) -> None:
    """Take away the program that a drain attached to the group of a listening socket."""
    with contextlib.suppress(OSError):  # there is none
        listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)
