"""The settings that the supervisor reads once, at the start.

Rules: when a reload changes one of them, the supervisor names it to the operator, as the file or
the command line calls it, and applies no part of the change before a restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# What the operator calls them. Two have no name here: workers take `connections` from the snapshot,
# so that a reload puts it in force, and nobody sets `backlog`.
_CALLED: Final[Mapping[str, str]] = {
    "listen": "router.listen_address",
    "listen_tls": "router.tls.listen_address",
    "admin": "router.admin_address",
    "admin_tls": "admin.tls",
    "workers": "router.workers",
    "drain_seconds": "--drain-timeout",
    "access_log": "--access-log",
    "log_format": "--log-format",
    "log_level": "--log-level",
}


class BootFault(Exception):
    """A BOOT frame cannot be read."""


@dataclass(frozen=True, slots=True)
class Boot:
    """The settings in the BOOT frame that control sends."""

    listen: tuple[tuple[str, int], ...]
    listen_tls: tuple[tuple[str, int], ...]
    admin: tuple[str, int] | None  # None: the admin plane is off
    admin_tls: bool
    workers: int
    drain_seconds: float
    connections: int
    backlog: int
    access_log: str
    log_format: str
    log_level: str

    def differences(self, other: Boot) -> list[str]:
        """Returns the settings that differ, by the names that the operator knows."""
        return [
            called
            for name, called in _CALLED.items()
            if getattr(self, name) != getattr(other, name)
        ]


def parse(payload: bytes) -> Boot:
    """Returns the settings in a BOOT frame. Raises BootFault."""
    try:
        found = json.loads(payload)
        return Boot(
            listen=_addresses(found["listen"]),
            listen_tls=_addresses(found["listen_tls"]),
            admin=None if found["admin"] is None else _address(*found["admin"]),
            admin_tls=bool(found["admin_tls"]),
            workers=int(found["workers"]),
            drain_seconds=float(found["drain_seconds"]),
            connections=int(found["connections"]),
            backlog=int(found["backlog"]),
            access_log=str(found["access_log"]),
            log_format=str(found["log_format"]),
            log_level=str(found["log_level"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BootFault(f"boot settings from control: {error!r}") from error


def _addresses(found: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(_address(host, port) for host, port in found)


def _address(host: str, port: int) -> tuple[str, int]:
    return str(host), int(port)
