"""Owns the two ends of a copy of any size: a source that makes its bytes, a store that counts them.

    Source          HEAD, and GET of a whole object or a range; it can halt and end midway
    Destination     PutObject, and one upload at a time in parts, one after the other

Rules: connections are kept; a block carries its number, so that one lost, repeated or swapped
shows; a source that halts sends nothing more on any connection until it is told to go on, or ended.
"""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import TypeVar, cast

from tests.doubles.vast import BLOCK, Tally, length_of, read_head

ETAG = '"vast"'
_RANGE = re.compile(rb"(?i)\r\nrange: *bytes=(\d+)-(\d+)\r\n")
_WAIT_SECONDS = 30.0


def pieces(size: int, first: int, end: int) -> Iterator[memoryview]:
    """Bytes of the object of this size; each piece is valid until the next."""
    block = bytearray(Random(size).randbytes(BLOCK))
    view = memoryview(block)
    for number in range(first // BLOCK, -(-end // BLOCK)):
        struct.pack_into(">Q", block, 0, number)
        at = number * BLOCK
        yield view[max(0, first - at) : min(BLOCK, end - at)]


def tally(size: int) -> Tally:
    """What a destination must have counted."""
    whole = Tally()
    for piece in pieces(size, 0, size):
        whole.add(piece)
    return whole


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def serve(self, connection: socket.socket) -> None:
        """Answer the requests of one connection, as long as it lasts."""
        with self._lock:
            self._connections.add(connection)
        with suppress(OSError):  # the other side has left, or the server was ended
            while True:
                self.answer(connection, read_head(connection))

    def answer(self, connection: socket.socket, head: bytes) -> None:
        """Answer one request."""
        raise NotImplementedError

    def end(self) -> None:
        """End as a process does that is killed: nothing listens, every connection is reset."""
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                    connection.shutdown(socket.SHUT_RDWR)

    def start(self) -> None:
        self._thread.start()


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        cast(_Server, self.server).serve(cast(socket.socket, self.request))


class Source(_Server):
    """An object of `size` bytes at any path; halts before byte `halts_at`."""

    def __init__(self, size: int, halts_at: int | None = None) -> None:
        super().__init__(_Handler)
        self.size = size
        self.halts_at = size if halts_at is None else halts_at
        self.halted = threading.Event()
        self.goes_on = threading.Event()
        self.ended = False

    def wait_until_halted(self) -> None:
        assert self.halted.wait(_WAIT_SECONDS), "nobody has read so far"

    def end(self) -> None:
        self.ended = True
        self.goes_on.set()
        super().end()

    def answer(self, connection: socket.socket, head: bytes) -> None:
        found = _RANGE.search(head)
        first, end = (int(found[1]), int(found[2]) + 1) if found else (0, self.size)
        status = "206 Partial Content" if found else "200 OK"
        lines = [f"HTTP/1.1 {status}", f"ETag: {ETAG}", f"Content-Length: {end - first}"]
        lines += [f"Content-Range: bytes {first}-{end - 1}/{self.size}"] if found else []
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        if head.startswith(b"HEAD "):
            return
        for piece in pieces(self.size, first, end):
            if first + len(piece) > self.halts_at:
                self.halted.set()
                self.goes_on.wait()
                if self.ended:
                    raise ConnectionError("the source was ended")
            connection.sendall(piece)
            first += len(piece)


class Destination(_Server):
    """What it was given; `objects`: how many are complete."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.taken = Tally()
        self.parts = 0
        self.objects = 0

    def answer(self, connection: socket.socket, head: bytes) -> None:
        method, target = head.split(b" ", 2)[:2]
        body, lines = b"", [f'ETag: "v-{self.parts}"']
        if method == b"POST" and target.endswith(b"?uploads="):
            self.taken, self.parts = Tally(), 0
            body = _document("InitiateMultipartUploadResult", "UploadId", "1")
        elif method == b"POST":
            Tally().receive(connection, length_of(head))
            self.objects += 1
            body = _document("CompleteMultipartUploadResult", "ETag", f'"v-{self.parts}"')
        elif method == b"PUT":
            if b"partNumber=" not in target:
                self.taken, self.objects = Tally(), self.objects + 1
            before = self.taken.bytes
            self.taken.receive(connection, length_of(head))
            if self.taken.bytes - before != length_of(head):
                raise ConnectionError("the body broke off")
            self.parts += b"partNumber=" in target
        length = self.taken.bytes if method == b"HEAD" else len(body)
        answer = ["HTTP/1.1 200 OK", *lines, f"Content-Length: {length}", "", ""]
        connection.sendall("\r\n".join(answer).encode() + body)


def _document(root: str, name: str, text: str) -> bytes:
    return f"<{root}><{name}>{text}</{name}></{root}>".encode()


S = TypeVar("S", bound=_Server)


@contextmanager
def running(server: S) -> Iterator[S]:
    """Run a server for the time of the block."""
    server.start()
    try:
        yield server
    finally:
        server.end()
