"""Owns the gateway of the copies between targets: four stores, a bucket on each, and a renamed one.

    first, second   the SeaweedFS servers of the run
    aws             moto, by the profile `s3`
    lakefs          the double, whose block store takes no part below 5 MiB
    renamed         a part of the bucket on `second`

Rules: sources are made through the gateway, and what a copy made is read from its store directly; a
copy that is looked for is looked for on every other store too.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.demo.seaweed import Keys
from tests.compat.doors import HTTP, HTTPS, Door, listener
from tests.compat.live import CLIENT, KEY_PREFIX, identity, s3_client
from tests.compat.shared import Store
from tests.doubles.lakefs import LakeFS
from tests.process.harness import Gateway

METADATA = {"owner": "me", "mtime": "1700000000.5"}
CONTENT_TYPE = "text/x-source"
# What is escaped in one way or another in paths, headers, queries and documents.
HARD_NAME = "a b+c%41 é/ß&=?.txt"


@dataclass(frozen=True, slots=True)
class Spot:
    """A bucket as clients name it, its store, and what stands before a key for either of them."""

    name: str
    bucket: str
    store: str
    before: str = ""  # in the client's key: the branch
    bucket_up: str = ""  # the store's bucket, if it is another one
    before_up: str = ""  # in the store's key alone


@dataclass(frozen=True, slots=True)
class Found:
    """An object as its store has it."""

    body: bytes
    content_type: str
    metadata: dict[str, str]
    etag: str


class World:
    """The gateway, its doors, its stores and what lies there."""

    def __init__(
        self, gateway: Gateway, doors: dict[str, Door], spots: list[Spot], stores: dict[str, Store]
    ) -> None:
        self.gateway = gateway
        self.doors = doors
        self.spots = {spot.name: spot for spot in spots}
        self._readers = {
            name: s3_client(store.endpoint, store.keys) for name, store in stores.items()
        }

    def client(self, door: str = HTTP) -> Any:
        """A client of the gateway, as boto3 makes it."""
        return s3_client(self.doors[door].url, CLIENT, ca=self.doors[door].ca)

    def found(self, spot: Spot, key: str) -> Found | None:
        """The object at its store, by the client's key; None: there is none."""
        client = self._readers[spot.store]
        where = {"Bucket": spot.bucket_up or spot.bucket, "Key": spot.before_up + key}
        try:
            got = client.get_object(**where)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchBucket"):
                raise
            return None
        # lakeFS writes the names of metadata as Go does.
        metadata = {name.lower(): value for name, value in got["Metadata"].items()}
        return Found(got["Body"].read(), got["ContentType"], metadata, got["ETag"].strip('"'))

    def assert_copied(self, spot: Spot, key: str, body: bytes) -> Found:
        """The copy lies at its store with all that the source had, and nowhere else."""
        found = self.found(spot, key)
        assert found is not None, f"no object {key} at {spot.name}"
        # Not `assert found.body == body`: pytest would explain megabytes.
        assert len(found.body) == len(body)
        assert (found.body == body) is True
        others = [one for one in self.spots.values() if one.store != spot.store]
        assert [one.name for one in others if self.found(one, key) is not None] == []
        return found


@contextmanager
def _world(stores: dict[str, Store], moto: str, certificates: Path) -> Iterator[World]:
    """Run the gateway and the double for the time of the block."""
    end = uuid.uuid4().hex[:12]
    spots = [
        Spot("first", f"first-{end}", "first"),
        Spot("second", f"second-{end}", "second"),
        Spot("aws", f"aws-{end}", "aws"),
        Spot("lakefs", f"lakefs-{end}", "lakefs", before="main/"),
        Spot(
            "renamed",
            f"renamed-{end}",
            "second",
            bucket_up=f"second-{end}",
            before_up=KEY_PREFIX,
        ),
    ]
    with ExitStack() as stack:
        lakefs = stack.enter_context(LakeFS(block_store="s3"))
        lakefs.add_repository(f"lakefs-{end}")
        ((key_id, secret),) = lakefs.keys.items()
        servers = {
            "first": stores["s3"],
            "second": stores["lakefs"],
            "aws": Store("aws", moto, Keys("aws-key", "aws-secret")),
            "lakefs": Store("lakefs", lakefs.endpoint, Keys(key_id, secret)),
        }
        document = {**_configuration(servers), "router": listener(certificates)}
        gateway = stack.enter_context(Gateway.start(document))
        doors = {
            HTTP: Door(gateway.url),
            HTTPS: Door(gateway.tls_url, certificates / "ca.pem"),
        }
        made = World(gateway, doors, spots, servers)
        for name in ("first", "second", "aws"):
            made.client().create_bucket(Bucket=made.spots[name].bucket)
        yield made


def _configuration(servers: dict[str, Store]) -> dict[str, object]:
    profiles = {"first": "seaweedfs", "second": "seaweedfs", "aws": "s3", "lakefs": "lakefs"}
    targets = {
        name: {
            "profile": profiles[name],
            "endpoint": store.endpoint,
            "region": "us-east-1",
            "access_key_id": store.keys.access_key_id,
            "secret_access_key": store.keys.secret_access_key,
        }
        for name, store in servers.items()
    }
    rewrite = {"bucket": "second-{id}", "key_prefix": KEY_PREFIX}
    rules: list[dict[str, object]] = [{"pattern": f"{name}-*", "target": name} for name in servers]
    rules.append({"pattern": "renamed-{id}", "target": "second", "rewrite": rewrite})
    return {
        "targets": targets,
        "routing": {"rules": rules, "default_target": "aws"},
        "auth": {"identities": [identity("compat", CLIENT)]},
    }


@pytest.fixture(scope="session")
def between(stores: dict[str, Store], moto: str, certificates: Path) -> Iterator[World]:
    """The gateway of the copies between targets, for all tests of a process."""
    with _world(stores, moto, certificates) as made:
        yield made
