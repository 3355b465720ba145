"""Accepts connections of a TLS listener and hands them over after the handshake.

Rules: a handshake uses the certificate that is in force when it begins; a new certificate closes no
connection. A handshake has an absolute deadline. As many may be under way as there may be
connections; each is counted until it ends, so that a draining worker waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

from fastpath.client.connection import ClientConnection
from fastpath.errors import BAD_REQUEST, S3Error
from fastpath.response.heads import error_response
from fastpath.sockets.diagnosis import CLIENT_PLAIN, of_handshake
from fastpath.sockets.tls import server_context

if TYPE_CHECKING:
    from fastpath.sockets.tls_settings import Certificate
    from fastpath.worker.state import WorkerState

_AT_ONCE = 64  # accepted in one iteration of the loop, so that open connections get served
_PAUSE_SECONDS = 1.0  # after a failed accept (no descriptor left), as asyncio does
# A closing connection has deadlines of its own (`client.deadlines`), which tell a slow reader from
# a client that left; the loop's deadline would cut both.
_SHUTDOWN_SECONDS = 86400.0


_LAST_READ = 65536
_PLAIN_HTTP = S3Error(
    BAD_REQUEST, message="The plain HTTP request was sent to an HTTPS port; use https://."
)


def _spare(connection: socket.socket) -> socket.socket | None:
    """A second descriptor, to answer after a failed handshake closed the first; None: none left."""
    try:
        return connection.dup()
    except OSError:
        return None


class TLSListener:
    """One TLS listener of a worker."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, worker: WorkerState, listener: socket.socket
    ) -> None:
        self._loop = loop
        self._worker = worker
        self._listener = listener
        self._running: set[asyncio.Task[None]] = set()
        self._certificate: Certificate | None = None  # of `_context`
        self._context: ssl.SSLContext | None = None

    def open(self) -> None:
        """Accept from now on."""
        self._refresh_certificate()
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Stop accepting; handshakes under way go on."""
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, peer = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as fault:
                self._worker.report_shortage(f"cannot accept a connection: {fault}")
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE_SECONDS, self.open)
                return
            self._begin_handshake(connection, f"{peer[0]}:{peer[1]}")

    def _begin_handshake(self, connection: socket.socket, remote: str) -> None:
        if not self._worker.begin_handshake():
            connection.close()
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._handshake(connection, remote))
        self._running.add(task)
        task.add_done_callback(self._end)

    async def _handshake(self, connection: socket.socket, remote: str) -> None:
        self._refresh_certificate()
        if self._context is None:
            connection.close()
            return
        spare = _spare(connection)
        try:
            await self._loop.connect_accepted_socket(
                lambda: ClientConnection(self._worker),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._worker.snapshot.limits.handshake_seconds,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except OSError as fault:  # every failed handshake is one; the loop closed its descriptor
            self._refuse(spare, remote, fault)
        finally:
            if spare is not None:
                spare.close()

    def _refuse(self, connection: socket.socket | None, remote: str, fault: OSError) -> None:
        """Log why a handshake failed; answer plain HTTP in plain HTTP, as nginx does."""
        cause, worker = of_handshake(fault), self._worker
        if cause is not None:
            worker.log.client_mistaken(str(cause), remote)
        if cause is CLIENT_PLAIN and connection is not None:
            ids = (worker.next_request_id(), worker.host_id)
            with contextlib.suppress(OSError):  # it may have left
                connection.send(error_response(_PLAIN_HTTP, ids, to_head=False, keep=False))
                connection.shutdown(socket.SHUT_WR)
                connection.recv(_LAST_READ)  # bytes unread would reset the answer away

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._worker.end_handshake()

    def _refresh_certificate(self) -> None:
        """Make a context if the certificate changed; otherwise keep it, with its ticket keys.

        A configuration without `router.tls` closes no listener, so the last certificate stays.
        """
        certificate = self._worker.snapshot.certificate
        if certificate is not None and certificate != self._certificate:
            self._context = server_context(certificate)
            self._certificate = certificate
