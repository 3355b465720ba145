"""Parses listen addresses and target endpoints, and tells which are loopback.

Rules: no name is resolved, so the answer does not depend on the network; an IPv6 address stands in
brackets.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.config.value_types import fault

DEFAULT_PORTS = {"http": 80, "https": 443}

_HOST_PORT = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[0-9]{1,5})\Z")
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?\Z")


class Listen(NamedTuple):
    """An address to listen on; port 0 asks the kernel for one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Endpoint(NamedTuple):
    """A target's address. `authority` is its Host header, with a port unless it is the default."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address rather than a name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def parse_listen(text: str) -> Listen:
    """Parses `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or `:8080` (every IPv4 address)."""
    match = _HOST_PORT.match(text)
    if match is None:
        raise fault("must be ADDRESS:PORT", _listen_hint(text))
    port = int(match["port"])
    if port > 65535:
        raise fault("port must be at most 65535")
    host = match["six"] if match["six"] is not None else match["host"]
    if host in ("", "*") and match["six"] is None:
        host = "0.0.0.0"
    if host == "localhost":
        host = "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise fault("must be an IP address and a port", "for example 127.0.0.1:8080") from None
    if (address.version == 6) != (match["six"] is not None):
        raise fault("an IPv6 address stands in brackets, an IPv4 address does not")
    return Listen(str(address), port)


def _listen_hint(text: str) -> str:
    if text.isdigit():
        return f"write 127.0.0.1:{text}"
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return "for example 127.0.0.1:8080"
    return f"write {Listen(str(address), 8080)}"


def parse_endpoint(text: str) -> Endpoint:
    """Parses `scheme://host[:port]`; a path is refused, since paths hold buckets and keys."""
    if "://" not in text:
        raise fault("must begin with http:// or https://", _endpoint_hint(text))
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise fault("is not a URL", "for example http://localhost:8000") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise fault("must begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise fault("must not hold a user or password", "use access_key_id, secret_access_key")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise fault("must not have a query or fragment")
    host = parts.hostname or ""
    if not _is_host(host):
        raise fault("has no valid host name", "for example http://localhost:8000")
    if port == 0:
        raise fault("port must be between 1 and 65535")
    endpoint = Endpoint(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme])
    if parts.path not in ("", "/"):
        raise fault("must not have a path", f"write {endpoint}")
    return endpoint


def _endpoint_hint(text: str) -> str:
    host = text.partition("/")[0]
    if "@" in host or not _is_host(host.rpartition(":")[0] or host):
        return "for example http://localhost:8000"
    return f"write http://{host} or https://{host}"


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return len(host) <= 253 and bool(_NAME.match(host))
    return "%" not in host


def is_listener(endpoint: Endpoint, listen: Listen) -> bool:
    """Whether an endpoint is certainly the listener; of names only localhost is resolved."""
    if endpoint.port != listen.port:
        return False
    if endpoint.host in ("localhost", "localhost."):
        candidates = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    else:
        try:
            candidates = [ipaddress.ip_address(endpoint.host)]
        except ValueError:
            return False
    ours = ipaddress.ip_address(listen.host)
    for address in candidates:
        if address == ours or address.is_unspecified:
            return True
        if ours.is_unspecified and address.is_loopback and address.version == ours.version:
            return True
    return False
