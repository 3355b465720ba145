"""Keys that stores and proxies like to change: the gateway passes them on byte for byte.

Rules: SeaweedFS normalises such paths, so moto (AWS's semantics) and a recording store stand in;
what moto does with a key by itself is asked first (the control), past the gateway.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from botocore.config import Config

from gateway.demo.seaweed import Keys
from tests.compat.live import CLIENT, identity, s3_client
from tests.doubles.recording import RecordingStore, recording_store
from tests.doubles.signing import RawClient
from tests.process.harness import Gateway

TARGET_KEYS = Keys("target-key", "target-secret")
LONGEST = 1024

KEYS = {
    "space": "a b",
    "spaces around": " a ",
    "plus": "a+b",
    "percent": "100%",
    "escaped look": "a%2Fb%20c%252F",
    "equals": "a=b",
    "query look": "a?b=c&d=e",
    "fragment look": "a#b",
    "unicode": "grüße/日本語/😀",
    "combining": "e\u0301",
    "double slash": "a//b",
    "many slashes": "a////b",
    "leading slash": "/a",
    "trailing slash": "a/",
    "only slash": "/",
    "dot": "a/./b",
    "lone dot": ".",
    "dot dot": "a/../b",
    "dot dot that stays inside": "a/b/../../c",
    "trailing dots": "a/..",
    "punctuation": "!-_.*'();:@&=+$,[]{}|\\^`\"<>~",
    "control": "a\tb\x01\x7f",
    "longest": "k" * LONGEST,
    "longest, every byte escaped": "\u00e9" * (LONGEST // 2),
}

# What a client may write for one and the same key, and what must arrive just so.
RAW_PATHS = {
    "as SDKs write it": b"/bucket/a%20b%2Bc%3Dd",
    "equals bare": b"/bucket/a%2Bb=c",
    "lower-case escapes": b"/bucket/a%2fb%c3%a9",
    "mixed-case escapes": b"/bucket/%c3%A9%C3%a9",
    "needless escapes": b"/bucket/%61%62%7E",
    "escaped slash": b"/bucket/a%2Fb%2F%2Fc",
    "double slash": b"/bucket//a//b//",
    "dot segments": b"/bucket/./a/../b/.",
    "escaped dot segments": b"/bucket/a/%2e%2E/%2E/b",
    "trailing slash": b"/bucket/a/",
    "escaped percent": b"/bucket/100%25%2525",
    "escaped question mark": b"/bucket/a%3Fb",
    "sub-delimiters bare": b"/bucket/!$&'()*,;=:@~",
    "escaped control": b"/bucket/a%09%01%7F",
    "1,024 bytes": b"/bucket/" + b"k" * LONGEST,
    "1,024 bytes, every one escaped": b"/bucket/" + b"%C3%A9" * (LONGEST // 2),
}

# AWS refuses these too: keys that climb out of their bucket ("Naming Amazon S3 objects", the rule
# on period-only path segments) and paths that are not UTF-8.
REFUSED_PATHS = {
    "lone dot dot": b"/bucket/..",
    "climbing": b"/bucket/../../other",
    "climbing, escaped": b"/bucket/%2e%2E%2F%2E./other",
    "climbing after a while": b"/bucket/a/../../other",
    "no UTF-8": b"/bucket/%FF%FE",
}

RAW_QUERIES = {
    "bare name": b"x-id",
    "empty value": b"x-id=",
    "unsorted": b"x-id=PutObject&a=1&%42=2",
    "escapes of both cases": b"x-id=%2f%2F",
    "plus": b"x-id=a%20b%2Bc",
    "empty segments": b"x-id=1&&a=2&",
}


METHODS = ("PUT", "GET", "HEAD", "DELETE")


@pytest.fixture(scope="module")
def recorder() -> Iterator[RecordingStore]:
    with recording_store() as store:
        yield store


@pytest.fixture(scope="module")
def gateway(moto: str, recorder: RecordingStore) -> Iterator[Gateway]:
    """A gateway before moto (bucket `bucket-moto`) and the recording store (the rest)."""
    target = {
        "profile": "s3",
        "region": "us-east-1",
        "access_key_id": TARGET_KEYS.access_key_id,
        "secret_access_key": TARGET_KEYS.secret_access_key,
    }
    configuration = {
        "auth": {"identities": [identity("compat", CLIENT)]},
        "targets": {
            "moto": {**target, "endpoint": moto},
            "recorder": {**target, "endpoint": recorder.endpoint},
        },
        "routing": {
            "rules": [{"pattern": "*-moto", "target": "moto"}],
            "default_target": "recorder",
        },
    }
    with Gateway.start(configuration) as running:
        yield running


@pytest.fixture
def raw(gateway: Gateway) -> RawClient:
    host, port = gateway.address
    return RawClient(host, port, CLIENT.access_key_id, CLIENT.secret_access_key)


@pytest.fixture(scope="module")
def bucket(moto: str) -> str:
    s3_client(moto, TARGET_KEYS).create_bucket(Bucket="bucket-moto")
    return "bucket-moto"


@functools.cache
def path_client(endpoint: str, keys: Keys) -> Any:
    return s3_client(endpoint, keys, Config(s3={"addressing_style": "path"}))


def round_trip(client: Any, bucket: str, key: str, body: bytes) -> None:
    client.put_object(Bucket=bucket, Key=key, Body=body)
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    assert client.head_object(Bucket=bucket, Key=key)["ContentLength"] == len(body)


def listed(client: Any, bucket: str) -> list[str]:
    found = client.list_objects_v2(Bucket=bucket, EncodingType="url").get("Contents", [])
    return [unquote_to_bytes(entry["Key"]).decode() for entry in found]


@pytest.mark.parametrize("name", KEYS)
def test_a_hostile_key_lands_under_its_own_name(
    gateway: Gateway, moto: str, bucket: str, name: str
) -> None:
    key = KEYS[name]
    direct, through = path_client(moto, TARGET_KEYS), path_client(gateway.url, CLIENT)
    round_trip(direct, bucket, key, b"control")
    assert listed(direct, bucket) == [key]
    direct.delete_object(Bucket=bucket, Key=key)
    round_trip(through, bucket, key, name.encode())
    assert listed(direct, bucket) == [key]
    assert listed(through, bucket) == [key]
    assert direct.get_object(Bucket=bucket, Key=key)["Body"].read() == name.encode()
    through.delete_object(Bucket=bucket, Key=key)
    assert listed(direct, bucket) == []


@pytest.mark.parametrize("name", KEYS)
def test_the_request_line_of_an_sdk_arrives_unchanged(
    gateway: Gateway, recorder: RecordingStore, name: str
) -> None:
    key = KEYS[name]
    sent = f"/bucket/{quote(key, safe='/-_.~')}".encode()
    client = path_client(gateway.url, CLIENT)
    recorder.forget()
    round_trip(client, "bucket", key, name.encode())
    assert [request.request_line for request in recorder.requests] == [
        b"PUT %s HTTP/1.1" % sent,
        b"GET %s HTTP/1.1" % sent,
        b"HEAD %s HTTP/1.1" % sent,
    ]
    assert recorder.objects == {sent: name.encode()}


@pytest.mark.parametrize("name", RAW_PATHS)
def test_a_raw_path_arrives_byte_for_byte(
    raw: RawClient, recorder: RecordingStore, name: str
) -> None:
    path = RAW_PATHS[name]
    for method in METHODS:
        recorder.forget()
        recorder.objects[path] = b"there"
        status, _ = raw.send(method, path, b"body" if method == "PUT" else b"")
        assert recorder.last().request_line == b"%s %s HTTP/1.1" % (method.encode(), path)
        assert status == {"DELETE": 204}.get(method, 200), method
        assert len(recorder.requests) == 1, method
        assert not recorder.faults, method


@pytest.mark.parametrize("name", RAW_QUERIES)
def test_a_raw_query_arrives_byte_for_byte(
    raw: RawClient, recorder: RecordingStore, name: str
) -> None:
    target = b"/bucket/a%2fb?" + RAW_QUERIES[name]
    recorder.forget()
    raw.send("PUT", target, b"body")
    assert recorder.last().target == target


@pytest.mark.parametrize("method", ["PUT", "GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("name", REFUSED_PATHS)
def test_a_path_that_leaves_its_bucket_goes_nowhere(
    raw: RawClient, recorder: RecordingStore, name: str, method: str
) -> None:
    recorder.forget()
    status, answer = raw.send(method, REFUSED_PATHS[name], b"body" if method == "PUT" else b"")
    assert status == 400
    assert (b"<Code>InvalidURI</Code>" in answer) is (method != "HEAD")
    assert not recorder.requests
    assert not recorder.faults


def test_one_byte_more_than_the_longest_key_is_refused(
    raw: RawClient, recorder: RecordingStore
) -> None:
    recorder.forget()
    status, answer = raw.send("PUT", b"/bucket/" + b"k" * (LONGEST + 1), b"body")
    assert status == 400
    assert b"<Code>KeyTooLongError</Code>" in answer
    assert not recorder.requests


def test_what_goes_upstream_is_signed_with_the_targets_key_and_nothing_of_the_clients(
    raw: RawClient, recorder: RecordingStore
) -> None:
    recorder.forget()
    headers = {"x-amz-meta-note": "a  b", "content-type": "x/y", "connection-note": "kept"}
    raw.send("PUT", b"/bucket/a", b"body", headers)
    request = recorder.last()
    (authorization,) = request.values(b"authorization")
    assert b"Credential=target-key/" in authorization
    assert CLIENT.access_key_id.encode() not in request.head
    assert request.value(b"host") == recorder.endpoint.removeprefix("http://").encode()
    assert request.value(b"x-amz-meta-note") == b"a  b"
    assert request.value(b"content-type") == b"x/y"
    assert request.values(b"content-length") == [b"4"]
    assert request.body == b"body"
