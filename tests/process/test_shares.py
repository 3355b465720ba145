"""Slow clients of one identity, and what another one notices of them."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from typing import cast

import pytest

from loadtest.bench import sending
from tests.doubles.signing import RawClient
from tests.process.harness import Gateway, open_config, wait_until

SLOW = 560  # clients; a target has 256 connections
SHARE = 230  # of which one identity may have so many
SECONDS = 8.0  # longer than the slowest of them takes for a byte
WITHIN = 2.0
OBJECT = bytes(8 * 1024 * 1024)
_HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"


class _Store(socketserver.ThreadingTCPServer):
    """Takes what is sent, sends 8 MiB when asked: a thread for each connection, and little work."""

    daemon_threads = True
    request_queue_size = 1024
    accepted = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Clients that leave are not news."""


class _Served(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        cast(_Store, self.server).accepted += 1
        length = 0
        method = self.rfile.readline()[:3]
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        if method == b"GET":
            self.wfile.write(_HEAD % len(OBJECT))
            self.wfile.write(OBJECT)
        elif len(self.rfile.read(length)) == length:
            self.wfile.write(_HEAD % 0)


@contextlib.contextmanager
def running_store() -> Iterator[_Store]:
    with _Store(("127.0.0.1", 0), _Served) as store:
        thread = threading.Thread(target=store.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield store
        store.shutdown()
        thread.join()


def configuration(endpoint: str) -> dict[str, object]:
    identities = [
        {"name": name, "access_key_id": f"AKID{name.upper()}", "secret_access_key": f"of-{name}"}
        for name in ("slow", "other")
    ]
    return {**open_config(endpoint), "auth": {"identities": identities}}


def client_of(gateway: Gateway, name: str) -> RawClient:
    return RawClient(*gateway.address, f"AKID{name.upper()}", f"of-{name}")


class Slow:
    """Connections that are kept busy, a little at a time, by one thread."""

    def __init__(self, way: str) -> None:
        self._way = way
        self._connections: list[socket.socket] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self, client: RawClient) -> None:
        """One more client asks."""
        upload = self._way == "sends a byte every 5 s"
        method, length = ("PUT", 100_000) if upload else ("GET", 0)
        signed = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        connection = sending.connect(client.port, receive_bytes=4096)
        connection.sendall(client.head(method, b"/bucket/key", length, signed))
        if upload:
            connection.sendall(b"x")
        connection.setblocking(False)
        self._connections.append(connection)

    def _run(self) -> None:
        turn = 0
        while not self._over.wait(1.0):
            turn += 1
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    if self._way == "reads 510 B/s":
                        connection.recv(510)
                    elif self._way == "sends a byte every 5 s" and turn % 5 == 0:
                        connection.send(b"x")

    def __enter__(self) -> Slow:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)
        for connection in self._connections:
            connection.close()


@contextlib.contextmanager
def slow_clients(client: RawClient, way: str) -> Iterator[None]:
    with Slow(way) as slow:
        for _ in range(SLOW):
            slow.begin(client)
        yield


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("way", ["reads 510 B/s", "never reads", "sends a byte every 5 s"])
def test_another_identity_is_served_at_once(way: str) -> None:
    """A5: 560 clients of one identity have the share of one, for as long as they like."""
    with (
        running_store() as store,
        Gateway.start(configuration(store.endpoint), workers=1) as gateway,
        slow_clients(client_of(gateway, "slow"), way),
    ):
        wait_until(lambda: store.accepted >= SHARE, "the share of one is taken")
        other = client_of(gateway, "other")
        until = time.monotonic() + SECONDS
        waits = []
        while time.monotonic() < until:
            began = time.monotonic()
            status, _ = other.send("PUT", b"/bucket/mine", bytes(1000))
            waits.append(time.monotonic() - began)
            assert status == 200
        assert max(waits) < WITHIN
        assert len(waits) > SECONDS / WITHIN
