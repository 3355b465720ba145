"""A hard limit of descriptors that is below what the connections need."""

from __future__ import annotations

import contextlib
import socket

from tests.process.harness import Gateway

LIMIT = 200  # descriptors: 68 connections
COUNT = 90


def test_too_few_descriptors_are_told_and_clients_are_refused_in_order(
    config: dict[str, object],
) -> None:
    """A11: a warning at start, one line when it bites, and SlowDown instead of a reset."""
    limited = ("prlimit", f"--nofile={LIMIT}:{LIMIT}")
    with Gateway.start(config, workers=1, prefix=limited, prefix_execs=True) as gateway:
        gateway.wait_for_log(r"a worker may have 200 descriptors, so it serves 68 connections")
        with contextlib.ExitStack() as stack:
            clients = [
                stack.enter_context(socket.create_connection(gateway.address, timeout=20))
                for _ in range(COUNT)
            ]
            answers = []
            for index, client in enumerate(clients):
                path = b"/-/healthz" if index < 68 else b"/bucket/key"
                client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
                answers.append(client.recv(65536)[9:12])
            assert answers == [b"200"] * 68 + [b"503"] * (COUNT - 68)
            gateway.wait_for_log(r"clients are turned away: 68 connections are open; raise the")
        assert gateway.request("GET", "/bucket/key").status == 200
