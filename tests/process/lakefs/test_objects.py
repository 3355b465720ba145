"""The double directly: reading, writing and deleting one object.

Every test says which file of lakeFS 1.84 the behaviour was read in (OPS = pkg/gateway/operations).
"""

from __future__ import annotations

import hashlib

import pytest

from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client
from tests.process.lakefs.conftest import OBJECT

PATH = "/repo/main/a.txt"


def test_a_get_has_these_headers_and_no_others(client: Client) -> None:
    """lakeFS 1.84: OPS/getobject.go; no version id, storage class, cache-control, checksum."""
    headers = {"cache-control": "no-cache", "content-disposition": "x", "x-amz-meta-A": "1"}
    headers |= {"x-amz-storage-class": "GLACIER", "x-amz-tagging": "a=b", "x-amz-acl": "private"}
    client.send("PUT", PATH, OBJECT, headers)
    common = {"date", "content-length", "last-modified", "etag", "content-type", "accept-ranges"}
    common |= {"x-amz-meta-a", "x-amz-request-id"}
    browser = {"x-content-type-options", "x-frame-options", "content-security-policy"}
    got, head = client.send("GET", PATH), client.send("HEAD", PATH)
    assert set(got.fields) - {"connection"} == common | browser
    assert set(head.fields) - {"connection"} == common
    assert got.fields["etag"] == f'"{hashlib.md5(OBJECT, usedforsecurity=False).hexdigest()}"'
    assert got.fields["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("name", ["torrent", "acl", "retention", "legal-hold", "lambdaArn"])
def test_a_listed_sub_resource_of_get_is_refused(client: Client, name: str) -> None:
    """lakeFS 1.84: OPS/getobject.go."""
    answer = client.send("GET", f"{PATH}?{name}")
    assert (answer.status, answer.code) == (405, "ERRLakeFSNotSupported")


@pytest.mark.parametrize(
    "query",
    ["attributes", "versionId=x", "partNumber=2", "response-content-type=a/b", "not-invented"],
)
def test_any_other_sub_resource_of_get_is_the_whole_object(client: Client, query: str) -> None:
    """lakeFS 1.84: OPS/getobject.go; it falls through."""
    answer = client.send("GET", f"{PATH}?{query}")
    assert (answer.status, answer.body) == (200, OBJECT)
    assert answer.fields["content-type"] == "text/plain"


@pytest.mark.parametrize("name", ["versioning", "tagging"])
def test_two_sub_resources_are_empty_even_for_a_missing_key(client: Client, name: str) -> None:
    """lakeFS 1.84: OPS/getobject.go."""
    answer = client.send("GET", f"/repo/main/missing?{name}")
    assert answer.status == 200
    assert b"xmlns=" in answer.body


@pytest.mark.parametrize("name", ["torrent", "acl", "tagging"])
def test_a_listed_sub_resource_of_put_is_refused(client: Client, name: str) -> None:
    """lakeFS 1.84: OPS/putobject.go."""
    answer = client.send("PUT", f"{PATH}?{name}", b"<x/>")
    assert (answer.status, answer.code) == (405, "ERRLakeFSNotSupported")
    assert client.send("GET", PATH).body == OBJECT


@pytest.mark.parametrize("name", ["retention", "legal-hold", "encryption", "not-invented"])
def test_any_other_sub_resource_of_put_overwrites_the_object(client: Client, name: str) -> None:
    """lakeFS 1.84: OPS/putobject.go; it falls through to a plain put."""
    assert client.send("PUT", f"{PATH}?{name}", b"<x/>").status == 200
    assert client.send("GET", PATH).body == b"<x/>"


@pytest.mark.parametrize("name", ["torrent", "acl", "tagging"])
def test_a_listed_sub_resource_of_delete_is_refused(client: Client, name: str) -> None:
    """lakeFS 1.84: OPS/deleteobject.go."""
    answer = client.send("DELETE", f"{PATH}?{name}")
    assert (answer.status, answer.code) == (405, "ERRLakeFSNotSupported")
    assert client.send("HEAD", PATH).status == 200


@pytest.mark.parametrize("query", ["versionId=x", "not-invented"])
def test_any_other_sub_resource_of_delete_deletes_the_object(client: Client, query: str) -> None:
    """lakeFS 1.84: OPS/deleteobject.go; the version of an object is not looked at."""
    assert client.send("DELETE", f"{PATH}?{query}").status == 204
    assert client.send("HEAD", PATH).status == 404


def test_posts_that_are_no_upload(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/middleware.go, OPS/postobject.go."""
    for name in ("select&select-type=2", "restore"):
        assert client.send("POST", f"{PATH}?{name}").code == "ERRLakeFSNotSupported"
    other = client.send("POST", PATH)
    assert (other.status, other.body) == (405, b"")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("if-match", '"other"'),
        ("if-none-match", "*"),
        ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"),
        ("if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditions_on_a_read_are_ignored(
    client: Client, method: str, name: str, value: str
) -> None:
    """lakeFS 1.84: OPS/getobject.go, headobject.go hold no reference to them."""
    assert client.send(method, PATH, headers={name: value}).status == 200


def test_if_none_match_star_is_looked_at_by_a_put(client: Client) -> None:
    """lakeFS 1.84: pkg/api/apiutil/conditions.go, esti/s3_gateway_test.go TestS3IfNoneMatch."""
    absent = {"if-none-match": "*"}
    taken = client.send("PUT", PATH, b"x", absent)
    assert (taken.status, taken.code) == (412, "PreconditionFailed")
    assert client.send("PUT", "/repo/main/fresh", b"x", absent).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"if-none-match": '"x"'}, {"if-match": '"x"'}],
)
def test_every_other_condition_on_a_put_is_not_implemented(
    client: Client, headers: dict[str, str]
) -> None:
    """lakeFS 1.84: pkg/api/apiutil/conditions.go."""
    answer = client.send("PUT", PATH, b"x", headers)
    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert client.send("GET", PATH).body == OBJECT


def test_both_conditions_are_no_more_than_the_one(client: Client) -> None:
    """Confirmed on a real 1.84.0: whether the object is there is looked at first."""
    both = {"if-match": "*", "if-none-match": "*"}
    assert client.send("PUT", PATH, b"x", both).status == 412
    assert client.send("PUT", "/repo/main/fresh", b"x", both).status == 501


def test_an_empty_condition_is_none(client: Client) -> None:
    """L13."""
    assert client.send("PUT", PATH, b"x", {"if-none-match": "", "if-match": ""}).status == 200


@pytest.mark.parametrize(
    ("asked", "shown", "body"),
    [
        ("bytes=2-4", "bytes 2-4/10", b"234"),
        ("bytes=8-99", "bytes 8-9/10", b"89"),
        ("bytes=-3", "bytes 7-9/10", b"789"),
        ("bytes=7-", "bytes 7-9/10", b"789"),
    ],
)
def test_a_range_is_partial_content(client: Client, asked: str, shown: str, body: bytes) -> None:
    """lakeFS 1.84: pkg/httputil/range.go."""
    answer = client.send("GET", PATH, headers={"range": asked})
    assert (answer.status, answer.fields["content-range"], answer.body) == (206, shown, body)


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=5-2", "items=0-1", "bytes=x-"])
def test_a_range_that_makes_no_sense_is_ignored(client: Client, asked: str) -> None:
    """lakeFS 1.84: pkg/httputil/range.go; also several ranges."""
    answer = client.send("GET", PATH, headers={"range": asked})
    assert (answer.status, answer.body) == (200, OBJECT)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=-0"])
def test_a_range_beyond_the_end(client: Client, asked: str) -> None:
    """lakeFS 1.84: pkg/httputil/range.go; no Content-Range, and HEAD has no body."""
    answer = client.send("GET", PATH, headers={"range": asked})
    assert (answer.status, answer.code) == (416, "InvalidRange")
    assert "content-range" not in answer.fields
    head = client.send("HEAD", PATH, headers={"range": asked})
    assert (head.status, "content-length" in head.fields) == (416, False)


def test_an_empty_object_has_no_ranges(client: Client) -> None:
    """lakeFS 1.84: pkg/httputil/range.go."""
    client.send("PUT", "/repo/main/empty")
    assert client.send("GET", "/repo/main/empty", headers={"range": "bytes=0-"}).status == 416


def test_the_last_bytes_of_an_empty_object_are_none_at_all(client: Client) -> None:
    """L6: lakeFS 1.84: pkg/httputil/range.go; the end stands before the beginning."""
    client.send("PUT", "/repo/main/empty")
    answer = client.send("GET", "/repo/main/empty", headers={"range": "bytes=-8"})
    assert (answer.status, answer.fields["content-range"]) == (206, "bytes 0--1/0")
    assert answer.body == b""


def test_what_is_missing(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: OPS/getobject.go; key and ref alike, and lost data is a missing version."""
    for path in ("/repo/main/missing", "/repo/nobranch/a.txt"):
        answer = client.send("GET", path)
        assert (answer.status, answer.code) == (404, "NoSuchKey")
    lakefs.lose("repo", "main", "a.txt")
    answer = client.send("GET", PATH)
    assert (answer.status, answer.code) == (404, "NoSuchVersion")
    assert client.send("HEAD", PATH).status == 200


def test_a_put_to_a_missing_branch_says_that_the_bucket_is_missing(client: Client) -> None:
    """lakeFS 1.84: OPS/putobject.go."""
    answer = client.send("PUT", "/repo/nobranch/k", b"x")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


def test_a_delete_succeeds_whatever_is_missing(client: Client) -> None:
    """lakeFS 1.84: OPS/deleteobject.go."""
    for path in ("/repo/main/missing", "/repo/nobranch/k"):
        assert client.send("DELETE", path).status == 204


def test_protection_is_found_after_the_body_and_read_only_before(
    client: Client, lakefs: LakeFS
) -> None:
    """lakeFS 1.84: OPS/putobject.go."""
    lakefs.store.repositories["repo"].branches["dev"].is_protected = True
    lakefs.add_repository("frozen", read_only=True)
    expect = {"expect": "100-continue"}
    protected = client.raw(client.signed("PUT", "/repo/dev/k", b"x", expect), b"x", "PUT")
    assert (protected.status, protected.code) == (403, "ErrWriteToProtectedBranch")
    frozen = client.raw(client.signed("PUT", "/frozen/main/k", b"x", expect), b"", "PUT")
    assert (frozen.status, frozen.code) == (403, "ErrReadOnlyRepository")
    assert client.send("DELETE", "/repo/dev/k").code == "ErrWriteToProtectedBranch"


def test_metadata_values_come_back_as_encoded_words(client: Client) -> None:
    """lakeFS 1.84: OPS/operation_utils.go."""
    sent = {"x-amz-meta-Name": "=?utf-8?q?gr=C3=BCn?=", "x-amz-meta-plain": "a b"}
    client.send("PUT", PATH, OBJECT, sent)
    fields = client.send("HEAD", PATH).fields
    assert fields["x-amz-meta-name"] == "=?utf-8?q?gr=C3=BCn?="
    assert fields["x-amz-meta-plain"] == "a b"


def test_metadata_names_come_back_as_go_writes_them(client: Client) -> None:
    """L1: Go's net/http writes names of headers in a form of its own."""
    sent = {"x-amz-meta-OWNER": "me", "x-amz-meta-two-parts_x.y": "b"}
    client.send("PUT", PATH, OBJECT, sent)
    for method in ("GET", "HEAD"):
        head = client.wire(client.signed(method, PATH), b"")
        assert b"\r\nX-Amz-Meta-Owner: me\r\n" in head
        assert b"\r\nX-Amz-Meta-Two-Parts_x.y: b\r\n" in head


def test_an_object_without_a_type_has_one_of_lakefs(client: Client) -> None:
    """L18: S3's is `binary/octet-stream`."""
    client.send("PUT", PATH, OBJECT)
    assert client.send("HEAD", PATH).fields["content-type"] == "application/octet-stream"


def test_metadata_has_at_most_2048_bytes(client: Client) -> None:
    """lakeFS 1.84: OPS/operation_utils.go."""
    assert client.send("PUT", PATH, b"x", {"x-amz-meta-a": "v" * 2047}).status == 200
    answer = client.send("PUT", PATH, b"y", {"x-amz-meta-a": "v" * 2048})
    assert (answer.status, answer.code) == (400, "MetadataTooLarge")
    assert client.send("GET", PATH).body == b"x"


def test_an_agent_of_redirections_is_sent_to_the_block_store(client: Client) -> None:
    """lakeFS 1.84: OPS/getobject.go; it cannot be done on local and mem."""
    agent = {"user-agent": "Hadoop s3RedirectionSupport/1.0"}
    answer = client.send("GET", PATH, headers=agent)
    assert answer.status == 307
    assert "X-Amz-Signature" in answer.fields["location"]
    for kind in ("local", "mem"):
        with LakeFS(block_store=kind) as other:
            other.add_repository("repo")
            one = Client(other)
            one.send("PUT", PATH, b"x")
            assert one.send("GET", PATH, headers=agent).status == 500


def test_writes_are_visible_at_once_and_uncommitted(client: Client, lakefs: LakeFS) -> None:
    """lakeFS 1.84: pkg/catalog/catalog.go; nothing is committed by the gateway."""
    assert client.send("GET", PATH).status == 200
    assert client.send("GET", "/repo/main@/a.txt").status == 404
    lakefs.store.repositories["repo"].commit("main", "first")
    assert client.send("GET", "/repo/main@/a.txt").status == 200
