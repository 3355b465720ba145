"""What goes into the kernel at once, and what is left to the transport."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import cast

import pytest

from fastpath.outgoing import flushed, write


class Transport:
    """What `write` asks of one."""

    def __init__(self, kept: int = 0, *, closing: bool = False) -> None:
        self.kept = kept
        self.closing = closing
        self.written: list[bytes] = []

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return self.kept

    def write(self, data: bytes) -> None:
        self.written.append(data)


def send(transport: Transport, descriptor: int, data: bytes, more: bytes = b"") -> None:
    write(cast("asyncio.Transport", transport), descriptor, data, more)


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
    transport = cast("asyncio.Transport", Transport(kept, closing=closing))
    assert flushed(transport) is expected
