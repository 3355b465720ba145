"""Fixtures: a target with one object, and a configuration that routes everything to it.

Rules: no signatures there (`mode: open` on loopback); what is proved is the processes, and each
test starts its own gateway (`harness`). The tests of lakeFS share one for each module instead, in
front of the double: a fresh `repo` with `main` and `dev`, and one object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.doubles.lakefs import LakeFS
from tests.doubles.target import Target
from tests.process.harness import Gateway, open_config
from tests.process.lakefs import gateway as behind
from tests.process.lakefs.client import Client

OBJECT = b"0123456789" * 100


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as one:
        one.objects["/bucket/key"] = OBJECT
        yield one


@pytest.fixture
def config(target: Target) -> dict[str, object]:
    return open_config(target.url)


# lakeFS


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[LakeFS, Gateway]]:
    with LakeFS() as lakefs, Gateway.start(behind.configuration(lakefs), 1) as gateway:
        yield lakefs, gateway
        assert not lakefs.died  # nothing that a client sends may end the target itself


@pytest.fixture
def lakefs(running: tuple[LakeFS, Gateway]) -> LakeFS:
    lakefs = running[0]
    lakefs.store.repositories.clear()
    lakefs.add_repository("repo", "dev")
    Client(lakefs).send("PUT", behind.PATH, behind.OBJECT, {"content-type": "text/plain"})
    lakefs.seen.clear()
    return lakefs


@pytest.fixture
def client(running: tuple[LakeFS, Gateway], lakefs: LakeFS) -> Client:
    return Client(lakefs, port=running[1].address[1], keys=behind.KEYS)


@pytest.fixture
def sdk(running: tuple[LakeFS, Gateway], lakefs: LakeFS) -> Any:  # boto3 is untyped
    return boto3.client(
        "s3",
        endpoint_url=running[1].url,
        aws_access_key_id=behind.KEYS[0],
        aws_secret_access_key=behind.KEYS[1],
        region_name="us-east-1",
    )
