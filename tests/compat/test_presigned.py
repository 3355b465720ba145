"""Presigned URLs through the gateway: whoever holds one needs no key."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.compat.doors import Door
from tests.compat.live import CLIENT, MIB, Side, assert_landed, payload, read_directly, s3_client
from tests.compat.places import Comparison, Place


@pytest.fixture
def client(door: Door) -> Any:
    return s3_client(door.url, CLIENT, Config(signature_version="s3v4"), door.ca)


def urls(place: Place, config: Config | None = None) -> list[object]:
    """By URLs as boto3 makes them when it is told nothing: with SigV2."""
    client = s3_client(place.endpoint, place.keys, config, place.door.ca)
    where = {"Bucket": place.bucket, "Key": f"{place.prefix}a b+c=d%e/grüße"}
    answers: list[object] = []
    for operation, method, body in (
        ("put_object", "PUT", payload(MIB)),
        ("head_object", "HEAD", None),
        ("get_object", "GET", None),
    ):
        url = client.generate_presigned_url(operation, where)
        assert ("X-Amz-Signature=" in url) is (config is not None)
        answer = place.door.fetch(url, method, body)
        kept = {name: answer.headers.get(name) for name in ("etag", "content-length")}
        answers.append((answer.status, kept, answer.body == (payload(MIB) if not body else b"")))
    return answers


def urls_v4(place: Place) -> list[object]:
    return urls(place, Config(signature_version="s3v4"))


@pytest.mark.parametrize("work", [urls, urls_v4])
def test_the_same_as_at_the_target(comparison: Comparison, work: Any) -> None:
    assert [answer[0] for answer in comparison.run(work)] == [200, 200, 200]


@pytest.mark.parametrize("size", [0, 1, MIB])
def test_a_presigned_put_and_get_carry_every_byte(
    client: Any, door: Door, side: Side, prefix: str, size: int
) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}a b+c=d%e/grüße"}
    put = door.fetch(client.generate_presigned_url("put_object", where), "PUT", payload(size))
    assert put.status == 200, put.body
    assert_landed(side, where["Key"], payload(size))
    got = door.fetch(client.generate_presigned_url("get_object", where), "GET")
    assert (got.status, got.body == payload(size)) == (200, True)


def test_parameters_of_the_answer_stay(client: Any, door: Door, side: Side, prefix: str) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}object"}
    client.put_object(**where, Body=b"text")
    wanted = {**where, "ResponseContentType": "text/x; a=b", "ResponseCacheControl": "no-cache"}
    got = door.fetch(client.generate_presigned_url("get_object", wanted), "GET")
    assert (got.status, got.body) == (200, b"text")
    assert got.headers["content-type"] == "text/x; a=b"
    assert got.headers["cache-control"] == "no-cache"


def test_headers_that_a_presigner_moved_into_the_url_arrive(
    door: Door, side: Side, prefix: str
) -> None:
    """As the presigner of the JavaScript SDK does with x-amz-meta-*."""
    path = f"{door.url}/{side.bucket}/{prefix}object"
    request = AWSRequest("PUT", f"{path}?x-amz-meta-colour=blue%201&x-id=PutObject")
    keys = Credentials(CLIENT.access_key_id, CLIENT.secret_access_key)
    S3SigV4QueryAuth(keys, "s3", "us-east-1", expires=60).add_auth(request)
    assert door.fetch(request.url, "PUT", b"text").status == 200
    found = s3_client(side.here.endpoint, side.here.keys).head_object(
        Bucket=side.bucket, Key=f"{prefix}object"
    )
    assert found["Metadata"] == {"colour": "blue 1"}
    other = request.url.replace("blue", "red")
    assert b"<Code>SignatureDoesNotMatch</Code>" in door.fetch(other, "PUT", b"text").body


def test_a_changed_url_is_refused(client: Any, door: Door, side: Side, prefix: str) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}object"}
    url = client.generate_presigned_url("put_object", where)
    for changed in (
        url.replace("object", "other"),
        re.sub("X-Amz-Expires=3600", "X-Amz-Expires=3601", url),
    ):
        assert changed != url
        answer = door.fetch(changed, "PUT", b"no")
        assert answer.status == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body
    assert door.fetch(url, "GET").status == 403  # signed for another method
    for key in ("object", "other"):
        assert read_directly(side.here, side.bucket, f"{prefix}{key}") is None


def test_an_expired_url_is_refused(client: Any, door: Door, side: Side, prefix: str) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}object"}
    client.put_object(**where, Body=b"text")
    url = client.generate_presigned_url("get_object", where, ExpiresIn=1)
    deadline = time.monotonic() + 10
    while (answer := door.fetch(url, "GET")).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.body
    assert b"<Message>Request has expired</Message>" in answer.body
