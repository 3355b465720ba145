"""Looks at the way to a target: its name, each of its addresses, TCP and TLS.

Rules: the TLS context is a worker's; every step that fails has its cause and remedy, and ends the
way; of several addresses all are tried, because a worker may come to any of them.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from fastpath.routing.snapshot import Target
from fastpath.sockets.diagnosis import Cause, of_connect
from fastpath.sockets.tls import client_context
from gateway.connect.classify import EXPIRY_DAYS
from gateway.doctor.findings import Finding, Level

MOST_ADDRESSES: Final = 8

_DAY: Final = 86400


class _Address(NamedTuple):
    family: socket.AddressFamily
    sockaddr: tuple[object, ...]  # as the family has it

    def __str__(self) -> str:
        return str(self.sockaddr[0])


class Unreachable(Exception):
    """There is no way to the target; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def network(target: Target, deadline: float) -> Iterator[Finding]:
    """Yields a finding for each step. Raises Unreachable; `deadline` is in monotonic seconds."""
    about = f"target {target.name}"
    addresses, finding = _resolved(target, about)
    yield finding
    reached: list[_Address] = []
    for address in addresses:
        finding = _connect(target, address, about, deadline)
        if finding.level is Level.OK:
            reached.append(address)
        elif len(addresses) == 1:
            raise Unreachable(finding)
        yield finding
    if not reached:
        message = f"none of its {len(addresses)} addresses can be reached"
        raise Unreachable(Finding(Level.ERROR, about, "tcp", message, "look at host and network"))
    if target.route.tls is not None:
        yield from _tls(target, reached[0], about, deadline)


def _resolved(target: Target, about: str) -> tuple[list[_Address], Finding]:
    host, port = target.route.host, target.route.port
    began = time.monotonic()
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise Unreachable(_failed(about, "dns", of_connect(fault, tls=False))) from None
    found = list(dict.fromkeys(_Address(row[0], row[4]) for row in rows))[:MOST_ADDRESSES]
    shown = ", ".join(map(str, found))
    said = f"{host} is {shown}" if shown != host else f"{host} is an address"
    return found, Finding(Level.OK, about, "dns", f"{said} ({_since(began)})")


def _connect(target: Target, address: _Address, about: str, deadline: float) -> Finding:
    """Returns whether a connection is taken at one address."""
    began = time.monotonic()
    try:
        with socket.socket(address.family, socket.SOCK_STREAM) as connection:
            connection.settimeout(max(0.001, deadline - began))
            connection.connect(address.sockaddr)
    except OSError as fault:
        cause = of_connect(fault, tls=False)
        return _failed(about, "tcp", Cause(f"{address}: {cause.what}", cause.remedy))
    said = f"{address} port {target.route.port} takes connections ({_since(began)})"
    return Finding(Level.OK, about, "tcp", said)


def _tls(target: Target, address: _Address, about: str, deadline: float) -> Iterator[Finding]:
    settings = target.route.tls
    assert settings is not None  # the caller looked
    began = time.monotonic()
    try:
        with socket.socket(address.family, socket.SOCK_STREAM) as plain:
            plain.settimeout(max(0.001, deadline - began))
            plain.connect(address.sockaddr)
            context = client_context(settings)
            with context.wrap_socket(plain, server_hostname=settings.server_name) as secure:
                said = f"{secure.version()} for {settings.server_name} ({_since(began)})"
                shown = secure.getpeercert() or {}
    except (OSError, ValueError) as fault:
        raise Unreachable(_failed(about, "tls", of_connect(fault, tls=True))) from None
    yield Finding(Level.OK, about, "tls", said)
    if not settings.verify:
        message = "its certificate is not verified (tls.verify: false): anybody could be it"
        yield Finding(Level.WARNING, about, "certificate", message, "name its CA in tls.ca_file")
        return
    yield _certificate(dict(shown), about)


def _certificate(shown: dict[str, object], about: str) -> Finding:
    left = (ssl.cert_time_to_seconds(str(shown["notAfter"])) - time.time()) / _DAY
    if left < EXPIRY_DAYS:
        message = f"expires in {max(0, int(left))} days"
        return Finding(Level.WARNING, about, "certificate", message, "renew it on the target")
    return Finding(Level.OK, about, "certificate", f"is trusted, and good for {int(left)} days")


def _failed(about: str, step: str, cause: Cause) -> Finding:
    return Finding(Level.ERROR, about, step, cause.what, cause.remedy)


def _since(began: float) -> str:
    return f"{1000 * (time.monotonic() - began):.1f} ms"
