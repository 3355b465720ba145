"""What goes into the kernel, when, and what is left to the transport."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from fastpath.sockets.outbox import Outbox


class Transport:
    """What an outbox asks of one; `keeps`: what is written to it stays in its buffer."""

    def __init__(self, kept: int = 0, *, closing: bool = False) -> None:
        self.kept = kept
        self.closing = closing
        self.keeps = False
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.kept

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.kept += len(data) * self.keeps


class Loop:
    """The end of a turn, when told to."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def end_turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class Desk:
    """An outbox with its loop, without casts; `begun`: a message went out in this turn before."""

    def __init__(self, *, begun: bool = True) -> None:
        self.loop = Loop()
        self.outbox = Outbox(cast("asyncio.AbstractEventLoop", self.loop))
        if begun:
            self.write(Transport(closing=True), 0, b"the first")

    def write(self, transport: Transport, descriptor: int, data: bytes, more: bytes = b"") -> None:
        self.outbox.write(cast("asyncio.Transport", transport), descriptor, data, more)

    def push(self, transport: Transport) -> None:
        self.outbox.push(cast("asyncio.Transport", transport))

    def flushed(self, transport: Transport) -> bool:
        return self.outbox.flushed(cast("asyncio.Transport", transport))


def send(transport: Transport, descriptor: int, data: bytes, more: bytes = b"") -> None:
    """Write, and let the turn end."""
    desk = Desk()
    desk.write(transport, descriptor, data, more)
    desk.loop.end_turn()


def arrived(descriptor: int) -> bytes:
    """What is in the pipe."""
    try:
        return os.read(descriptor, 10_000_000)
    except BlockingIOError:
        return b""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose write end never waits."""
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("more", [b"", b"the body"])
def test_the_kernel_gets_all_that_it_takes(pipe: tuple[int, int], more: bytes) -> None:
    transport = Transport()
    send(transport, pipe[1], b"a head ", more)
    assert os.read(pipe[0], 100) == b"a head " + more
    assert transport.written == []


def test_what_a_transport_keeps_goes_first(pipe: tuple[int, int]) -> None:
    transport = Transport(kept=1)
    send(transport, pipe[1], b"a head ", b"the body")
    assert transport.written == [b"a head the body"]
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 100)


def test_without_a_descriptor_the_transport_has_it_all() -> None:
    transport = Transport()
    send(transport, -1, b"a head ", b"the body")
    assert transport.written == [b"a head the body"]


@pytest.mark.parametrize("head", [10, 100_000])
def test_what_the_kernel_does_not_take_is_left_to_the_transport(
    pipe: tuple[int, int], head: int
) -> None:
    data, more = os.urandom(head), os.urandom(200_000)
    transport = Transport()
    send(transport, pipe[1], data, more)
    taken = os.read(pipe[0], 1_000_000)
    assert taken
    assert taken + b"".join(transport.written) == data + more


def test_a_full_kernel_takes_nothing(pipe: tuple[int, int]) -> None:
    while True:
        try:
            os.write(pipe[1], bytes(4096))
        except BlockingIOError:
            break
    transport = Transport()
    send(transport, pipe[1], b"all of it")
    assert transport.written == [b"all of it"]


def test_a_broken_connection_is_found_by_the_transport() -> None:
    reading, writing = os.pipe2(os.O_NONBLOCK)
    os.close(reading)
    transport = Transport()
    send(transport, writing, b"all of it")
    os.close(writing)
    assert transport.written == [b"all of it"]


def test_nothing_is_written_to_the_descriptor_of_one_that_closes(pipe: tuple[int, int]) -> None:
    transport = Transport(closing=True)
    send(transport, pipe[1], b"for nobody")
    assert transport.written == []
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 100)


@pytest.mark.parametrize(
    ("kept", "closing", "expected"),
    [(0, False, True), (1, False, False), (0, True, False), (1, True, False)],
)
def test_only_an_open_one_that_keeps_nothing_may_be_spliced_into(
    kept: int, closing: bool, expected: bool
) -> None:
    assert Desk().flushed(Transport(kept, closing=closing)) is expected


def test_the_first_of_a_turn_does_not_wait(pipe: tuple[int, int]) -> None:
    desk = Desk(begun=False)
    for number in range(3):
        desk.write(Transport(), pipe[1], b"%d first " % number)
        assert arrived(pipe[0]) == b"%d first " % number
        desk.write(Transport(), pipe[1], b"and second")
        desk.loop.end_turn()
        assert arrived(pipe[0]) == b"and second"


def test_other_small_messages_wait_for_the_end_of_the_turn(pipe: tuple[int, int]) -> None:
    desk = Desk()
    desk.write(Transport(), pipe[1], b"an answer")
    assert arrived(pipe[0]) == b""
    desk.loop.end_turn()
    assert arrived(pipe[0]) == b"an answer"


def test_large_ones_do_not(pipe: tuple[int, int]) -> None:
    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, 1 << 20)
    desk = Desk(begun=False)
    desk.write(Transport(), pipe[1], b"a head ", bytes(100_000))
    assert arrived(pipe[0]) == b"a head " + bytes(100_000)
    assert desk.loop.soon == []


def test_each_turn_ends_once_for_all(pipe: tuple[int, int]) -> None:
    desk = Desk(begun=False)
    for _ in range(2):
        for word in (b"one ", b"two ", b"three"):
            desk.write(Transport(), pipe[1], word)
        assert len(desk.loop.soon) == 1
        desk.loop.end_turn()
        assert arrived(pipe[0]) == b"one two three"


@pytest.mark.parametrize("sizes", [(10, 10, 10), (10, 100_000, 10), (100_000, 10, 100_000)])
def test_one_transport_keeps_its_order(pipe: tuple[int, int], sizes: tuple[int, ...]) -> None:
    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, 1 << 20)
    desk, transport = Desk(), Transport()
    messages = [os.urandom(size) for size in sizes]
    for message in messages:
        desk.write(transport, pipe[1], message)
    desk.loop.end_turn()
    assert arrived(pipe[0]) == b"".join(messages)
    assert transport.written == []


def test_what_the_transport_keeps_since_goes_first(pipe: tuple[int, int]) -> None:
    desk, transport = Desk(), Transport()
    desk.write(transport, pipe[1], b"an answer")
    transport.kept = 1
    desk.loop.end_turn()
    assert transport.written == [b"an answer"]
    assert arrived(pipe[0]) == b""


def test_only_so_many_wait(pipe: tuple[int, int]) -> None:
    desk = Desk()
    for number in range(7):
        desk.write(Transport(), pipe[1], b"%d" % number)
    assert arrived(pipe[0]) == b""
    desk.write(Transport(), pipe[1], b"7")
    assert arrived(pipe[0]) == b"01234567"
    desk.write(Transport(), pipe[1], b"8")
    desk.loop.end_turn()
    assert arrived(pipe[0]) == b"8"


@pytest.mark.parametrize("ask", [Desk.push, Desk.flushed])
def test_what_waits_for_one_transport_goes_when_it_is_asked_for(
    pipe: tuple[int, int], ask: Callable[[Desk, Transport], object]
) -> None:
    desk, transport = Desk(), Transport()
    desk.write(Transport(), pipe[1], b"of another")
    desk.write(transport, pipe[1], b"its own")
    ask(desk, transport)
    ask(desk, transport)
    assert arrived(pipe[0]) == b"its own"
    desk.loop.end_turn()
    assert arrived(pipe[0]) == b"of another"


def test_what_the_kernel_did_not_take_then_is_no_flushed_transport() -> None:
    reading, writing = os.pipe2(os.O_NONBLOCK)
    os.close(reading)
    desk, transport = Desk(), Transport()
    transport.keeps = True
    desk.write(transport, writing, b"an answer")
    assert not desk.flushed(transport)
    os.close(writing)


def test_what_waits_for_one_that_closed_meanwhile_is_dropped(pipe: tuple[int, int]) -> None:
    """Its descriptor may be another's when the turn ends."""
    desk, transport = Desk(), Transport()
    desk.write(transport, pipe[1], b"for nobody")
    desk.write(Transport(), pipe[1], b"for somebody")
    transport.closing = True
    desk.loop.end_turn()
    assert transport.written == []
    assert arrived(pipe[0]) == b"for somebody"
