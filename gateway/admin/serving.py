"""Serves the application of the admin plane for as long as control lives.

Rules: a fault is told and what has failed is begun again, because control must live on; handshakes
get the certificate that the configuration has then.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from fastpath.ipc.cells import BOUNDS
from fastpath.sockets.tls import server_context
from gateway.admin.app import application
from gateway.admin.plane import Plane
from gateway.admin.server import serve as serve_once
from gateway.metrics.history import Counts, History
from gateway.metrics.traffic import traffic
from gateway.supervisor.crash import describe

AGAIN_SECONDS: Final = 1.0


async def serve(plane: Plane, listener: socket.socket) -> None:
    """Serves until it is cancelled."""
    history = History(partial(_traffic, plane), BOUNDS)
    app = application(plane, history)
    await asyncio.gather(
        _again_and_again(plane, history.run),
        _again_and_again(plane, lambda: serve_once(app, listener, _context(plane))),
    )


async def _again_and_again(plane: Plane, run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except Exception as fault:
            plane.report(f"the admin plane: {describe(fault)}")
            await asyncio.sleep(AGAIN_SECONDS)


def _traffic(plane: Plane) -> Mapping[str, Counts] | None:
    page = plane.known().page
    return traffic(page) if page is not None else None


def _context(plane: Plane) -> ssl.SSLContext | None:
    """Returns the context of the listener, whose handshakes use the certificate of the moment."""
    certificate = plane.certificate()
    if certificate is None:
        return None
    context, made = server_context(certificate), certificate

    def choose(connection: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
        nonlocal context, made
        now = plane.certificate()
        if now is not None and now != made:
            context, made = server_context(now), now
        connection.context = context

    listening = context
    listening.sni_callback = choose
    return listening
