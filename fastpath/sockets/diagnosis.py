"""Turns a failed connect, handshake or parse into a message with the likely cause and a remedy.

Rules: no cause repeats the peer's bytes, which may be a secret. A cause is named only where the
evidence is particular to it. Exceptions are told apart by their attributes, so that this module
needs no socket or TLS module.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Cause(NamedTuple):
    """A likely cause, and a remedy."""

    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.remedy})" if self.remedy else self.what


TLS_ON_PLAIN = Cause(
    "expected HTTP, got a TLS record: the endpoint says http:// but the port speaks TLS",
    "write https:// in the target's endpoint",
)
PLAIN_ON_TLS = Cause(
    "expected TLS, got something else: the endpoint says https:// but the port speaks plain http",
    "write http:// in the target's endpoint, or the port that speaks TLS",
)
_NO_HTTP = "correct host and port of the target's endpoint"

# --- what a target said instead of an answer ---

# RFC 8446 section 5.1: alert or handshake, major version 3. RFC 9113 section 3.4: SETTINGS first.
_TLS_RECORD = re.compile(rb"[\x15\x16]\x03[\x00-\x04]")
_HTTP2_SETTINGS = re.compile(rb"\0\0.\x04[\x00\x01]\0\0\0\0", re.DOTALL)
_OTHERS = (
    (re.compile(rb"SSH-"), "an SSH server"),
    (re.compile(rb"220[ -]"), "an FTP or mail server"),
    (re.compile(rb"(?:[+-][A-Z]|\*\d+\r\n)"), "a server of a line protocol such as Redis or POP3"),
    (re.compile(rb".{4}[\x09\x0a\xff].{0,80}(?:mysql|MariaDB|Host )", re.DOTALL), "a MySQL server"),
    (re.compile(rb"RFB "), "a VNC server"),
    (re.compile(rb"RTSP/|ICY "), "a streaming server"),
    (re.compile(rb"\s*<"), "a document without an HTTP head (HTTP/0.9)"),
)


def of_answer(data: bytes) -> Cause:
    """What a target sent instead of a head of HTTP/1."""
    if _TLS_RECORD.match(data):
        return TLS_ON_PLAIN
    if _HTTP2_SETTINGS.match(data):
        return Cause("expected HTTP/1.1, got HTTP/2: the port speaks nothing else", _NO_HTTP)
    for pattern, what in _OTHERS:
        if pattern.match(data):
            return Cause(f"expected HTTP, got {what}", _NO_HTTP)
    if data.startswith(b"HTTP/"):
        return Cause("answered with a head that is not valid HTTP/1.1")
    return Cause("expected HTTP, got bytes of another protocol", _NO_HTTP)


def of_silence(*, tls: bool) -> Cause:
    """The cause when a new connection ends without a byte of an answer."""
    hint = "" if tls else "if the port speaks TLS, write https:// in the target's endpoint"
    return Cause("closed the connection without an answer", hint)


# What servers say to plain HTTP on a port of theirs that speaks TLS: nginx, Go, Apache, Tomcat.
_WANTS_TLS = re.compile(
    rb"plain HTTP request was sent to HTTPS port|HTTP request to an HTTPS server"
    rb"|plain HTTP to an SSL-enabled server port|combination of host and port requires TLS",
    re.IGNORECASE,
)


def wants_tls(status: int, body: bytes) -> bool:
    """Whether an answer to plain HTTP says that the port speaks TLS."""
    return status == 400 and _WANTS_TLS.search(body, 0, 4096) is not None


# --- why there is no connection to a target ---

_NUMBER = re.compile(r"\[Errno (\d+)\]")  # asyncio gathers those of several addresses in a text

_ERRNOS = {
    errno.ECONNREFUSED: Cause(
        "connection refused: nothing listens there",
        "start the target, or correct the port of its endpoint",
    ),
    errno.EHOSTUNREACH: Cause("the host cannot be reached", "look at its address and the network"),
    errno.ENETUNREACH: Cause(
        "there is no route to the network", "look at the address, and at VPNs"
    ),
    errno.EMFILE: Cause("no file descriptor is left", "raise the limit of open files (ulimit -n)"),
    errno.ENFILE: Cause("the machine has no file descriptor left", "raise fs.file-max"),
    errno.EADDRNOTAVAIL: Cause(
        "no local port is left", "lower pool.max_connections, or widen ip_local_port_range"
    ),
    errno.ETIMEDOUT: Cause(
        "no answer to the connect", "look at host and port; a firewall may drop it"
    ),
}
# Of this machine.
_SHORTAGES = frozenset(
    (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM)
)
_MOST_ADDRESSES = 8  # in a message
_UNKNOWN_NAME = Cause("the host's name does not resolve", "correct the endpoint's host, or the DNS")
_NO_DNS = Cause("the host's name could not be resolved: no DNS answers", "look at the resolver")
_EAI_AGAIN = -3

# X509_V_ERR_*: x509_vfy.h of OpenSSL.
_UNTRUSTED = "name the CA that signed it in tls.ca_file"
_CERTIFICATES = {
    9: Cause("the target's certificate is not valid yet", "look at this machine's clock"),
    10: Cause("the target's certificate has expired", "renew it on the target"),
    18: Cause("the target's certificate is self-signed", "name it in tls.ca_file"),
    19: Cause("the target's certificate is signed by a CA that is not trusted here", _UNTRUSTED),
    20: Cause("the target's certificate is signed by an unknown CA", _UNTRUSTED),
    21: Cause(
        "the target's certificate comes without its chain, or from an unknown CA", _UNTRUSTED
    ),
    23: Cause("the target's certificate is revoked", "renew it on the target"),
    62: Cause(
        "the target's certificate is for another name",
        "write a name of the certificate in endpoint",
    ),
    64: Cause(
        "the target's certificate is not for this IP address",
        "write a name of the certificate in endpoint",
    ),
}
_CLIENT_CERTIFICATE = Cause(
    "the target wants a client certificate", "give tls.cert_file and tls.key_file"
)
_REFUSED_CERTIFICATE = Cause(
    "the target refuses the client certificate", "look at tls.cert_file and tls.key_file"
)
_VERSIONS = Cause(
    "the target speaks only TLS older than 1.2, or no cipher in common", "update the target's TLS"
)
_HUNG_UP = Cause(
    "closed the connection in the TLS handshake",
    "if the port speaks plain http, write http:// in the target's endpoint; or it refuses TLS 1.2 "
    "and 1.3, or a client without a certificate",
)
# By the reason that OpenSSL gives, in the spelling of Python's ssl.
_TLS_REASONS = {
    "WRONG_VERSION_NUMBER": PLAIN_ON_TLS,
    "RECORD_LAYER_FAILURE": PLAIN_ON_TLS,
    "PACKET_LENGTH_TOO_LONG": PLAIN_ON_TLS,
    "HTTP_REQUEST": PLAIN_ON_TLS,
    "HTTPS_PROXY_REQUEST": PLAIN_ON_TLS,
    "UNEXPECTED_EOF_WHILE_READING": _HUNG_UP,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _CLIENT_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": _REFUSED_CERTIFICATE,
    "TLSV1_ALERT_UNKNOWN_CA": _REFUSED_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _REFUSED_CERTIFICATE,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _REFUSED_CERTIFICATE,
    "TLSV1_ALERT_PROTOCOL_VERSION": _VERSIONS,
    "UNSUPPORTED_PROTOCOL": _VERSIONS,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _VERSIONS,
    "TLSV1_UNRECOGNIZED_NAME": Cause(
        "the target knows no site of that name", "write the name it serves in endpoint"
    ),
}


def of_connect(fault: BaseException, *, tls: bool) -> Cause:
    """Why a connect, with its TLS handshake if there is one, failed."""
    for look in _LOOKS:
        cause = look(fault, tls)
        if cause is not None:
            return cause
    return Cause(" ".join(str(fault).split()) or type(fault).__name__)


def is_own_shortage(fault: BaseException) -> bool:
    """Whether a connect failed for want of something here, which says nothing of the target."""
    faults = [one for _, one in getattr(fault, "by_address", ())] or [fault]
    return all(getattr(one, "errno", None) in _SHORTAGES for one in faults)


def of_break(fault: BaseException) -> str:
    """Why an open connection broke; under TLS the peer may say so only then."""
    return str(_by_reason(fault, True) or fault)


def _by_address(fault: BaseException, tls: bool) -> Cause | None:
    """What each address has said, the same only once."""
    tried: Sequence[tuple[str, BaseException]] = getattr(fault, "by_address", ())
    if not tried:
        return None
    said: dict[Cause, list[str]] = {}
    for address, one in tried[:_MOST_ADDRESSES]:
        said.setdefault(of_connect(one, tls=tls), []).append(address)
    text = "; ".join(f"{', '.join(addresses)}: {cause}" for cause, addresses in said.items())
    more = len(tried) - _MOST_ADDRESSES
    return Cause(f"{text}; and {more} more addresses" if more > 0 else text)


def _by_certificate(fault: BaseException, _tls: bool) -> Cause | None:
    code = getattr(fault, "verify_code", None)
    if code is None:
        return None
    detail = getattr(fault, "verify_message", "")
    return _CERTIFICATES.get(code) or Cause(
        f"the target's certificate is not accepted: {detail}", "renew it on the target"
    )


def _by_reason(fault: BaseException, _tls: bool) -> Cause | None:
    return _TLS_REASONS.get(getattr(fault, "reason", None) or "")


def _by_name(fault: BaseException, _tls: bool) -> Cause | None:
    if type(fault).__name__ != "gaierror":
        return None
    return _NO_DNS if getattr(fault, "errno", 0) == _EAI_AGAIN else _UNKNOWN_NAME


def _by_number(fault: BaseException, tls: bool) -> Cause | None:
    if isinstance(fault, ConnectionError) and not isinstance(fault, ConnectionRefusedError):
        return _HUNG_UP if tls else Cause("the connection was closed at once")
    numbers = [getattr(fault, "errno", None), *map(int, _NUMBER.findall(str(fault)))]
    return next((_ERRNOS[number] for number in numbers if number in _ERRNOS), None)


def _by_time(fault: BaseException, tls: bool) -> Cause | None:
    if not isinstance(fault, TimeoutError):
        return None
    hint = "look at host and port; a firewall may drop it"
    if tls:
        hint += "; if the port speaks plain http, write http:// in the target's endpoint"
    return Cause("no connection in time", hint)


_LOOKS: tuple[Callable[[BaseException, bool], Cause | None], ...] = (
    _by_address,
    _by_certificate,
    _by_reason,
    _by_name,
    _by_number,
    _by_time,
)

# --- what a client said instead of a request ---

_CLIENT_TLS = Cause(
    "a client speaks TLS to an address of plain http",
    "write http:// in the client's endpoint, or its https port (router.tls)",
)
CLIENT_PLAIN = Cause(
    "a client speaks something else than TLS, likely plain http, to an address of TLS",
    "write https:// in the client's endpoint, or the port of router.listen_address; a load "
    "balancer must not send the PROXY protocol",
)
_CLIENT_HTTP2 = Cause(
    "a client speaks HTTP/2 without having asked", "have the client or load balancer use HTTP/1.1"
)
_CLIENT_PROXY = Cause(
    "a load balancer sends the PROXY protocol, which is not taken", "turn it off there"
)
_REQUESTS = (
    (re.compile(rb"\x16\x03[\x00-\x04]"), _CLIENT_TLS),
    (re.compile(rb"PRI \* HTTP/2"), _CLIENT_HTTP2),
    (re.compile(rb"PROXY (?:TCP|UNKNOWN)|\r\n\r\n\0\r\nQUIT\n"), _CLIENT_PROXY),
)
# What a client's failed handshake says, by OpenSSL's reason.
_HANDSHAKES = {
    "HTTP_REQUEST": CLIENT_PLAIN,
    "HTTPS_PROXY_REQUEST": CLIENT_PLAIN,
    "WRONG_VERSION_NUMBER": CLIENT_PLAIN,
    "TLSV1_ALERT_UNKNOWN_CA": Cause(
        "a client does not trust the gateway's certificate",
        "give the client its CA, and router.tls.cert_file the whole chain",
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": Cause(
        "a client finds the gateway's certificate expired", "renew router.tls.cert_file"
    ),
    "SSLV3_ALERT_BAD_CERTIFICATE": Cause(
        "a client refuses the gateway's certificate", "look at its names and its chain"
    ),
    "UNSUPPORTED_PROTOCOL": Cause("a client offers only TLS older than 1.2", "update the client"),
    "NO_SHARED_CIPHER": Cause("a client offers no cipher in common", "update the client"),
}
_HANDSHAKES["SSLV3_ALERT_CERTIFICATE_UNKNOWN"] = _HANDSHAKES["SSLV3_ALERT_BAD_CERTIFICATE"]


def of_request(data: bytes) -> Cause | None:
    """What a client sent instead of a request of HTTP/1, if that is known."""
    return next((cause for pattern, cause in _REQUESTS if pattern.match(data)), None)


def of_handshake(fault: BaseException) -> Cause | None:
    """Why a client's TLS handshake failed, if the cause is a known mistake."""
    return _HANDSHAKES.get(getattr(fault, "reason", None) or "")
