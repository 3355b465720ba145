"""TLS towards targets: contexts from PEM text, because a worker reads no file after start.

Rules: certificates and host names are verified unless the target's settings say otherwise; TLS 1.2
is the least; a client key passes through an anonymous memory file, never a path on disk.

Not here: the HTTPS listener.
"""

from __future__ import annotations

import os
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastpath.snapshot import TLSSettings


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


def _load_pair(context: ssl.SSLContext, cert_pem: str, key_pem: str) -> None:
    """`load_cert_chain` takes paths only; a memfd is one that nobody else can open."""
    descriptor = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, f"{cert_pem}\n{key_pem}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
