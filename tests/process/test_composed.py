"""A composed operation over real sockets: a copy from one target to another, and who may fail.

The worker's state and its loop are the real ones, in a thread of this process (`LiveWorker`); the
test plays the client and both targets. What each event means for the client is proved on the rig
(`tests/unit/fastpath/composed`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import uvloop

from fastpath.composed import operation
from fastpath.composed.operation import Composed, ComposedRequest
from fastpath.ipc.log import ACCESS
from fastpath.upstream.call import WINDOW
from fastpath.upstream.own_request import OwnRequest
from tests.doubles.copying import COPIES
from tests.doubles.http1 import Answer, get, put, read_answers
from tests.doubles.splicing import SECONDS, LiveWorker, head_and_rest, read

MIB = 1 << 20
COPY = put("/b-b/k", b"", "x-amz-copy-source: b-b/source")
STORED = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\n\r\n'
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def resets(connection: socket.socket) -> None:
    """End a connection as a process does that is killed with bytes unread."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def wait_until_dropped(connection: socket.socket) -> None:
    """Return when the other side has dropped it; the error may go to the thread that sends."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(MIB):
            pass


class Copy:
    """One copy of `size` bytes that has begun: the source has been asked."""

    def __init__(self, worker: LiveWorker, size: int) -> None:
        self.worker = worker
        self.size = size
        self.client = worker.client()
        self.client.sendall(COPY)
        self.source = worker.target("first")
        head, _ = head_and_rest(self.source)
        assert head.startswith(b"GET /b-b/k ")
        self.source.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        self.destination = worker.target("generic")

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (self.client, self.source, self.destination):
            connection.close()

    def says(self, data: bytes) -> Future[bool]:
        """Have the source send this meanwhile; whether it could."""
        sent: Future[bool] = Future()

        def send() -> None:
            try:
                self.source.sendall(data)
            except OSError:
                sent.set_result(False)
            else:
                sent.set_result(True)

        threading.Thread(target=send, daemon=True).start()
        return sent

    def hears(self) -> bytes:
        """Of the destination: the first bytes of the object."""
        head, rest = head_and_rest(self.destination)
        assert b"content-length: %d" % self.size in head
        return rest

    def bytes_that_wait(self) -> int:
        """Bytes in the worker, once it reads no more of the source."""
        pause = threading.Event()
        worker = self.worker.worker

        def look() -> tuple[bool, int]:
            held = 0
            is_reading = True
            for one in (one for pool in worker._pools.values() for one in pool._busy):
                held += one.transport.get_write_buffer_size()
                waiting = getattr(one.lessee, "_waiting", 0)
                held += waiting
                is_reading = is_reading and waiting < WINDOW
            return is_reading, held

        for _ in range(int(SECONDS * 100)):
            is_reading, held = self.worker.between_turns(look)
            if not is_reading:
                return held
            pause.wait(0.01)
        raise AssertionError("it reads on")

    def answer(self) -> Answer:
        """What the client got, which is whole."""
        head, rest = head_and_rest(self.client)
        whole = head + b"\r\n\r\n" + rest
        while not (answers := read_answers(whole, [b"PUT"])) or not answers[0].whole:
            piece = self.client.recv(65536)
            assert piece, whole
            whole += piece
        return answers[0]

    def lines(self, client: tuple[int, str], *calls: tuple[str, str]) -> None:
        """Waits for the lines, and checks them: one for the client, one for each call."""
        told: list[dict[str, Any]] = []

        def look() -> list[dict[str, Any]]:
            self.worker.worker.log.flush()
            lines = b"\n".join(self.worker.sink.datagrams).split(b"\n")
            return [json.loads(one.removeprefix(ACCESS)) for one in lines if one]

        turns = threading.Event()
        for _ in range(int(SECONDS * 100)):
            told = self.worker.between_turns(look)
            if sum(line["kind"] in ("access", "call") for line in told) > len(calls):
                break
            turns.wait(0.01)
        access = [(one["status"], one["code"]) for one in told if one["kind"] == "access"]
        assert access == [client]
        ended = [(one["operation"], one["code"]) for one in told if one["kind"] == "call"]
        assert sorted(ended) == sorted(calls)
        assert [one for one in told if one.get("level") == "error"] == []
        assert self.worker.between_turns(self._is_at_rest)

    def _is_at_rest(self) -> bool:
        worker = self.worker.worker
        others = {"_sweep"}
        tasks = {task.get_coro().__name__ for task in asyncio.all_tasks()} - others  # type: ignore[union-attr]  # of coroutines
        return not tasks and not any(pool._busy for pool in worker._pools.values())


@pytest.fixture(params=LOOPS)
def worker(request: pytest.FixtureRequest) -> Iterator[LiveWorker]:
    with LiveWorker(LOOPS[request.param], 65536) as worker:
        worker.worker.composed = COPIES
        yield worker


def test_64_mib_arrive_byte_for_byte(worker: LiveWorker) -> None:
    size = 64 * MIB
    with Copy(worker, size) as copy:
        data = random.Random(1).randbytes(size)
        sent = copy.says(data)
        digest = hashlib.sha256(first := copy.hears())
        left = size - len(first)
        while left:
            piece = copy.destination.recv(MIB)
            assert piece
            digest.update(piece)
            left -= len(piece)
        assert sent.result(SECONDS)
        assert digest.digest() == hashlib.sha256(data).digest()
        copy.destination.sendall(STORED)
        assert b"<ETag>&quot;1&quot;</ETag>" in copy.answer().body
        copy.lines((200, ""), ("GetObject", ""), ("PutObject", ""))
        pools = worker.worker._pools.values()
        assert worker.between_turns(lambda: [len(pool._idle) for pool in pools]) == [1, 1]


def test_a_slow_source_delays_and_breaks_nothing(worker: LiveWorker) -> None:
    data = random.Random(2).randbytes(300)
    with Copy(worker, len(data)) as copy:
        copy.source.sendall(data[:1])
        heard = copy.hears()
        for at in range(1, len(data)):
            copy.source.sendall(data[at : at + 1])
            heard = read(copy.destination, at + 1, heard)
        assert heard == data
        copy.destination.sendall(STORED)
        assert copy.answer().status == 200
        copy.lines((200, ""), ("GetObject", ""), ("PutObject", ""))


def test_a_slow_destination_bounds_what_waits(worker: LiveWorker) -> None:
    """It reads nothing while the source says as much as it can."""
    size = 64 * MIB
    with Copy(worker, size) as copy:
        sent = copy.says(bytes(size))
        heard = copy.hears()
        waiting = copy.bytes_that_wait()
        assert WINDOW <= waiting < 3 * WINDOW
        assert not sent.done()
        left = size - len(heard)
        while left:
            left -= len(copy.destination.recv(MIB))
        assert sent.result(SECONDS)
        copy.destination.sendall(STORED)
        assert copy.answer().status == 200
        copy.lines((200, ""), ("GetObject", ""), ("PutObject", ""))


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_side_that_is_killed_midway(worker: LiveWorker, side: str) -> None:
    size = 8 * MIB
    with Copy(worker, size) as copy:
        sent = copy.says(bytes(size if side == "destination" else size // 2))
        heard = copy.hears()
        if side == "destination":
            resets(copy.destination)
        else:
            read(copy.destination, size // 2, heard)  # else nobody looks at the source
            assert sent.result(SECONDS)
            resets(copy.source)
        answer = copy.answer()
        assert (answer.status, answer.code) == (503, "ServiceUnavailable")
        other = copy.source if side == "destination" else copy.destination
        wait_until_dropped(other)
        ends = {"source": ("Failed", "Aborted"), "destination": ("Aborted", "Failed")}[side]
        calls = zip(("GetObject", "PutObject"), ends, strict=True)
        copy.lines((503, "ServiceUnavailable"), *calls)


def test_a_client_that_leaves_midway(worker: LiveWorker) -> None:
    with Copy(worker, 8 * MIB) as copy:
        copy.source.sendall(bytes(MIB))
        copy.hears()
        resets(copy.client)
        wait_until_dropped(copy.source)
        wait_until_dropped(copy.destination)
        copy.lines((0, "ClientGone"), ("GetObject", "Aborted"), ("PutObject", "Aborted"))


def test_a_copy_that_is_late(worker: LiveWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "DEADLINE_SECONDS", 0.2)  # an hour is tested on the rig
    with Copy(worker, 8 * MIB) as copy:
        copy.source.sendall(bytes(MIB))
        answer = copy.answer()
        assert (answer.status, answer.code) == (503, "ServiceUnavailable")
        wait_until_dropped(copy.source)
        wait_until_dropped(copy.destination)
        late = (503, "ServiceUnavailable")
        copy.lines(late, ("GetObject", "Aborted"), ("PutObject", "Aborted"))


def test_what_an_operation_has_found_is_spliced(worker: LiveWorker) -> None:
    async def find(request: ComposedRequest) -> None:
        read_it = OwnRequest("GetObject", b"GET", request.admitted.upstream_address)
        async with request.call(read_it, request.destination("generic")) as call:
            await call.answer()
            await request.reply.relay(call)

    worker.worker.composed = {"GetObject": Composed(find, is_always=True)}
    data = random.Random(3).randbytes(4 * MIB)
    with worker.client() as client:
        client.sendall(get("/b-b/k"))
        with worker.target("generic") as target:
            head_and_rest(target)
            target.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data))
            _, rest = head_and_rest(client)
            threading.Thread(target=target.sendall, args=[data], daemon=True).start()
            assert read(client, len(data), rest) == data
            assert worker.spliced() > MIB
