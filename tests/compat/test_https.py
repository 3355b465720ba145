"""boto3 over https, certificate verified: the payload modes that SDKs use only there.

Rules: what was written is read over plain http too, and from its server directly.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import trustme
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from tests.compat.live import (
    CLIENT,
    MIB,
    SIZES,
    Side,
    assert_landed,
    configuration,
    payload,
    s3_client,
    same,
)
from tests.compat.shared import Store
from tests.doubles import forms
from tests.process.harness import Gateway, ask

PART = 5 * MIB


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(
    stores: dict[str, Store], authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """A gateway with 2 workers that listens on https as well."""
    directory = tmp_path_factory.mktemp("certificates")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(directory / "key.pem")
    issued.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    tls = {
        "listen_address": "127.0.0.1:0",
        "cert_file": str(directory / "cert.pem"),
        "key_file": str(directory / "key.pem"),
    }
    with Gateway.start({**configuration(stores, CLIENT), "router": {"tls": tls}}) as running:
        yield running


@pytest.fixture(params=["when_supported", "when_required"])
def client(
    request: pytest.FixtureRequest, secure: Gateway, authority: trustme.CA, tmp_path: Path
) -> Any:
    """boto3 as it comes, and without the checksums that nobody asked for."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return boto3.client(
        "s3",
        endpoint_url=secure.tls_url,
        aws_access_key_id=CLIENT.access_key_id,
        aws_secret_access_key=CLIENT.secret_access_key,
        region_name="us-east-1",
        verify=str(tmp_path / "ca.pem"),
        config=Config(request_checksum_calculation=request.param),
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["bytes", "stream"])
def test_an_object_makes_the_round_trip(
    client: Any, secure: Gateway, side: Side, prefix: str, kind: str, size: int
) -> None:
    key, body = f"{prefix}object", payload(size)
    given = io.BytesIO(body) if kind == "stream" else body
    client.put_object(Bucket=side.bucket, Key=key, Body=given, Metadata={"a": "b"})
    assert_landed(side, key, body)
    for reader in (client, s3_client(secure.url, CLIENT)):
        found = reader.get_object(Bucket=side.bucket, Key=key)
        assert found["Metadata"] == {"a": "b"}
        assert same(found["Body"].read(), body)


def test_lists_and_deletes(client: Any, side: Side, prefix: str) -> None:
    keys = [f"{prefix}a b", f"{prefix}c+d", f"{prefix}e/f"]
    for key in keys:
        client.put_object(Bucket=side.bucket, Key=key, Body=b"x")
    listed = client.list_objects_v2(Bucket=side.bucket, Prefix=prefix)
    assert [entry["Key"] for entry in listed["Contents"]] == keys
    client.delete_object(Bucket=side.bucket, Key=keys[0])
    listed = client.list_objects_v2(Bucket=side.bucket, Prefix=prefix)
    assert [entry["Key"] for entry in listed["Contents"]] == keys[1:]


def test_an_upload_in_parts(client: Any, side: Side, prefix: str) -> None:
    """By boto3's transfer manager, parts in parallel."""
    key, body = f"{prefix}parts", payload(2 * PART + 1)
    transfer = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    client.upload_fileobj(io.BytesIO(body), side.bucket, key, Config=transfer)
    assert_landed(side, key, body)
    received = io.BytesIO()
    client.download_fileobj(side.bucket, key, received, Config=transfer)
    assert same(received.getvalue(), body)


def test_a_browser_s_form(
    secure: Gateway, authority: trustme.CA, sides: dict[str, Side], prefix: str, tmp_path: Path
) -> None:
    side = sides["lakefs"]
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    made = boto3.client(
        "s3",
        endpoint_url=secure.tls_url,
        aws_access_key_id=CLIENT.access_key_id,
        aws_secret_access_key=CLIENT.secret_access_key,
        region_name="us-east-1",
    ).generate_presigned_post(side.bucket, f"{prefix}form")
    context = ssl.create_default_context(cafile=str(bundle))
    content = forms.body(made["fields"], payload(MIB))
    kind = {"Content-Type": f"multipart/form-data; boundary={forms.BOUNDARY}"}
    netloc = urlsplit(made["url"]).netloc
    with contextlib.closing(http.client.HTTPSConnection(netloc, context=context)) as connection:
        answer = ask(connection, "POST", f"/{side.bucket}", content, kind)
    assert answer.status == 204
    assert answer.headers["location"].startswith(f"{secure.tls_url}/{side.bucket}/")
    assert_landed(side, f"{prefix}form", payload(MIB))
