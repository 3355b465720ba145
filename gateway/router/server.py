"""The loop of a router process: obeys the supervisor's channel, answers workers, beats.

Rules: it takes connections only when the supervisor says so, and only of its own user; it lives as
long as its channel; the loop itself beats, so that a `route_request` that does not return stops the
beat.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from typing import Final, NoReturn

from fastpath.custom.messages import MessageFault, MessageReader, encode
from fastpath.ipc.frames import Frame, FrameReader, FrameType
from fastpath.ipc.frames import encode as encode_frame
from fastpath.sockets.peer_user import peer_user
from gateway.router.answering import Answering
from gateway.router.confinement import OwnDescriptors, end_for_memory, limit_memory
from gateway.router.definition import Definition
from gateway.router.loading import LoadFault, Router, load

BEAT_SECONDS: Final = 0.5
# What runs when the router is replaced has this long; workers ask the next one again afterwards.
LAST_ANSWERS_SECONDS: Final = 1.0
EXIT_REFUSED: Final = 3

_READ_BYTES: Final = 262144


def run(channel: socket.socket, listener: socket.socket, own: OwnDescriptors) -> NoReturn:
    """Runs the router until its channel ends."""
    try:
        code = asyncio.run(RouterServer(channel, listener, own).live())
    except MemoryError:
        end_for_memory()
    os._exit(code)  # the supervisor ends what it has forked


class RouterServer:
    """One router process."""

    def __init__(
        self, channel: socket.socket, listener: socket.socket, own: OwnDescriptors
    ) -> None:
        self._channel = channel
        self._listener = listener
        self._own = own
        self._frames = FrameReader()
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self._answering: Answering | None = None

    async def live(self) -> int:
        """Loads, serves, leaves; the exit status."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_on_fault)
        self._own.add_all()  # the loop has opened some for itself
        self._channel.setblocking(False)
        beat = loop.create_task(self._beat())
        router: Router | None = None
        while True:
            for frame in await self._read():
                if frame.type is FrameType.ROUTER:
                    router = self._load(frame)
                    if router is None:
                        return EXIT_REFUSED
                elif frame.type is FrameType.SERVE and router is not None:
                    await self._serve(router)
                elif frame.type is FrameType.DRAIN:
                    beat.cancel()
                    await self._leave()
                    return 0

    def _load(self, frame: Frame) -> Router | None:
        definition = Definition.decoded(frame.payload)
        limit_memory(definition.memory_mb)
        try:
            router = load(definition)
        except LoadFault as fault:
            self._tell(FrameType.REJECTED, f"{fault} ({fault.remedy})")
            return None
        self._tell(FrameType.READY)
        return router

    async def _serve(self, router: Router) -> None:
        answering = self._answering = Answering(router.route_request)
        greeting = encode({"cache_seconds": router.cache_seconds})

        def accept() -> _Connection:
            return _Connection(answering, greeting, self._connections, self._own)

        self._server = await asyncio.get_running_loop().create_unix_server(
            accept, sock=self._listener, backlog=socket.SOMAXCONN
        )

    async def _leave(self) -> None:
        """Takes no connection, ends what was asked, and closes the connections."""
        if self._server is not None:
            self._server.close()
        if self._answering is not None:
            await self._answering.finish(LAST_ANSWERS_SECONDS)
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)

    async def _read(self) -> list[Frame]:
        data = await asyncio.get_running_loop().sock_recv(self._channel, _READ_BYTES)
        if not data:
            os.killpg(0, signal.SIGKILL)  # the supervisor is gone, and would have done it
        return self._frames.feed(data)

    async def _beat(self) -> None:
        while True:
            self._tell(FrameType.BEAT)
            await asyncio.sleep(BEAT_SECONDS)

    def _tell(self, kind: FrameType, text: str = "") -> None:
        with contextlib.suppress(OSError):  # the supervisor is gone, which `_read` finds
            self._channel.send(encode_frame(kind, 0, text.encode("utf-8", "replace")))


class _Connection(asyncio.Protocol):
    """One worker."""

    def __init__(
        self,
        answering: Answering,
        greeting: bytes,
        connections: set[_Connection],
        own: OwnDescriptors,
    ) -> None:
        self._answering = answering
        self._greeting = greeting
        self._connections = connections
        self._own = own
        self._reader = MessageReader()
        self._answers: list[list[object]] = []
        self._transport: asyncio.Transport
        self._number = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        connection: socket.socket = transport.get_extra_info("socket")
        self._number = connection.fileno()
        self._own.add(self._number)
        if peer_user(connection) != os.geteuid():
            transport.abort()
            return
        self._connections.add(self)
        transport.write(self._greeting)

    def connection_lost(self, fault: Exception | None) -> None:
        self._own.discard(self._number)
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            for questions in self._reader.feed(data):
                for question in questions:
                    self._answering.ask(question, self._reply)
        except MessageFault:
            self._transport.abort()

    def _reply(self, answer: list[object]) -> None:
        """Has the answers of this turn of the loop written together."""
        if not self._answers:
            asyncio.get_running_loop().call_soon(self._flush)
        self._answers.append(answer)

    def _flush(self) -> None:
        answers, self._answers = self._answers, []
        if answers and not self._transport.is_closing():
            self._transport.write(encode(answers))

    def close(self) -> None:
        """Closes the connection once what was answered is written."""
        self._flush()
        self._transport.close()


def _on_fault(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    if isinstance(context.get("exception"), MemoryError):
        end_for_memory()
    # A task of the operator's own that failed: asyncio writes it to standard error.
    loop.default_exception_handler(context)
