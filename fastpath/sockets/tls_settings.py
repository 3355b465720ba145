"""What a TLS context is made from: certificates as PEM text, never as paths."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TLSSettings:
    """How a target's certificate is verified, and which certificate the gateway shows to it."""

    verify: bool
    server_name: str
    ca_pem: str | None
    cert_pem: str | None
    key_pem: str | None

    def __repr__(self) -> str:
        return f"TLSSettings({self.server_name!r}, verify={self.verify})"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that TLS listeners show to clients, and its private key."""

    cert_pem: str
    key_pem: str

    def __repr__(self) -> str:
        return "Certificate()"
