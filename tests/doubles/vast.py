"""Owns a store for objects that fit nowhere: it discards what it is given and makes what is asked.

Rules: `GET` of a path gives `size` bytes that both ends can make for themselves, block by block; of
a `PUT` only the length and a checksum are kept; one thread per connection, one request each; a
block carries its number, so that one lost, repeated or swapped shows.
"""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import cast

from awscrt import checksums

MIB = 1024 * 1024
BLOCK = MIB
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")


def blocks(size: int) -> Iterator[memoryview]:
    """The object of `size` bytes; each piece is valid until the next."""
    block = bytearray(Random(size).randbytes(BLOCK))
    view = memoryview(block)
    for number in range(-(-size // BLOCK)):
        struct.pack_into(">Q", block, 0, number)
        yield view[: min(BLOCK, size - number * BLOCK)]


class Tally:
    """Counts bytes, and sums them up with CRC-64/NVME."""

    def __init__(self) -> None:
        self.bytes = 0
        self.sum = 0
        self._view = memoryview(bytearray(BLOCK))

    def add(self, data: memoryview) -> None:
        self.bytes += len(data)
        self.sum = checksums.crc64nvme(data, self.sum)

    def receive(self, connection: socket.socket, size: int) -> None:
        """Takes in `size` bytes of a connection, or as many as come."""
        left = size
        while left and (count := connection.recv_into(self._view[: min(left, BLOCK)])):
            self.add(self._view[:count])
            left -= count


def send(connection: socket.socket, size: int) -> Tally:
    """Sends the object of `size` bytes."""
    tally = Tally()
    for block in blocks(size):
        tally.add(block)
        connection.sendall(block)
    return tally


def read_head(connection: socket.socket) -> bytes:
    """A message's head, byte by byte from the kernel, so that nothing of the body is taken."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError(f"the connection ended after {head!r}")
        head += byte
    return head


def length_of(head: bytes) -> int:
    """Content-Length."""
    match = _LENGTH.search(head)
    assert match, head
    return int(match[1])


class VastStore(socketserver.ThreadingTCPServer):
    """The store; `taken` is what the last PUT brought."""

    daemon_threads = True

    def __init__(self, size: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.size = size
        self.taken = Tally()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        store = cast(VastStore, self.server)
        connection = cast(socket.socket, self.request)
        head = read_head(connection)
        if head.startswith(b"PUT "):
            store.taken = Tally()
            store.taken.receive(connection, length_of(head))
            connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "0"\r\nContent-Length: 0\r\n\r\n')
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % store.size)
            send(connection, store.size)


@contextmanager
def vast_store(size: int) -> Iterator[VastStore]:
    """Run a store in a thread for the time of the block."""
    with VastStore(size) as store:
        thread = threading.Thread(target=store.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()
