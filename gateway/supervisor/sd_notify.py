"""Tells the init system that started this process when it serves: sd_notify(3).

Rules: only where it asked for that, by NOTIFY_SOCKET; nothing waits for it.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

VARIABLE = "NOTIFY_SOCKET"


def tell_ready(environ: Mapping[str, str]) -> None:
    """Says that the start is over, if somebody waits for that. Raises OSError."""
    address = environ.get(VARIABLE, "")
    if not address:
        return
    if address.startswith("@"):  # abstract
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.setblocking(False)
        notifier.sendto(b"READY=1", address)
