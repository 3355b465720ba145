"""What clients and targets do to a gateway that is left in the path of everything."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.target import Fault, Target
from tests.process.harness import Gateway, open_config, wait_until

IDLE = 3000  # connections; each is a descriptor here and one there
KIB_PER_CONNECTION = 16  # measured: 1.7 (5,000 idle connections on uvloop)


def _memory_kib(pid: int) -> int:
    """Private memory: what this process alone would give back."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) for kib in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.MULTILINE))


def _sockets(pid: int) -> int:
    names = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            names.append(entry.readlink().name)
    return sum(name.startswith("socket:") for name in names)


@contextlib.contextmanager
def connections(gateway: Gateway, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(gateway.address, timeout=20))
            for _ in range(count)
        ]


def test_thousands_of_idle_connections_cost_little_and_leave_nothing(
    config: dict[str, object],
) -> None:
    with Gateway.start(config, workers=1) as gateway:
        [worker] = gateway.worker_pids()
        assert gateway.request("GET", "/bucket/key").status == 200
        sockets, memory = _sockets(worker), _memory_kib(worker)
        with connections(gateway, IDLE) as clients:
            wait_until(lambda: _sockets(worker) > IDLE, "all are accepted")
            assert _memory_kib(worker) - memory < IDLE * KIB_PER_CONNECTION
            clients[IDLE // 2].sendall(b"GET /bucket/key HTTP/1.1\r\nHost: x\r\n\r\n")
            assert clients[IDLE // 2].recv(65536).startswith(b"HTTP/1.1 200 ")
            assert gateway.request("GET", "/bucket/key").status == 200
        wait_until(lambda: _sockets(worker) <= sockets, "all are closed")
        assert gateway.worker_pids() == [worker]


def test_half_sent_heads_and_bodies_are_ended(config: dict[str, object]) -> None:
    limits = {"head_seconds": 1, "body_idle_seconds": 1, "idle_seconds": 1}
    config = {**config, "router": {"limits": limits}}
    with Gateway.start(config, workers=1) as gateway:
        [worker] = gateway.worker_pids()
        sockets = _sockets(worker)
        halves = [
            b"GET /bucket/key HTTP/1.1\r\nHost:",
            b"PUT /bucket/new HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1234",
        ]
        with connections(gateway, 200) as clients:
            for index, client in enumerate(clients):
                client.sendall(halves[index % 2])
            for client in clients:
                answer = client.recv(65536)
                assert answer.startswith(b"HTTP/1.1 400 ")
                assert b"<Code>RequestTimeout</Code>" in answer or b"</Error>" in client.recv(9999)
        with connections(gateway, 200) as clients:
            assert {client.recv(1) for client in clients} == {b""}  # idle: closed without a word
        wait_until(lambda: _sockets(worker) <= sockets, "nothing is left open")


def test_more_connections_than_allowed_are_told_to_slow_down(config: dict[str, object]) -> None:
    config = {**config, "router": {"limits": {"connections": 20}}}
    with Gateway.start(config, workers=1) as gateway, connections(gateway, 20):
        answer = gateway.request("GET", "/bucket/key")
        assert answer.status == 503
        assert b"<Code>SlowDown</Code>" in answer.body
        assert answer.headers["retry-after"]


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.GARBAGE, Fault.REFUSE])
def test_a_target_that_fails_is_503_and_a_line_with_the_request_id(fault: Fault) -> None:
    """One line for the first of them: more of the same are counted (`untold`)."""
    with Target() as target:
        config = open_config(target.url)
        config["targets"]["main"]["timeouts"] = {"response_seconds": 1}  # type: ignore[index]
        with Gateway.start(config, workers=1) as gateway:
            [worker] = gateway.worker_pids()
            target.fault = fault
            answers = [gateway.request("GET", "/bucket/key") for _ in range(2)]
            for answer in answers:
                assert answer.status == 503
                assert b"<Code>ServiceUnavailable</Code>" in answer.body
            gateway.wait_for_log(answers[0].headers["x-amz-request-id"])
            target.fault = Fault.NONE
            assert gateway.request("PUT", "/bucket/key", b"again").status == 200
            assert gateway.worker_pids() == [worker]


def test_a_target_that_is_not_there_is_503_and_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with Gateway.start(open_config(f"http://127.0.0.1:{port}"), workers=1) as gateway:
        assert gateway.request("GET", "/bucket/key").status == 503
        gateway.wait_for_log(rf"cannot connect to 127\.0\.0\.1:{port}")


def test_a_target_that_dies_in_mid_body_never_looks_whole() -> None:
    with Target() as target:
        target.objects["/bucket/key"] = bytes(300_000)
        with Gateway.start(open_config(target.url), workers=1) as gateway:
            target.fault = Fault.DIE
            with socket.create_connection(gateway.address, timeout=10) as client:
                client.sendall(b"GET /bucket/key HTTP/1.1\r\nHost: x\r\n\r\n")
                with pytest.raises(ConnectionResetError):
                    _read_to_the_end(client)


def _read_to_the_end(client: socket.socket) -> None:
    while client.recv(65536):
        pass
