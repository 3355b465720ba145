"""Chains before a store with AWS's semantics: two buckets of moto are one bucket for boto3.

Rules: what stores of all kinds do is in `tests/process/test_chains.py`; here is what only a whole
S3 has: ACLs, attributes, versions and their delete markers, copies within one target.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.process.harness import Gateway

KEYS = {"access_key_id": "TARGETKEY", "secret_access_key": "target-secret"}
SMALL, LARGE = b"small", b"larger than ten bytes"
BUCKETS = ("chain-first", "chain-second", "versions-first", "versions-second", "old")


def client(url: str, **config: Any) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def configuration(moto: str) -> dict[str, object]:
    target = {"profile": "s3", "endpoint": moto, "region": "us-east-1", **KEYS}
    rules: list[dict[str, object]] = []
    for name in ("chain", "versions"):
        first, second = ({"bucket": f"{name}-{place}"} for place in ("first", "second"))
        small = {"max_size": 10}
        rules += [
            {"pattern": name, "target": "one", "rewrite": first, "conditions": small},
            {"pattern": name, "target": "two", "rewrite": second},
        ]
    moved = {"bucket": "chain-first"}
    rules.append({"pattern": "old", "target": "one", "rewrite": moved, "fallback": ["two"]})
    return {
        "auth": {"mode": "open"},
        "targets": {"one": target, "two": target},
        "routing": {"default_target": "two", "rules": rules},
    }


@pytest.fixture(scope="module")
def both(moto: str) -> Iterator[tuple[Any, Any]]:
    """Clients of the gateway and of the store."""
    direct = client(moto)
    for bucket in BUCKETS:
        direct.create_bucket(Bucket=bucket)
    enabled = {"Status": "Enabled"}
    direct.put_bucket_versioning(Bucket="versions-first", VersioningConfiguration=enabled)
    with Gateway.start(configuration(moto), 1) as gateway:
        yield client(gateway.url, signature_version=UNSIGNED), direct


def code(call: Any, **how: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**how)
    return str(caught.value.response["Error"]["Code"])


def test_what_is_asked_of_an_object_is_asked_where_it_is(both: tuple[Any, Any]) -> None:
    s3, direct = both
    direct.put_object(Bucket="old", Key="k", Body=LARGE, Metadata={"a": "b"})
    named = {"Bucket": "old", "Key": "k"}
    assert s3.get_object(**named)["Body"].read() == LARGE
    assert s3.head_object(**named)["Metadata"] == {"a": "b"}
    found = s3.get_object_attributes(**named, ObjectAttributes=["ETag", "ObjectSize"])
    assert found["ObjectSize"] == len(LARGE)
    assert s3.get_object_acl(**named)["Grants"]
    s3.put_object_acl(**named, ACL="public-read")
    assert len(direct.get_object_acl(**named)["Grants"]) == 2
    tags = {"TagSet": [{"Key": "k", "Value": "v"}]}
    s3.put_object_tagging(**named, Tagging=tags)
    assert s3.get_object_tagging(**named)["TagSet"] == tags["TagSet"]
    s3.delete_object_tagging(**named)
    assert direct.get_object_tagging(**named)["TagSet"] == []
    s3.head_bucket(Bucket="old")
    assert s3.get_bucket_location(Bucket="old")["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert code(s3.get_object, Bucket="old", Key="missing") == "NoSuchKey"


def test_a_write_removes_a_version_with_a_marker_that_hides_nothing(both: tuple[Any, Any]) -> None:
    s3, direct = both
    named = {"Bucket": "versions", "Key": "k"}
    s3.put_object(**named, Body=SMALL)
    s3.put_object(**named, Body=LARGE)
    assert s3.get_object(**named)["Body"].read() == LARGE
    kept = direct.list_object_versions(Bucket="versions-first")
    assert (len(kept["Versions"]), len(kept["DeleteMarkers"])) == (1, 1)
    s3.put_object(**named, Body=SMALL)
    assert s3.get_object(**named)["Body"].read() == SMALL
    s3.delete_object(**named)
    assert code(s3.get_object, **named) == "NoSuchKey"


def test_copies_within_one_target_uncover_their_objects(both: tuple[Any, Any]) -> None:
    s3, direct = both
    direct.put_object(Bucket="chain-second", Key="source", Body=LARGE)
    s3.put_object(Bucket="chain", Key="k", Body=SMALL)
    s3.copy_object(Bucket="chain", Key="k", CopySource={"Bucket": "chain", "Key": "source"})
    assert s3.get_object(Bucket="chain", Key="k")["Body"].read() == LARGE
    s3.put_object(Bucket="chain", Key="k", Body=SMALL)
    upload = s3.create_multipart_upload(Bucket="chain", Key="k")["UploadId"]
    named = {"Bucket": "chain", "Key": "k", "UploadId": upload}
    source = {"Bucket": "chain", "Key": "source"}
    part = s3.upload_part_copy(**named, PartNumber=1, CopySource=source)
    parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket="chain", Key="k")["Body"].read() == LARGE


def test_a_copy_onto_itself_moves_an_object_to_the_new_store(both: tuple[Any, Any]) -> None:
    s3, direct = both
    direct.put_object(Bucket="old", Key="moves", Body=LARGE, ContentType="image/png")
    source = {"Bucket": "old", "Key": "moves"}
    s3.copy_object(**source, CopySource=source, MetadataDirective="COPY")
    found = direct.get_object(Bucket="chain-first", Key="moves")
    assert (found["Body"].read(), found["ContentType"]) == (LARGE, "image/png")


def test_a_batch_deletes_each_key_wherever_it_is(both: tuple[Any, Any]) -> None:
    s3, direct = both
    for place, key in (("first", "one"), ("second", "one"), ("second", "two")):
        direct.put_object(Bucket=f"chain-{place}", Key=key, Body=SMALL)
    objects = [{"Key": key} for key in ("one", "two", "three")]
    done = s3.delete_objects(Bucket="chain", Delete={"Objects": objects})
    assert [row["Key"] for row in done["Deleted"]] == ["one", "two", "three"]
    for key in ("one", "two"):
        assert code(s3.head_object, Bucket="chain", Key=key) == "404"
