"""The gateway in front of the lakeFS double: copies, and what an object should be, are S3's.

Rules: as in `test_lakefs`; what lakeFS would do in another way is done, or refused.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.http1 import Answer
from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client, Headers
from tests.process.lakefs.gateway import OBJECT, PATH, stored
from tests.process.lakefs.test_multipart import begin
from tests.process.test_lakefs_names import said

TO = "/repo/main/copy"
SOURCE = "/repo/main/a.txt"


def copy(client: Client, source: str = SOURCE, to: str = TO, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.send("PUT", to, headers={"x-amz-copy-source": source, **named})


# Copies


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("repo/main/a%2Bb%3F", b"plus"),
        ("/repo/main%2Fa%2bb%3f", b"plus"),
        ("/repo/main/a+b%3F", b"space"),
        ("/repo/main/a%20b%3F", b"space"),
    ],
)
def test_the_source_of_a_copy_is_the_key_it_names(
    client: Client, lakefs: LakeFS, source: str, expected: bytes
) -> None:
    """C2: to S3, as to lakeFS, a raw `+` is a space."""
    client.send("PUT", "/repo/main/a%2Bb%3F", b"plus")
    client.send("PUT", "/repo/main/a%20b%3F", b"space")
    assert copy(client, source).status == 200
    assert stored(lakefs, "copy") == expected


def test_boto3_copies_a_strange_key(sdk: Any, lakefs: LakeFS) -> None:
    for key in ("main/a+b c?é%20/..x", "main/ü//&=;"):
        sdk.put_object(Bucket="repo", Key=key, Body=key.encode())
        sdk.copy_object(Bucket="repo", Key="main/copy", CopySource={"Bucket": "repo", "Key": key})
        assert stored(lakefs, "copy") == key.encode()


def test_the_version_of_a_source(client: Client, lakefs: LakeFS) -> None:
    """lakeFS takes it for a part of the key."""
    assert copy(client, f"{SOURCE}?versionId=null").status == 200
    assert stored(lakefs, "copy") == OBJECT
    lakefs.seen.clear()
    assert said(copy(client, f"{SOURCE}?versionId=1")) == (501, "NotImplemented")
    assert not lakefs.seen


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/repo/main/missing", (404, "NoSuchKey")),
        ("/repo/nobranch/a.txt", (404, "NoSuchKey")),
        ("/repo/file.txt", (404, "NoSuchKey")),
        ("/my.bucket/main/k", (404, "NoSuchBucket")),
        ("/missing/main/k", (404, "NoSuchBucket")),
    ],
)
def test_a_source_that_is_not_there(client: Client, source: str, expected: tuple[int, str]) -> None:
    """L10: of a copied part as well."""
    assert said(copy(client, source)) == expected
    query = f"partNumber=1&uploadId={begin(client, TO)}"
    assert said(copy(client, source, to=f"{TO}?{query}")) == expected


@pytest.mark.parametrize("to", ["/repo/nobranch/k", "/repo/v1.0/k"])
def test_a_copy_to_a_branch_that_is_not_there(client: Client, to: str) -> None:
    """lakeFS says InvalidRequest, and a text of its inside."""
    answer = copy(client, to=to)
    assert said(answer) == (404, "NoSuchBucket")
    assert b"repo has no branch" in answer.body


def test_another_failure_of_a_copy_is_for_the_operator(client: Client, lakefs: LakeFS) -> None:
    lakefs.store.repositories["repo"].branches["dev"].is_protected = True
    answer = copy(client, to="/repo/dev/k")
    assert said(answer) == (400, "InvalidRequest")
    assert b"cannot be copied" in answer.body


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"if_none_match": "*"}, (412, "PreconditionFailed")),
        ({"if_match": "x"}, (501, "NotImplemented")),
    ],
)
def test_a_condition_on_the_destination(
    client: Client, lakefs: LakeFS, condition: dict[str, str], expected: tuple[int, str]
) -> None:
    """A copy of lakeFS would overwrite the object; a PutObject of it has the first condition."""
    client.send("PUT", TO, b"another")
    assert said(copy(client, **condition)) == expected
    assert stored(lakefs, "copy") == b"another"


def test_a_copy_where_no_object_is(client: Client, lakefs: LakeFS) -> None:
    assert copy(client, if_none_match="*").status == 200
    assert stored(lakefs, "copy") == OBJECT


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"content_type": "image/png"}, "image/png"),
        ({"content_type": "text/plain"}, "text/plain"),  # the source's
        ({}, "binary/octet-stream"),
    ],
)
def test_a_copy_has_the_type_that_is_asked_for(
    client: Client, lakefs: LakeFS, sent: dict[str, str], expected: str
) -> None:
    """A copy of lakeFS has that of its source."""
    replace = {"x_amz_metadata_directive": "REPLACE", "x_amz_meta_a": "new"}
    assert copy(client, **sent, **replace).status == 200
    fields = client.send("HEAD", TO).fields
    assert (fields["content-type"], fields["x-amz-meta-a"]) == (expected, "new")
    assert stored(lakefs, "copy") == OBJECT


def test_a_type_counts_with_replace_alone(client: Client) -> None:
    assert copy(client, content_type="image/png").status == 200
    assert client.send("HEAD", TO).fields["content-type"] == "text/plain"


def test_a_copy_with_a_type_of_what_is_missing(client: Client) -> None:
    replace = {"x_amz_metadata_directive": "REPLACE", "content_type": "a/b"}
    assert said(copy(client, "/repo/main/no", **replace)) == (404, "NoSuchKey")


@pytest.mark.parametrize("directive", ["replace", "OTHER"])
def test_a_directive_that_is_none(client: Client, lakefs: LakeFS, directive: str) -> None:
    """lakeFS takes every other word for COPY."""
    answer = copy(client, x_amz_metadata_directive=directive)
    assert said(answer) == (400, "InvalidArgument")
    assert not lakefs.seen


def test_a_copied_part_reads_its_source_in_the_same_way(sdk: Any, lakefs: LakeFS) -> None:
    source = {"Bucket": "repo", "Key": "main/a+b"}
    sdk.put_object(**source, Body=b"plus")
    upload = sdk.create_multipart_upload(Bucket="repo", Key="main/parts")
    asked = {"Bucket": "repo", "Key": "main/parts", "UploadId": upload["UploadId"]}
    part = sdk.upload_part_copy(**asked, PartNumber=1, CopySource=source)
    parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
    sdk.complete_multipart_upload(**asked, MultipartUpload={"Parts": parts})
    assert stored(lakefs, "parts") == b"plus"


def test_boto3_copies_a_large_object_in_parts(sdk: Any, lakefs: LakeFS) -> None:
    """C7: it holds each part to the ETag that it saw first."""
    sdk.put_object(Bucket="repo", Key="main/large", Body=(data := bytes(range(256)) * 36865))
    sdk.copy({"Bucket": "repo", "Key": "main/large"}, "repo", "main/copy")
    assert stored(lakefs, "copy") == data
    assert any(seen.request.has_header("x-amz-copy-source-if-match") for seen in lakefs.seen)


# Metadata, tags, directories


@pytest.mark.parametrize("value", [b"a\tb", b"caf\xe9"])
def test_metadata_that_lakefs_would_sign_in_another_way(
    client: Client, lakefs: LakeFS, value: bytes
) -> None:
    """L7: a refused signature would be 503, again and again."""
    headers = {"x-amz-meta-a": value.decode("latin-1")}
    assert client.send("PUT", PATH, b"new", headers).status == 200
    kept = lakefs.store.repositories["repo"].branches["main"].entries["a.txt"].metadata["a"]
    assert kept.encode() in (value, value.decode("latin-1").encode())


def test_a_directory_at_the_top_of_a_branch(client: Client, lakefs: LakeFS) -> None:
    """L15"""
    assert client.send("PUT", "/repo/main/", b"").status == 200
    assert said(client.send("GET", "/repo/main/")) == (404, "NoSuchKey")
    assert client.send("PUT", "/repo/main/dir/", b"").status == 200
    assert stored(lakefs, "dir/") == b""
    assert said(client.send("PUT", "/repo/nobranch/", b"")) == (404, "NoSuchBucket")


def test_boto3_asks_for_tags_and_makes_a_bucket(sdk: Any) -> None:
    """C8, C9, L16"""
    assert sdk.get_object_tagging(Bucket="repo", Key="main/a.txt")["TagSet"] == []
    with pytest.raises(sdk.exceptions.NoSuchKey):
        sdk.get_object_tagging(Bucket="repo", Key="main/missing")
    with pytest.raises(sdk.exceptions.BucketAlreadyOwnedByYou):
        sdk.create_bucket(Bucket="repo")


# Conditions on a write


@pytest.mark.parametrize("headers", [{"if-match": '"x"'}, {"if-none-match": '"x"'}])
def test_a_condition_that_lakefs_has_not(client: Client, lakefs: LakeFS, headers: Headers) -> None:
    """Refused before the body is sent."""
    upload = begin(client, PATH)
    lakefs.seen.clear()
    for method, query in (("PUT", ""), ("POST", f"?uploadId={upload}")):
        answer = client.send(method, PATH + query, b"x", headers)
        assert said(answer) == (501, "NotImplemented")
    assert not lakefs.seen


def test_an_object_that_must_be_absent(client: Client, lakefs: LakeFS) -> None:
    absent = {"if-none-match": "*"}
    answer = client.send("PUT", PATH, b"x", absent)
    assert said(answer) == (412, "PreconditionFailed")
    assert b"<Condition>If-None-Match</Condition>" in answer.body
    assert stored(lakefs) == OBJECT
    assert client.send("PUT", "/repo/main/fresh", b"x", absent).status == 200


# What lakeFS would forget


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501),
        ("x-amz-server-side-encryption", "aws:kms", 501),
        ("x-amz-server-side-encryption-aws-kms-key-id", "k", 501),
        ("x-amz-object-lock-mode", "GOVERNANCE", 501),
        ("x-amz-object-lock-legal-hold", "ON", 501),
        ("x-amz-tagging", "a=b", 501),
        ("x-amz-website-redirect-location", "/x", 501),
        ("content-encoding", "gzip", 501),
        ("content-encoding", "aws-chunked, gzip", 501),
        ("x-amz-acl", "public-read", 400),
        ("x-amz-grant-read", "id=1", 400),
    ],
)
@pytest.mark.parametrize("request_", ["PUT", "POST ?uploads", "PUT copy"])
def test_a_promise_that_would_be_broken(
    client: Client, lakefs: LakeFS, name: str, value: str, status: int, request_: str
) -> None:
    method, _, query = request_.partition(" ")
    headers = {name: value}
    if query == "copy":
        query, headers["x-amz-copy-source"] = "", SOURCE
    answer = client.send(method, TO + query, b"", headers)
    code = "NotImplemented" if status == 501 else "AccessControlListNotSupported"
    assert said(answer) == (status, code)
    assert not lakefs.seen


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-acl", "private"),
        ("x-amz-acl", "bucket-owner-full-control"),
        ("x-amz-storage-class", "STANDARD_IA"),
        ("cache-control", "no-cache"),
        ("content-disposition", "attachment"),
        ("content-language", "de"),
        ("content-encoding", "identity"),
        ("expires", "Fri, 01 Jan 2100 00:00:00 GMT"),
    ],
)
def test_what_may_be_forgotten(client: Client, lakefs: LakeFS, name: str, value: str) -> None:
    assert client.send("PUT", PATH, b"new", {name: value}).status == 200
    assert stored(lakefs) == b"new"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_object_is_not_encrypted_with_a_clients_key(
    client: Client, lakefs: LakeFS, method: str
) -> None:
    """S3 would refuse as well: the object was stored without it."""
    headers = {"x-amz-server-side-encryption-customer-key": "k"}
    assert client.send(method, PATH, headers=headers).status == 501
    assert not lakefs.seen
