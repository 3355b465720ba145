"""A target with one object of 1 KiB, in a process of its own: where nginx is not needed.

    python -m loadtest.bench.small_store        says its port, serves until it is killed

Rules: every key that ends in `1k` has the object, every other is a 404 `NoSuchKey`; nothing is
looked at but the request's line, so that the store's own cost stays small.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from loadtest.bench.contenders import ROOT

BODY = b"s3gateway bench " * 64
_END = b"\r\n\r\n"
_FOUND = (
    b'HTTP/1.1 200 OK\r\nETag: "d41d8cd98f00b204e9800998ecf8427e"\r\n'
    b"Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
_ERROR = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'
_ABSENT = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/xml\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_ERROR), _ERROR)
)


class _Connection(asyncio.Protocol):
    """Answers requests without a body, one after the other."""

    def __init__(self) -> None:
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._read = (self._read + data).split(_END)
        for head in heads:
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            self._transport.write(_FOUND if path.endswith(b"1k") else _ABSENT)


@contextmanager
def small_store() -> Iterator[int]:
    """The port of one that runs."""
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as store:
        assert store.stdout is not None
        try:
            yield int(store.stdout.readline())
        finally:
            store.kill()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
