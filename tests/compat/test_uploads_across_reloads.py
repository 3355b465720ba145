"""Uploads in parts that stay where they began, whatever becomes of their bucket meanwhile.

Real stores, and two gateways with one secret file: as two replicas behind one address.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.compat.live import CLIENT, MIB, configuration, payload, read_directly, reader, s3_client
from tests.compat.shared import Store
from tests.process.harness import Gateway

KEY = "dir/ob ject+é"
PARTS = [payload(5 * MIB), payload(5 * MIB + 1), payload(5 * MIB + 2), payload(3)]


@pytest.fixture(scope="module")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "router"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    return path


@pytest.fixture
def bucket(stores: dict[str, Store]) -> str:
    """The name of a bucket that both stores have, and of one that holds what is rewritten."""
    name = f"moved-{uuid.uuid4().hex[:12]}"
    for store in stores.values():
        for made in (name, f"{name}-new"):
            reader(store).create_bucket(Bucket=made)
    return name


def routed(
    stores: Mapping[str, Store], secret_file: Path | None, *rules: dict[str, Any]
) -> dict[str, object]:
    document = configuration(stores, CLIENT)
    document["routing"] = {"default_target": "s3", "rules": list(rules)}
    if secret_file is not None:
        document["router"] = {"secret_file": str(secret_file)}
    return document


@contextlib.contextmanager
def fresh(gateway: Gateway) -> Iterator[Any]:
    """A client with a connection of its own: any worker may get it."""
    client = s3_client(gateway.url, CLIENT, Config(retries={"max_attempts": 0}))
    try:
        yield client
    finally:
        client.close()


def send_part(gateway: Gateway, upload: Mapping[str, str], number: int) -> str:
    with fresh(gateway) as client:
        part = client.upload_part(**upload, PartNumber=number, Body=PARTS[number - 1])
    return str(part["ETag"])


def test_an_upload_ends_whole_where_it_began(
    stores: dict[str, Store], secret_file: Path, bucket: str
) -> None:
    renamed = {"bucket": f"{bucket}-new", "key_prefix": "main/"}
    first = {"pattern": "moved-*", "target": "lakefs", "rewrite": renamed}
    elsewhere = (
        ({"pattern": "moved-*", "target": "s3"},),
        ({"pattern": "moved-*", "target": "lakefs"},),
        ({"pattern": "*", "target": "s3", "rewrite": renamed},),
    )
    begun = routed(stores, secret_file, first)
    log = {"access_log": "access.log", "log_format": "json"}
    with Gateway.start(begun, 2, **log) as one, Gateway.start(begun, 1) as other:
        one.expected_files.add("access.log")
        with fresh(one) as client:
            upload = client.create_multipart_upload(Bucket=bucket, Key=KEY)
        named = {name: upload[name] for name in ("Bucket", "Key", "UploadId")}
        assert (named["Bucket"], named["Key"]) == (bucket, KEY)
        steps = zip((one, other, one), elsewhere, strict=True)
        etags = {1: send_part(one, named, 1)}
        for number, (gateway, rules) in enumerate(steps, 2):
            for replica in (one, other):
                replica.reload(routed(stores, secret_file, *rules))
            etags[number] = send_part(gateway, named, number)
        served = set()
        while served != {0, 1}:  # the kernel chooses a worker for each connection
            with fresh(one) as client:
                client.list_parts(**named)
            served = {line["worker"] for line in one.access_lines("access.log")}
        with fresh(other) as client:
            listed = client.list_parts(**named)
            assert listed["UploadId"] == named["UploadId"]
            assert [part["ETag"] for part in listed["Parts"]] == list(etags.values())
            parts = [{"PartNumber": number, "ETag": etag} for number, etag in etags.items()]
            done = client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
        assert (done["Bucket"], done["Key"]) == (bucket, KEY)
    found = read_directly(stores["lakefs"], f"{bucket}-new", f"main/{KEY}")
    assert found is not None
    assert (found == b"".join(PARTS)) is True
    for store in stores.values():
        assert read_directly(store, bucket, KEY) is None
    assert read_directly(stores["s3"], f"{bucket}-new", f"main/{KEY}") is None


def test_a_list_of_uploads_has_the_ids_that_were_given(
    stores: dict[str, Store], secret_file: Path, bucket: str
) -> None:
    rewrite = {"bucket": f"{bucket}-new", "key_prefix": "main/"}
    rule = {"pattern": "moved-*", "target": "s3", "rewrite": rewrite}
    with Gateway.start(routed(stores, secret_file, rule), 1) as gateway, fresh(gateway) as client:
        begun = {}
        for key in ("a/1", "a/2", "b"):
            begun[key] = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        listed = client.list_multipart_uploads(Bucket=bucket)
        assert {one["Key"]: one["UploadId"] for one in listed["Uploads"]} == begun
        assert listed["Bucket"] == bucket
        for key, upload_id in begun.items():
            client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize("forged", ["of another key", "of the target", "of another secret"])
def test_ids_that_this_gateway_did_not_give_are_unknown(
    stores: dict[str, Store], secret_file: Path, bucket: str, forged: str, tmp_path: Path
) -> None:
    rule = {"pattern": "moved-*", "target": "s3"}
    own = routed(stores, secret_file, rule)
    foreign = tmp_path / "secret"
    foreign.write_text("another secret of some length\n")
    with Gateway.start(own, 1) as gateway, fresh(gateway) as client:
        if forged == "of the target":
            made = reader(stores["s3"]).create_multipart_upload(Bucket=bucket, Key=KEY)
        elif forged == "of another key":
            made = client.create_multipart_upload(Bucket=bucket, Key="other")
        else:
            with Gateway.start(routed(stores, foreign, rule), 1) as other, fresh(other) as there:
                made = there.create_multipart_upload(Bucket=bucket, Key=KEY)
        for work in (
            lambda named: client.upload_part(**named, PartNumber=1, Body=b"x"),
            lambda named: client.list_parts(**named),
            lambda named: client.abort_multipart_upload(**named),
        ):
            with pytest.raises(ClientError) as caught:
                work({"Bucket": bucket, "Key": KEY, "UploadId": made["UploadId"]})
            assert caught.value.response["Error"]["Code"] == "NoSuchUpload"
