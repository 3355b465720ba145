"""Requests as bytes, and plain sockets that say them: where wrk cannot do what a chapter needs.

Rules: a request is a workload's, signed anew for the gateway's port; one socket, one request at a
time, its answer read to the end.
"""

from __future__ import annotations

import re
import socket
import ssl
from pathlib import Path

from loadtest.bench import workloads
from loadtest.bench.workloads import Workload

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")
_SECONDS = 60.0  # longer than anything here takes


def head_of(workload: Workload, port: int, directory: Path) -> bytes:
    """The signed head of one request."""
    return _split(workload, port, directory)[0]


def whole(workload: Workload, port: int, directory: Path) -> bytes:
    """Head and body of one request."""
    return b"".join(_split(workload, port, directory))


def _split(workload: Workload, port: int, directory: Path) -> tuple[bytes, bytes]:
    shot = workloads.aim(workload, port, directory)
    body = b"" if shot.body is None else shot.body.read_bytes()
    lines = [f"{shot.method} {shot.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in shot.headers.items()]
    if shot.body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode(), body


def connect(port: int, receive_bytes: int = 0) -> socket.socket:
    """A connection to loopback; `receive_bytes` bounds what the kernel keeps for it."""
    connection = socket.socket()
    connection.settimeout(_SECONDS)
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.connect(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def secured(connection: socket.socket, authority: Path) -> ssl.SSLSocket:
    """The same under TLS, the gateway's certificate checked."""
    context = ssl.create_default_context(cafile=str(authority))
    return context.wrap_socket(connection, server_hostname="localhost")


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """An answer's head, and what came of its body. Raises ConnectionError if it is no success."""
    head, rest = _any_head(connection)
    if not head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 201 ", b"HTTP/1.1 204 ")):
        raise ConnectionError(f"no success: {head + rest!r}")
    return head, rest


def _any_head(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError(f"the connection ended after {data!r}")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def ask(connection: socket.socket, request: bytes) -> None:
    """One request and all of its answer."""
    connection.sendall(request)
    _read_body(connection, *read_head(connection))


def status_of(connection: socket.socket, request: bytes) -> int:
    """The same, whatever the answer is: its status. Raises ConnectionError."""
    connection.sendall(request)
    head, rest = _any_head(connection)
    _read_body(connection, head, rest)
    return int(head[9:12])


def _read_body(connection: socket.socket, head: bytes, rest: bytes) -> None:
    found = _LENGTH.search(head)
    left = (int(found[1]) if found else 0) - len(rest)
    while left > 0:
        piece = connection.recv(262144)
        if not piece:
            raise ConnectionError("the answer broke off")
        left -= len(piece)
