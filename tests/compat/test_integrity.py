"""What a client signed is what is stored, also on a target that checks no payload digest.

Rules: SeaweedFS takes a body whatever the signed digest says, and takes the head of an upload that
then closes without a byte as an upload of nothing (the controls show both), so what is prevented
here is prevented by the gateway; after a refusal the object is as it was before.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import pytest

from gateway.demo.seaweed import Keys
from tests.compat.live import CLIENT, MIB, Side, payload, read_directly, same
from tests.doubles.signing import RawClient
from tests.process.harness import Gateway

OTHER = hashlib.sha256(b"other bytes").hexdigest()
EMPTY = hashlib.sha256(b"").hexdigest()


def raw_client(endpoint: str, keys: Keys) -> RawClient:
    parts = urlsplit(endpoint)
    assert parts.hostname is not None
    assert parts.port is not None
    return RawClient(parts.hostname, parts.port, keys.access_key_id, keys.secret_access_key)


@pytest.fixture
def raw(gateway: Gateway) -> RawClient:
    return raw_client(gateway.url, CLIENT)


def test_the_control_a_server_alone_takes_any_bytes(side: Side, prefix: str) -> None:
    server = raw_client(side.here.endpoint, side.here.keys)
    target = f"/{side.bucket}/{prefix}object".encode()
    assert server.send("PUT", target, b"body", payload=OTHER)[0] == 200
    assert read_directly(side.here, side.bucket, f"{prefix}object") == b"body"


@pytest.mark.parametrize("wrong", [OTHER, EMPTY], ids=["of other bytes", "of no bytes"])
@pytest.mark.parametrize("size", [1, 1000, MIB, 12 * MIB])
def test_a_body_that_is_not_the_signed_one_is_not_stored(
    raw: RawClient, side: Side, prefix: str, size: int, wrong: str
) -> None:
    target = f"/{side.bucket}/{prefix}object".encode()
    assert raw.send("PUT", target, b"before")[0] == 200
    status, answer = raw.send("PUT", target, payload(size), payload=wrong)
    assert status == 400
    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in answer
    assert read_directly(side.here, side.bucket, f"{prefix}object") == b"before"


def test_no_body_where_one_was_signed_is_not_stored(
    raw: RawClient, side: Side, prefix: str
) -> None:
    target = f"/{side.bucket}/{prefix}object".encode()
    status, answer = raw.send("PUT", target, b"", payload=OTHER)
    assert status == 400
    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in answer
    assert read_directly(side.here, side.bucket, f"{prefix}object") is None


@pytest.mark.parametrize("size", [0, 1, MIB])
def test_an_unsigned_payload_is_taken(raw: RawClient, side: Side, prefix: str, size: int) -> None:
    target = f"/{side.bucket}/{prefix}object".encode()
    assert raw.send("PUT", target, payload(size), payload="UNSIGNED-PAYLOAD")[0] == 200
    found = read_directly(side.here, side.bucket, f"{prefix}object")
    assert found is not None
    assert same(found, payload(size))


@pytest.mark.parametrize(
    "header", [{"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, {"x-amz-checksum-crc32": "AAAAAA=="}]
)
def test_a_wrong_checksum_is_refused_by_the_server_and_the_refusal_comes_back(
    raw: RawClient, side: Side, prefix: str, header: dict[str, str]
) -> None:
    target = f"/{side.bucket}/{prefix}object".encode()
    status, answer = raw.send("PUT", target, b"body", header)
    assert status == 400
    assert b"<Code>BadDigest</Code>" in answer
    assert read_directly(side.here, side.bucket, f"{prefix}object") is None


def cut_upload(client: RawClient, target: bytes, size: int, sent: int) -> None:
    """Announce `size` bytes, send fewer, leave."""
    digest = {"x-amz-content-sha256": hashlib.sha256(payload(size)).hexdigest()}
    client.abandon(client.head("PUT", target, size, digest) + payload(size)[:sent])


def test_the_control_a_server_alone_takes_a_head_for_an_empty_object(
    side: Side, prefix: str
) -> None:
    server = raw_client(side.here.endpoint, side.here.keys)
    cut_upload(server, f"/{side.bucket}/{prefix}object".encode(), MIB, 0)
    assert read_directly(side.here, side.bucket, f"{prefix}object") == b""


@pytest.mark.parametrize(
    ("size", "sent"), [(1, 0), (1000, 0), (1000, 999), (MIB, 0), (MIB, 1), (MIB, MIB - 1)]
)
def test_an_upload_that_ends_early_changes_nothing(
    raw: RawClient, side: Side, prefix: str, size: int, sent: int
) -> None:
    target = f"/{side.bucket}/{prefix}object".encode()
    assert raw.send("PUT", target, b"before")[0] == 200
    cut_upload(raw, target, size, sent)
    # Another write on the same server, so that the cut one has had its time there too.
    assert raw.send("PUT", target + b"-after", b"after")[0] == 200
    assert read_directly(side.here, side.bucket, f"{prefix}object") == b"before"
