"""Decides who may ask the admin plane what, before any path is looked at.

| a request | from this machine | from elsewhere |
|---|---|---|
| of the probes, of `/metrics`, of the page's files | answered | answered |
| that reads anything else | answered | with the token |
| that changes something | with the token | with the token |

Rules: without a token in the configuration nothing can be changed, and beyond this machine only the
probes, the metrics and the page's files can be read; what a proxy passes on comes from elsewhere. A
Host that is a name must be one of `admin.hosts` or localhost: a page whose name is bound to this
address anew (DNS rebinding) has another. A page of another origin changes nothing, whatever token
it has, and makes control work for nothing but the probes. The token is compared in constant time.
The path is the one that the application looks at, never one that a Host can be a part of.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request

from gateway.admin.answers import Problem

READS: Final = frozenset(("GET", "HEAD"))
OPEN: Final = frozenset(("/live", "/ready", "/started", "/metrics"))
# The page itself says nothing of the gateway: what it shows it asks for, with the token.
PAGE: Final = ("/", "/page/")

_CHALLENGE: Final = {"www-authenticate": 'Bearer realm="s3gateway"'}
# RFC 9110 section 7.2: a host as in a URI (RFC 3986 section 3.2.2), and perhaps a port.
_HOST: Final = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[0-9a-z._-]{1,253})(:[0-9]{1,5})?", re.IGNORECASE)
# What a proxy adds: the address of its connection is not the client's.
_PROXIED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
_OWN_SITE: Final = frozenset(("same-origin", "none"))  # none: the user has typed the address


@dataclass(frozen=True, slots=True)
class Access:
    """The rules in force."""

    token: str | None = field(default=None, repr=False)
    hosts: Collection[str] = ()

    def check(self, request: Request) -> None:
        """Raises Problem if the request may not be answered."""
        self._check_host(request)
        if request.method not in READS:
            _check_origin(request)
            self._check_change(request)
        elif not _is_open(request.scope["path"]):
            _check_site(request)
            if not _is_local(request):
                self._check_reading(request)

    def _check_host(self, request: Request) -> None:
        given = request.headers.getlist("host")
        host = hostname(given[0]) if len(given) == 1 else ""
        if host in ("localhost", *self.hosts) or _is_address(host):
            return
        raise Problem(
            421,
            "UnknownHost",
            "The Host of the request is no address, not localhost and none of admin.hosts.",
        )

    def _check_change(self, request: Request) -> None:
        if self.token is None:
            raise Problem(
                403,
                "ChangesDisabled",
                "Nothing can be changed: the configuration in force has no admin.token.",
            )
        _check_token(request, self.token)

    def _check_reading(self, request: Request) -> None:
        if self.token is None:
            raise Problem(
                403,
                "LocalOnly",
                "Beyond this machine this is answered with admin.token, and there is none.",
            )
        _check_token(request, self.token)


def _check_origin(request: Request) -> None:
    """Refuses a change that a page of another origin asks for."""
    host = request.headers.get("host", "").lower()
    origins = {origin.lower() for origin in request.headers.getlist("origin")}
    own = {f"http://{host}", f"https://{host}"}
    if _site(request) not in _OWN_SITE or origins - own:
        raise Problem(403, "ForeignOrigin", "A page of another origin can change nothing.")


def _check_site(request: Request) -> None:
    """Refuses what a page of another origin has loaded; a link on it may lead here."""
    if _site(request) not in _OWN_SITE and request.headers.get("sec-fetch-mode") != "navigate":
        raise Problem(403, "ForeignOrigin", "This is not for pages of another origin.")


def _site(request: Request) -> str:
    """Returns what a browser says of the page that makes it ask; others say nothing."""
    return request.headers.get("sec-fetch-site", "same-origin")


def _check_token(request: Request, token: str) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not _same(given.strip(), token):
        message = "The token is missing or wrong: Authorization: Bearer TOKEN."
        raise Problem(401, "Unauthorized", message, _CHALLENGE)


def hostname(host: str) -> str:
    """Returns the name in a Host header, in lower case; "" if the header is malformed."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").rstrip(".").lower() if found else ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_open(path: str) -> bool:
    return path in OPEN or path == PAGE[0] or path.startswith(PAGE[1])


def _is_local(request: Request) -> bool:
    """Whether the client's connection comes from this machine, and no proxy's."""
    if request.client is None or any(name in request.headers for name in _PROXIED):
        return False
    address = ipaddress.ip_address(request.client.host)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _same(given: str, token: str) -> bool:
    one, other = (hashlib.sha256(text.encode()).digest() for text in (given, token))
    return hmac.compare_digest(one, other)
