"""boto3's copies between buckets on different targets, with default settings.

Rules: a copy is the source with all that a copy has of it, and lies on its own store alone; what a
store cannot hold is refused, and no object is left.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.compat.between import CONTENT_TYPE, HARD_NAME, METADATA, Spot, World
from tests.compat.doors import HTTP, HTTPS
from tests.compat.live import CLIENT, MIB, payload

# The source and the destination: each kind of store in both roles, and a renamed bucket.
FAST_PAIRS = (("first", "second"), ("aws", "lakefs"), ("lakefs", "aws"))
SLOW_PAIRS = (
    ("aws", "first"),
    ("first", "aws"),
    ("first", "lakefs"),
    ("lakefs", "second"),
    ("renamed", "lakefs"),
    ("first", "renamed"),
)
PAIRS = [*FAST_PAIRS, *(pytest.param(pair, marks=pytest.mark.slow) for pair in SLOW_PAIRS)]
SIZES = [1, 9 * MIB, pytest.param(200 * MIB, marks=pytest.mark.slow)]
REPLACED = {"ContentType": "text/x-replaced", "Metadata": {"other": "value"}}
TAGS = "team=data&cost=a%20b"
TAG_SET = [{"Key": "team", "Value": "data"}, {"Key": "cost", "Value": "a b"}]


@dataclass(frozen=True, slots=True)
class Copying:
    """One source, made through the gateway, and where its copies go."""

    world: World
    source: Spot
    place: Spot
    prefix: str
    body: bytes
    door: str = HTTP

    @property
    def client(self) -> Any:
        return self.world.client(self.door)

    @property
    def copy_source(self) -> dict[str, str]:
        return {"Bucket": self.source.bucket, "Key": self.source_key}

    @property
    def source_key(self) -> str:
        return f"{self.source.before}{self.prefix}{HARD_NAME}"

    def make(self, **more: Any) -> None:
        """Make the source, as boto3 uploads: in parts from 8 MiB on."""
        described = {"ContentType": CONTENT_TYPE, "Metadata": METADATA, **more}
        body = io.BytesIO(self.body)
        self.client.upload_fileobj(body, self.source.bucket, self.source_key, ExtraArgs=described)

    def copied(self, name: str, do: Way) -> str:
        """Do a copy to a key of this name, and return the key."""
        key = f"{self.place.before}{self.prefix}{name}/{HARD_NAME}"
        do(self, key)
        return key


Way = Callable[[Copying, str], Any]


def copy_object(copying: Copying, key: str, **more: Any) -> Any:
    where = {"Bucket": copying.place.bucket, "Key": key}
    return copying.client.copy_object(**where, CopySource=copying.copy_source, **more)


def managed(copying: Copying, key: str, **more: Any) -> None:
    copying.client.copy(copying.copy_source, copying.place.bucket, key, ExtraArgs=more)


def of_a_resource(copying: Copying, key: str, **more: Any) -> None:
    door = copying.world.doors[copying.door]
    found = boto3.resource(
        "s3",
        endpoint_url=door.url,
        aws_access_key_id=CLIENT.access_key_id,
        aws_secret_access_key=CLIENT.secret_access_key,
        region_name="us-east-1",
        verify=None if door.ca is None else str(door.ca),
    ).Object(copying.place.bucket, key)
    found.copy_from(CopySource=copying.copy_source, **more)


WAYS: dict[str, Way] = {
    "copy_object": copy_object,
    "copy": managed,
    "copy_from": of_a_resource,
}


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest, between: World) -> tuple[Spot, Spot]:
    source, place = request.param
    return between.spots[source], between.spots[place]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.timeout(300)
def test_a_copy_is_the_source(
    between: World, pair: tuple[Spot, Spot], prefix: str, size: int
) -> None:
    copying = Copying(between, *pair, prefix, payload(size))
    copying.make()
    md5 = hashlib.md5(copying.body, usedforsecurity=False).hexdigest()
    for name, do in WAYS.items():
        found = between.assert_copied(copying.place, copying.copied(name, do), copying.body)
        assert (found.content_type, found.metadata) == (CONTENT_TYPE, METADATA)
        # docs/moving-buckets.md, "ETags"
        in_parts = name == "copy" and size > 8 * MIB
        if in_parts or (size > 64 * MIB and copying.place.store != "lakefs"):
            part = 8 * MIB if name == "copy" else 64 * MIB
            ending = "" if copying.place.store == "lakefs" else f"-{-(-size // part)}"
            assert found.etag != md5
            assert found.etag[32:] == ending
        else:
            assert found.etag == md5


@pytest.mark.parametrize("size", [1, pytest.param(9 * MIB, marks=pytest.mark.slow)])
def test_metadata_is_replaced(
    between: World, pair: tuple[Spot, Spot], prefix: str, size: int
) -> None:
    copying = Copying(between, *pair, prefix, payload(size))
    copying.make()
    for name, do in WAYS.items():

        def replace(copying: Copying, key: str, do: Any = do) -> None:
            do(copying, key, MetadataDirective="REPLACE", **REPLACED)

        found = between.assert_copied(copying.place, copying.copied(name, replace), copying.body)
        assert (found.content_type, found.metadata) == ("text/x-replaced", {"other": "value"})


@pytest.mark.parametrize("scheme", [HTTP, pytest.param(HTTPS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC64NVME", "SHA256"])
@pytest.mark.parametrize("size", [1, 9 * MIB])
def test_a_copy_with_a_checksum(
    between: World, prefix: str, size: int, algorithm: str, scheme: str
) -> None:
    spots = between.spots
    copying = Copying(between, spots["first"], spots["aws"], prefix, payload(size), scheme)
    copying.make()

    def do(copying: Copying, key: str) -> None:
        managed(copying, key, ChecksumAlgorithm=algorithm)

    between.assert_copied(copying.place, copying.copied(algorithm, do), copying.body)


def test_a_download_that_goes_on_notices_that_its_bucket_has_moved(
    between: World, pair: tuple[Spot, Spot], prefix: str
) -> None:
    """docs/moving-buckets.md: the ETag of an object that came in other parts is another one."""
    copying = Copying(between, *pair, prefix, payload(9 * MIB))
    copying.make()
    client, place = copying.client, copying.place
    known = client.head_object(**copying.copy_source)["ETag"]
    where = {"Bucket": place.bucket, "Key": copying.copied("whole", copy_object)}
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.get_object(**where, IfMatch=known, Range="bytes=100-")
    if place.store != "lakefs":
        return  # SeaweedFS and moto do not look at If-Range
    url = client.generate_presigned_url("get_object", where)
    headers = {"If-Range": known, "Range": "bytes=100-"}
    answer = between.doors[HTTP].fetch(url, "GET", headers=headers)
    assert (answer.status, len(answer.body)) == (200, 9 * MIB)


# --- tags ---


def tags_of(copying: Copying, key: str) -> list[dict[str, str]]:
    found = copying.client.get_object_tagging(Bucket=copying.place.bucket, Key=key)["TagSet"]
    return sorted(found, key=lambda tag: tag["Key"], reverse=True)


@pytest.mark.parametrize("names", [("first", "aws"), ("aws", "first")], ids="-".join)
def test_tags_follow(between: World, names: tuple[str, str], prefix: str) -> None:
    source, place = (between.spots[name] for name in names)
    copying = Copying(between, source, place, prefix, b"tagged")
    copying.make(Tagging=TAGS)
    for name, do in WAYS.items():
        assert tags_of(copying, copying.copied(name, do)) == TAG_SET

    def replace(copying: Copying, key: str) -> None:
        copy_object(copying, key, TaggingDirective="REPLACE", Tagging="new=one")

    key = copying.copied("replaced", replace)
    assert tags_of(copying, key) == [{"Key": "new", "Value": "one"}]


def test_a_managed_copy_in_parts_leaves_the_tags_behind_unless_it_is_told(
    between: World, prefix: str
) -> None:
    """As at S3: a CreateMultipartUpload knows nothing of a source."""
    spots = between.spots
    copying = Copying(between, spots["first"], spots["aws"], prefix, payload(9 * MIB))
    copying.make(Tagging=TAGS)
    assert tags_of(copying, copying.copied("default", managed)) == []

    def told(copying: Copying, key: str) -> None:
        managed(copying, key, TaggingDirective="COPY")

    assert tags_of(copying, copying.copied("told", told)) == TAG_SET


def test_tags_that_lakefs_would_forget(between: World, prefix: str) -> None:
    """docs/moving-buckets.md: refused by name, and made without them if the client says so."""
    spots = between.spots
    copying = Copying(between, spots["aws"], spots["lakefs"], prefix, b"tagged")
    copying.make(Tagging=TAGS)
    for name, do in WAYS.items():
        with pytest.raises(ClientError, match=r"NotImplemented.*x-amz-tagging"):
            copying.copied(name, do)
        key = f"{copying.place.before}{prefix}{name}/{HARD_NAME}"
        assert between.found(copying.place, key) is None

    def without(copying: Copying, key: str) -> None:
        managed(copying, key, TaggingDirective="REPLACE")

    between.assert_copied(copying.place, copying.copied("without", without), copying.body)
