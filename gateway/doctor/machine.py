"""Looks whether a gateway runs on this machine with this configuration, or could.

Rules: an address is bound only if no gateway runs here, and released at once.
"""

from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Iterator

from gateway.config.addresses import Listen
from gateway.config.digest import digest
from gateway.config.schema import Config
from gateway.doctor.findings import Finding, Level
from gateway.status.ask import NotRunning, Refused, Unanswered, ask

_REMEDIES = {
    errno.EADDRINUSE: "end the process that has it (ss -ltnp), or choose another port",
    errno.EACCES: "choose a port from 1024 on, or give the process CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "choose an address of this machine, or 0.0.0.0",
}


def machine(model: Config) -> Iterator[Finding]:
    """Yields what is found on this machine."""
    try:
        found = ask({"command": "status"}, None)
    except (Unanswered, Refused) as error:
        yield Finding(Level.SKIPPED, "gateway", "", str(error))
        if isinstance(error, NotRunning):
            yield from _addresses(model)
    else:
        pid, same = found["supervisor"], found["digest"] == digest(model)
        if same:
            yield Finding(Level.OK, "gateway", "", f"the gateway {pid} serves this configuration")
        else:
            message = f"the gateway {pid} serves another configuration"
            remedy = "s3gateway reload --dry-run says what would change"
            yield Finding(Level.WARNING, "gateway", "", message, remedy)
    yield from _descriptors(model.limits.connections)


def _addresses(model: Config) -> Iterator[Finding]:
    tls = model.router.tls
    for address in (*model.listen, *(tls.listen_address if tls is not None else ())):
        fault = _bind_fault(address)
        if fault is None:
            yield Finding(Level.OK, "gateway", "listen", f"{address} is free")
        else:
            number = fault.errno or 0
            # Another user's gateway may have it, which cannot be asked.
            message = f"{address} cannot be listened on: {fault.strerror}"
            remedy = _REMEDIES.get(number, "look at router.listen_address")
            yield Finding(Level.ERROR, "gateway", "listen", message, remedy)


def _bind_fault(address: Listen) -> OSError | None:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(tuple(address))
    except OSError as fault:
        return fault
    return None


def _descriptors(connections: int) -> Iterator[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * connections:
        message = (
            f"{hard} files may be open in a process: too few for router.limits.connections "
            f"({connections}), each of which may need two"
        )
        remedy = f"raise the hard limit to {2 * connections} (LimitNOFILE, ulimit -Hn)"
        yield Finding(Level.WARNING, "gateway", "descriptors", message, remedy)
