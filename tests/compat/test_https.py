"""What boto3 sends over https and nowhere else: the body in chunks behind an unsigned trailer.

Rules: what crossed is read from the request as boto3 gave it to the socket, and from what a store
that takes the mode was told.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from tests.compat.doors import HTTP, HTTPS, Door, listener
from tests.compat.live import CLIENT, MIB, Side, assert_landed, identity, payload, s3_client, same
from tests.doubles.aws_chunked import SIGNED_TRAILER, UNSIGNED_TRAILER, checksum, read
from tests.doubles.recording import RecordingStore, recording_store
from tests.process.harness import Gateway

SECRET = "target-secret"


@pytest.fixture(scope="module")
def store() -> Iterator[RecordingStore]:
    with recording_store() as running:
        yield running


@pytest.fixture(scope="module")
def taking(store: RecordingStore, certificates: Path) -> Iterator[dict[str, Door]]:
    """A gateway before a store that takes the streaming modes."""
    target = {"access_key_id": "TARGETKEY", "secret_access_key": SECRET, "endpoint": store.endpoint}
    document = {
        "router": listener(certificates),
        "auth": {"identities": [identity("compat", CLIENT)]},
        "targets": {"taking": {"profile": "s3", **target}},
        "routing": {"default_target": "taking"},
    }
    with Gateway.start(document, workers=1) as running:
        yield {HTTP: Door(running.url), HTTPS: Door(running.tls_url, certificates / "ca.pem")}


def sent(client: Any) -> list[dict[str, str]]:
    """The headers of each request from now on, as they go to the socket."""
    found: list[dict[str, str]] = []

    def look(request: Any, **_: object) -> None:
        texts = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        found.append(texts)

    client.meta.events.register("before-send.s3", look)
    return found


@pytest.mark.parametrize("size", [0, 1, MIB])
@pytest.mark.parametrize("kind", ["bytes", "stream"])
@pytest.mark.parametrize("operation", ["put_object", "upload_part"])
def test_an_unsigned_trailer_crosses_and_is_signed_on(
    taking: dict[str, Door], store: RecordingStore, operation: str, kind: str, size: int
) -> None:
    client = s3_client(taking[HTTPS].url, CLIENT, ca=taking[HTTPS].ca)
    heard, body = sent(client), payload(size)
    where: dict[str, Any] = {"Bucket": "bucket", "Key": "object"}
    if operation == "upload_part":
        begun = client.create_multipart_upload(**where)
        where |= {"UploadId": begun["UploadId"], "PartNumber": 1}
    heard.clear()
    given = io.BytesIO(body) if kind == "stream" else body
    getattr(client, operation)(**where, Body=given)
    (headers,) = heard
    assert headers["x-amz-content-sha256"] == UNSIGNED_TRAILER
    assert headers["x-amz-trailer"] == "x-amz-checksum-crc32"
    assert headers["x-amz-decoded-content-length"] == str(size)
    recorded = store.last()
    # The way to this store is not encrypted, where S3 takes trailers only if they are signed.
    assert recorded.value(b"x-amz-content-sha256") == SIGNED_TRAILER.encode()
    found, lines = read(recorded.head, recorded.body, SECRET)
    assert same(found, body)
    assert lines == [f"x-amz-checksum-crc32:{checksum('crc32', body)}"]


def test_the_control_over_http_there_is_none(
    taking: dict[str, Door], store: RecordingStore
) -> None:
    client = s3_client(taking[HTTP].url, CLIENT)
    heard = sent(client)
    client.put_object(Bucket="bucket", Key="object", Body=b"body")
    assert "x-amz-trailer" not in heard[0]
    assert len(heard[0]["x-amz-content-sha256"]) == 64
    assert store.last().body == b"body"


def test_without_checksums_nothing_is_framed(
    taking: dict[str, Door], store: RecordingStore
) -> None:
    config = Config(request_checksum_calculation="when_required")
    client = s3_client(taking[HTTPS].url, CLIENT, config, taking[HTTPS].ca)
    heard = sent(client)
    client.put_object(Bucket="bucket", Key="object", Body=b"body")
    assert "x-amz-trailer" not in heard[0]
    assert store.last().body == b"body"


@pytest.mark.parametrize("size", [0, 1, MIB, pytest.param(100 * MIB, marks=pytest.mark.slow)])
@pytest.mark.parametrize("checksums", ["when_supported", "when_required"])
def test_what_came_over_https_is_read_over_http(
    doors: dict[str, Door], side: Side, prefix: str, checksums: str, size: int
) -> None:
    config = Config(request_checksum_calculation=checksums)
    client = s3_client(doors[HTTPS].url, CLIENT, config, doors[HTTPS].ca)
    key, body = f"{prefix}object", payload(size)
    client.put_object(Bucket=side.bucket, Key=key, Body=body, Metadata={"a": "b"})
    assert_landed(side, key, body)
    for reader in (client, s3_client(doors[HTTP].url, CLIENT)):
        found = reader.get_object(Bucket=side.bucket, Key=key)
        assert found["Metadata"] == {"a": "b"}
        assert same(found["Body"].read(), body)
