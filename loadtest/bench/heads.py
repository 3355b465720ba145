"""The head path alone: what the data plane does for small requests, without sockets, countable.

    python -m loadtest.bench.heads                      instructions per request, every kind
    python -m loadtest.bench.heads --kind "GET 1 KiB"   the same of some kinds
    python -m loadtest.bench.heads --play 2000 --kind LIST    only plays: for a profiler to watch

Instructions are user-space ones, counted by callgrind: the difference between two runs of another
number of requests, divided by how many there were more. They hardly depend on what else the machine
does, so that a change of one per cent shows. Where they go: `--play` under `python -m cProfile -s
tottime -m`, `perf record` or `valgrind --tool=callgrind`.

Rules: the gateway's side is the real code: a `ClientConnection`, a pool, an
`UpstreamConnection`, a log whose lines go nowhere; every request is signed and has a key of its
own, as no client sends one head twice; heads are those of real programs, byte for byte.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from botocore.awsrequest import AWSRequest

from fastpath.client.connection import ClientConnection
from fastpath.ipc.counters import WorkerCells
from fastpath.ipc.log import WorkerLog
from fastpath.ipc.meter import Meter
from fastpath.routing.snapshot import load_snapshot
from fastpath.worker.state import WorkerState
from loadtest.bench.workloads import PayloadSigner
from tests.doubles.wire import KEY, document

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1:9000"
DISTINCT = 128  # requests that are signed; then they begin anew
_TURNS = 10
FEW, MANY = 200, 800  # requests of the two runs

# What boto3 sends besides (1.41, Python 3.11), in its order.
_OF_AN_SDK = {
    "User-Agent": "Boto3/1.41.5 md/Botocore#1.41.5 ua/2.1 os/linux#6.1 md/arch#x86_64 "
    "lang/python#3.11.7 md/pyimpl#CPython m/b,Z,n,e cfg/retry-mode#legacy Botocore/1.41.5",
    "amz-sdk-invocation-id": "6d8ae9b0-3a9f-4e5c-9d8a-1f7f5f9f2a51",
    "amz-sdk-request": "attempt=1",
}
_PLAIN_ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Wed, 25 Nov 2026 09:00:00 GMT\r\n"
    b"Content-Type: %b\r\nContent-Length: %d\r\n"
    b"Last-Modified: Wed, 25 Nov 2026 08:00:00 GMT\r\nConnection: keep-alive\r\n"
    b'ETag: "6924f0f0-400"\r\nAccept-Ranges: bytes\r\n\r\n'
)
_AWS_ANSWER = (
    b"HTTP/1.1 200 OK\r\nx-amz-id-2: vYHlQ6dpJ8+3WpSZ3aO1HKrmYV0JpYy3G9Xv2pnHcB5xVnC3h0kq6r+8a1"
    b"\r\nx-amz-request-id: 4B7F2C9A1D3E5F60\r\nDate: Wed, 25 Nov 2026 09:00:00 GMT\r\n"
    b"Last-Modified: Wed, 25 Nov 2026 08:00:00 GMT\r\n"
    b'ETag: "9b2cf535f27731c974343645a3985328"\r\n'
    b"x-amz-server-side-encryption: AES256\r\nAccept-Ranges: bytes\r\n"
    b"Content-Type: binary/octet-stream\r\nContent-Length: 1024\r\nServer: AmazonS3\r\n\r\n"
)
_BODY = bytes(1024)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of request: how it is asked, what the target answers, what its body is."""

    name: str
    method: str
    target: str  # of the request line; {} is its number
    headers: dict[str, str]
    payload: str
    answer: bytes
    body: bytes = b""


KINDS = (
    Kind(
        "GET 1 KiB",  # as wrk asks nginx in `rounds`
        "GET",
        "/bench/data/part-{:05d}.parquet",
        {},
        "UNSIGNED-PAYLOAD",
        _PLAIN_ANSWER % (b"application/octet-stream", 1024) + _BODY,
    ),
    Kind(
        "GET 1 KiB, boto3 and AWS",
        "GET",
        "/bench/data/2026/11/part-{:05d}.parquet",
        {"Accept-Encoding": "identity", "x-amz-checksum-mode": "ENABLED", **_OF_AN_SDK},
        hashlib.sha256().hexdigest(),
        _AWS_ANSWER + _BODY,
    ),
    Kind(
        "HEAD",
        "HEAD",
        "/bench/data/part-{:05d}.parquet",
        {},
        "UNSIGNED-PAYLOAD",
        _PLAIN_ANSWER % (b"application/octet-stream", 1024),
    ),
    Kind(
        "PUT 1 KiB",
        "PUT",
        "/bench/data/part-{:05d}.parquet",
        {"Content-Type": "application/octet-stream", "Content-Length": "1024"},
        hashlib.sha256(_BODY).hexdigest(),
        _PLAIN_ANSWER % (b"text/plain", 0),
        _BODY,
    ),
    Kind(
        "LIST",
        "GET",
        "/list?list-type=2&prefix=data%2F2026%2F{:05d}&max-keys=100&encoding-type=url",
        {"Accept-Encoding": "identity", **_OF_AN_SDK},
        hashlib.sha256().hexdigest(),
        _PLAIN_ANSWER % (b"application/xml", 1024) + _BODY,
    ),
)


def requests_of(kind: Kind, count: int = DISTINCT) -> list[bytes]:
    """Whole requests, each with a key and a signature of its own."""
    return [_request(kind, number) for number in range(count)]


def _request(kind: Kind, number: int) -> bytes:
    target = kind.target.format(number)
    asked = AWSRequest(kind.method, f"http://{HOST}{target}", {"Host": HOST, **kind.headers})
    PayloadSigner(kind.payload, *KEY).add_auth(asked)
    lines = [f"{kind.method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in asked.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + kind.body


# --- the rig ---


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose connects are answered at once, by `open`."""

    open: Callable[[asyncio.BufferedProtocol], _Wire]

    async def getaddrinfo(  # type: ignore[override]
        self, host: str, port: int, **_: object
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", (host, port))]

    async def create_connection(  # type: ignore[override]
        self, factory: Callable[[], asyncio.BufferedProtocol], *_: object, **__: object
    ) -> tuple[_Wire, asyncio.BufferedProtocol]:
        wire = self.open(factory())
        return wire, wire.protocol


class _Wire(asyncio.Transport):
    """The gateway's end of a connection: hands what comes to the protocol as a loop does."""

    def __init__(self, protocol: asyncio.BufferedProtocol) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000)})
        self.protocol = protocol
        self.heard: list[bytes] = []
        self.socket, self._other = socket.socketpair()
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.socket if name == "socket" else super().get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing ever waits."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """It has read all there is."""

    def resume_reading(self) -> None:
        """The same."""

    def write(self, data: Any) -> None:
        self.heard.append(data)

    def close(self) -> None:
        self.socket.close()
        self._other.close()

    def comes(self, data: bytes) -> None:
        """The other end sent this."""
        room = cast("memoryview", self.protocol.get_buffer(-1))
        room[: len(data)] = data
        self.protocol.buffer_updated(len(data))


class _Nowhere:
    """Where the log's datagrams go."""

    def send(self, data: bytes) -> int:
        return len(data)


def play(kind: Kind, count: int, requests: Sequence[bytes]) -> list[bytes]:
    """`count` requests over one connection, one after the other; what the last client heard."""
    loop = _Loop()
    targets: list[_Wire] = []

    def opened(protocol: asyncio.BufferedProtocol) -> _Wire:
        targets.append(_Wire(protocol))
        return targets[-1]

    loop.open = opened
    cells = WorkerCells.apart()
    sink = cast("socket.socket", _Nowhere())
    log = WorkerLog(loop, sink, cells.row, worker=0, access_log="text")
    snapshot = load_snapshot(1, document(mode="sigv4"))
    worker = WorkerState(loop, snapshot, log, cells.row, meter=Meter(cells))
    worker.install(snapshot)
    client = _Wire(ClientConnection(worker))
    try:
        loop.run_until_complete(_play(kind, count, requests, client, targets))
    finally:
        for wire in (client, *targets):
            wire.close()
        loop.close()
    return client.heard


async def _play(
    kind: Kind,
    count: int,
    requests: Sequence[bytes],
    client: _Wire,
    targets: list[_Wire],
) -> None:
    client.comes(requests[0])
    for _ in range(_TURNS):  # of the loop, in which the connect is made
        await asyncio.sleep(0)
    target = targets[0]
    answer, distinct = kind.answer, len(requests)
    target.comes(answer)
    for number in range(1, count):
        client.heard.clear()
        target.heard.clear()
        client.comes(requests[number % distinct])
        target.comes(answer)


# --- counting ---


def instructions_per_request(kind: Kind) -> float:
    """User-space instructions of one request, as callgrind counts them."""
    subprocess.run(_command(kind, 1), cwd=ROOT, env=_environ(), check=True)  # compiles what changed
    return (_counted(kind, MANY) - _counted(kind, FEW)) / (MANY - FEW)


def _counted(kind: Kind, count: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                f"--callgrind-out-file={directory}/out",
                *_command(kind, count),
            ],
            cwd=ROOT,
            env=_environ(),
            stderr=subprocess.PIPE,
            text=True,
            timeout=300,
            check=True,
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None  # callgrind's own last words
    return int(found[1])


def _command(kind: Kind, count: int) -> list[str]:
    words = [f"--play={count}", f"--kind={kind.name}"]
    return [sys.executable, "-m", "loadtest.bench.heads", *words]


def _environ() -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": ""}


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench.heads")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kind", action="append", choices=names, help="default: every one")
    parser.add_argument("--play", type=int, metavar="COUNT", help="so many requests; print nothing")
    chosen = parser.parse_args(words)
    kinds = [kind for kind in KINDS if kind.name in (chosen.kind or names)]
    for kind in kinds:
        if chosen.play:
            play(kind, chosen.play, requests_of(kind))
        else:
            sys.stdout.write(f"{instructions_per_request(kind):>9,.0f}  {kind.name}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
