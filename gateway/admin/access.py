"""Decides who may ask the admin plane what, before any path is looked at.

| a request | from this machine | from elsewhere |
|---|---|---|
| of the probes and of `/metrics` | answered | answered |
| that reads anything else | answered | with the token |
| that changes something | with the token | with the token |

Rules: without a token in the configuration nothing can be changed, and beyond this machine only the
probes and the metrics can be read. A Host that is a name must be one of `admin.hosts` or localhost:
a page whose name is bound to this address anew (DNS rebinding) has another. A page of another
origin changes nothing, whatever token it has. The token is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from gateway.admin.answers import Problem

READS: Final = frozenset(("GET", "HEAD"))
OPEN: Final = frozenset(("/live", "/ready", "/started", "/metrics"))
# The page itself says nothing of the gateway: what it shows it asks for, with the token.
PAGE: Final = ("/", "/page/")

_CHALLENGE: Final = {"www-authenticate": 'Bearer realm="s3gateway"'}


@dataclass(frozen=True, slots=True)
class Access:
    """The rules in force."""

    token: str | None = field(default=None, repr=False)
    hosts: Collection[str] = ()

    def check(self, request: Request) -> None:
        """Raises Problem if the request may not be answered."""
        self._check_host(request)
        if request.method not in READS:
            self._check_origin(request)
            self._check_change(request)
        elif not (_is_open(request.url.path) or _is_local(request)):
            self._check_reading(request)

    def _check_host(self, request: Request) -> None:
        host = hostname(request.headers.get("host", ""))
        if host in ("localhost", *self.hosts) or _is_address(host):
            return
        raise Problem(
            421,
            "UnknownHost",
            "The Host of the request is no address, not localhost and none of admin.hosts.",
        )

    def _check_origin(self, request: Request) -> None:
        site = request.headers.get("sec-fetch-site", "same-origin")
        origin = request.headers.get("origin")
        host = request.headers.get("host", "")
        is_own = origin is None or urlsplit(origin).netloc.lower() == host.lower()
        if site not in ("same-origin", "none") or not is_own:
            raise Problem(403, "ForeignOrigin", "A page of another origin can change nothing.")

    def _check_change(self, request: Request) -> None:
        if self.token is None:
            raise Problem(
                403,
                "ChangesDisabled",
                "Nothing can be changed: the configuration has no admin.token.",
            )
        self._check_token(request, self.token)

    def _check_reading(self, request: Request) -> None:
        if self.token is None:
            raise Problem(
                403,
                "LocalOnly",
                "Beyond this machine this is answered with admin.token, and there is none.",
            )
        self._check_token(request, self.token)

    def _check_token(self, request: Request, token: str) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not _same(given.strip(), token):
            message = "The token is missing or wrong: Authorization: Bearer TOKEN."
            raise Problem(401, "Unauthorized", message, _CHALLENGE)


def hostname(host: str) -> str:
    """Returns the name in a Host header, without its port and in lower case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_open(path: str) -> bool:
    return path in OPEN or path == PAGE[0] or path.startswith(PAGE[1])


def _is_local(request: Request) -> bool:
    """Whether the client's connection comes from this machine."""
    if request.client is None:
        return False
    address = ipaddress.ip_address(request.client.host)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _same(given: str, token: str) -> bool:
    one, other = (hashlib.sha256(text.encode()).digest() for text in (given, token))
    return hmac.compare_digest(one, other)
