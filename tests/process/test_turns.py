"""What comes to a worker in one turn of its loop: small answers wait together for its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest
import uvloop

from tests.doubles.http1 import get
from tests.doubles.splicing import LiveWorker, head_and_rest, read

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
HEALTH = b"GET /-/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
GARBAGE = b"GET /-/healthz HTTP/9.9\r\n\r\n"


@pytest.fixture(params=LOOPS)
def worker(request: pytest.FixtureRequest) -> Iterator[LiveWorker]:
    with LiveWorker(LOOPS[request.param], 65536) as worker:
        yield worker


def to_the_end(client: socket.socket) -> bytes:
    return read(client, 1 << 20)


def test_a_client_that_sends_no_more_gets_what_was_answered(worker: LiveWorker) -> None:
    with worker.client() as client, worker.client() as other:
        client.sendall(get("/b-b/k"))
        with worker.target() as target:
            head_and_rest(target)
            with worker.standing_still():
                other.sendall(HEALTH)  # its answer is the first of the turn and does not wait
                target.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody")
                client.shutdown(socket.SHUT_WR)
            assert to_the_end(client).endswith(b"\r\n\r\nbody")


def test_an_answer_before_the_end_of_the_connection_arrives(worker: LiveWorker) -> None:
    with worker.client() as client:
        with worker.standing_still():
            client.sendall(HEALTH + GARBAGE)
        good, _, bad = to_the_end(client).partition(b"ok\n")
        assert good.startswith(b"HTTP/1.1 200 OK\r\n")
        assert bad.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert bad.endswith(b"</Error>")


def test_pipelined_answers_keep_their_order(worker: LiveWorker) -> None:
    with worker.client() as client:
        with worker.standing_still():
            client.sendall(HEALTH * 20 + b"HEAD" + HEALTH[3:] + GARBAGE)
        answers = to_the_end(client).split(b"HTTP/1.1 ")[1:]
        assert [answer[:3] for answer in answers] == [b"200"] * 21 + [b"400"]
        assert [answer.endswith(b"ok\n") for answer in answers] == [True] * 20 + [False] * 2


@pytest.mark.parametrize("count", [7, 8, 9, 40])
def test_everybody_gets_an_answer(worker: LiveWorker, count: int) -> None:
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(worker.client()) for _ in range(count)]
        for _ in range(2):
            with worker.standing_still():
                for client in clients:
                    client.sendall(HEALTH)
            answers = [client.recv(65536) for client in clients]
            assert all(answer.endswith(b"\r\n\r\nok\n") for answer in answers)


def test_one_that_left_meanwhile_takes_nobody_with_it(worker: LiveWorker) -> None:
    with worker.client() as staying, contextlib.ExitStack() as open_ones:
        leaving = [open_ones.enter_context(worker.client()) for _ in range(5)]
        with worker.standing_still():
            for client in leaving:
                client.sendall(HEALTH)
                client.close()
            staying.sendall(HEALTH)
        assert staying.recv(65536).endswith(b"\r\n\r\nok\n")
