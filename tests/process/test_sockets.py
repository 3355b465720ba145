"""Listening sockets: who may claim a port, and how a listener ends without losing anyone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from gateway.supervisor.sockets import BindError, Endpoint, open_all, open_listener, refuse_new

LOOPBACK = "127.0.0.1"


@pytest.fixture
def opened() -> Iterator[tuple[Endpoint, list[socket.socket]]]:
    """One address, listened on by three."""
    endpoints, listeners = open_all([(LOOPBACK, 0)], 3, 128)
    yield endpoints[0], [mine[0] for mine in listeners]
    for mine in listeners:
        mine[0].close()


def test_all_workers_share_the_port_that_the_kernel_chose(
    opened: tuple[Endpoint, list[socket.socket]],
) -> None:
    endpoint, listeners = opened
    assert endpoint.port
    assert {listener.getsockname() for listener in listeners} == {(LOOPBACK, endpoint.port)}
    assert endpoint.url == f"http://127.0.0.1:{endpoint.port}"


def test_a_claimed_port_is_refused(opened: tuple[Endpoint, list[socket.socket]]) -> None:
    with pytest.raises(BindError, match="Address already in use"):
        open_all([(LOOPBACK, opened[0].port)], 1, 128)


def test_a_listener_can_join_later(opened: tuple[Endpoint, list[socket.socket]]) -> None:
    open_listener(opened[0], 128).close()


def test_of_many_that_start_together_one_wins() -> None:
    for _ in range(10):
        with socket.create_server((LOOPBACK, 0)) as chosen:
            port = chosen.getsockname()[1]
        won: list[list[list[socket.socket]]] = []
        barrier = threading.Barrier(4)

        def start(port: int = port, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(5)
            with contextlib.suppress(BindError):
                won.append(open_all([(LOOPBACK, port)], 2, 128)[1])  # noqa: B023  # joined below

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        for listener in (one for mine in won for listeners in mine for one in listeners):
            listener.close()
        assert len(won) == 1


def test_a_name_that_does_not_resolve_is_told() -> None:
    with pytest.raises(BindError, match="cannot listen on no address"):
        open_all([("no address", 0)], 1, 128)


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(BindError, match=r"cannot listen on 192\.0\.2\.1:0"):
        open_all([("192.0.2.1", 0)], 1, 128)


def test_refusing_new_connections_keeps_those_in_the_queue(
    opened: tuple[Endpoint, list[socket.socket]],
) -> None:
    endpoint, listeners = opened
    queued = [socket.create_connection((LOOPBACK, endpoint.port)) for _ in range(20)]
    for listener in listeners:
        refuse_new(listener)
    with pytest.raises(TimeoutError):  # its SYN is dropped, not answered
        socket.create_connection((LOOPBACK, endpoint.port), timeout=0.2)
    for client in queued:
        client.sendall(b"ask")
    accepted = [one for listener in listeners for one in _accept_all(listener)]
    assert len(accepted) == len(queued)
    for one in accepted:
        one.setblocking(True)
        assert one.recv(10) == b"ask"
        one.sendall(b"answer")
        one.close()
    for client in queued:
        assert client.recv(10) == b"answer"
        client.close()
    for listener in listeners:
        listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, endpoint.port), timeout=1)


def _accept_all(listener: socket.socket) -> Iterator[socket.socket]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield listener.accept()[0]
