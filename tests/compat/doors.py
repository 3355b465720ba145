"""Owns the two ways into a gateway: http, and https under an authority that a run makes for itself.

Rules: a client is told the authority by the setting it has for that, and verifies the certificate;
over https the fast tier does every client's work once, the slow tier everything.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from tests.process.harness import Answer, Gateway, ask

HTTP, HTTPS = "http", "https"
DOORS = (HTTP, pytest.param(HTTPS, marks=pytest.mark.slow))


@dataclass(frozen=True, slots=True)
class Door:
    """An address, and the PEM file of the authority to trust there; None where nothing is shown."""

    url: str
    ca: Path | None = None

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        """Name and port."""
        return urlsplit(self.url).netloc

    def fetch(
        self,
        url: str,
        method: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request to a URL of this door, by a client that knows nothing of S3."""
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc) == (self.scheme, self.host)
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        if self.ca is not None:
            trusted = ssl.create_default_context(cafile=str(self.ca))
            connection = http.client.HTTPSConnection(parts.netloc, timeout=20, context=trusted)
        try:
            return ask(connection, method, f"{parts.path}?{parts.query}", body, headers)
        finally:
            connection.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `ca.pem`, and with `cert.pem` and `key.pem` of 127.0.0.1."""
    directory = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    issued.private_key_pem.write_to_path(directory / "key.pem")
    issued.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    return directory


def listener(certificates: Path) -> dict[str, object]:
    """The section `router` of a gateway that listens on https as well."""
    files = {f"{part}_file": str(certificates / f"{part}.pem") for part in ("cert", "key")}
    return {"tls": {"listen_address": "127.0.0.1:0", **files}}


@pytest.fixture(scope="session")
def doors(gateway: Gateway, certificates: Path) -> dict[str, Door]:
    return {
        HTTP: Door(gateway.url),
        HTTPS: Door(gateway.tls_url, certificates / "ca.pem"),
    }


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, doors: dict[str, Door]) -> Door:
    return doors[request.param]
