"""Owns the fixtures of the compatibility tests: real servers, gateways before them, buckets.

Rules: the client's key pair is known to no server, so that whatever arrives was signed again; a
bucket is made through the gateway, once per test process and target (each bucket takes volumes of
its own on SeaweedFS), and tests keep apart by the prefix of their keys.
"""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sysconfig
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from gateway.demo.seaweed import Keys
from tests.compat import shared
from tests.compat.doors import listener
from tests.compat.shared import Store
from tests.process.harness import Gateway

CLIENT = Keys("compat-client", "compat-client-secret")
TARGETS = shared.NAMES
MIB = 1024 * 1024
SIZES = (0, 1, MIB, pytest.param(100 * MIB, marks=pytest.mark.slow))
KEY_PREFIX = "of a renamed bucket+é/"
# `renamed-BUCKET` is what lies below KEY_PREFIX in BUCKET.
ROUTING = {
    "rules": [
        {
            "pattern": f"renamed-{kind}-{{id}}",
            "target": target,
            "rewrite": {"bucket": f"{kind}-{{id}}", "key_prefix": KEY_PREFIX},
        }
        for kind, target in (("lakefs", "lakefs"), ("plain", "s3"))
    ]
    + [{"pattern": "lakefs-*", "target": "lakefs"}, {"pattern": "*", "target": "s3"}],
    "default_target": "s3",
}


@dataclass(frozen=True, slots=True)
class Side:
    """One target as a test needs it: the bucket that routes there, its server, the other one."""

    bucket: str
    here: Store
    elsewhere: Store


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """The two SeaweedFS servers that all test processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with shared.stores(base / "stores") as found:
        yield found


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The address of a moto server (AWS's semantics, no signatures) in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def gateway(stores: dict[str, Store], certificates: Path) -> Iterator[Gateway]:
    """A gateway with 2 workers, on http and https, that knows one explicit identity, `CLIENT`."""
    document = {**configuration(stores, CLIENT), "router": listener(certificates)}
    with Gateway.start(document) as running:
        yield running


@pytest.fixture(scope="session")
def implicit_gateway(stores: dict[str, Store]) -> Iterator[Gateway]:
    """A gateway without identities: the key pairs of its targets are the clients'."""
    with Gateway.start(configuration(stores, None)) as running:
        yield running


@pytest.fixture(scope="session")
def sides(gateway: Gateway, stores: dict[str, Store]) -> dict[str, Side]:
    """For each target a bucket that the rules send there, made through the gateway."""
    client = s3_client(gateway.url, CLIENT)
    found = {}
    for name in TARGETS:
        here = stores[name]
        (elsewhere,) = (store for store in stores.values() if store is not here)
        prefix = "lakefs" if name == "lakefs" else "plain"
        bucket = f"{prefix}-{uuid.uuid4().hex[:12]}"
        client.create_bucket(Bucket=bucket)
        found[name] = Side(bucket, here, elsewhere)
    return found


@pytest.fixture(params=TARGETS)
def side(request: pytest.FixtureRequest, sides: dict[str, Side]) -> Side:
    return sides[request.param]


@pytest.fixture
def prefix() -> str:
    """A key prefix no other test uses."""
    return f"{uuid.uuid4().hex}/"


def configuration(stores: Mapping[str, Store], client: Keys | None) -> dict[str, object]:
    document: dict[str, object] = {
        "targets": {
            name: {
                "profile": "seaweedfs",
                "endpoint": store.endpoint,
                "region": "us-east-1",
                "access_key_id": store.keys.access_key_id,
                "secret_access_key": store.keys.secret_access_key,
            }
            for name, store in stores.items()
        },
        "routing": ROUTING,
    }
    if client is not None:
        document["auth"] = {"identities": [identity("compat", client)]}
    return document


def identity(name: str, keys: Keys) -> dict[str, str]:
    return {
        "name": name,
        "access_key_id": keys.access_key_id,
        "secret_access_key": keys.secret_access_key,
    }


def s3_client(
    endpoint: str, keys: Keys, config: Config | None = None, ca: Path | None = None
) -> Any:  # boto3 is untyped
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        region_name="us-east-1",
        config=config,
        verify=None if ca is None else str(ca),
    )


def read_directly(store: Store, bucket: str, key: str) -> bytes | None:
    """Return an object from its server, past the gateway; None if it is not there."""
    client = reader(store)
    try:
        return bytes(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchBucket"):
            raise
        return None


@functools.cache
def reader(store: Store) -> Any:
    """A client that looks at what lies in a store: making one takes longer than a look."""
    return s3_client(store.endpoint, store.keys)


def assert_landed(side: Side, key: str, body: bytes) -> None:
    """The object lies on its own server with these bytes, and not on the other one."""
    found = read_directly(side.here, side.bucket, key)
    # Not `assert found == body`: pytest would explain 100 MiB byte by byte.
    assert found is not None
    assert len(found) == len(body)
    assert (found == body) is True
    assert read_directly(side.elsewhere, side.bucket, key) is None


def same(found: bytes, wanted: bytes) -> bool:
    """Compare bodies without an explanation of megabytes when they differ."""
    return len(found) == len(wanted) and found == wanted


@functools.lru_cache(maxsize=4)
def payload(size: int) -> bytes:
    """Bytes that do not repeat, so that a lost or swapped piece shows; the same for every run."""
    return random.Random(size).randbytes(size)


@functools.cache
def payload_file(directory: Path, size: int) -> Path:
    path = directory / f"{size}.bin"
    path.write_bytes(payload(size))
    return path


def command(name: str, *words: str, environ: Mapping[str, str], seconds: float = 120) -> bytes:
    """Run a program of this environment's wheels; return its output. AssertionError if it fails."""
    program = Path(sysconfig.get_path("scripts")) / name
    done = _run([str(program), *words], environ, seconds)
    assert done.returncode == 0, f"{name} {words}: {done.stderr.decode(errors='replace')}"
    return done.stdout


def _run(
    words: Sequence[str], environ: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[bytes]:
    foreign = ("AWS_", "RCLONE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.run(
        words, env={**kept, **environ}, capture_output=True, timeout=seconds, check=False
    )
