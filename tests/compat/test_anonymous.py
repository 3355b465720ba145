"""Unsigned clients under `auth.anonymous: forward`: boto3 as nobody, to a store with and without.

SeaweedFS knows its callers and refuses strangers; moto lets everybody in.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import botocore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.compat.live import CLIENT, MIB, Side, configuration, payload, s3_client
from tests.compat.shared import Store
from tests.process.harness import Gateway


@pytest.fixture(scope="module")
def forwarding(stores: dict[str, Store], moto: str) -> Iterator[Gateway]:
    document: Any = configuration(stores, CLIENT)
    document["auth"]["anonymous"] = "forward"
    keys = {"access_key_id": "unused", "secret_access_key": "unused"}
    document["targets"]["public"] = {"profile": "generic", "endpoint": moto, **keys}
    rules = [{"pattern": "public-*", "target": "public"}, *document["routing"]["rules"]]
    document["routing"] = {**document["routing"], "rules": rules}
    with Gateway.start(document, workers=1) as running:
        yield running


@pytest.fixture
def stranger(forwarding: Gateway) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=forwarding.url,
        region_name="us-east-1",
        config=Config(signature_version=botocore.UNSIGNED),
    )


def test_a_stranger_is_served_where_the_store_lets_everybody_in(stranger: Any, moto: str) -> None:
    bucket = f"public-{uuid.uuid4().hex[:12]}"
    s3_client(moto, CLIENT).create_bucket(Bucket=bucket, ACL="public-read-write")
    stranger.put_object(Bucket=bucket, Key="a b", Body=io.BytesIO(payload(MIB)), ACL="public-read")
    assert stranger.get_object(Bucket=bucket, Key="a b")["Body"].read() == payload(MIB)
    (entry,) = stranger.list_objects_v2(Bucket=bucket)["Contents"]
    assert entry["Key"] == "a b"


def test_the_store_s_refusal_arrives(stranger: Any, forwarding: Gateway, side: Side) -> None:
    with pytest.raises(ClientError) as caught:
        stranger.put_object(Bucket=side.bucket, Key="k", Body=b"no")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    known = s3_client(forwarding.url, CLIENT)
    assert "Contents" not in known.list_objects_v2(Bucket=side.bucket, Prefix="k")
