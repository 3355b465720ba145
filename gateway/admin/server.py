"""Serves the admin plane in control's loop, with uvicorn's protocol.

Rules: so many connections at a time, and the one that has been idle longest gives way to a new one;
a head that is not whole in time closes its connection, and so does a connection without requests;
uvicorn's own server is not used, because signals, ticks and the end of the process are control's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

# Some browsers with six connections each, a monitor and a few scripts.
MAX_CONNECTIONS: Final = 64
HEAD_SECONDS: Final = 10.0
KEEP_ALIVE_SECONDS: Final = 30


class Connection(HttpToolsProtocol):
    """One connection, with a deadline for each of its heads."""

    _deadline: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        if len(self.connections) >= MAX_CONNECTIONS:
            self._make_room()
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self.is_idle and self._deadline is None:
            self._expect_head()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._close)

    def _head_came(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._deadline = None
        if self.is_idle:
            self.transport.close()

    def _make_room(self) -> None:
        """Closes the oldest connection that is idle; the set of uvicorn keeps no order."""
        idle = [one for one in self.connections if isinstance(one, Connection) and one.is_idle]
        for one in sorted(idle, key=lambda one: one.began)[:1]:
            one.transport.abort()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.began = self.loop.time()


async def serve(app: ASGIApp, listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serves until it is cancelled."""
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn").propagate = False
    config = uvicorn.Config(
        app,
        http=Connection,
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.load()
    state = ServerState()
    state.default_headers = config.encoded_headers

    def connection() -> Connection:
        return Connection(config=config, server_state=state, app_state={})

    own = listener.dup()  # closing it leaves the supervisor's, which listens on
    own.setblocking(False)
    server = await asyncio.get_running_loop().create_server(connection, sock=own, ssl=context)
    try:
        await asyncio.get_running_loop().create_future()  # `serve_forever` may wait for clients
    finally:
        server.close()
        for one in list(state.connections):
            one.shutdown()
