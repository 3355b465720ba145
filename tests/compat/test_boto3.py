"""boto3 through the gateway on two real servers: every byte, and where it lies.

Rules: each test runs with the default client and with the seed's tuned one; what was written is
also read from its server directly.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.demo.seaweed import Keys
from tests.compat.doors import Door
from tests.compat.live import (
    CLIENT,
    MIB,
    SIZES,
    Side,
    assert_landed,
    payload,
    payload_file,
    read_directly,
    s3_client,
    same,
)
from tests.compat.shared import Store
from tests.process.harness import Gateway

SEED = Path(__file__).parents[1] / "seed" / "files"
PART = 5 * MIB


def tuned_config() -> Config:
    """The `Config` that the seed recommends for throughput, made by its own code."""
    namespace: dict[str, Any] = {}
    source = (SEED / "15-performance-optimization.py").read_text()
    assert source.count("s3_client = ") == 1
    exec(source.partition("s3_client = ")[0], namespace)
    config = namespace["config"]
    assert config.max_pool_connections == 100
    assert isinstance(config, Config)
    return config


@pytest.fixture(params=["default", "tuned"])
def client(request: pytest.FixtureRequest, door: Door) -> Any:
    config = tuned_config() if request.param == "tuned" else None
    return s3_client(door.url, CLIENT, config, door.ca)


@pytest.mark.parametrize("size", SIZES)
def test_an_object_makes_the_round_trip(client: Any, side: Side, prefix: str, size: int) -> None:
    key, body = f"{prefix}object", payload(size)
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    put = client.put_object(
        Bucket=side.bucket, Key=key, Body=body, ContentType="x/y", Metadata={"a": "b c"}
    )
    assert put["ETag"] == f'"{digest}"'
    assert_landed(side, key, body)
    got = client.get_object(Bucket=side.bucket, Key=key)
    assert same(got["Body"].read(), body)
    assert (got["ContentType"], got["Metadata"]) == ("x/y", {"a": "b c"})
    head = client.head_object(Bucket=side.bucket, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (size, f'"{digest}"')
    listed = client.list_objects_v2(Bucket=side.bucket, Prefix=prefix)["Contents"]
    assert [(entry["Key"], entry["Size"]) for entry in listed] == [(key, size)]
    client.delete_object(Bucket=side.bucket, Key=key)
    assert read_directly(side.here, side.bucket, key) is None
    with pytest.raises(ClientError) as gone:
        client.head_object(Bucket=side.bucket, Key=key)
    assert gone.value.response["Error"]["Code"] == "404"


@pytest.mark.parametrize("size", SIZES)
def test_a_multipart_upload_makes_the_round_trip(
    client: Any, side: Side, prefix: str, size: int
) -> None:
    where, body = {"Bucket": side.bucket, "Key": f"{prefix}parts"}, payload(size)
    upload = client.create_multipart_upload(**where)["UploadId"]
    pieces = [body[at : at + PART] for at in range(0, max(size, 1), PART)]
    parts = []
    for number, piece in enumerate(pieces, 1):
        answer = client.upload_part(**where, UploadId=upload, PartNumber=number, Body=piece)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    listed = client.list_parts(**where, UploadId=upload)["Parts"]
    assert [part["Size"] for part in listed] == [len(piece) for piece in pieces]
    client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert_landed(side, where["Key"], body)
    assert same(client.get_object(**where)["Body"].read(), body)


@pytest.mark.parametrize("size", [12 * MIB, pytest.param(100 * MIB, marks=pytest.mark.slow)])
def test_a_file_travels_in_parallel_parts(
    client: Any, side: Side, prefix: str, size: int, tmp_path: Path
) -> None:
    key, transfer = f"{prefix}file", TransferConfig(multipart_chunksize=PART)
    client.upload_file(str(payload_file(tmp_path, size)), side.bucket, key, Config=transfer)
    assert_landed(side, key, payload(size))
    client.download_file(side.bucket, key, str(tmp_path / "back"), Config=transfer)
    assert same((tmp_path / "back").read_bytes(), payload(size))


def test_an_aborted_upload_leaves_nothing(client: Any, side: Side, prefix: str) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}parts"}
    upload = client.create_multipart_upload(**where)["UploadId"]
    client.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x" * 1000)
    begun = client.list_multipart_uploads(Bucket=side.bucket, Prefix=prefix)
    assert [entry["UploadId"] for entry in begun["Uploads"]] == [upload]
    client.abort_multipart_upload(**where, UploadId=upload)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=side.bucket, Prefix=prefix)
    assert read_directly(side.here, side.bucket, where["Key"]) is None


def test_ranges_and_conditions_keep_their_meaning(client: Any, side: Side, prefix: str) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}object"}
    etag = client.put_object(**where, Body=payload(MIB))["ETag"]
    part = client.get_object(**where, Range="bytes=1000-1999")
    assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert part["ContentRange"] == f"bytes 1000-1999/{MIB}"
    assert same(part["Body"].read(), payload(MIB)[1000:2000])
    for condition, status in (({"IfNoneMatch": etag}, 304), ({"IfMatch": '"0"'}, 412)):
        with pytest.raises(ClientError) as refused:
            client.get_object(**where, **condition)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    with pytest.raises(ClientError) as outside:
        client.get_object(**where, Range=f"bytes={MIB}-")
    assert outside.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


def test_many_objects_are_listed_in_pages_and_deleted_at_once(
    client: Any, side: Side, prefix: str
) -> None:
    keys = [f"{prefix}{name}" for name in ("a b", "c+d", "e%f", "g=h", "grüße", "日本")]
    for key in keys:
        client.put_object(Bucket=side.bucket, Key=key, Body=key.encode())
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=side.bucket, Prefix=prefix, PaginationConfig={"PageSize": 2}
    )
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == sorted(keys)
    assert_landed(side, keys[0], keys[0].encode())
    doomed = {"Objects": [{"Key": key} for key in keys]}
    deleted = client.delete_objects(Bucket=side.bucket, Delete=doomed)["Deleted"]
    assert sorted(entry["Key"] for entry in deleted) == sorted(keys)
    assert read_directly(side.here, side.bucket, keys[0]) is None


def test_a_copy_within_one_target_is_passed_on(client: Any, side: Side, prefix: str) -> None:
    client.put_object(Bucket=side.bucket, Key=f"{prefix}one", Body=b"copied")
    source = {"Bucket": side.bucket, "Key": f"{prefix}one"}
    client.copy_object(Bucket=side.bucket, Key=f"{prefix}two", CopySource=source)
    assert_landed(side, f"{prefix}two", b"copied")


def test_the_targets_own_keys_reach_every_target_without_identities(
    implicit_gateway: Gateway, stores: dict[str, Store], side: Side, prefix: str
) -> None:
    for store in stores.values():
        client = s3_client(implicit_gateway.url, store.keys)
        client.put_object(Bucket=side.bucket, Key=f"{prefix}{store.name}", Body=b"implicit")
        assert_landed(side, f"{prefix}{store.name}", b"implicit")


def test_list_buckets_shows_the_buckets_of_every_target(door: Door, sides: dict[str, Side]) -> None:
    listed = s3_client(door.url, CLIENT, ca=door.ca).list_buckets()["Buckets"]
    names = {bucket["Name"] for bucket in listed}
    own = {side.bucket for side in sides.values()}
    assert names >= own | {f"renamed-{bucket}" for bucket in own}


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (Keys(CLIENT.access_key_id, "wrong"), "SignatureDoesNotMatch"),
        (Keys("nobody", CLIENT.secret_access_key), "InvalidAccessKeyId"),
    ],
    ids=["wrong secret", "unknown key"],
)
@pytest.mark.parametrize("signature", ["s3v4", "s3v4-query"])
def test_who_is_not_known_is_told_so_and_nothing_is_written(
    door: Door, side: Side, prefix: str, keys: Keys, code: str, signature: str
) -> None:
    # botocore itself cannot sign a query for a body with a trailer, as it makes over https.
    config = Config(signature_version=signature, request_checksum_calculation="when_required")
    client = s3_client(door.url, keys, config, door.ca)
    with pytest.raises(ClientError) as refused:
        client.put_object(Bucket=side.bucket, Key=f"{prefix}object", Body=b"no")
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert refused.value.response["ResponseMetadata"]["RequestId"]
    assert read_directly(side.here, side.bucket, f"{prefix}object") is None
