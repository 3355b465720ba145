"""Buckets on two real servers and on the double of lakeFS, as clients list, make and delete them.

Rules: names begin with an id of the test's own, because the servers are shared; what nobody must
see is there too: buckets of names that rules send to another target.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.compat.doors import Door
from tests.compat.live import CLIENT, configuration, reader, s3_client
from tests.compat.shared import Store
from tests.compat.test_aws_cli import AwsCli
from tests.compat.test_rclone import Rclone
from tests.doubles.lakefs import LakeFS
from tests.process.harness import Gateway

ID = uuid.uuid4().hex[:8]
OLD, NEW, PART = f"{ID}-old", f"{ID}-new", f"{ID}-part"
TEAM, REPOSITORY, BRANCH = f"{ID}-team-red", f"{ID}-repo-red", f"{ID}-branch"
MADE, MADE_THERE = f"{ID}-made", f"{ID}-there"
RULES = [
    {"pattern": f"{ID}-far*", "target": "lakefs"},
    {"pattern": OLD, "target": "lakefs", "rewrite": {"bucket": NEW}},
    {"pattern": MADE, "target": "lakefs", "rewrite": {"bucket": MADE_THERE}},
    {"pattern": PART, "target": "lakefs", "rewrite": {"bucket": NEW, "key_prefix": "p/"}},
    {"pattern": f"{ID}-lake*", "target": "lake"},
    {
        "pattern": f"{ID}-team-{{team}}",
        "target": "lake",
        "rewrite": {"bucket": f"{ID}-repo-{{team}}"},
    },
    {
        "pattern": BRANCH,
        "target": "lake",
        "rewrite": {"bucket": REPOSITORY, "key_prefix": "main/"},
    },
]
SHOWN = sorted((f"{ID}-near", f"{ID}-far", OLD, PART, f"{ID}-lake", TEAM, BRANCH))


@pytest.fixture(scope="module")
def lists(stores: dict[str, Store]) -> Iterator[Gateway]:
    """A gateway before both servers and the double, with buckets on each."""
    with LakeFS() as lake:
        for name in (f"{ID}-lake", REPOSITORY, f"{ID}-unseen"):
            lake.add_repository(name)
        for name in (f"{ID}-near", f"{ID}-far-unseen", f"{ID}-team-unseen"):
            reader(stores["s3"]).create_bucket(Bucket=name)
        for name in (f"{ID}-far", NEW, f"{ID}-unseen"):
            reader(stores["lakefs"]).create_bucket(Bucket=name)
        ((key_id, secret),) = lake.keys.items()
        keys = {"access_key_id": key_id, "secret_access_key": secret}
        target = {"profile": "lakefs", "endpoint": lake.endpoint, **keys}
        document = configuration(stores, CLIENT)
        targets = {**dict(document["targets"]), "lake": target}  # type: ignore[call-overload]
        routing = {"rules": RULES, "default_target": "s3"}
        with Gateway.start({**document, "targets": targets, "routing": routing}) as gateway:
            yield gateway


@pytest.fixture
def door(lists: Gateway) -> Door:
    return Door(lists.url)


@pytest.fixture
def client(lists: Gateway) -> Any:
    return s3_client(lists.url, CLIENT)


# Lists


def test_boto3_lists_every_bucket_by_the_name_that_finds_it(client: Any) -> None:
    listed = client.list_buckets(Prefix=f"{ID}-")
    assert [bucket["Name"] for bucket in listed["Buckets"]] == SHOWN
    assert listed["Owner"]["ID"]
    for bucket in listed["Buckets"]:
        assert bucket["CreationDate"].year >= 2026
        client.head_bucket(Bucket=bucket["Name"])
    everything = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
    assert [name for name in everything if name.startswith(f"{ID}-")] == SHOWN
    assert everything == sorted(set(everything))


@pytest.mark.parametrize("size", [1, 3, len(SHOWN)])
def test_boto3_pages(client: Any, size: int) -> None:
    paginator = client.get_paginator("list_buckets")
    pages = paginator.paginate(Prefix=f"{ID}-", PaginationConfig={"PageSize": size})
    found = [[bucket["Name"] for bucket in page["Buckets"]] for page in pages]
    assert [name for page in found for name in page] == SHOWN
    assert {len(page) for page in found[:-1]} <= {size}


def test_aws_cli_lists_buckets(door: Door, tmp_path: Path) -> None:
    lines = AwsCli(door, tmp_path).s3("ls").splitlines()
    names = [line.split()[-1] for line in lines]
    assert [name for name in names if name.startswith(f"{ID}-")] == SHOWN


def test_rclone_lists_buckets(door: Door, tmp_path: Path) -> None:
    lines = Rclone(door, tmp_path)("lsd", "gw:").decode().splitlines()
    names = sorted(line.split()[-1] for line in lines)
    assert [name for name in names if name.startswith(f"{ID}-")] == SHOWN


# Operations about a bucket that has another name at its target


class Watched:
    """A client, and whether an answer to it has shown a name of the target's."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._answers: list[str] = []
        client.meta.events.register("after-call.s3", self._note)

    def _note(self, http_response: Any, **_: Any) -> None:
        head = "".join(f"{name}: {value}\n" for name, value in http_response.headers.items())
        self._answers.append(head + http_response.content.decode())

    def done(self, operation: str, bucket: str, **parameters: Any) -> tuple[int, str]:
        """Status and code of a request."""
        try:
            answer = getattr(self._client, operation)(Bucket=bucket, **parameters)
        except ClientError as error:
            answer = error.response
            assert answer["Error"].get("BucketName", bucket) == bucket
        shown = [one for one in (NEW, MADE_THERE, REPOSITORY) if one in "".join(self._answers)]
        assert not shown, self._answers[-1]
        code = str(answer.get("Error", {}).get("Code", ""))
        return answer["ResponseMetadata"]["HTTPStatusCode"], code

    @property
    def last(self) -> str:
        """The last answer."""
        return self._answers[-1]


@pytest.fixture
def watched(client: Any) -> Watched:
    return Watched(client)


def test_the_life_of_a_renamed_bucket(watched: Watched, stores: dict[str, Store]) -> None:
    there = reader(stores["lakefs"])

    def names() -> list[str]:
        listed = there.list_buckets(Prefix=f"{ID}-")["Buckets"]
        return [one["Name"] for one in listed if one["Name"] in (MADE, MADE_THERE)]

    assert watched.done("head_bucket", MADE) == (404, "404")
    assert watched.done("get_bucket_location", MADE) == (404, "NoSuchBucket")
    assert watched.done("delete_bucket", MADE) == (404, "NoSuchBucket")
    assert watched.done("create_bucket", MADE) == (200, "")
    assert f"location: /{MADE}\n" in watched.last.lower()
    assert names() == [MADE_THERE]
    assert watched.done("create_bucket", MADE) == (409, "BucketAlreadyOwnedByYou")
    assert watched.done("head_bucket", MADE) == (200, "")
    assert watched.done("get_bucket_location", MADE) == (200, "")
    assert watched.done("delete_bucket", MADE) == (204, "")
    assert names() == []


@pytest.mark.parametrize("bucket", [PART, TEAM, BRANCH], ids=["part", "repository", "branch"])
def test_a_bucket_that_is_not_made_here_is_there_and_stays(watched: Watched, bucket: str) -> None:
    """A part of a bucket, a repository of lakeFS, a branch: none is a bucket of its own there."""
    assert watched.done("head_bucket", bucket) == (200, "")
    assert watched.done("get_bucket_location", bucket) == (200, "")
    assert watched.done("create_bucket", bucket) == (409, "BucketAlreadyOwnedByYou")
    assert watched.done("delete_bucket", bucket) == (501, "NotImplemented")
    assert watched.done("head_bucket", bucket) == (200, "")


def test_a_repository_that_is_not_there(watched: Watched) -> None:
    bucket = f"{ID}-team-none"
    assert watched.done("head_bucket", bucket) == (404, "404")
    assert watched.done("get_bucket_location", bucket) == (404, "NoSuchBucket")
    assert watched.done("create_bucket", bucket) == (501, "NotImplemented")
