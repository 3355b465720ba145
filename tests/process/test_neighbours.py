"""A drain gives new connections to the sockets of the gateway beside, wherever they stand."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from fastpath.sockets.reuseport import choose_by_hash
from gateway.supervisor.neighbours import Neighbours
from gateway.supervisor.sockets import Endpoint, listen, open_all

# By the hash alone, all would go to one of two gateways once in 2^63 runs.
CONNECTIONS = 64


class Group:
    """The listening sockets of one gateway."""

    def __init__(self, host: str, port: int = 0, workers: int = 2) -> None:
        endpoints, listeners = open_all([(host, port)], workers, 128, beside=bool(port))
        self.endpoint: Endpoint = endpoints[0]
        self.listeners = [mine[0] for mine in listeners]
        for listener in self.listeners:
            listen(listener, self.endpoint, 128)
        self.neighbours = Neighbours(self.endpoint, self.listeners)

    def beside(self, workers: int = 2) -> Group:
        return Group(self.endpoint.host, self.endpoint.port, workers)

    def accepted(self) -> int:
        """Takes what is in the queues; how many that were."""
        count = 0
        for listener in self.listeners:
            with contextlib.suppress(BlockingIOError):
                while True:
                    listener.accept()[0].close()
                    count += 1
        return count

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()


@pytest.fixture(params=["127.0.0.1", "::1"])
def old(request: pytest.FixtureRequest) -> Iterator[Group]:
    group = Group(request.param)
    yield group
    group.close()


def connect(group: Group) -> None:
    """Connects so often that each socket of a group gets some, if the hash decides."""
    for _ in range(CONNECTIONS):
        socket.create_connection((group.endpoint.host, group.endpoint.port)).close()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_those_that_came_later_get_all(old: Group, workers: int) -> None:
    new = old.beside(workers)
    assert old.neighbours.prefer(old.listeners)
    connect(old)
    assert (old.accepted(), new.accepted()) == (0, CONNECTIONS)
    new.close()


def test_those_that_came_earlier_get_all(old: Group) -> None:
    new = old.beside(3)
    assert new.neighbours.prefer(new.listeners)
    connect(old)
    assert (old.accepted(), new.accepted()) == (CONNECTIONS, 0)
    new.close()


def test_after_a_change_over_there_may_be_another(old: Group) -> None:
    second = old.beside()
    old.close()
    third = second.beside()
    assert second.neighbours.prefer(second.listeners)
    connect(second)
    assert (second.accepted(), third.accepted()) == (0, CONNECTIONS)
    second.close()
    third.close()


def test_between_an_earlier_and_a_later_one_the_hash_decides(old: Group) -> None:
    second = old.beside()
    third = second.beside()
    assert not second.neighbours.prefer(second.listeners)
    second.close()
    third.close()


def test_alone_it_chooses_nothing(old: Group) -> None:
    assert not old.neighbours.prefer(old.listeners)
    connect(old)
    assert old.accepted() == CONNECTIONS


def test_another_port_is_no_neighbour(old: Group) -> None:
    other = Group(old.endpoint.host)
    assert not old.neighbours.prefer(old.listeners)
    other.close()


def test_once_the_choice_is_taken_away_the_hash_decides(old: Group) -> None:
    new = old.beside()
    assert old.neighbours.prefer(old.listeners)
    choose_by_hash(old.listeners[0])
    choose_by_hash(old.listeners[1])  # there is none any more
    connect(old)
    assert old.accepted() > 0
    assert new.accepted() > 0
    new.close()
