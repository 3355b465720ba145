"""HTTP/1.1 as text for tests of the data plane: making messages, and reading them strictly.

Rules: shares no code with the gateway, so that an error of one is not repeated by the other.
"""

from __future__ import annotations

from collections.abc import Iterable


class Answer:
    """One answer, as a client that knows nothing of the gateway reads it."""

    def __init__(self, status: int, fields: dict[str, str], body: bytes, whole: bool) -> None:
        self.status = status
        self.fields = fields
        self.body = body
        self.whole = whole

    def __repr__(self) -> str:
        return f"<Answer {self.status} {len(self.body)} bytes whole={self.whole}>"

    @property
    def code(self) -> str:
        """The Code of an S3 error document."""
        return self.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def read_answers(data: bytes, methods: Iterable[bytes], *, ended: bool = False) -> list[Answer]:
    """The answers in `data` to requests of these methods; `ended` if the stream is at its end.

    The last one may lack bytes. Bytes beyond the last expected answer fail.
    """
    answers: list[Answer] = []
    for method in methods:
        while data.startswith(b"HTTP/1.1 1"):
            data = data.partition(b"\r\n\r\n")[2]
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            break
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        fields = {}
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon, line
            assert name.lower() not in fields, line
            fields[name.lower()] = value.strip()
        status = int(first.split(" ")[1])
        body, data, whole = _body(method, status, fields, rest, ended)
        answers.append(Answer(status, fields, body, whole))
        if not whole:
            break
    else:
        assert not data, data[:200]
    return answers


def _body(
    method: bytes, status: int, fields: dict[str, str], rest: bytes, ended: bool
) -> tuple[bytes, bytes, bool]:
    if method == b"HEAD" or status in (204, 304):
        return b"", rest, True
    if fields.get("transfer-encoding") == "chunked":
        assert "content-length" not in fields
        return _chunked_body(rest)
    if "content-length" in fields:
        length = int(fields["content-length"])
        return rest[:length], rest[length:], len(rest) >= length
    return rest, b"", ended


def _chunked_body(rest: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while True:
        size, end, rest = rest.partition(b"\r\n")
        if not end:
            return body, b"", False
        count = int(size, 16)
        if not count:
            return body, rest[2:], rest[:2] == b"\r\n"
        body += rest[:count]
        if len(rest) < count + 2:
            return body, b"", False
        assert rest[count : count + 2] == b"\r\n"
        rest = rest[count + 2 :]


def read_requests(data: bytes) -> list[tuple[bytes, bytes]]:
    """Whole heads and their bodies in what a target heard; the last body may lack bytes."""
    requests = []
    while b"\r\n\r\n" in data:
        head, end, rest = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        requests.append((head + end, rest[:length]))
        data = rest[length:]
    return requests


def get(path: str = "/bucket/key", *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    """A request without a body."""
    head = [f"{method} {path} HTTP/{version}", "Host: gateway.test", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1")


def put(path: str, body: bytes, *lines: str, method: str = "PUT") -> bytes:
    """A request with a body of known length."""
    return get(path, *lines, f"Content-Length: {len(body)}", method=method) + body


def ok(body: bytes = b"", *lines: str, status: str = "200 OK") -> bytes:
    """A target's answer of known length."""
    head = [f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(head).encode("latin-1") + body
