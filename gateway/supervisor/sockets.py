"""Opens the listening sockets, one SO_REUSEPORT socket for each worker and address, and closes
them.

Rules: a plain bind, without SO_REUSEPORT, comes before the first listener of an address, so that a
second instance fails instead of taking half of the connections, unless it is to serve beside the
first; every listener has SO_REUSEADDR, or
connections of an earlier process in TIME_WAIT would fail that bind; the port of an address is
resolved once, for all workers.
"""

from __future__ import annotations

import array
import errno
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h

# Classic BPF over the TCP header: drop segments with SYN, keep the rest.
_NO_SYN: Final = (
    (0x30, 0, 0, 13),  # A = flags octet
    (0x45, 0, 1, 0x02),  # SYN set? else skip one
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # keep
)

# Log lines of all workers wait here while control is busy; the kernel caps it (net.core.wmem_max).
_LOG_BUFFER_BYTES: Final = 4 * 1024 * 1024

_CLAIM_SECONDS: Final = 2.0
_CLAIM_RETRY_SECONDS: Final = 0.05


class BindError(Exception):
    """An address that cannot be listened on; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One resolved address."""

    family: int
    host: str
    port: int
    sockaddr: tuple[str | int, ...]
    tls: bool = False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if self.family == socket.AF_INET6 else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def open_all(
    addresses: Sequence[tuple[str, int]],
    workers: int,
    backlog: int,
    tls_addresses: Sequence[tuple[str, int]] = (),
    *,
    beside: bool = False,
) -> tuple[list[Endpoint], list[list[socket.socket]]]:
    """Binds every address; returns, for each worker, a listener for each. Raises BindError.

    With `beside`, a gateway of the same user may have the addresses already, and keeps them. Then
    nothing listens before `listen`.
    """
    wanted = [(False, address) for address in addresses]
    wanted += [(True, address) for address in tls_addresses]
    endpoints: list[Endpoint] = []
    listeners: list[list[socket.socket]] = [[] for _ in range(workers)]
    for tls, (host, port) in wanted:
        with _claiming(port):
            for endpoint, probe in _probe(host, port, beside):
                endpoints.append(replace(endpoint, tls=tls))
                for mine in listeners:
                    mine.append(_bind(endpoint) if beside else open_listener(endpoint, backlog))
                # Not earlier, or the kernel could give a port that it chose to another process.
                probe.close()
    return endpoints, listeners


def open_listener(endpoint: Endpoint, backlog: int) -> socket.socket:
    """One more listening socket of the endpoint's group. Raises BindError."""
    sock = _bind(endpoint)
    listen(sock, endpoint, backlog)
    return sock


def listen(bound: socket.socket, endpoint: Endpoint, backlog: int) -> None:
    """Has a bound socket take its share of new connections. Raises BindError: it is closed."""
    try:
        bound.listen(backlog)
    except OSError as error:
        bound.close()
        raise _cannot_listen(endpoint, error) from error


def _bind(endpoint: Endpoint) -> socket.socket:
    """A socket of the endpoint's group that does not listen yet. Raises BindError."""
    sock = _socket(endpoint.family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        sock.bind(endpoint.sockaddr)
    except OSError as error:
        sock.close()
        raise _cannot_listen(endpoint, error) from error
    return sock


def _cannot_listen(endpoint: Endpoint, error: OSError) -> BindError:
    return BindError(f"cannot listen on {endpoint.url}: {error.strerror}")


def refuse_new(listener: socket.socket) -> None:
    """Lets no new connection into the accept queue; those in it, or in mid-handshake, stay.

    Closing a listener resets what is still queued, and a client may have sent its request by then.
    With SYN segments dropped first, the worker can empty the queue, and nothing is lost: a client
    turned away sends its SYN again a second later, to a sibling, or is refused.
    """
    program = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in _NO_SYN))
    address, _ = program.buffer_info()
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(_NO_SYN), address)
        )
    except OSError:
        return  # a sandbox without socket filters: a few connections may be reset


def log_pair() -> tuple[socket.socket, socket.socket]:
    """Returns the workers' end, which loses lines when it is full, and control's end."""
    workers_end, control_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    workers_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LOG_BUFFER_BYTES)
    workers_end.setblocking(False)
    return workers_end, control_end


def admin_pair() -> tuple[socket.socket, ...]:
    """Returns unbound sockets, IPv4 and IPv6, of which control binds one for the admin plane.

    They are made before control is forked, and stay here: while control is replaced, clients of
    the admin plane wait in the queue of the kernel instead of being refused.
    """
    made = []
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            made.append(_socket(family))
        except OSError:
            continue  # a machine without IPv6, for example
    return tuple(made)


def _socket(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        # 0.0.0.0 and [::] are two addresses, as in nginx: an operator who wants both lists both.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def _probe(host: str, port: int, beside: bool) -> Iterator[tuple[Endpoint, socket.socket]]:
    """Binds every address that `host` resolves to. The caller closes the sockets."""
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except OSError as error:
        raise BindError(f"cannot listen on {host}: {error.strerror}") from error
    for family, _, _, _, sockaddr in found:
        probe = _socket(family)
        if beside:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind(sockaddr)
        except OSError as error:
            probe.close()
            raise BindError(_bind_text(host, port, error, beside)) from error
        bound = probe.getsockname()
        yield Endpoint(family, str(bound[0]), int(bound[1]), tuple(bound)), probe


def _bind_text(host: str, port: int, error: OSError, beside: bool) -> str:
    shown = f"[{host}]" if ":" in host else host
    said = f"cannot listen on {shown}:{port}: {error.strerror}"
    if error.errno != errno.EADDRINUSE:
        return said
    if beside:
        return (
            f"{said} by what is no gateway, or one of another user: --beside cannot share with it"
        )
    return f"{said} (if by a gateway that this one replaces: --beside)"


@contextmanager
def _claiming(port: int) -> Iterator[None]:
    """Lets one supervisor at a time bind and listen.

    Two that start together would both pass the plain bind, since neither listens yet, and then
    share the port. An abstract Unix address has the scope of the port, the network namespace, and
    disappears with its owner.
    """
    if not port:
        yield
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
        deadline = time.monotonic() + _CLAIM_SECONDS
        while True:
            try:
                claim.bind(f"\0s3gateway/bind/{port}")
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise BindError(f"port {port} is being taken by another process") from error
                time.sleep(_CLAIM_RETRY_SECONDS)
        yield
