"""A TLS listener's door: accepts, shakes hands, hands over to `DownstreamConnection`.

Rules: a handshake uses the certificate that is in force when it begins, and no connection is closed
because that changes; it has an absolute deadline; as many may run at once as there may be
connections; each is counted until it ends, so that a worker that leaves waits for it.

Not here: contexts (`tls`), what a client says after the handshake (`downstream`), plain listeners
(asyncio's own server does all that is needed there).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

from fastpath.client.connection import DownstreamConnection
from fastpath.errors import BAD_REQUEST, S3Error
from fastpath.response.heads import error_response
from fastpath.sockets.diagnosis import CLIENT_PLAIN, of_handshake
from fastpath.sockets.tls import server_context

if TYPE_CHECKING:
    from fastpath.routing.snapshot import Certificate
    from fastpath.worker.state import Service

_AT_ONCE = 64  # accepted in one turn of the loop, so that connections that are open get theirs
_REST_SECONDS = 1.0  # after a failed accept (no descriptor left), as asyncio does
# A closing connection has deadlines of its own (`downstream`), which know a slow reader from one
# that is gone; the loop's would cut both.
_SHUTDOWN_SECONDS = 86400.0


_LAST_READ = 65536
_PLAIN_HTTP = S3Error(
    BAD_REQUEST, message="The plain HTTP request was sent to an HTTPS port; use https://."
)


def _spare(connection: socket.socket) -> socket.socket | None:
    """Another descriptor, to answer by when the handshake has cost the first; None: none left."""
    try:
        return connection.dup()
    except OSError:
        return None


class TLSDoor:
    """One TLS listener of a worker."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, service: Service, listener: socket.socket
    ) -> None:
        self._loop = loop
        self._service = service
        self._listener = listener
        self._running: set[asyncio.Task[None]] = set()
        self._certificate: Certificate | None = None  # what `_context` shows
        self._context: ssl.SSLContext | None = None

    def open(self) -> None:
        """Accept from now on."""
        self._renew()
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Accept nobody any more; handshakes that run go on."""
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, peer = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as fault:
                self._service.short_of(f"cannot accept a connection: {fault}")
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_REST_SECONDS, self.open)
                return
            self._greet(connection, f"{peer[0]}:{peer[1]}")

    def _greet(self, connection: socket.socket, remote: str) -> None:
        if not self._service.begin_handshake():
            connection.close()
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._shake(connection, remote))
        self._running.add(task)
        task.add_done_callback(self._end)

    async def _shake(self, connection: socket.socket, remote: str) -> None:
        self._renew()
        if self._context is None:
            connection.close()
            return
        spare = _spare(connection)
        try:
            await self._loop.connect_accepted_socket(
                lambda: DownstreamConnection(self._service),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._service.snapshot.limits.handshake_seconds,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
        except OSError as fault:  # every failed handshake is one; the loop closed its descriptor
            self._refuse(spare, remote, fault)
        finally:
            if spare is not None:
                spare.close()

    def _refuse(self, connection: socket.socket | None, remote: str, fault: OSError) -> None:
        """Say why a handshake failed; plain HTTP is answered in plain HTTP, as nginx does."""
        cause, service = of_handshake(fault), self._service
        service.journal.client_mistaken(cause, remote)
        if cause is CLIENT_PLAIN and connection is not None:
            ids = (service.next_request_id(), service.host_id)
            with contextlib.suppress(OSError):  # it may have left
                connection.send(error_response(_PLAIN_HTTP, ids, to_head=False, keep=False))
                connection.shutdown(socket.SHUT_WR)
                connection.recv(_LAST_READ)  # bytes unread would reset the answer away

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._service.end_handshake()

    def _renew(self) -> None:
        """Take up another certificate; a context lives as long as its own: it holds ticket keys.

        A configuration that has lost `router.tls` closes no listener, so the last one stays.
        """
        certificate = self._service.snapshot.certificate
        if certificate is not None and certificate != self._certificate:
            self._context = server_context(certificate)
            self._certificate = certificate
