"""The gateway in front of the lakeFS double: multipart uploads and batches of deletes are S3's.

Rules: as in `test_lakefs_lists`; the difference itself is in `tests/process/lakefs`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.doubles.http1 import Answer
from tests.doubles.lakefs import LakeFS
from tests.doubles.uploads import begun
from tests.process.harness import Gateway
from tests.process.lakefs.client import Client
from tests.process.lakefs.gateway import KEYS, configuration
from tests.process.lakefs.test_multipart import begin, complete, put_part

PATH = "/repo/main/big"
BIG = b"0123456789abcdef" * (5 << 16)  # 5 MiB, the smallest part but the last


only_s3 = pytest.mark.parametrize("kind", ["s3"], indirect=True)


@pytest.fixture(scope="module", params=["s3", "local"])
def kind(request: pytest.FixtureRequest) -> str:
    """The block store: lakeFS can list parts on the first, and not on the second."""
    return str(request.param)


@pytest.fixture(scope="module")
def running(kind: str) -> Iterator[tuple[LakeFS, Gateway]]:
    with LakeFS(block_store=kind) as lakefs, Gateway.start(configuration(lakefs), 1) as gateway:
        yield lakefs, gateway


@pytest.fixture
def lakefs(running: tuple[LakeFS, Gateway]) -> LakeFS:
    lakefs = running[0]
    lakefs.store.repositories.clear()
    lakefs.store.uploads.clear()
    lakefs.add_repository("repo", "dev")
    Client(lakefs).send("PUT", "/repo/main/a.txt", b"0123456789")
    lakefs.seen.clear()
    return lakefs


@pytest.fixture
def client(running: tuple[LakeFS, Gateway], lakefs: LakeFS) -> Client:
    return Client(lakefs, port=running[1].address[1], keys=KEYS)


@pytest.fixture
def sdk(running: tuple[LakeFS, Gateway], lakefs: LakeFS) -> Any:  # boto3 is untyped
    return boto3.client(
        "s3",
        endpoint_url=running[1].url,
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        region_name="us-east-1",
    )


def told(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code


# An upload that is not there


def aborted(client: Client) -> str:
    """The id of an upload that lakeFS does not know any more."""
    upload = begin(client)
    assert client.send("DELETE", f"{PATH}?uploadId={upload}").status == 204
    return upload


def test_an_id_that_the_gateway_did_not_give(client: Client, lakefs: LakeFS) -> None:
    """lakeFS is not asked, not even for an id of its own."""
    begin(client)
    (own,) = lakefs.store.uploads
    lakefs.seen.clear()
    for answer in (
        complete(client, own, [b"x"]),
        put_part(client, own, 1, b"x"),
        client.send("GET", f"{PATH}?uploadId={own}"),
        client.send("DELETE", f"{PATH}?uploadId={own}"),
    ):
        assert told(answer) == (404, "NoSuchUpload")
        assert f"<UploadId>{own}</UploadId>".encode() in answer.body
    assert not lakefs.seen
    assert own in lakefs.store.uploads


def test_an_unknown_upload(client: Client) -> None:
    """lakeFS: 500, which SDKs try again; on Abort NoSuchKey."""
    upload = begin(client)
    put_part(client, upload, 1, b"x")
    assert complete(client, upload, [b"x"]).status == 200
    for answer in (
        complete(client, upload, [b"x"]),
        put_part(client, upload, 1, b"x"),
        put_part(client, upload, 1, BIG),
        client.send("DELETE", f"{PATH}?uploadId={upload}"),
    ):
        assert told(answer) == (404, "NoSuchUpload")
        assert f"<UploadId>{upload}</UploadId>".encode() in answer.body
    copied = {"x-amz-copy-source": "/repo/main/a.txt"}
    path = f"{PATH}?partNumber=1&uploadId={upload}"
    assert client.send("PUT", path, headers=copied).code == "NoSuchUpload"


def test_parts_of_an_unknown_upload(client: Client, kind: str) -> None:
    upload = aborted(client)
    answer = client.send("GET", f"{PATH}?uploadId={upload}")
    assert told(answer) == ((404, "NoSuchUpload") if kind == "s3" else (501, "NotImplemented"))


def test_boto3_aborts_and_is_told(sdk: Any) -> None:
    made = sdk.create_multipart_upload(Bucket="repo", Key="main/big")
    named = {"Bucket": "repo", "Key": "main/big", "UploadId": made["UploadId"]}
    sdk.abort_multipart_upload(**named)
    with pytest.raises(sdk.exceptions.NoSuchUpload):
        sdk.abort_multipart_upload(**named)
    with pytest.raises(sdk.exceptions.NoSuchUpload):
        sdk.upload_part(**named, PartNumber=1, Body=b"x")


# Parts


@pytest.mark.parametrize("number", ["0", "10001", "x", ""])
def test_a_bad_part_number(client: Client, lakefs: LakeFS, number: str) -> None:
    upload = begin(client)
    lakefs.seen.clear()
    answer = client.send("PUT", f"{PATH}?partNumber={number}&uploadId={upload}", b"x")
    assert told(answer) == (400, "InvalidArgument")
    assert b"Part number must be an integer between 1 and 10000, inclusive" in answer.body
    assert not lakefs.seen


@pytest.mark.parametrize("asked", ["2-4", "bytes=4-2", "bytes=2-"])
def test_a_range_that_cannot_be_read_copies_nothing(
    client: Client, lakefs: LakeFS, asked: str
) -> None:
    upload = begin(client)
    lakefs.seen.clear()
    headers = {"x-amz-copy-source": "/repo/main/a.txt", "x-amz-copy-source-range": asked}
    answer = client.send("PUT", f"{PATH}?partNumber=1&uploadId={upload}", headers=headers)
    assert told(answer) == (400, "InvalidArgument")
    assert not lakefs.seen


def test_a_copied_part_has_its_own_result(sdk: Any, client: Client) -> None:
    upload = begin(client)
    made = sdk.upload_part_copy(
        Bucket="repo",
        Key="main/big",
        PartNumber=1,
        UploadId=upload,
        CopySource="repo/main/a.txt",
        CopySourceRange="bytes=2-4",
    )
    etag = hashlib.md5(b"234", usedforsecurity=False).hexdigest()
    assert made["CopyPartResult"]["ETag"] == f'"{etag}"'
    headers = {"x-amz-copy-source": "/repo/main/a.txt"}
    raw = client.send("PUT", f"{PATH}?partNumber=2&uploadId={upload}", headers=headers)
    assert b"<CopyPartResult xmlns=" in raw.body


def test_parts_cannot_be_listed_everywhere(sdk: Any, client: Client, kind: str) -> None:
    asked = {"Bucket": "repo", "Key": "main/big", "UploadId": begin(client)}
    if kind == "s3":
        assert "Parts" not in sdk.list_parts(**asked)
    else:
        with pytest.raises(ClientError, match="NotImplemented"):
            sdk.list_parts(**asked)


@only_s3
def test_parts_are_listed_as_s3_lists_them(sdk: Any, client: Client) -> None:
    upload = begin(client)
    put_part(client, upload, 1, b"first")
    put_part(client, upload, 2, b"second")
    named = {"Bucket": "repo", "Key": "main/big", "UploadId": upload}
    listed = sdk.list_parts(**named)
    etag = hashlib.md5(b"first", usedforsecurity=False).hexdigest()
    assert listed["Parts"][0]["ETag"] == f'"{etag}"'
    assert (listed["UploadId"], listed["StorageClass"]) == (upload, "STANDARD")
    assert listed["Owner"]["ID"] == listed["Initiator"]["ID"]
    page = sdk.list_parts(**named, MaxParts=1)
    assert (page["IsTruncated"], page["NextPartNumberMarker"]) == (True, 1)
    rest = sdk.list_parts(**named, PartNumberMarker=1)
    assert [part["PartNumber"] for part in rest["Parts"]] == [2]


# Complete


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedXML"),
        (b"<Complete", "MalformedXML"),
        (b"<Other/>", "MalformedXML"),
        (b"<CompleteMultipartUpload/>", "InvalidRequest"),
        (
            b"<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>a</ETag></Part>"
            b"<Part><PartNumber>1</PartNumber><ETag>b</ETag></Part></CompleteMultipartUpload>",
            "InvalidPartOrder",
        ),
    ],
)
def test_a_bad_document(client: Client, lakefs: LakeFS, body: bytes, code: str) -> None:
    upload = begin(client)
    assert told(client.send("POST", f"{PATH}?uploadId={upload}", body)) == (400, code)
    assert len(lakefs.store.uploads) == 1
    assert client.send("GET", PATH).status == 404


@only_s3
def test_what_is_wrong_with_the_parts_is_told(client: Client) -> None:
    """lakeFS: 500 for each. A local block store does not look at the parts."""
    upload = begin(client)
    for number, data in enumerate([b"small", b"last"], 1):
        put_part(client, upload, number, data)
    wrong = complete(client, upload, [b"never uploaded"])
    assert told(wrong) == (400, "InvalidPart")
    assert b"<PartNumber>1</PartNumber>" in wrong.body
    assert told(complete(client, upload, [b"small", b"last"])) == (400, "EntityTooSmall")
    assert complete(client, upload, [b"small"]).status == 200


@only_s3
def test_a_complete_without_its_branch_loses_the_parts(client: Client, lakefs: LakeFS) -> None:
    """L12: lakeFS says 500, and that the upload is unknown: its block store is done with it."""
    path = "/repo/dev/big"
    upload = begin(client, path)
    put_part(client, upload, 1, b"x", path)
    del lakefs.store.repositories["repo"].branches["dev"]
    assert told(complete(client, upload, [b"x"], path)) == (404, "NoSuchUpload")
    lakefs.store.repositories["repo"].add_branch("dev", "main")
    assert told(complete(client, upload, [b"x"], path)) == (404, "NoSuchUpload")


def test_questions_are_asked_only_in_doubt(client: Client, lakefs: LakeFS) -> None:
    unknown = aborted(client)
    lakefs.seen.clear()
    assert put_part(client, unknown, 1, b"x").status == 404
    assert [seen.request.method for seen in lakefs.seen] == ["PUT", "GET", "GET"]
    lakefs.seen.clear()
    upload = begin(client)
    assert put_part(client, upload, 1, b"x").status == 200
    assert [seen.request.method for seen in lakefs.seen] == ["POST", "PUT"]


# Uploads of a bucket


@only_s3
@pytest.mark.parametrize("query", ["prefix=", "prefix=&delimiter=", "prefix=&key-marker="])
def test_a_filter_that_is_empty_is_none(client: Client, lakefs: LakeFS, query: str) -> None:
    """L14: `rclone cleanup` sends it. lakeFS lists the key without its branch."""
    begin(client)
    (own,) = lakefs.store.uploads
    body = client.send("GET", f"/repo?uploads&{query}").body
    assert body.count(b"<Upload>") == 1
    assert b"<Key>big</Key>" in body
    assert begun(body) != own


@pytest.mark.parametrize("query", ["prefix=main/", "delimiter=/", "encoding-type=url"])
def test_uploads_cannot_be_filtered(client: Client, lakefs: LakeFS, query: str) -> None:
    answer = client.send("GET", f"/repo?uploads&{query}")
    assert told(answer) == (501, "NotImplemented")
    assert b"ListMultipartUploads is not available" in answer.body
    assert not lakefs.seen


# Deletes


@pytest.mark.parametrize("ref", ["v1.0", "main~1", "main@"])
def test_only_a_branch_has_objects_to_delete(client: Client, lakefs: LakeFS, ref: str) -> None:
    """lakeFS: 500."""
    assert told(client.send("DELETE", f"/repo/{ref}/a.txt")) == (405, "MethodNotAllowed")
    assert not lakefs.seen


def delete(client: Client, *objects: str) -> Answer:
    rows = "".join(f"<Object>{one}</Object>" for one in objects)
    return client.send("POST", "/repo?delete", f"<Delete>{rows}</Delete>".encode())


@pytest.mark.parametrize(
    "extra",
    [
        "<VersionId>1</VersionId>",
        "<ETag>x</ETag>",
        "<Size>1</Size>",
        "<LastModifiedTime>x</LastModifiedTime>",
    ],
)
def test_what_a_delete_depends_on_is_not_overlooked(
    client: Client, lakefs: LakeFS, extra: str
) -> None:
    answer = delete(client, f"<Key>main/a.txt</Key>{extra}")
    assert told(answer) == (501, "NotImplemented")
    assert "a.txt" in lakefs.store.repositories["repo"].branches["main"].entries


def test_one_bad_key_does_not_stop_the_others(client: Client, lakefs: LakeFS) -> None:
    """B4: lakeFS would report its error for all keys of the branch, and delete none."""
    long = f"<Key>main/{'k' * 1025}</Key>"
    answer = delete(client, "<Key>main/a.txt</Key><VersionId>null</VersionId>", long)
    assert told(answer) == (200, "KeyTooLongError")
    assert b"<Deleted><Key>main/a.txt</Key>" in answer.body
    assert client.send("GET", "/repo/main/a.txt").status == 404
