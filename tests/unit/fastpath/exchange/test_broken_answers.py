"""Whatever cuts an answer: the client is reset, so that it never takes what it has for whole."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest

from fastpath.limits import Limits
from tests.doubles.http1 import get, ok
from tests.doubles.wire import Peer, Rig
from tests.unit.fastpath.client.test_connection_tls import connected
from tests.unit.fastpath.clients import started

SIZE = 400_000
UNFRAMED = b"HTTP/1.1 200 OK\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n61A80\r\n"
ANSWERS = {"length": ok(bytes(SIZE))[:-SIZE], "chunked": CHUNKED, "until close": UNFRAMED}
LINGER = (socket.SOL_SOCKET, socket.SO_LINGER)


def takes_nothing(rig: Rig, client: Peer) -> None:
    rig.pass_time(Limits().send_idle_seconds + 1)


def takes_too_little(rig: Rig, client: Peer) -> None:
    for _ in range(3):
        client.reads(200)
        rig.pass_time(61)


def drain_deadline(rig: Rig, client: Peer) -> None:
    rig.worker.drain()
    rig.worker.cut()
    rig.settle()


def target_breaks(rig: Rig, client: Peer) -> None:
    rig.target.resets()


def target_is_silent(rig: Rig, client: Peer) -> None:
    client.reads(on=True)
    rig.pass_time(61)


def defect(rig: Rig, client: Peer) -> None:
    (connection,) = rig.worker.connections
    connection.crash(ValueError("a defect"))
    rig.settle()


CUTS = [
    takes_nothing,
    takes_too_little,
    drain_deadline,
    target_breaks,
    target_is_silent,
    defect,
]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: f"A6 {cut.__name__}")
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_cut_answer_ends_with_a_reset(
    cut: Callable[[Rig, Peer], None], answer: str, version: str, secure: bool
) -> None:
    rig, client = connected() if secure else started()
    client.says(get(version=version))
    client.stalls()
    rig.target.says(ANSWERS[answer] + bytes(SIZE // 2))
    cut(rig, client)
    assert client.reset


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("connection", ["keep-alive", "close"])
@pytest.mark.parametrize("leaves", [False, True], ids=["stays", "half-closes"])
def test_a_whole_answer_that_is_not_taken_ends_with_a_reset(
    answer: str, connection: str, leaves: bool
) -> None:
    """A6: the answer was whole, but a part of it never left."""
    rig, client = started()
    client.says(get("/b-b/k", f"Connection: {connection}"))
    client.stalls()
    if leaves:
        client.leaves()
    rig.target.says(ANSWERS[answer] + bytes(SIZE) + (b"\r\n0\r\n\r\n" if "61A" in answer else b""))
    rig.target.leaves()
    rig.pass_time(300)
    assert client.reset


def test_one_that_floods_after_its_last_answer_is_reset_if_that_is_not_taken() -> None:
    """A6: reading away ends while the answer still waits to be taken."""
    rig, client = started(limits={"discard_bytes": 10})
    client.says(get("/b-b/k", "Connection: close"))
    client.stalls()
    rig.target.says(ok(bytes(5000)))
    client.says(bytes(11))
    assert not client.transport.is_closing()
    rig.pass_time(Limits().send_idle_seconds + 1)
    assert client.reset


def test_a_worker_that_is_killed_resets_what_ends_with_the_stream() -> None:
    """A6: the kernel ends the connections of a killed process; until an answer is whole, by RST."""
    rig, client = started()
    client.says(get(version="1.0"))
    rig.target.says(UNFRAMED + b"half")
    assert client.kernel.options[-1] == (*LINGER, struct.pack("ii", 1, 0))
    rig.target.leaves()
    assert client.kernel.options[-1] == (*LINGER, struct.pack("ii", 0, 0))
    assert client.heard.endswith(b"half")
    assert client.ended
    assert not client.aborted
