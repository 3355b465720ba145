"""The connections of the admin plane: how many, how many bytes, and how long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from starlette.types import Receive, Scope, Send

from gateway.admin import connection as bounds
from gateway.admin.connection import Connection
from gateway.admin.server import Places, connections_of

HEAD = b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n"


class Transport:
    """A transport that keeps what is written; its peer may not read."""

    def __init__(self) -> None:
        self.written = b""
        self.ended = ""
        self.paused = False

    def get_extra_info(self, name: str) -> object:
        return None

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Rig:
    """Connections of an application that answers when it is told to."""

    def __init__(self, most: int = 3) -> None:
        self.places = Places(most)
        self.made = connections_of(self._app)
        self.asked = 0
        self.answering = asyncio.Event()
        self.answering.set()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await self.answering.wait()
        length = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"ok"})

    def connect(self) -> tuple[Connection, Transport]:
        connection, transport = self.made(self.places.leave), Transport()
        assert self.places.take(connection)
        connection.connection_made(transport)
        return connection, transport


def play(story: Callable[[Rig], Awaitable[None]]) -> None:
    async def played() -> None:
        await story(Rig())

    asyncio.run(played())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def until(connection: Connection) -> float:
    """Seconds until it is dropped."""
    timer = connection._timer
    assert timer is not None
    return timer.when() - asyncio.get_running_loop().time()


def refusal(transport: Transport) -> dict[str, Any]:
    head, _, body = transport.written.partition(b"\r\n\r\n")
    found: dict[str, Any] = orjson.loads(body)
    assert f"content-length: {len(body)}".encode() in head
    assert b"x-content-type-options: nosniff" in head
    return {**found, "status": int(head.split()[1])}


def test_a_new_connection_takes_the_place_of_the_one_that_was_idle_longest() -> None:
    async def story(rig: Rig) -> None:
        first, second, _ = (rig.connect() for _ in range(3))
        first[0].data_received(HEAD)
        await settle()
        assert first[1].written.endswith(b"ok")  # so that it is idle since now
        rig.connect()
        assert [one.ended for one in (first[1], second[1])] == ["", "aborted"]

    play(story)


def test_a_burst_of_connections_drops_one_for_each() -> None:
    async def story(rig: Rig) -> None:
        transports = [rig.connect()[1] for _ in range(50)]
        assert [one.ended for one in transports] == ["aborted"] * 47 + [""] * 3

    play(story)


def test_none_that_is_answered_gives_way() -> None:
    async def story(rig: Rig) -> None:
        rig.answering.clear()
        busy = [rig.connect() for _ in range(3)]
        for connection, _ in busy:
            connection.data_received(HEAD)
        assert not rig.places.take(rig.made(rig.places.leave))
        rig.answering.set()
        await settle()
        assert [transport.ended for _, transport in busy] == ["", "", ""]
        rig.connect()

    play(story)


def test_one_that_is_in_its_handshake_gives_way_too() -> None:
    async def story(rig: Rig) -> None:
        shaking = [rig.made(rig.places.leave) for _ in range(3)]
        for connection in shaking:
            connection.opening = asyncio.create_task(asyncio.sleep(3600))  # type: ignore[arg-type]
            assert rig.places.take(connection)
        rig.connect()
        await settle()
        assert [one.opening is not None and one.opening.cancelled() for one in shaking] == [
            True,
            False,
            False,
        ]

    play(story)


def test_a_connection_that_is_lost_gives_its_place_back() -> None:
    async def story(rig: Rig) -> None:
        held = [rig.connect() for _ in range(3)]
        held[2][0].connection_lost(None)
        rig.connect()
        assert [transport.ended for _, transport in held[:2]] == ["", ""]

    play(story)


def test_a_head_has_a_deadline_that_bytes_do_not_move() -> None:
    async def story(rig: Rig) -> None:
        connection, transport = rig.connect()
        connection.data_received(HEAD[:10])
        first = connection._timer
        for byte in HEAD[10:-1]:
            connection.data_received(bytes([byte]))
        assert connection._timer is first
        assert until(connection) <= bounds.HEAD_SECONDS
        connection.drop()  # what the timer does
        assert transport.ended == "aborted"

    play(story)


def test_an_answer_and_the_time_after_it_have_deadlines() -> None:
    async def story(rig: Rig) -> None:
        rig.answering.clear()
        connection, _ = rig.connect()
        connection.data_received(HEAD)
        assert bounds.HEAD_SECONDS < until(connection) <= bounds.ANSWER_SECONDS
        rig.answering.set()
        await settle()
        assert bounds.HEAD_SECONDS < until(connection) <= bounds.KEEP_ALIVE_SECONDS

    play(story)


def test_a_peer_that_does_not_read_its_last_answer_is_dropped() -> None:
    async def story(rig: Rig) -> None:
        connection, transport = rig.connect()
        connection.data_received(HEAD.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        await settle()
        assert transport.ended == "closed"  # which waits until all is sent
        assert until(connection) <= bounds.KEEP_ALIVE_SECONDS

    play(story)


@pytest.mark.parametrize(
    "start",
    [
        b"GET /live HTTP/1.1\r\nhost: x\r\nx: ",
        b"GET /",
        b"POST /live HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\n\r\n",
        b"POST /live HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
    ],
)
def test_a_request_has_so_many_bytes(start: bytes) -> None:
    async def story(rig: Rig) -> None:
        connection, transport = rig.connect()
        connection.data_received(start)
        await settle()
        for _ in range(bounds.REQUEST_BYTES // 1000 + 2):
            if not transport.ended:
                connection.data_received(b"a" * 1000)
        assert transport.ended == "closed"
        if rig.asked == 0:
            assert refusal(transport)["status"] == 413

    play(story)


def test_requests_count_for_themselves() -> None:
    async def story(rig: Rig) -> None:
        connection, transport = rig.connect()
        large = HEAD[:-2] + b"x: " + b"a" * 40_000 + b"\r\n\r\n"
        for _ in range(4):
            connection.data_received(large[:30_000])
            connection.data_received(large[30_000:])
            await settle()
        assert (rig.asked, transport.ended) == (4, "")

    play(story)


def test_few_requests_wait_behind_one() -> None:
    async def story(rig: Rig) -> None:
        connection, transport = rig.connect()
        connection.data_received(HEAD * 5)
        await settle()
        assert (rig.asked, transport.ended) == (5, "")
        rig.answering.clear()
        connection.data_received(HEAD * 10_000)
        await settle()
        assert transport.ended == "closed"
        assert len(connection.pipeline) <= bounds.PIPELINED

    play(story)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /live?\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused_in_json(data: bytes) -> None:
    async def story(rig: Rig) -> None:
        connection, transport = rig.connect()
        connection.data_received(data)
        await settle()
        assert refusal(transport)["status"] == 400
        assert transport.ended == "closed"

    play(story)
