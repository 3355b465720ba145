"""Owns a store on loopback that keeps every request byte for byte and answers like S3.

Rules: nothing is decoded or normalised, an object's name is the raw path of the request line; it
looks at no signature; a request it cannot frame ends the connection and is kept in `faults`.
"""

from __future__ import annotations

import hashlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast
from urllib.parse import unquote

from tests.doubles.uploads import initiated

HEAD_BYTES = 65536
UPLOAD_ID = "recorded"  # of every upload


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came: the head with its final empty line, the body without framing."""

    head: bytes
    body: bytes

    @property
    def request_line(self) -> bytes:
        return self.head.partition(b"\r\n")[0]

    @property
    def method(self) -> bytes:
        return self.request_line.split(b" ", 1)[0]

    @property
    def target(self) -> bytes:
        """The request target, raw: between the first and the last space of the line."""
        return self.request_line.split(b" ", 1)[1].rsplit(b" ", 1)[0]

    @property
    def path(self) -> bytes:
        return self.target.partition(b"?")[0]

    def values(self, name: bytes) -> list[bytes]:
        """Return every value of a header, in wire order."""
        lines = self.head.split(b"\r\n")[1:]
        pairs = (line.partition(b":") for line in lines if line)
        return [value.strip() for key, _, value in pairs if key.lower() == name.lower()]

    def value(self, name: bytes) -> bytes | None:
        found = self.values(name)
        return found[0] if found else None


class Cut(Exception):
    """The connection ended, or what came cannot be framed."""


class RecordingStore(socketserver.ThreadingTCPServer):
    """The store: `requests` in the order they ended, `objects` by raw path."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.requests: list[Recorded] = []
        self.objects: dict[bytes, bytes] = {}
        self.faults: list[bytes] = []
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def last(self) -> Recorded:
        with self.lock:
            return self.requests[-1]

    def forget(self) -> None:
        with self.lock:
            self.requests.clear()
            self.objects.clear()
            self.faults.clear()

    def answer(self, request: Recorded) -> bytes:
        """Keep the request and return the raw response."""
        with self.lock:
            self.requests.append(request)
            if request.method == b"PUT":
                self.objects[request.path] = request.body
                return _response(200, b"OK", etag=request.body)
            if request.method == b"DELETE":
                self.objects.pop(request.path, None)
                return _response(204, b"No Content")
            found = self.objects.get(request.path)
        if request.method == b"POST" and request.target.partition(b"?")[2] in (
            b"uploads",
            b"uploads=",
        ):
            bucket, _, key = unquote(request.path.decode("latin-1"))[1:].partition("/")
            return _response(200, b"OK", initiated(UPLOAD_ID, bucket, key))
        if request.method not in (b"GET", b"HEAD"):
            return _error(405, b"Method Not Allowed", b"MethodNotAllowed", request.method)
        if found is None:
            return _error(404, b"Not Found", b"NoSuchKey", request.method)
        return _response(200, b"OK", found, etag=found, send_body=request.method == b"GET")


@contextmanager
def recording_store() -> Iterator[RecordingStore]:
    """Run a store in a thread for the time of the block."""
    with RecordingStore() as store:
        thread = threading.Thread(target=store.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield store
        finally:
            store.shutdown()
            thread.join()


class _Connection(socketserver.StreamRequestHandler):
    """One client connection: requests are answered in order until it closes."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        store = cast(RecordingStore, self.server)
        connection = cast(socket.socket, self.request)
        stream = cast(BinaryIO, self.rfile)
        connection.settimeout(30)
        head = b""
        try:
            while head := _read_head(stream):
                expects = b"100-continue" in head.lower()
                if expects:
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = _read_body(head, stream)
                connection.sendall(store.answer(Recorded(head, body)))
        except Cut:
            with store.lock:
                store.faults.append(head)
        except OSError:
            return  # the client left: nothing to answer


def _read_head(stream: BinaryIO) -> bytes:
    """Return one raw head, b"" at a clean end. Raises Cut."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline(HEAD_BYTES)
        if not line and not head:
            return b""
        head += line
        if not line or len(head) > HEAD_BYTES:
            raise Cut
    return bytes(head)


def _read_body(head: bytes, stream: BinaryIO) -> bytes:
    request = Recorded(head, b"")
    lengths = request.values(b"content-length")
    codings = request.values(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise Cut
    if codings:
        return _read_chunked(stream)
    wanted = int(lengths[0]) if lengths else 0
    body = stream.read(wanted)
    if len(body) != wanted:
        raise Cut
    return body


def _read_chunked(stream: BinaryIO) -> bytes:
    body = bytearray()
    while size := int(stream.readline(64).split(b";")[0] or b"-1", 16):
        if size < 0:
            raise Cut
        body += stream.read(size)
        stream.readline(8)
    while stream.readline(HEAD_BYTES) not in (b"\r\n", b""):
        pass
    return bytes(body)


def _response(
    status: int,
    reason: bytes,
    body: bytes = b"",
    *,
    etag: bytes | None = None,
    send_body: bool = True,
) -> bytes:
    lines = [b"HTTP/1.1 %d %s" % (status, reason)]
    if etag is not None:
        lines.append(b'ETag: "%s"' % hashlib.md5(etag, usedforsecurity=False).hexdigest().encode())
    if status != 204:  # RFC 9110 section 8.6: no Content-Length in a 204
        lines.append(b"Content-Length: %d" % len(body))
    lines += [b"x-amz-request-id: RECORDING", b"", b""]
    return b"\r\n".join(lines) + (body if send_body else b"")


def _error(status: int, reason: bytes, code: bytes, method: bytes) -> bytes:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>' + code + b"</Code>"
        b"<Message>" + reason + b"</Message><RequestId>RECORDING</RequestId></Error>"
    )
    return _response(status, reason, body, send_body=method != b"HEAD")
