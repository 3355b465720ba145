"""Serves the operator's socket: one JSON line is the request, one the answer, then it closes.

Rules: only root and the gateway's own user are answered; so many connections at a time, each with a
deadline, and a longer line ends it; nothing that a peer does, and no fault of an answer, ends
control; without the socket the gateway serves as well, so a fault there is a warning.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from fastpath.sockets.peer_user import peer_user
from gateway.status.address import ANSWER_SECONDS, REQUEST_BYTES, address
from gateway.supervisor.crash import describe
from gateway.supervisor.notices import Notices

# A person and a few scripts; whoever comes then tries again.
MAX_CONNECTIONS: Final = 16
# Another gateway may hold the address: one with the same process id in another container, in the
# same network namespace. It is tried again, as that one may end.
BIND_AGAIN_SECONDS: Final = 5.0

_ROOT: Final = 0

Answer: TypeAlias = Mapping[str, object]
# Gets the request, and who sent it, as the log shall say.
Answering: TypeAlias = Callable[[Mapping[str, object], str], Awaitable[Answer]]


class OperatorSocket:
    """The socket of one control process."""

    def __init__(self, supervisor: int, answering: Answering, notices: Notices) -> None:
        self._supervisor = supervisor
        self._answering = answering
        self._notices = notices
        self._connections = 0

    async def serve(self) -> None:
        """Serves until it is cancelled."""
        listener = await self._bind()
        server = await asyncio.start_unix_server(self._take, sock=listener, limit=REQUEST_BYTES)
        await server.serve_forever()

    async def _bind(self) -> socket.socket:
        told = False
        while True:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(address(self._supervisor))
                listener.listen(MAX_CONNECTIONS)
            except OSError as error:
                listener.close()
                if not told:
                    self._tell(error)
                told = True
                await asyncio.sleep(BIND_AGAIN_SECONDS)
            else:
                return listener

    def _tell(self, error: OSError) -> None:
        self._notices.warning(
            f"s3gateway status, reload and the like cannot reach this gateway: its socket "
            f"@{address(self._supervisor)[1:].decode()} cannot be opened: {error.strerror} "
            "(another gateway of this network namespace may have it: give each its own)"
        )

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            connection: socket.socket = writer.get_extra_info("socket")
            user = peer_user(connection)
            writer.transport.set_write_buffer_limits(0)  # so that `drain` waits for all of it
            if user in (_ROOT, os.geteuid()) and self._connections <= MAX_CONNECTIONS:
                async with asyncio.timeout(ANSWER_SECONDS):
                    line = await reader.readline()
                # `operator_requests` bounds what an answer takes.
                answer = await self._answer(line, user) if line.endswith(b"\n") else b""
                async with asyncio.timeout(ANSWER_SECONDS):
                    writer.write(answer)
                    await writer.drain()
        except (OSError, ValueError):  # it left, was too slow (TimeoutError), or the line too long
            pass
        finally:
            self._connections -= 1
            writer.transport.abort()

    async def _answer(self, line: bytes, user: int) -> bytes:
        try:
            asked = json.loads(line)
        except (ValueError, RecursionError):
            asked = None
        answer: Answer
        if not isinstance(asked, dict):
            answer = {"ok": False, "error": "the request is no JSON object in one line"}
        else:
            try:
                answer = await self._answering(asked, f"the operator (uid {user})")
            except Exception as fault:
                self._notices.error(f"the operator's request failed: {describe(fault)}")
                answer = {"ok": False, "error": "control could not answer: see the gateway's log"}
        return json.dumps(answer).encode() + b"\n"
