"""Finds the client behind trusted proxies, by what they say in `X-Forwarded-For`.

    X-Forwarded-For: CLIENT, PROXY 1, PROXY 2      PROXY 3 is who connected

Each proxy adds at the right whom it was connected by, so a member is as true as the one who added
it. From the connection to the left, the first address that is no trusted proxy's is the client.

Rules: a member that was added by nobody who is trusted is never looked at; a member that is no
address ends the search, and the last address found stands; the number and the length of members
that are looked at are bounded, whatever a client sends; nothing here raises. What is found is for
the log: a proxy that passes on what clients wrote would let them choose it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Of one request. A chain of proxies has three or four; the rest of 16 KiB is somebody's game.
_MAX_MEMBERS: Final = 32
_KEPT_ADDRESSES: Final = 1024  # as many as the access log keeps words

UNKNOWN_PORT: Final = "0"

# `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:443`; the longest is
# 45 characters of an address in brackets, and a port. Bare IPv6 has no port: it would be ambiguous.
_MEMBER: Final = re.compile(
    rb"(?:([0-9.]{7,15})|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{1,5}))?|([0-9A-Fa-f:.]{2,45})"
)


class _Known(NamedTuple):
    """An address in its usual form, and whether it is a trusted proxy's."""

    address: str
    is_trusted: bool


class TrustedProxies:
    """The networks whose machines are believed."""

    __slots__ = ("_look_up", "_networks")

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: tuple[_Network, ...] = tuple(map(ipaddress.ip_network, networks))
        self._look_up = lru_cache(_KEPT_ADDRESSES)(self._read)

    def __repr__(self) -> str:
        return f"<TrustedProxies {', '.join(map(str, self._networks))}>"

    def client(self, connection: str, forwarded_for: bytes | None) -> str:
        """The client's address and port; `connection` itself if it is not behind a proxy.

        `forwarded_for`: the members of all lines, in their order. The port is 0 where no proxy
        said which.
        """
        peer = self._look_up(connection.rpartition(":")[0])
        if forwarded_for is None or peer is None or not peer.is_trusted:
            return connection
        found = connection
        members = forwarded_for.rsplit(b",", _MAX_MEMBERS)[-_MAX_MEMBERS:]
        for member in reversed(members):
            text = member.strip(b" \t")
            if not text:
                continue  # an empty member of a list is none (RFC 9110 section 5.6.1)
            match = _MEMBER.fullmatch(text)
            if match is None:
                break
            plain, bracketed, port, bare = match.groups()
            known = self._look_up((plain or bracketed or bare).decode("ascii"))
            if known is None:
                break
            found = f"{known.address}:{_port(port)}"
            if not known.is_trusted:
                break
        return found

    def _read(self, text: str) -> _Known | None:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return None
        mapped = address.ipv4_mapped if address.version == 6 else None
        address = mapped or address  # IPv4 on a socket of both
        return _Known(str(address), any(address in network for network in self._networks))


def _port(digits: bytes | None) -> str:
    return UNKNOWN_PORT if digits is None or int(digits) > 65535 else str(int(digits))
