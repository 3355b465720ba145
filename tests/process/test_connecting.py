"""Every address of a host is tried, on both loops and over real sockets, TLS included."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
import uvloop

from fastpath.sockets.connecting import ConnectFailed, Endpoint

SECONDS = 10.0
GREETING = b"here"


class _Names:
    """A look-up that finds the addresses of the test."""

    hosts: tuple[str, ...] = ()

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        if host != "store.test":  # uvloop looks up addresses too
            return await super().getaddrinfo(host, port, **options)  # type: ignore[misc]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in self.hosts]


class _Selector(_Names, asyncio.SelectorEventLoop):
    pass


class _Uvloop(_Names, uvloop.Loop):
    pass


LOOPS = {"asyncio": _Selector, "uvloop": _Uvloop}


class Greeted(asyncio.Protocol):
    """Takes the greeting of a server."""

    def __init__(self) -> None:
        self.heard = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.heard.set_result(data)


@contextlib.contextmanager
def greeting_at(host: str, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that greets one client; its port."""

    def greet() -> None:
        connection, _ = listener.accept()
        with connection:
            if context is None:
                connection.sendall(GREETING)
                return
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(GREETING)

    with socket.create_server((host, 0)) as listener:
        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(SECONDS)


@contextlib.contextmanager
def silent_at(host: str, port: int) -> Iterator[None]:
    """An address where connects get no answer: the queue of its listener is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(8):
            one = stack.enter_context(socket.socket())
            one.settimeout(0.1)
            try:
                one.connect((host, port))
            except TimeoutError:
                break
        else:
            pytest.skip("this kernel's queue of connects has no end")
        yield


def connect(
    loop_name: str, hosts: tuple[str, ...], port: int, **options: Any
) -> tuple[bytes, float]:
    """What the host has said, and how long the connect took."""

    async def run() -> tuple[bytes, float]:
        started = time.monotonic()
        endpoint = Endpoint(asyncio.get_running_loop(), "store.test", port)
        transport, protocol = await endpoint.connect(Greeted, SECONDS, **options)
        took = time.monotonic() - started
        heard: bytes = await asyncio.wait_for(protocol.heard, SECONDS)
        transport.close()
        return heard, took

    loop = LOOPS[loop_name]()
    loop.hosts = hosts
    with contextlib.closing(loop):
        return loop.run_until_complete(run())


@pytest.mark.parametrize("loop", LOOPS)
def test_a_silent_first_address_costs_a_quarter_of_a_second(loop: str) -> None:
    with greeting_at("127.0.0.3") as port, silent_at("127.0.0.2", port):
        heard, took = connect(loop, ("127.0.0.2", "127.0.0.3"), port)
    assert heard == GREETING
    assert 0.2 < took < 2.0


@pytest.mark.parametrize("loop", LOOPS)
def test_under_tls_the_name_is_proved_by_the_address_that_answers(loop: str) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("store.test").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    with greeting_at("127.0.0.3", server) as port:
        hosts = ("127.0.0.2", "127.0.0.3")  # nothing listens at the first
        heard, _ = connect(loop, hosts, port, context=client, server_name="store.test")
    assert heard == GREETING


@pytest.mark.parametrize("loop", LOOPS)
def test_the_addresses_that_refuse_are_named(loop: str) -> None:
    with socket.create_server(("127.0.0.4", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConnectFailed) as failed:
            connect(loop, ("127.0.0.2", "127.0.0.3"), port)
    assert [address for address, _ in failed.value.by_address] == ["127.0.0.2", "127.0.0.3"]
