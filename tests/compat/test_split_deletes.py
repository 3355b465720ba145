"""Clients that delete keys of one bucket whose objects are on three stores.

Two SeaweedFS and a lakeFS (the double, which answers as lakeFS does): whatever is asked for in one
request is gone from the store where it was, and nothing else is.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs

from tests.compat.live import CLIENT, command, configuration, reader, s3_client
from tests.compat.shared import Store
from tests.doubles.lakefs import LakeFS
from tests.process.harness import Gateway

NAMES = ("1", "deep/er/2", "a b+c%2F", "é &<>'", " x")
# `raw/*` is on lakeFS, `log/*` on one SeaweedFS under other names, the rest on the other.
KEYS = [prefix + name for prefix in ("raw/", "log/", "", "old/") for name in NAMES]


class Data:
    """A bucket, and what its stores have."""

    def __init__(self, gateway: Gateway, stores: dict[str, Store], lake: LakeFS) -> None:
        self.url = gateway.url
        self.client = s3_client(gateway.url, CLIENT)
        self.bucket = f"split-{uuid.uuid4().hex[:12]}"
        self._stores = stores
        self._lake = lake.store.repositories["repo"].branches["main"].entries
        for store in stores.values():
            reader(store).create_bucket(Bucket=self.bucket)

    def fill(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=key.encode())

    def stored(self) -> set[str]:
        """The client's names of what the stores have, each by its own."""
        raw = {"raw/" + path.removeprefix("r/") for path in self._lake}
        logs = {"log/" + key.removeprefix("logs é/") for key in self._listed("lakefs")}
        return raw | logs | self._listed("s3")

    def empty(self) -> None:
        self._lake.clear()
        for name, store in self._stores.items():
            for key in self._listed(name):
                reader(store).delete_object(Bucket=self.bucket, Key=key)

    def _listed(self, store: str) -> set[str]:
        page = reader(self._stores[store]).list_objects_v2(Bucket=self.bucket)
        return {row["Key"] for row in page.get("Contents", ())}


@pytest.fixture(scope="module")
def lake() -> Iterator[LakeFS]:
    with LakeFS() as double:
        double.add_repository("repo")
        yield double


@pytest.fixture(scope="module")
def splitting(stores: dict[str, Store], lake: LakeFS) -> Iterator[Gateway]:
    """A gateway that has the keys of buckets `split-*` in three places."""
    document: Any = configuration(stores, CLIENT)
    ((key_id, secret),) = lake.keys.items()
    document["targets"]["lake"] = {
        "profile": "lakefs",
        "endpoint": lake.endpoint,
        "region": "us-east-1",
        "access_key_id": key_id,
        "secret_access_key": secret,
    }
    raw = {"strip_prefix": "raw/", "bucket": "repo", "key_prefix": "main/r/"}
    logs = {"strip_prefix": "log/", "key_prefix": "logs é/"}
    document["routing"] = {
        "rules": [
            {"pattern": "split-*", "keys": ["raw/*"], "target": "lake", "rewrite": raw},
            {"pattern": "split-*", "keys": ["log/*"], "target": "lakefs", "rewrite": logs},
        ],
        "default_target": "s3",
    }
    with Gateway.start(document) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def bucket(splitting: Gateway, stores: dict[str, Store], lake: LakeFS) -> Data:
    return Data(splitting, stores, lake)


@pytest.fixture
def data(bucket: Data) -> Iterator[Data]:
    yield bucket
    bucket.empty()


def test_boto3(data: Data) -> None:
    data.fill(KEYS)
    assert data.stored() == set(KEYS)
    doomed = [key for key in KEYS if not key.endswith("1")]
    refused = "raw/../../x"
    asked = [*doomed, "raw/was never there", refused, "neither was this"]
    objects = [{"Key": key} for key in asked]
    found = data.client.delete_objects(Bucket=data.bucket, Delete={"Objects": objects})
    gone = [row["Key"] for row in found["Deleted"]]
    assert gone == [key for key in asked if key != refused]
    assert [(row["Key"], row["Code"]) for row in found["Errors"]] == [(refused, "InvalidURI")]
    assert data.stored() == set(KEYS) - set(doomed)


def test_a_quiet_client_and_a_version_that_a_store_does_not_have(data: Data) -> None:
    data.fill(KEYS)
    objects = [{"Key": key} for key in KEYS[1:]]
    objects.append({"Key": KEYS[0], "VersionId": "3/L4kqtJlcpXroDTDmJ"})
    batch = {"Objects": objects, "Quiet": True}
    found = data.client.delete_objects(Bucket=data.bucket, Delete=batch)
    assert "Deleted" not in found
    (error,) = found["Errors"]
    assert (error["Key"], error["Code"]) == (KEYS[0], "NotImplemented")
    assert data.stored() == {KEYS[0]}


def test_s3fs(data: Data) -> None:
    """A list of paths is one DeleteObjects."""
    data.fill(KEYS)
    fs = s3fs.S3FileSystem(
        key=CLIENT.access_key_id,
        secret=CLIENT.secret_access_key,
        endpoint_url=data.url,
        skip_instance_cache=True,
    )
    try:
        fs.rm([f"{data.bucket}/{key}" for key in KEYS])
    finally:
        s3fs.S3FileSystem.close_session(fs.loop, fs._s3)
    assert data.stored() == set()


def test_aws_cli(data: Data) -> None:
    """`rm --recursive` lists, so it goes by the prefixes of the rules."""
    data.fill(KEYS)
    objects = [{"Key": key} for key in KEYS if not key.startswith("raw/")]
    batch = json.dumps({"Objects": objects[:-2], "Quiet": True})
    words = ("--bucket", data.bucket, "--delete", batch)
    environ = {
        "AWS_ACCESS_KEY_ID": CLIENT.access_key_id,
        "AWS_SECRET_ACCESS_KEY": CLIENT.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": data.url,
        "AWS_PAGER": "",
    }
    assert command("aws", "s3api", "delete-objects", *words, environ=environ) == b""
    command("aws", "s3", "rm", "--recursive", f"s3://{data.bucket}/raw/", environ=environ)
    assert data.stored() == {entry["Key"] for entry in objects[-2:]}


@pytest.mark.slow
def test_rclone(data: Data, tmp_path: Path) -> None:
    """`purge` lists, so it goes by the prefixes of the rules."""
    data.fill(KEYS)
    environ = {
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
        "RCLONE_CONFIG_GW_TYPE": "s3",
        "RCLONE_CONFIG_GW_PROVIDER": "Other",
        "RCLONE_CONFIG_GW_ENDPOINT": data.url,
        "RCLONE_CONFIG_GW_REGION": "us-east-1",
        "RCLONE_CONFIG_GW_ACCESS_KEY_ID": CLIENT.access_key_id,
        "RCLONE_CONFIG_GW_SECRET_ACCESS_KEY": CLIENT.secret_access_key,
    }
    (tmp_path / "rclone.conf").touch()
    for prefix in ("raw", "log"):
        command("rclone", "purge", f"gw:{data.bucket}/{prefix}", environ=environ)
    assert data.stored() == {key for key in KEYS if not key.startswith(("raw/", "log/"))}
