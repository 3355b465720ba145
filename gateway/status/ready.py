"""Finds the addresses that a gateway's workers listen on, and asks each whether it is ready.

Rules: the addresses are the kernel's, so that neither control nor a configuration is asked; the
probe is `/-/readyz`; the admin plane, which no worker serves, does not count.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

PROBE: Final = b"GET /-/readyz HTTP/1.1\r\nhost: s3gateway\r\nconnection: close\r\n\r\n"

_WORKER_NAME: Final = "s3gw worker"
_LISTENS: Final = "0A"  # TCP_LISTEN in the kernel's table
_ANSWER_BYTES: Final = 4096
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")
_WORKERS: Final = re.compile(rb"HTTP/1\.1 (200|503) .*?\r\n\r\n([^\r\n<{]*)\n", re.DOTALL)
_WANTS_TLS: Final = re.compile(rb"HTTP/1\.1 400 ")  # what a worker answers to http where it has TLS


class Listening(NamedTuple):
    """An address that a process listens on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Readiness(NamedTuple):
    """What a worker answers there; `reason`: why it is not ready."""

    listening: Listening
    ready: bool
    reason: str = ""


def listening(supervisor: int) -> list[Listening]:
    """Returns the TCP addresses that workers listen on. Raises OSError."""
    held = {inode for worker in _workers(supervisor) for inode in _sockets_of(worker)}
    found = [
        (Listening(_host(row[1]), int(row[1].rpartition(":")[2], 16)), row[9])
        for name in ("tcp", "tcp6")
        for row in _rows(Path(f"/proc/{supervisor}/net/{name}"))
        if row[3] == _LISTENS
    ]
    return list(dict.fromkeys(address for address, inode in found if inode in held))


def _workers(supervisor: int) -> Iterator[int]:
    """Yields the workers; without a list of children (CONFIG_PROC_CHILDREN) the supervisor."""
    try:
        children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    except FileNotFoundError:
        yield supervisor
        return
    for child in map(int, children):
        with contextlib.suppress(OSError):  # it has ended
            if Path(f"/proc/{child}/comm").read_text().startswith(_WORKER_NAME):
                yield child


def _sockets_of(pid: int) -> Iterator[str]:
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return  # it has ended
    for name in names:
        with contextlib.suppress(OSError):  # it was closed meanwhile
            if match := _SOCKET.match(os.readlink(f"{directory}/{name}")):
                yield match[1]


def _rows(file: Path) -> Iterator[list[str]]:
    with contextlib.suppress(FileNotFoundError):  # no IPv6
        yield from (line.split() for line in file.read_text().splitlines()[1:])


def _host(word: str) -> str:
    """Returns the address to connect to: loopback for one that stands for every address."""
    raw = bytes.fromhex(word.partition(":")[0])
    words = struct.unpack(f"={len(raw) // 4}I", raw)
    packed = struct.pack(f">{len(words)}I", *words)
    family = socket.AF_INET6 if len(packed) == 16 else socket.AF_INET
    if not any(packed):
        return "::1" if family == socket.AF_INET6 else "127.0.0.1"
    return socket.inet_ntop(family, packed)


def readiness(addresses: list[Listening], seconds: float) -> list[Readiness]:
    """Asks every address within so many seconds; one where no worker answers is left out."""
    deadline = time.monotonic() + seconds
    asked = (_readiness(address, deadline) for address in addresses)
    return [answer for answer in asked if answer is not None]


def _readiness(address: Listening, deadline: float) -> Readiness | None:
    try:
        answer = _answer(address, deadline, tls=False)
        if not answer.startswith(b"HTTP/") or _WANTS_TLS.match(answer):
            answer = _answer(address, deadline, tls=True)
    except TimeoutError:
        return Readiness(address, False, "no answer in time")
    except OSError as error:
        return Readiness(address, False, error.strerror or str(error))
    match = _WORKERS.match(answer)
    if match is None:
        return None
    ready = match[1] == b"200"
    return Readiness(address, ready, "" if ready else match[2].decode("ascii", "replace"))


def _answer(address: Listening, deadline: float, *, tls: bool) -> bytes:
    """Returns what is answered there, as far as it is of use; empty if it closes without a word."""
    with _connected(address, deadline) as plain:
        connection = _secured(plain) if tls else plain
        answer = b""
        try:
            connection.sendall(PROBE)
            while len(answer) < _ANSWER_BYTES and not _WORKERS.match(answer):
                connection.settimeout(_left(deadline))
                piece = connection.recv(_ANSWER_BYTES)
                if not piece:
                    break
                answer += piece
        except ConnectionError:
            return b""
        return answer


def _connected(address: Listening, deadline: float) -> socket.socket:
    return socket.create_connection(address, _left(deadline))


def _secured(plain: socket.socket) -> socket.socket:
    import ssl  # of no use without TLS, and slow

    # The gateway of this machine; its certificate is for names that clients use.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain, suppress_ragged_eofs=True)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
