"""Puts real stores and this machine's addresses into the configurations that documents show.

Rules: nothing else is changed; the target `lakefs` is the double of lakeFS, every other one is a
real server, in turns one of the two that the tests of clients use.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trustme
import yaml

from tests.compat.live import reader
from tests.compat.shared import Store
from tests.doubles.lakefs import LakeFS

LISTEN = "127.0.0.1:0"  # in place of any address: the gateway says which port it got
FILES = ("secret_access_key_file", "access_key_id_file", "secret_file", "token_file")
SORTED = {"lists": ["encoding-type", "sorted", "start-after"]}  # of the keys that are used here


class Stores:
    """The stores behind the targets of one page. Other pages use them at the same time."""

    def __init__(
        self,
        stores: Mapping[str, Store],
        lakefs: LakeFS,
        ends: contextlib.ExitStack,
        locks: Path,
    ) -> None:
        self._servers = [stores["s3"], stores["lakefs"]]
        self.lakefs = lakefs
        self._ends, self._locks = ends, locks
        self._of: dict[str, Store] = {}
        self._shown: dict[str, tuple[str, str]] = {}  # endpoint and profile that a page shows

    def of(self, target: str) -> Store:
        """The server behind a target that is not `lakefs`."""
        return self._of.setdefault(target, self._servers[len(self._of) % 2])

    def reserve(self, target: str, bucket: str) -> Any:  # boto3 is untyped
        """Has the bucket for this page alone, and not there yet; a client of its store.

        A page reserves its buckets in the order of their names, so that no two wait for each other.
        """
        store = self.of(target)
        lock = self._locks / f"{store.name}-{bucket}.lock"
        fcntl.flock(self._ends.enter_context(lock.open("w")), fcntl.LOCK_EX)
        client = reader(store)
        _remove(client, bucket)
        self._ends.callback(_remove, client, bucket)
        return client

    def bucket(self, target: str, bucket: str) -> Any:
        """Makes an empty bucket; a client of its store."""
        client = self.reserve(target, bucket)
        client.create_bucket(Bucket=bucket)
        return client

    def settings(self, target: str) -> dict[str, Any]:
        if target == "lakefs":
            ((key_id, secret),) = self.lakefs.keys.items()
            found: dict[str, Any] = {"endpoint": self.lakefs.endpoint}
            return {**found, "access_key_id": key_id, "secret_access_key": secret}
        store = self.of(target)
        return {
            "profile": "seaweedfs",
            "endpoint": store.endpoint,
            "region": "us-east-1",
            "access_key_id": store.keys.access_key_id,
            "secret_access_key": store.keys.secret_access_key,
            "profile_overrides": SORTED,
        }

    def as_shown(self, printed: str) -> str:
        """What is printed of a target, with its endpoint and profile as the page has them."""
        for name, (endpoint, profile) in self._shown.items():
            here = self.settings(name)
            real = re.escape(here["endpoint"])
            printed = re.sub(rf"(target {name}:? \(?){real}", rf"\g<1>{endpoint}", printed)
            if "profile" in here:
                said = rf"(target {name}: .*\(profile ){here['profile']}\)"
                printed = re.sub(said, rf"\g<1>{profile})", printed)
        return printed

    def _note(self, name: str, target: Mapping[str, Any]) -> None:
        """Keeps what the page has."""
        default = "s3" if name == "s3" else "generic"
        aws = f"https://s3.{target.get('region', '')}.amazonaws.com"
        self._shown[name] = (target.get("endpoint", aws), target.get("profile", default))

    def put_into(self, document: dict[str, Any]) -> dict[str, Any]:
        """The configuration with these stores behind its targets, on a free port."""
        found = dict(document)
        for name in ("lakefs", "s3"):
            if name in found:
                self._note(name, found[name])
                found[name] = self.settings(name)
        if "targets" in found:
            for name, target in found["targets"].items():
                self._note(name, target)
            found["targets"] = {
                name: {**_kept(target), **self.settings(name)}
                for name, target in found["targets"].items()
            }
        if "router" in found or "routing" in found:
            found["router"] = {**found.get("router", {}), "listen_address": LISTEN}
        return found

    def put_into_text(self, text: str) -> str:
        documents = [self.put_into(one) for one in yaml.safe_load_all(text) if one]
        return yaml.safe_dump_all(documents, sort_keys=False)


def _remove(client: Any, bucket: str) -> None:
    with contextlib.suppress(client.exceptions.NoSuchBucket):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", []):
                client.delete_object(Bucket=bucket, Key=found["Key"])
        client.delete_bucket(Bucket=bucket)


def _kept(target: Mapping[str, Any]) -> dict[str, Any]:
    """What is no matter of the store: health checks, limits."""
    return {name: value for name, value in target.items() if name in ("health", "pool", "timeouts")}


def write_files(document: object, directory: Path) -> object:
    """The document with each file that it names written below the directory, and named there."""
    if isinstance(document, list):
        return [write_files(one, directory) for one in document]
    if not isinstance(document, dict):
        return document
    found = {name: write_files(value, directory) for name, value in document.items()}
    for name in FILES:
        if isinstance(found.get(name), str):
            file = directory / str(found[name]).lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"the-content-of-{file.name}-0123456789abcdef\n")
            file.chmod(0o600)
            found[name] = str(file)
    if "cert_file" in found:
        found |= _certificate(directory)
    return found


def _certificate(directory: Path) -> dict[str, str]:
    """A certificate and its key, as a configuration names them."""
    issued = trustme.CA().issue_cert("s3.example.com")
    pair = {"cert_file": directory / "tls.crt", "key_file": directory / "tls.key"}
    issued.cert_chain_pems[0].write_to_path(pair["cert_file"])
    issued.private_key_pem.write_to_path(pair["key_file"])
    return {name: str(file) for name, file in pair.items()}
