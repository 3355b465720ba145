"""Makes TLS contexts for targets and clients from PEM text: a worker reads no file after its start.

Rules: certificates and host names of targets are verified unless their settings say otherwise. TLS
1.2 is the oldest version. A private key passes through an anonymous memory file, never a path on
disk.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastpath.sockets.tls_settings import Certificate, TLSSettings


def client_context(settings: TLSSettings) -> ssl.SSLContext:
    """A context for connections to one target. Raises ssl.SSLError on PEM that OpenSSL refuses."""
    context = ssl.create_default_context(cadata=settings.ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert_pem is not None and settings.key_pem is not None:
        _load_pair(context, settings.cert_pem, settings.key_pem)
    return context


def server_context(certificate: Certificate) -> ssl.SSLContext:
    """A context for clients' connections. Raises ssl.SSLError on PEM that OpenSSL refuses."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # TLS 1.2 lets a client ask for handshake after handshake on one connection, at our cost.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _load_pair(context, certificate.cert_pem, certificate.key_pem)
    return context


def _load_pair(context: ssl.SSLContext, cert_pem: str, key_pem: str) -> None:
    """`load_cert_chain` takes paths only; a memfd is one that nobody else can open."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, f"{cert_pem}\n{key_pem}\n".encode())
        path = f"/proc/self/fd/{descriptor}"
        context.load_cert_chain(path, password=lambda: "")  # else OpenSSL asks the terminal
    finally:
        os.close(descriptor)
