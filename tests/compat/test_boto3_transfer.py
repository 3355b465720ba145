"""boto3's resource API and transfer manager at a target and through the gateway."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from tests.compat.live import MIB, payload, payload_file, s3_client
from tests.compat.places import OVER_HTTP, Comparison, Place
from tests.compat.test_boto3 import tuned_config

WHEN_REQUIRED = Config(
    request_checksum_calculation="when_required", response_checksum_validation="when_required"
)
CONFIGS = {"default": None, "tuned": tuned_config(), "when_required": WHEN_REQUIRED}
LARGE = 200 * MIB


def resource(place: Place) -> Any:
    return boto3.resource(
        "s3",
        endpoint_url=place.endpoint,
        aws_access_key_id=place.keys.access_key_id,
        aws_secret_access_key=place.keys.secret_access_key,
        region_name="us-east-1",
        verify=None if place.door.ca is None else str(place.door.ca),
    )


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def resources(place: Place) -> list[object]:
    bucket = resource(place).Bucket(place.bucket)
    one = bucket.put_object(Key=f"{place.prefix}a b+c", Body=b"small", Metadata={"a": "b"})
    one.copy_from(
        CopySource={"Bucket": place.bucket, "Key": one.key},
        MetadataDirective="REPLACE",
        Metadata={"c": "d"},
    )
    bucket.upload_fileobj(io.BytesIO(payload(9 * MIB)), f"{place.prefix}stream")
    bucket.copy({"Bucket": place.bucket, "Key": one.key}, f"{place.prefix}deep/copy")
    for number in range(3):
        bucket.Object(f"{place.prefix}doomed/{number}").put(Body=b"x")
    gone = bucket.objects.filter(Prefix=f"{place.prefix}doomed/").delete()
    back = io.BytesIO()
    bucket.download_fileobj(f"{place.prefix}stream", back)
    one.reload()
    return [
        sorted(place.own(entry["Key"]) for answer in gone for entry in answer["Deleted"]),
        back.getvalue() == payload(9 * MIB),
        [
            (place.own(entry.key), entry.size, entry.e_tag, entry.storage_class)
            for entry in bucket.objects.filter(Prefix=place.prefix)
        ],
        [one.metadata, one.content_length, one.e_tag, one.get()["Body"].read()],
        bucket.Versioning().status,
    ]


def objects(place: Place, config: Config | None) -> list[object]:
    client = s3_client(place.endpoint, place.keys, config, place.door.ca)
    where = {"Bucket": place.bucket, "Key": f"{place.prefix}object"}
    put = client.put_object(**where, Body=payload(MIB))
    got = client.get_object(**where)
    client.upload_fileobj(io.BytesIO(payload(9 * MIB)), place.bucket, f"{place.prefix}stream")
    doomed = {"Objects": [{"Key": f"{place.prefix}nothing"}]}
    client.delete_objects(Bucket=place.bucket, Delete=doomed)
    return [put["ETag"], got["Body"].read() == payload(MIB)]


def checksums(place: Place, config: Config | None) -> list[object]:
    client = s3_client(place.endpoint, place.keys, config, place.door.ca)
    where = {"Bucket": place.bucket, "Key": f"{place.prefix}object"}
    put = client.put_object(**where, Body=b"body")
    got = client.get_object(**where)
    return [{name: answer[name] for name in answer if "Checksum" in name} for answer in (put, got)]


def transfer(place: Place, size: int) -> list[object]:
    client = s3_client(place.endpoint, place.keys, ca=place.door.ca)
    key, back = f"{place.prefix}file", place.directory / "back"
    plan = TransferConfig(multipart_chunksize=8 * MIB, max_concurrency=4)
    source = payload_file(place.directory, size)
    client.upload_file(str(source), place.bucket, key, Config=plan, ExtraArgs={"ACL": "private"})
    copy = {"Bucket": place.bucket, "Key": key}
    client.copy(copy, place.bucket, f"{place.prefix}copy", Config=plan)
    client.download_file(place.bucket, f"{place.prefix}copy", str(back), Config=plan)
    return [digest(back) == digest(source), client.head_object(**copy)["ContentLength"]]


def test_resources_are_the_same_as_at_the_target(comparison: Comparison) -> None:
    comparison.run(resources)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_objects_are_the_same_as_at_the_target(
    comparison: Comparison, config: Config | None
) -> None:
    assert comparison.run(lambda place: objects(place, config))[1] is True


# Over https the checksum is a trailer, which a target without trailers does not get (ADR 4).
@pytest.mark.parametrize("comparison", OVER_HTTP, ids="-".join, indirect=True)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_checksums_are_the_same_as_at_the_target(
    comparison: Comparison, config: Config | None
) -> None:
    found = comparison.run(lambda place: checksums(place, config))
    assert bool(found[0]) is (config is not WHEN_REQUIRED)


@pytest.mark.parametrize("size", [20 * MIB, pytest.param(LARGE, marks=pytest.mark.slow)])
@pytest.mark.timeout(300)
def test_a_transfer_is_the_same_as_at_the_target(comparison: Comparison, size: int) -> None:
    assert comparison.run(lambda place: transfer(place, size)) == [True, size]
