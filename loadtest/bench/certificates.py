"""A certificate for loopback, made for one run, for the store's https port."""

from __future__ import annotations

from pathlib import Path

import trustme


class Certificates:
    """PEM files below `directory`: the authority's, the store's certificate and its key."""

    def __init__(self, directory: Path) -> None:
        self.authority = directory / "ca.pem"
        self.certificate = directory / "cert.pem"
        self.key = directory / "key.pem"
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        leaf = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)
        authority.cert_pem.write_to_path(self.authority)
        leaf.private_key_pem.write_to_path(self.key)
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(self.certificate, append=True)
