"""HTTP/1.1 as Go's server shows it to lakeFS: requests, answers, and one connection's turns.

Rules: the path is decoded once and never cleaned; of a repeated query parameter only the first
value exists; `100 Continue` is sent when a body is first read, so an early answer comes instead of
it and closes the connection.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import unquote_plus, unquote_to_bytes

HEAD_BYTES = 1 << 20
DRAIN_BYTES = 256 << 10  # what Go's server reads of an unread body before it gives up


class Ended(Exception):
    """The client left in the middle, or what came is no HTTP."""


class Panic(Exception):
    """Go code that dies: the connection closes without an answer."""


def text(raw: bytes) -> str:
    """Text in which bytes that are not UTF-8 survive, one surrogate each."""
    return raw.decode("utf-8", "surrogateescape")


def raw_bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def parse_query(raw: bytes) -> dict[str, str]:
    """First value of each parameter; one with a raw `;` is dropped, as `url.Query()` does."""
    found: dict[str, str] = {}
    for part in text(raw).split("&"):
        if part and ";" not in part:
            name, _, value = part.partition("=")
            found.setdefault(_unescape(name), _unescape(value))
    return found


def _unescape(value: str) -> str:
    return unquote_plus(value, errors="surrogateescape")


class Body:
    """The request's body on the wire, read at most once and only if something asks."""

    def __init__(self, stream: BinaryIO, connection: socket.socket, length: int | None) -> None:
        self.length = length  # None: chunked
        self.expects = False
        self.taken: bytes | None = None
        self._stream = stream
        self._connection = connection

    def read(self) -> bytes:
        """All of it. Raises Ended if the client sends less than it announced."""
        if self.taken is None:
            if self.expects:
                self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.taken = self._chunked() if self.length is None else self._exactly(self.length)
        return self.taken

    def is_left(self) -> bool:
        """Whether the connection cannot be used again, because a body is on its way."""
        if self.taken is not None or self.length == 0:
            return False
        if self.expects or self.length is None or self.length > DRAIN_BYTES:
            return True
        self.read()
        return False

    def _exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise Ended
        return data

    def _chunked(self) -> bytes:
        body = bytearray()
        while size := int(self._line().partition(b";")[0], 16):
            body += self._exactly(size)
            self._line()
        while self._line():
            pass
        return bytes(body)

    def _line(self) -> bytes:
        line = self._stream.readline(HEAD_BYTES)
        if not line.endswith(b"\n"):
            raise Ended
        return line.rstrip(b"\r\n")


@dataclass(slots=True)
class Request:
    """One request; header names in lower case, in wire order."""

    method: str
    target: bytes
    headers: list[tuple[str, str]]
    body: Body
    query: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.query = parse_query(self.target.partition(b"?")[2])

    @property
    def raw_path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def path(self) -> str:
        return text(unquote_to_bytes(self.raw_path))

    def header(self, name: str, default: str = "") -> str:
        """The first line of a header; Go takes Transfer-Encoding away."""
        if name == "transfer-encoding":
            return default
        return next((value for key, value in self.headers if key == name), default)

    def has_header(self, name: str) -> bool:
        return any(key == name for key, _ in self.headers)


@dataclass(slots=True)
class Answer:
    """What goes back; the length is counted here, but for a HEAD that was given no body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def on_wire(self, method: str, *, close: bool) -> bytes:
        fields = {"Date": formatdate(usegmt=True), "Content-Length": str(len(self.body))}
        if self.status in (204, 304) or (method == "HEAD" and not self.body):
            del fields["Content-Length"]
        fields.update(self.headers)
        if close:
            fields["Connection"] = "close"
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        head = raw_bytes("\r\n".join([*lines, "", ""]))
        return head if method == "HEAD" else head + self.body


def read_request(stream: BinaryIO, connection: socket.socket) -> Request | None:
    """The next request; None at a clean end. Raises Ended."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline(HEAD_BYTES)
        if not line and not head:
            return None
        head += line
        if not line or len(head) > HEAD_BYTES:
            raise Ended
    first, *lines = bytes(head[:-4]).split(b"\r\n")
    method, _, rest = first.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise Ended
    headers = []
    for raw in lines:
        name, _, value = raw.partition(b":")
        headers.append((text(name).lower(), text(value.strip(b" \t"))))
    fields = dict(headers)
    chunked = fields.get("transfer-encoding", "").lower() == "chunked"
    length = None if chunked else int(fields.get("content-length", "0"))
    body = Body(stream, connection, length)
    body.expects = fields.get("expect", "").lower() == "100-continue" and length != 0
    return Request(method.decode(), target, headers, body)
