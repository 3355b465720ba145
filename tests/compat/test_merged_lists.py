"""One bucket on AWS's double and on that of lakeFS: clients list and synchronise it as one.

raw/*   the repository `lake`, below its branch: main/raw/*
else    the bucket `sales` at moto
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.compat.doors import Door
from tests.compat.live import CLIENT, s3_client
from tests.compat.test_aws_cli import AwsCli
from tests.compat.test_rclone import Rclone
from tests.doubles.lakefs import LakeFS
from tests.process.harness import Gateway

BUCKET = f"sales-{uuid.uuid4().hex[:8]}"
RAW = ("raw/a b+c", "raw/year=2026/é", "raw/year=2026/1", "raw/z")
OTHERS = ("log/1", "log/~2", "r", "raw", "raw-data", "raw0", "z&<>")
SHOWN = sorted((*RAW, *OTHERS), key=str.encode)


@pytest.fixture(scope="module")
def lake() -> Iterator[LakeFS]:
    with LakeFS() as running:
        running.add_repository("lake")
        yield running


@pytest.fixture(scope="module")
def gateway(moto: str, lake: LakeFS) -> Iterator[Gateway]:
    ((key_id, secret),) = lake.keys.items()
    there = {"profile": "lakefs", "access_key_id": key_id, "secret_access_key": secret}
    here = {"profile": "s3", "access_key_id": "a", "secret_access_key": "b"}
    rewrite = {"bucket": "lake", "key_prefix": "main/"}
    identity = {
        "name": "client",
        "access_key_id": CLIENT.access_key_id,
        "secret_access_key": CLIENT.secret_access_key,
    }
    document = {
        "auth": {"identities": [identity]},
        "targets": {
            "aws": {**here, "endpoint": moto, "addressing": "path"},
            "lake": {**there, "endpoint": lake.endpoint},
        },
        "routing": {
            "default_target": "aws",
            "rules": [{"pattern": BUCKET, "keys": ["raw/*"], "target": "lake", "rewrite": rewrite}],
        },
    }
    with Gateway.start(document, 1) as running:
        client = s3_client(running.url, CLIENT)
        client.create_bucket(Bucket=BUCKET)
        for key in SHOWN:
            client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        # What lies at the other place under a key of this one is nobody's.
        s3_client(moto, CLIENT).put_object(Bucket=BUCKET, Key="raw/masked", Body=b"")
        yield running


@pytest.fixture
def door(gateway: Gateway) -> Door:
    return Door(gateway.url)


@pytest.fixture
def client(gateway: Gateway) -> Any:
    return s3_client(gateway.url, CLIENT)


def test_the_keys_are_where_the_rule_sends_them(client: Any, moto: str, lake: LakeFS) -> None:
    there = s3_client(moto, CLIENT).list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {one["Key"] for one in there} == {*OTHERS, "raw/masked"}
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="raw/")["KeyCount"] == len(RAW)
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="log/")["KeyCount"] == 2


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_boto3_pages(client: Any, operation: str, size: int) -> None:
    pages = client.get_paginator(operation).paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": size}
    )
    found = [[one["Key"] for one in page["Contents"]] for page in pages]
    assert [key for page in found for key in page] == SHOWN
    assert {len(page) for page in found[:-1]} <= {size}


def test_boto3_groups(client: Any) -> None:
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 2}
    )
    keys, prefixes = [], []
    for page in pages:
        keys += [one["Key"] for one in page.get("Contents", ())]
        prefixes += [one["Prefix"] for one in page.get("CommonPrefixes", ())]
    assert keys == [key for key in SHOWN if "/" not in key]
    assert prefixes == ["log/", "raw/"]


def test_what_a_list_says_is_what_a_head_says(client: Any) -> None:
    for row in client.list_objects_v2(Bucket=BUCKET)["Contents"]:
        head = client.head_object(Bucket=BUCKET, Key=row["Key"])
        assert (head["ETag"], head["ContentLength"]) == (row["ETag"], row["Size"])


def test_aws_cli_synchronises_the_whole_bucket(door: Door, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    AwsCli(door, tmp_path).s3("sync", f"s3://{BUCKET}", str(copy), "--exclude", "raw")
    found = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert found == {*SHOWN} - {"raw"}  # which is a directory here


def test_rclone_lists_the_whole_bucket(door: Door, tmp_path: Path) -> None:
    lines = Rclone(door, tmp_path)("lsf", "-R", "--files-only", f"gw:{BUCKET}").decode()
    assert sorted(lines.splitlines(), key=str.encode) == SHOWN


def test_a_list_without_one_of_its_targets_is_no_list(
    client: Any, lake: LakeFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or `sync --delete` would delete what the other one has."""
    monkeypatch.delitem(lake.keys, next(iter(lake.keys)))
    with pytest.raises(ClientError) as caught:
        client.list_objects_v2(Bucket=BUCKET)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"  # as of a list of `raw/` alone
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="log/")["KeyCount"] == 2
