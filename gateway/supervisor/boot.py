"""The settings the supervisor reads once: what control found in flags, environment and file.

Rules: a setting that changed afterwards is named to the operator and does nothing until a restart;
it is never half applied.

Not here: everything that a reload changes (the snapshot).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields


class BootFault(Exception):
    """Control sent settings that are none."""


@dataclass(frozen=True, slots=True)
class Boot:
    """The BOOT frame of control."""

    listen: tuple[tuple[str, int], ...]
    listen_tls: tuple[tuple[str, int], ...]
    workers: int
    drain_seconds: float
    connections: int
    backlog: int
    access_log: str
    log_format: str
    log_level: str

    def differences(self, other: Boot) -> list[str]:
        """The names of the settings in which the two differ."""
        return [
            field.name
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        ]


def parse(payload: bytes) -> Boot:
    """The settings in a BOOT frame. Raises BootFault."""
    try:
        found = json.loads(payload)
        return Boot(
            listen=_addresses(found["listen"]),
            listen_tls=_addresses(found["listen_tls"]),
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
    return tuple((str(host), int(port)) for host, port in found)
