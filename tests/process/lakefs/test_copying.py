"""The double directly: CopyObject.

lakeFS 1.84: pkg/gateway/operations/putobject.go handleCopy, pkg/catalog/catalog.go CopyEntry,
esti/s3_gateway_test.go TestS3CopyObject*, if a test names nothing else.
"""

from __future__ import annotations

import pytest

from tests.doubles.http1 import Answer
from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client
from tests.process.lakefs.conftest import OBJECT


def copy(client: Client, source: str, to: str = "/repo/main/copy", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.send("PUT", to, headers={"x-amz-copy-source": source, **named})


@pytest.mark.parametrize("source", ["repo/main/a.txt", "/repo/main/a.txt", "/repo/main/a%2Etxt"])
def test_a_copy_keeps_bytes_and_type(client: Client, source: str) -> None:
    answer = copy(client, source, content_type="image/png")
    assert answer.status == 200
    assert b"<CopyObjectResult><LastModified>" in answer.body
    got = client.send("GET", "/repo/main/copy")
    assert got.body == OBJECT
    assert got.fields["content-type"] == "text/plain"  # even if a new one is sent


def test_a_copy_crosses_branches_and_repositories(client: Client, lakefs: LakeFS) -> None:
    lakefs.add_repository("other")
    for to in ("/repo/dev/copy", "/other/main/copy", "/repo/main/a.txt"):
        assert copy(client, "/repo/main/a.txt", to).status == 200
        assert client.send("GET", to).body == OBJECT


def test_only_replace_in_exact_case_replaces_metadata(client: Client) -> None:
    client.send("PUT", "/repo/main/m", b"x", {"x-amz-meta-a": "old", "content-type": "a/old"})
    sent = {"x_amz_meta_a": "new", "content_type": "a/new"}
    for directive, expected in (("REPLACE", "new"), ("replace", "old"), ("COPY", "old")):
        copy(client, "/repo/main/m", x_amz_metadata_directive=directive, **sent)
        fields = client.send("HEAD", "/repo/main/copy").fields
        assert fields["x-amz-meta-a"] == expected
        assert fields["content-type"] == "a/old"  # the type is never replaced


def test_a_raw_plus_in_the_source_is_a_space(client: Client) -> None:
    client.send("PUT", "/repo/main/a+b", b"plus")
    client.send("PUT", "/repo/main/a%20b", b"space")
    copy(client, "/repo/main/a+b")
    assert client.send("GET", "/repo/main/copy").body == b"space"
    copy(client, "/repo/main/a%2Bb")
    assert client.send("GET", "/repo/main/copy").body == b"plus"


def test_a_version_id_is_part_of_the_key(client: Client) -> None:
    answer = copy(client, "/repo/main/a.txt?versionId=null")
    assert (answer.status, answer.code) == (404, "NoSuchKey")


def test_conditions_of_a_copy_are_ignored(client: Client) -> None:
    conditions = {"x_amz_copy_source_if_match": '"other"', "if_none_match": "*"}
    copy(client, "/repo/main/a.txt")
    assert copy(client, "/repo/main/a.txt", **conditions).status == 200


@pytest.mark.parametrize(
    "source", ["/repo/main/missing", "/repo/nobranch/a.txt", "/missing/main/a.txt"]
)
def test_a_missing_source_is_no_such_key(client: Client, source: str) -> None:
    """Confirmed on a real 1.84.0; a missing repository is one as well."""
    answer = copy(client, source)
    assert (answer.status, answer.code) == (404, "NoSuchKey")


@pytest.mark.parametrize("source", ["repo", "/repo/main", "%zz"])
def test_a_malformed_source_is_an_invalid_argument(client: Client, source: str) -> None:
    answer = copy(client, source)
    assert (answer.status, answer.code) == (400, "InvalidArgument")


@pytest.mark.parametrize(
    ("to", "status", "code"),
    [("nobranch", 404, "NoSuchBucket"), ("v1.0", 500, "InternalError")],
)
def test_the_branch_is_looked_at_first(client: Client, to: str, status: int, code: str) -> None:
    """Confirmed on a real 1.84.0; before the source, and of a copied part as well."""
    answer = copy(client, "repo", f"/repo/{to}/k")
    assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize("source", ["/repo/main/", "/repo//a.txt", "%zz/main/a.txt"])
def test_a_source_that_can_be_no_object_is_an_invalid_request(client: Client, source: str) -> None:
    """Confirmed on a real 1.84.0; what does not unescape is taken as it is."""
    answer = copy(client, source)
    assert (answer.status, answer.code) == (400, "InvalidRequest")


@pytest.mark.parametrize(
    ("source", "to"),
    [
        ("/repo/main/a.txt", "/repo/dev/k"),
        ("/repo/ma~x/a.txt", "/repo/main/k"),
        ("/repo/main/a.txt", f"/repo/main/{'k' * 1025}"),
    ],
    ids=["protected", "bad ref", "long key"],
)
def test_every_other_failure_is_an_invalid_request(
    client: Client, lakefs: LakeFS, source: str, to: str
) -> None:
    lakefs.store.repositories["repo"].branches["dev"].is_protected = True
    answer = copy(client, source, to)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
