"""Finds the listening sockets of another gateway at the same address, and gives it new connections.

The kernel chooses among the sockets of a group (SO_REUSEPORT) by a hash. A program attached to the
group chooses instead, by the place of a socket in the group: those that listen first stand first.

Rules: it is about delay and never about loss, so whatever cannot be found out is left to the hash,
and to the filter that a drain puts on its own sockets (`sockets.refuse_new`): a client whose SYN
was dropped sends it again a second later. The worker that closes its socket takes the program away.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from gateway.supervisor.sockets import Endpoint

_SO_ATTACH_REUSEPORT_CBPF: Final = 51  # asm-generic/socket.h

_TABLES: Final = {socket.AF_INET: Path("/proc/net/tcp"), socket.AF_INET6: Path("/proc/net/tcp6")}
_LISTEN: Final = "0A"


class Neighbours:
    """The listening sockets of others at one address, before and since this gateway's."""

    def __init__(self, endpoint: Endpoint, listeners: Sequence[socket.socket]) -> None:
        self._endpoint = endpoint
        self._earlier = listening(endpoint) - inodes(listeners)

    def prefer(self, listeners: Sequence[socket.socket]) -> bool:
        """Gives new connections to the others; whether there are any, and it is known where."""
        own = inodes(listeners)
        others = listening(self._endpoint) - own
        if not others or not own:
            return False
        if others <= self._earlier:
            first = 0
        elif others.isdisjoint(self._earlier):
            first = len(own)
        else:
            return False
        return _attach(listeners[0], first, len(others))


def inodes(listeners: Sequence[socket.socket]) -> set[int]:
    """Returns the numbers by which /proc names these sockets."""
    return {os.fstat(listener.fileno()).st_ino for listener in listeners}


def listening(endpoint: Endpoint) -> set[int]:
    """Returns the numbers of all sockets that listen at an address; none if that is not shown."""
    wanted = f"{_hexadecimal(endpoint)}:{endpoint.port:04X}"
    found = set()
    with contextlib.suppress(OSError, ValueError, IndexError), _table(endpoint) as table:
        next(table)
        for line in table:
            fields = line.split()
            if fields[3] != _LISTEN:
                break  # those that listen come first, and there may be many others
            if fields[1] == wanted:
                found.add(int(fields[9]))
    return found


def _table(endpoint: Endpoint) -> TextIO:
    return _TABLES[socket.AddressFamily(endpoint.family)].open(encoding="ascii")


def _hexadecimal(endpoint: Endpoint) -> str:
    packed = socket.inet_pton(endpoint.family, endpoint.host.partition("%")[0])
    return "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", packed))


def _attach(listener: socket.socket, first: int, count: int) -> bool:
    """Has the kernel choose among `count` sockets of a group, of which `first` is the first."""
    steps = (
        (0x20, 0, 0, 0xFFFFF000 + 56),  # A = a random number
        (0x94, 0, 0, count),  # A %= count
        (0x04, 0, 0, first),  # A += first
        (0x16, 0, 0, 0),  # return A
    )
    program = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in steps))
    address, _ = program.buffer_info()
    option = struct.pack("@HP", len(steps), address)
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, option)
    except OSError:
        return False  # a sandbox without it
    return True
