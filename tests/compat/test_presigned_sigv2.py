"""SigV2 through the gateway: boto3's default presigned URLs, and a client that signs so always.

Rules: no client here is told a signature version but the ones of the header form.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.compat.doors import Door
from tests.compat.live import (
    CLIENT,
    MIB,
    Side,
    assert_landed,
    configuration,
    payload,
    read_directly,
    s3_client,
)
from tests.compat.shared import Store
from tests.process.harness import Gateway

TEXT = {"Content-Type": "text/plain"}


@pytest.fixture
def client(door: Door) -> Any:
    """A client that is told nothing: for a custom endpoint it presigns with SigV2."""
    return s3_client(door.url, CLIENT, ca=door.ca)


@pytest.fixture(scope="module")
def old_client(stores: dict[str, Store], sides: dict[str, Side]) -> Iterator[Any]:
    """A client that signs every request with SigV2, and a gateway that takes it."""
    document = configuration(stores, CLIENT)
    auth = document["auth"]
    assert isinstance(auth, dict)
    auth["sigv2"] = "all"
    with Gateway.start(document, workers=1) as running:
        yield s3_client(running.url, CLIENT, Config(signature_version="s3"))


@pytest.mark.parametrize("size", [0, 1, MIB])
def test_put_head_get_and_delete_by_url(
    client: Any, door: Door, side: Side, prefix: str, size: int
) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}a b+c=d%e/grüße"}
    url = client.generate_presigned_url("put_object", where)
    assert "AWSAccessKeyId=" in url  # else this module tests nothing
    put = door.fetch(url, "PUT", payload(size))
    assert put.status == 200, put.body
    assert_landed(side, where["Key"], payload(size))
    head = door.fetch(client.generate_presigned_url("head_object", where), "HEAD")
    assert (head.status, head.headers["content-length"]) == (200, str(size))
    got = door.fetch(client.generate_presigned_url("get_object", where), "GET")
    assert (got.status, got.body == payload(size)) == (200, True)
    gone = door.fetch(client.generate_presigned_url("delete_object", where), "DELETE")
    assert gone.status == 204
    assert read_directly(side.here, side.bucket, where["Key"]) is None


def test_metadata_type_and_digest_of_a_put_arrive(
    client: Any, door: Door, side: Side, prefix: str
) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}object"}
    digest = base64.b64encode(hashlib.md5(b"text").digest()).decode()
    said = {"ContentType": "text/plain", "ContentMD5": digest, "Metadata": {"colour": "blue 1"}}
    url = client.generate_presigned_url("put_object", {**where, **said})
    headers = {**TEXT, "Content-MD5": digest}
    assert door.fetch(url, "PUT", b"text", {**headers, "Content-Type": "text/html"}).status == 403
    assert door.fetch(url, "PUT", b"other", headers).status == 400  # BadDigest, of the target
    assert read_directly(side.here, side.bucket, where["Key"]) is None
    put = door.fetch(url, "PUT", b"text", headers)
    assert put.status == 200, put.body
    found = client.head_object(**where)
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"colour": "blue 1"})


def test_parameters_of_the_answer_stay(client: Any, door: Door, side: Side, prefix: str) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}object"}
    client.put_object(**where, Body=b"text")
    wanted = {**where, "ResponseContentDisposition": "attachment; filename=a&b c.txt"}
    got = door.fetch(client.generate_presigned_url("get_object", wanted), "GET")
    assert (got.status, got.body) == (200, b"text")
    assert got.headers["content-disposition"] == wanted["ResponseContentDisposition"]


def test_a_list_and_the_parts_of_an_upload_by_url(
    client: Any, door: Door, side: Side, prefix: str
) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}parts"}
    upload = client.create_multipart_upload(**where)["UploadId"]
    part = {**where, "UploadId": upload, "PartNumber": 1}
    put = door.fetch(client.generate_presigned_url("upload_part", part), "PUT", b"part")
    assert put.status == 200, put.body
    parts = [{"PartNumber": 1, "ETag": put.headers["etag"]}]
    client.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert_landed(side, where["Key"], b"part")
    listing = {"Bucket": side.bucket, "Prefix": prefix}
    got = door.fetch(client.generate_presigned_url("list_objects_v2", listing), "GET")
    assert got.status == 200
    assert f"<Key>{prefix}parts</Key>".encode() in got.body.replace(b"%2F", b"/")


def test_a_changed_url_is_refused(client: Any, door: Door, side: Side, prefix: str) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}object"}
    url = client.generate_presigned_url("put_object", where)
    for changed in (url.replace("object", "other"), url + "1", url + "&acl", url + "&x-amz-acl=a"):
        answer = door.fetch(changed, "PUT", b"no")
        assert answer.status == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in answer.body
    assert door.fetch(url, "GET").status == 403  # signed for another method
    late = client.generate_presigned_url("put_object", where, ExpiresIn=-1)
    assert b"<Message>Request has expired</Message>" in door.fetch(late, "PUT", b"no").body
    for key in ("object", "other"):
        assert read_directly(side.here, side.bucket, f"{prefix}{key}") is None


def test_a_client_of_old_does_its_work(old_client: Any, side: Side, prefix: str) -> None:
    where = {"Bucket": side.bucket, "Key": f"{prefix}a b+c/é"}
    old_client.put_object(**where, Body=payload(MIB), Metadata={"a": " b  c "})
    assert_landed(side, where["Key"], payload(MIB))
    got = old_client.get_object(**where, Range="bytes=1-2")
    assert (got["Body"].read(), got["Metadata"]) == (payload(MIB)[1:3], {"a": "b  c"})
    found = old_client.list_objects_v2(Bucket=side.bucket, Prefix=prefix)["Contents"]
    assert [entry["Key"] for entry in found] == [where["Key"]]
    copy = {"Bucket": side.bucket, "Key": f"{prefix}copy", "CopySource": where}
    old_client.copy_object(**copy)
    assert_landed(side, copy["Key"], payload(MIB))
    objects = [{"Key": where["Key"]}, {"Key": copy["Key"]}]
    old_client.delete_objects(Bucket=side.bucket, Delete={"Objects": objects})
    assert read_directly(side.here, side.bucket, where["Key"]) is None


def test_the_header_form_is_refused_unless_it_is_asked_for(door: Door, side: Side) -> None:
    client = s3_client(door.url, CLIENT, Config(signature_version="s3"), door.ca)
    with pytest.raises(ClientError, match="Please use AWS4-HMAC-SHA256") as caught:
        client.list_objects_v2(Bucket=side.bucket)
    assert caught.value.response["Error"]["Code"] == "InvalidRequest"
