"""Every address of a host is tried, in turns, and the error names them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

import pytest

from fastpath.sockets.connecting import (
    STAGGER_SECONDS,
    Address,
    ConnectTimedOut,
    Endpoint,
    in_turns,
)
from fastpath.sockets.diagnosis import is_own_shortage, of_connect
from tests.doubles.still_loop import StillLoop

SECONDS = 5.0
REFUSED = ConnectionRefusedError(111, "x")
V4, V6 = socket.AF_INET, socket.AF_INET6


class Net(StillLoop):
    """A loop whose host has these addresses; each answers when the test says so."""

    def __init__(self, *hosts: str) -> None:
        super().__init__()
        self.hosts = hosts
        self.resolving: list[asyncio.Future[None]] = []
        self.holds_names = False
        self.began: dict[str, float] = {}  # when each address was tried
        self.sockets: dict[str, socket.socket] = {}
        self.answers: dict[str, asyncio.Future[None]] = {}
        self.used: list[Any] = []
        self.handshake_fault: Exception | None = None

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        waits = self.create_future()
        self.resolving.append(waits)
        if self.holds_names:
            await waits
        return [
            (V6, 1, 6, "", (one, port, 0, 3 if one.startswith("fe80") else 0))
            if ":" in one
            else (V4, 1, 6, "", (one, port))
            for one in self.hosts
        ]

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        host = address[0]
        self.began[host] = self.now
        self.sockets[host] = sock
        self.answers[host] = self.create_future()
        await self.answers[host]

    async def create_connection(
        self, factory: Any, host: Any = None, port: Any = None, **options: Any
    ) -> Any:
        self.used.append(options.get("sock") or (host, port))
        if self.handshake_fault is not None:
            raise self.handshake_fault
        return "transport", factory()

    def says(self, host: str, fault: Exception | None = None) -> None:
        if fault is None:
            self.answers[host].set_result(None)
        else:
            self.answers[host].set_exception(fault)
        self.settle()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.settle()


class Connect:
    """A connect to `store.test` that is under way."""

    def __init__(self, net: Net, endpoint: Endpoint | None = None, host: str = "store.test"):
        self.endpoint = endpoint or Endpoint(net, host, 9000)
        self.task = net.create_task(self.endpoint.connect(lambda: "protocol", SECONDS))  # type: ignore[arg-type,return-value,type-var]  # nothing looks at it
        net.settle()

    @property
    def fault(self) -> Exception:
        fault = self.task.exception()
        assert isinstance(fault, Exception)
        return fault


def test_families_take_turns() -> None:
    def addresses(*hosts: str) -> list[Address]:
        return [Address(V6 if ":" in host else V4, host) for host in hosts]

    given = addresses("::1", "::2", "::3", "10.0.0.1", "::1", "10.0.0.2")
    assert [one.text for one in in_turns(given)] == ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]


def test_a_second_address_is_tried_while_the_first_is_silent() -> None:
    net = Net("192.0.2.1", "192.0.2.2", "192.0.2.3")
    connect = Connect(net)
    assert list(net.began) == ["192.0.2.1"]
    net.wait(STAGGER_SECONDS)
    assert list(net.began) == ["192.0.2.1", "192.0.2.2"]
    net.says("192.0.2.2")
    assert connect.task.result() == ("transport", "protocol")
    assert net.used == [net.sockets["192.0.2.2"]]
    assert net.sockets["192.0.2.1"].fileno() == -1
    net.sockets["192.0.2.2"].close()


def test_the_next_address_need_not_wait_for_one_that_refuses() -> None:
    net = Net("192.0.2.1", "2001:db8::1")
    connect = Connect(net)
    net.says("192.0.2.1", REFUSED)
    assert net.began == {"192.0.2.1": net.now, "2001:db8::1": net.now}
    net.says("2001:db8::1")
    assert connect.task.done()
    net.sockets["2001:db8::1"].close()


def test_the_first_address_may_still_win() -> None:
    net = Net("192.0.2.1", "192.0.2.2")
    connect = Connect(net)
    net.wait(STAGGER_SECONDS)
    net.answers["192.0.2.2"].set_result(None)  # both in one turn of the loop
    net.says("192.0.2.1")
    assert connect.task.done()
    (used,) = net.used
    unused = [one for one in net.sockets.values() if one is not used]
    assert [one.fileno() for one in unused] == [-1]
    used.close()


def test_a_failure_names_every_address_that_was_tried() -> None:
    net = Net("192.0.2.1", "192.0.2.2", "192.0.2.3")
    connect = Connect(net)
    net.says("192.0.2.1", REFUSED)
    net.says("192.0.2.2", OSError(113, "No route to host"))
    net.says("192.0.2.3", REFUSED)
    assert str(of_connect(connect.fault, tls=False)) == (
        "192.0.2.1, 192.0.2.3: connection refused: nothing listens there (start the target, or "
        "correct the port of its endpoint); "
        "192.0.2.2: the host cannot be reached (look at its address and the network)"
    )
    assert not isinstance(connect.fault, TimeoutError)


def test_all_addresses_have_one_deadline_together() -> None:
    net = Net("192.0.2.1", "192.0.2.2")
    connect = Connect(net)
    net.wait(STAGGER_SECONDS)
    net.says("192.0.2.1", REFUSED)
    net.wait(SECONDS - STAGGER_SECONDS)
    assert isinstance(connect.fault, ConnectTimedOut)
    told = str(of_connect(connect.fault, tls=False))
    assert told.startswith("192.0.2.1: connection refused: nothing listens there (")
    assert "; 192.0.2.2: no connection in time (" in told
    assert {one.fileno() for one in net.sockets.values()} == {-1}


def test_a_failed_handshake_closes_the_socket_and_names_its_address() -> None:
    net = Net("192.0.2.1", "192.0.2.2")
    net.handshake_fault = ssl.SSLEOFError(8, "EOF")
    connect = Connect(net)
    net.says("192.0.2.1", REFUSED)
    net.says("192.0.2.2")
    assert str(of_connect(connect.fault, tls=True)).startswith("192.0.2.2: ")
    assert net.sockets["192.0.2.2"].fileno() == -1


def test_a_host_of_one_address_is_left_to_the_loop() -> None:
    net = Net("192.0.2.1")
    net.handshake_fault = REFUSED
    connect = Connect(net)
    assert net.used == [("192.0.2.1", 9000)]
    assert str(of_connect(connect.fault, tls=False)).startswith("192.0.2.1: connection refused")


@pytest.mark.parametrize("literal", ["192.0.2.9", "2001:db8::9"])
def test_an_address_is_not_resolved_and_not_named_twice(literal: str) -> None:
    net = Net()
    net.handshake_fault = REFUSED
    connect = Connect(net, host=literal)
    assert (net.resolving, net.used) == ([], [(literal, 9000)])
    assert str(of_connect(connect.fault, tls=False)).startswith("connection refused")


def test_connects_at_a_time_share_one_look_up_and_later_ones_make_their_own() -> None:
    net = Net("192.0.2.1")
    net.holds_names = True
    first = Connect(net)
    second = Connect(net, first.endpoint)
    assert len(net.resolving) == 1
    net.resolving[0].set_result(None)
    net.settle()
    assert first.task.done()
    assert second.task.done()
    Connect(net, first.endpoint)
    assert len(net.resolving) == 2
    first.endpoint.close()
    net.settle()


def test_an_address_of_a_link_keeps_its_scope() -> None:
    net = Net("fe80::1")
    Connect(net)
    assert net.used == [("fe80::1%3", 9000)]


def test_a_connect_whose_time_is_up_leaves_the_look_up_to_the_others() -> None:
    net = Net("192.0.2.1")
    net.holds_names = True
    first = Connect(net)
    net.wait(SECONDS - 1)
    second = Connect(net, first.endpoint)
    net.wait(1)
    assert first.task.done()
    net.resolving[0].set_result(None)
    net.settle()
    assert second.task.result() == ("transport", "protocol")


def test_a_dns_that_does_not_answer_is_named() -> None:
    net = Net("192.0.2.1")
    net.holds_names = True
    connect = Connect(net)
    net.wait(SECONDS)
    assert "no DNS answers" in str(of_connect(connect.fault, tls=False))
    connect.endpoint.close()
    net.settle()


def test_a_host_without_an_address() -> None:
    assert "no address" in str(Connect(Net()).fault)


def test_a_message_names_eight_addresses_at_most() -> None:
    hosts = [f"192.0.2.{number}" for number in range(1, 12)]
    net = Net(*hosts)
    connect = Connect(net)
    for host in hosts:
        net.says(host, REFUSED)
    told = str(of_connect(connect.fault, tls=False))
    assert told.endswith("; and 3 more addresses")
    assert "192.0.2.9" not in told


def test_a_lack_of_descriptors_is_told_from_a_target_that_is_down() -> None:
    shortage = OSError(24, "Too many open files")
    net = Net("192.0.2.1", "192.0.2.2")
    connect = Connect(net)
    net.says("192.0.2.1", shortage)
    net.says("192.0.2.2", shortage)
    assert is_own_shortage(connect.fault)
    assert is_own_shortage(shortage)
    assert not is_own_shortage(REFUSED)
