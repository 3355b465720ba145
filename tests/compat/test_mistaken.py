"""What SeaweedFS would mistake, or not look at, does not reach it through the gateway.

Rules: each test shows first what the server does when it is asked directly (the control).
"""

from __future__ import annotations

import uuid

import pytest

from gateway.probe.integrity import checksum, deletion
from gateway.probe.store import content_md5
from tests.compat.live import CLIENT, Side, read_directly, s3_client
from tests.compat.test_integrity import raw_client
from tests.doubles.signing import RawClient
from tests.process.harness import Gateway

UNSIGNED = "UNSIGNED-PAYLOAD"


@pytest.fixture
def direct(side: Side) -> RawClient:
    return raw_client(side.here.endpoint, side.here.keys)


@pytest.fixture
def through(gateway: Gateway) -> RawClient:
    return raw_client(gateway.url, CLIENT)


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("PUT", "encryption"),
        ("PUT", "annotation&annotationName=a"),
        ("DELETE", "annotation&annotationName=a"),
    ],
)
def test_an_object_survives_a_sub_resource_of_it(
    direct: RawClient, through: RawClient, side: Side, prefix: str, method: str, query: str
) -> None:
    key, document = f"{prefix}object", b"<a/>" if method == "PUT" else b""
    target = f"/{side.bucket}/{key}".encode()
    asked = target + b"?" + query.encode()
    assert direct.send("PUT", target, b"before")[0] == 200
    assert direct.send(method, asked, document)[0] in (200, 204)
    assert read_directly(side.here, side.bucket, key) != b"before"
    assert direct.send("PUT", target, b"before")[0] == 200
    status, answer = through.send(method, asked, document)
    assert (status, b"<Code>NotImplemented</Code>" in answer) == (501, True)
    assert read_directly(side.here, side.bucket, key) == b"before"


def test_a_bucket_survives_the_deletion_of_a_setting(
    direct: RawClient, through: RawClient, side: Side
) -> None:
    client = s3_client(side.here.endpoint, side.here.keys)

    def exists(bucket: str) -> bool:
        return bucket in {entry["Name"] for entry in client.list_buckets()["Buckets"]}

    bucket = f"{side.bucket[:6]}-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket)
    target = f"/{bucket}?website".encode()
    assert direct.send("DELETE", target, b"")[0] == 204
    assert not exists(bucket)
    client.create_bucket(Bucket=bucket)
    assert through.send("DELETE", target, b"")[0] == 501
    assert exists(bucket)


ROOTS = [b"//", b"/%2F", b"///", b"/%5C", b"/%2f%5c"]


@pytest.mark.parametrize("path", ROOTS)
def test_a_bucket_survives_the_deletion_of_a_key_of_slashes(
    direct: RawClient, through: RawClient, side: Side, path: bytes
) -> None:
    """B3: the server deletes the empty bucket; and so it does in a batch."""
    client = s3_client(side.here.endpoint, side.here.keys)

    def exists() -> bool:
        return bucket in {entry["Name"] for entry in client.list_buckets()["Buckets"]}

    bucket = f"{side.bucket[:6]}-{uuid.uuid4().hex[:12]}"
    target = b"/" + bucket.encode() + path
    client.create_bucket(Bucket=bucket)
    assert direct.send("DELETE", target, b"")[0] == 204
    assert not exists()
    client.create_bucket(Bucket=bucket)
    for method, query in (("DELETE", b""), ("PUT", b""), ("POST", b"?uploads"), ("GET", b"?acl")):
        assert through.send(method, target + query, b"")[0] == 501
    document = deletion("//")
    status, answer = through.send(
        "POST", f"/{bucket}?delete".encode(), document, {"content-md5": content_md5(document)}
    )
    assert (status, b"<Code>NotImplemented</Code>" in answer) == (200, True)
    assert exists()
    client.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("claim", ["content-md5", "x-amz-checksum-crc32", "x-amz-checksum-sha256"])
def test_keys_are_deleted_only_if_the_list_came_whole(
    direct: RawClient, through: RawClient, side: Side, prefix: str, claim: str
) -> None:
    def headers(body: bytes) -> dict[str, str]:
        if claim == "content-md5":
            return {claim: content_md5(body)}
        return {claim: checksum(claim.rpartition("-")[2].encode(), body)}

    key = f"{prefix}object"
    wanted, arrived = deletion(f"{prefix}another"), deletion(key)
    target = f"/{side.bucket}?delete".encode()

    def send(client: RawClient, body: bytes, about: bytes) -> tuple[int, bytes]:
        put = direct.send("PUT", f"/{side.bucket}/{key}".encode(), b"kept")
        assert put[0] == 200
        return client.send("POST", target, body, payload=UNSIGNED, headers=headers(about))

    assert send(direct, arrived, wanted)[0] == 200
    assert read_directly(side.here, side.bucket, key) is None
    status, answer = send(through, arrived, wanted)
    assert (status, b"<Code>BadDigest</Code>" in answer) == (400, True)
    assert read_directly(side.here, side.bucket, key) == b"kept"
    assert send(through, arrived, arrived)[0] == 200
    assert read_directly(side.here, side.bucket, key) is None
