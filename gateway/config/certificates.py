"""Reads the certificates and keys that clients are shown, and checks that they can be used.

Rules: the check is the code that a worker uses, on the text that a worker gets; an expired
certificate is a warning, since clients may not check dates and the gateway should start.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

from fastpath.sockets.tls import server_context
from fastpath.sockets.tls_settings import Certificate
from gateway.config.addresses import Listen
from gateway.config.problems import Path
from gateway.config.reading import Reader
from gateway.config.schema import AdminTLS, RouterTLS
from gateway.config.secrets import Files

_PATH: Path = ("router", "tls")
Served = TypeVar("Served", RouterTLS, AdminTLS)

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

# DER: ITU-T X.690 section 8.1.2; the fields are RFC 5280 section 4.1.
_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17


def read_served_tls(
    reader: Reader, files: Files, section: RouterTLS | None, plain: tuple[Listen, ...]
) -> RouterTLS | None:
    """Reads the TLS listeners; None if there are none or a file cannot be read."""
    if section is None:
        return None
    for index, address in enumerate(section.listen_address):
        if address.port and address in plain:
            path = (*_PATH, "listen_address", index)
            reader.error(
                path if reader.tree.get(path) is not None else path[:-1],
                f"{address} is router.listen_address as well",
                "give TLS a port of its own",
            )
    return read_pair(reader, files, section, _PATH)


def read_pair(reader: Reader, files: Files, section: Served, path: Path) -> Served | None:
    """Reads the certificate and key of a section; None if a file cannot be read."""
    cert_pem = files.text(section.cert_file, (*path, "cert_file"))
    key_pem = files.text(section.key_file, (*path, "key_file"))
    if cert_pem is None or key_pem is None:
        return None
    if _is_usable(reader, path, cert_pem, key_pem):
        _check_dates(reader, (*path, "cert_file"), cert_pem)
    return section.with_texts({"cert_file": cert_pem, "key_file": key_pem})


def _is_usable(reader: Reader, path: Path, cert_pem: str, key_pem: str) -> bool:
    if _BEGIN not in cert_pem:
        reader.error((*path, "cert_file"), "holds no PEM certificate")
        return False
    if "PRIVATE KEY-----" not in key_pem:
        reader.error((*path, "key_file"), "holds no PEM private key")
        return False
    try:
        server_context(Certificate(cert_pem, key_pem))
    except (ssl.SSLError, ValueError) as fault:
        if getattr(fault, "reason", None) == "KEY_VALUES_MISMATCH":
            reader.error((*path, "key_file"), "is not the key of the certificate")
        elif "ENCRYPTED" in key_pem:
            reader.error((*path, "key_file"), "is encrypted", "remove its password")
        else:
            message = "certificate and key are not a usable PEM pair"
            reader.error((*path, "cert_file"), message)
        return False
    return True


def _check_dates(reader: Reader, path: Path, pem: str) -> None:
    try:
        since, until = validity(pem)
    except ValueError:
        return  # OpenSSL accepted it, so clients will
    now = time.time()
    if now > until:
        reader.warn(path, f"the certificate expired on {_day(until)}", "clients refuse it")
    elif now < since:
        reader.warn(path, f"the certificate is valid from {_day(since)} on", "clients refuse it")


def _day(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d")


def validity(pem: str) -> tuple[float, float]:
    """Returns the first and last epoch second of a PEM text's first certificate.

    Raises ValueError if it is no certificate.
    """
    first = pem[pem.index(_BEGIN) : pem.index(_END) + len(_END)]
    ((_, outer),) = _elements(ssl.PEM_cert_to_DER_cert(first))
    (_, signed), *_ = _elements(outer)
    # After the serial number, the algorithm and the issuer.
    _, _, _, (kind, dates), *_ = (part for part in _elements(signed) if part[0] != _VERSION)
    if kind != _SEQUENCE:
        raise ValueError("no validity where it should be")
    since, until = (_epoch(*date) for date in _elements(dates))
    return since, until


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields tag and content of each element of a DER content. Raises ValueError on a short one."""
    at = 0
    while at < len(der):
        tag, length = der[at : at + 2]
        at += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(der[at : at + octets], "big")
            at += octets
        yield tag, der[at : at + length]
        at += length


def _epoch(tag: int, text: bytes) -> float:
    """Parses a date. UTCTime has a year of two digits, from 1950 to 2049 (RFC 5280 4.1.2.5)."""
    digits = text.decode("ascii")
    if tag == _UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
