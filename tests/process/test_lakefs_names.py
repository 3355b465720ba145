"""The gateway in front of the lakeFS double: names, and what is said of those that are not there.

Rules: as in `test_lakefs`; every error has a document, AWS's code, and a request id.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doubles.http1 import Answer
from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client
from tests.process.lakefs.gateway import OBJECT, PATH, stored

# lakeFS's own elements of an error, and its own codes.
NOT_OF_S3 = re.compile(rb"<Resource>|<Code>ERR|<Code>Err|lakeFS|LakeFS|@repo")


def said(answer: Answer) -> tuple[int, str]:
    """Status and code of an error that looks as one of S3."""
    assert not NOT_OF_S3.search(answer.body), answer.body
    assert f"<RequestId>{answer.fields['x-amz-request-id']}</RequestId>".encode() in answer.body
    return answer.status, answer.code


@pytest.mark.parametrize("bucket", ["my.bucket", "my_bucket", "MyBucket", "-x-", "ab"])
def test_a_repository_that_cannot_be(client: Client, lakefs: LakeFS, bucket: str) -> None:
    """lakeFS would answer 500, which SDKs try again."""
    for path in (f"/{bucket}/main/k", f"/{bucket}?list-type=2", f"/{bucket}?location"):
        assert said(client.send("GET", path)) in (
            (404, "NoSuchBucket"),
            (400, "InvalidBucketName"),
        )
    assert client.send("HEAD", f"/{bucket}").status in (400, 404)
    assert not lakefs.seen


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/missing/main/k", "/api/v1/repositories"])
def test_a_repository_that_is_not_there(client: Client, method: str, path: str) -> None:
    answer = client.send(method, path)
    assert said(answer) == (404, "NoSuchBucket")
    assert b"<BucketName>" in answer.body
    assert b"branch" not in answer.body


@pytest.mark.parametrize("key", ["file.txt", "main", "main/", "/x", "ma in/x", "main~x/k", "a^b/k"])
def test_a_key_that_cannot_be_is_not_there(client: Client, lakefs: LakeFS, key: str) -> None:
    """lakeFS would answer 404 without a document, or 500."""
    path = "/repo/" + key.replace(" ", "%20")
    answer = client.send("GET", path)
    assert said(answer) == (404, "NoSuchKey")
    assert f"<Key>{key}</Key>".encode() in answer.body
    assert client.send("HEAD", path).status == 404
    assert not lakefs.seen


@pytest.mark.parametrize("key", ["main/missing", "nobranch/a.txt", "v1.0/a.txt", "main~9/a.txt"])
def test_a_key_that_is_not_there(client: Client, key: str) -> None:
    answer = client.send("GET", f"/repo/{key}")
    assert said(answer) == (404, "NoSuchKey")
    assert f"<Key>{key}</Key>".encode() in answer.body
    head = client.send("HEAD", f"/repo/{key}")
    assert (head.status, head.body) == (404, b"")
    assert head.fields["x-amz-request-id"]


@pytest.mark.parametrize(
    ("ref", "reaches"),
    [
        ("main@@", False),
        ("main@~1", False),
        ("main~1@", False),
        ("v1.0@", False),
        ("v1.0$", False),
        ("main^2", True),
        ("main^9", True),
        ("v1@", True),
        ("v1$", True),
        ("v1.0~9", True),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_expression_that_names_nothing(
    client: Client, lakefs: LakeFS, method: str, ref: str, reaches: bool
) -> None:
    """L8: lakeFS says 500 of most of them; what it alone can know is asked."""
    repository = lakefs.store.repositories["repo"]
    repository.tags["v1"] = repository.tags["v1.0"] = repository.commit("main", "first")
    answer = client.send(method, f"/repo/{ref}/a.txt")
    assert answer.status == 404
    assert answer.code == ("NoSuchKey" if method == "GET" else "")
    assert bool(lakefs.seen) is reaches


@pytest.mark.parametrize("ref", ["main~0", "main@", "main$", "main~", "dev^0"])
def test_an_expression_is_for_lakefs_to_read(client: Client, lakefs: LakeFS, ref: str) -> None:
    assert client.send("GET", f"/repo/{ref}/a.txt").status in (200, 404)
    assert lakefs.seen


@pytest.mark.parametrize("key", ["file.txt", "main/", "/x"])
@pytest.mark.parametrize("request_", ["PUT", "POST ?uploads"])
def test_a_write_without_a_branch(client: Client, lakefs: LakeFS, key: str, request_: str) -> None:
    """lakeFS would answer 404 without a document, after the whole body."""
    method, _, query = request_.partition(" ")
    answer = client.send(method, f"/repo/{key}{query}", b"" if query else b"data")
    assert said(answer) == (400, "InvalidRequest")
    assert b"main/path" in answer.body
    assert not lakefs.seen


@pytest.mark.parametrize("branch", ["v1.0", "main~1", "main@", "a%20b"])
def test_a_write_to_what_can_be_no_branch(client: Client, lakefs: LakeFS, branch: str) -> None:
    """lakeFS would answer 500."""
    answer = client.send("PUT", f"/repo/{branch}/k", b"x")
    assert said(answer) == (404, "NoSuchBucket")
    shown = branch.replace("%20", " ")
    assert f"repo has no branch {shown}</Message>".encode() in answer.body
    assert not lakefs.seen


def test_a_write_to_a_branch_that_is_not_there(client: Client, lakefs: LakeFS) -> None:
    """lakeFS says NoSuchBucket as well, but not that it is the branch."""
    for method, query in (("PUT", ""), ("POST", "?uploads")):
        answer = client.send(method, f"/repo/nobranch/k{query}", b"")
        assert said(answer) == (404, "NoSuchBucket")
        assert b"repo has no branch nobranch</Message>" in answer.body


@pytest.mark.parametrize("key", ["main/", "main", "file.txt"])
def test_a_key_that_cannot_be_is_as_deleted_as_any_other(client: Client, key: str) -> None:
    """lakeFS would answer 404 without a document."""
    answer = client.send("DELETE", f"/repo/{key}")
    assert (answer.status, answer.body) == (204, b"")
    assert client.send("GET", PATH).body == OBJECT


# What lakeFS refuses in its own words


@pytest.mark.parametrize(
    ("method", "query"), [("PUT", ""), ("DELETE", ""), ("POST", "?uploads"), ("PUT", " copy")]
)
def test_a_read_only_repository(client: Client, lakefs: LakeFS, method: str, query: str) -> None:
    lakefs.add_repository("archive", read_only=True)
    copied = {"x-amz-copy-source": "repo/main/a.txt"} if query == " copy" else {}
    path = "/archive/main/k" + query.replace(" copy", "")
    answer = client.send(method, path, b"", copied)
    assert said(answer) == (403, "AccessDenied")
    assert b"read-only" in answer.body


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_protected_branch(client: Client, lakefs: LakeFS, method: str) -> None:
    lakefs.store.repositories["repo"].branches["main"].is_protected = True
    answer = client.send(method, PATH, b"")
    assert said(answer) == (403, "AccessDenied")
    assert b"protected" in answer.body
    assert stored(lakefs) == OBJECT


def test_lost_data_is_not_a_missing_version(client: Client, lakefs: LakeFS) -> None:
    lakefs.lose("repo", "main", "a.txt")
    assert said(client.send("GET", PATH)) == (404, "NoSuchKey")


def test_metadata_that_is_too_large(client: Client, lakefs: LakeFS) -> None:
    """lakeFS would say so after the whole body."""
    assert client.send("PUT", PATH, b"x", {"x-amz-meta-a": "v" * 2047}).status == 200
    lakefs.seen.clear()
    answer = client.send("PUT", PATH, b"x", {"x-amz-meta-a": "v" * 2048})
    assert said(answer) == (400, "MetadataTooLarge")
    assert not lakefs.seen


def test_a_body_that_is_not_what_was_signed(client: Client, lakefs: LakeFS) -> None:
    """lakeFS would answer 500, after the whole body."""
    head = client.signed("PUT", PATH, b"what was signed")
    answer = client.raw(head, b"another content", "PUT")
    assert said(answer) == (400, "XAmzContentSHA256Mismatch")
    assert stored(lakefs) == OBJECT


def test_the_sdk_names_them(sdk: Any) -> None:
    with pytest.raises(sdk.exceptions.NoSuchKey):
        sdk.get_object(Bucket="repo", Key="main/missing")
    with pytest.raises(sdk.exceptions.NoSuchBucket):
        sdk.list_objects_v2(Bucket="missing")
    with pytest.raises(ClientError) as refused:
        sdk.head_bucket(Bucket="missing")
    assert refused.value.response["Error"]["Code"] == "404"


@pytest.mark.parametrize("ref", ["main@@", "main^2", "v1@", "main~0"])
@pytest.mark.parametrize("query", ["", "?partNumber=1&uploadId="])
def test_a_copy_from_a_ref_that_names_nothing(
    client: Client, lakefs: LakeFS, query: str, ref: str
) -> None:
    """L8: as a read of it; lakeFS says 400, and 500 of its HEAD. Of `main~0` it is the key."""
    repository = lakefs.store.repositories["repo"]
    repository.tags["v1"] = repository.commit("main", "first")
    if query:
        begun = client.send("POST", "/repo/main/copy?uploads")
        query += begun.body.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    source = {"x-amz-copy-source": f"/repo/{ref}/missing"}
    answer = client.send("PUT", f"/repo/main/copy{query}", b"", source)
    assert said(answer) == (404, "NoSuchKey")
    assert f"<Key>{ref}/missing</Key>".encode() in answer.body
