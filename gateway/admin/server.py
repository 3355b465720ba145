"""Serves the admin plane in control's loop, with uvicorn's protocol.

Rules: so many connections at a time, those in the middle of a TLS handshake among them: the one
that has been idle longest gives way to a new one, and if none is idle, the new one is closed;
uvicorn's own server is not used, because signals, ticks and the end of the process are control's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from gateway.admin.connection import HEAD_SECONDS, KEEP_ALIVE_SECONDS, Connection

# Some browsers with six connections each, a monitor and a few scripts.
MAX_CONNECTIONS: Final = 64


class Places:
    """The connections that there are, and no more than so many."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        self._most = most
        self._held: set[Connection] = set()

    def take(self, connection: Connection) -> bool:
        """Takes one in; another one may have to go for it. Returns whether there is room."""
        if len(self._held) >= self._most:
            idle = [one for one in self._held if one.is_idle]
            if not idle:
                return False
            min(idle, key=lambda one: one.idle_since).drop()
        self._held.add(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """Gives its place back."""
        self._held.discard(connection)

    def drop_all(self) -> None:
        """Ends all of them."""
        for connection in list(self._held):
            connection.drop()


async def serve(app: ASGIApp, listener: socket.socket, context: ssl.SSLContext | None) -> None:
    """Serves until it is cancelled."""
    loop = asyncio.get_running_loop()
    places, made = Places(), connections_of(app)
    own = listener.dup()  # closing it leaves the supervisor's, which listens on
    own.setblocking(False)
    try:
        while True:
            try:
                accepted, _ = await loop.sock_accept(own)
            except ConnectionError:
                continue  # it was given up in the queue
            # asyncio does so only for sockets that were made as TCP's own: an answer in two pieces
            # waited 40 ms for the client's acknowledgement of the first.
            with contextlib.suppress(OSError):
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = made(places.leave)
            if places.take(connection):
                connection.opening = loop.create_task(_open(connection, accepted, context, places))
            else:
                accepted.close()
            await asyncio.sleep(0)  # what is accepted is taken up before the next one is
    finally:
        own.close()
        places.drop_all()


def connections_of(app: ASGIApp) -> Callable[[Callable[[Connection], None]], Connection]:
    """Returns what makes a connection of the application, given what it calls at its end."""
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

    def made(leave: Callable[[Connection], None]) -> Connection:
        return Connection(leave, config=config, server_state=state, app_state={})

    return made


async def _open(
    connection: Connection,
    accepted: socket.socket,
    context: ssl.SSLContext | None,
    places: Places,
) -> None:
    """Makes the connection of an accepted socket, with its handshake if there is one."""
    try:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection,
            accepted,
            ssl=context,
            ssl_handshake_timeout=None if context is None else HEAD_SECONDS,
        )
    except (OSError, asyncio.CancelledError):
        pass  # it left, does not speak TLS, or was dropped
    finally:
        connection.opening = None
        if not connection.is_made:
            places.leave(connection)
            accepted.close()
