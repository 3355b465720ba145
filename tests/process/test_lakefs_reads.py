"""The gateway in front of the lakeFS double: conditions, ranges and parameters of reads are S3's.

Rules: as in `test_lakefs`; lakeFS ignores everything here, or says less than S3.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doubles.lakefs import LakeFS
from tests.process.lakefs.client import Client, Headers
from tests.process.lakefs.gateway import KEYS, OBJECT, PATH

TAG = f'"{hashlib.md5(OBJECT, usedforsecurity=False).hexdigest()}"'
OTHER = '"0123456789abcdef0123456789abcdef"'
PAST = "Sat, 01 Jan 2000 00:00:00 GMT"
FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT"
BIG = b"x" * (1 << 20)
BIG_PATH = "/repo/main/big"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-match": TAG}, 200),
        ({"if-match": OTHER}, 412),
        ({"if-match": f"{OTHER}, {TAG}"}, 200),
        ({"if-none-match": TAG}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": OTHER}, 200),
        ({"if-modified-since": PAST}, 200),
        ({"if-modified-since": FUTURE}, 304),
        ({"if-unmodified-since": PAST}, 412),
        ({"if-unmodified-since": FUTURE}, 200),
        ({"if-match": TAG, "if-unmodified-since": PAST}, 200),
        ({"if-none-match": OTHER, "if-modified-since": FUTURE}, 200),
        ({"if-match": TAG, "if-none-match": TAG}, 304),
        ({"if-none-match": TAG, "range": "bytes=2-4"}, 304),
        ({"if-match": OTHER, "range": "bytes=2-4"}, 412),
        ({"if-match": OTHER, "range": "bytes=99-"}, 412),
        ({"if-match": TAG, "range": "bytes=2-4"}, 206),
    ],
)
def test_a_condition_on_a_read(client: Client, headers: Headers, status: int) -> None:
    got, head = (
        client.send("GET", PATH, headers=headers),
        client.send("HEAD", PATH, headers=headers),
    )
    assert (got.status, head.status) == (status, status)
    if status == 304:
        assert (got.body, got.fields["etag"]) == (b"", TAG)
        assert not {"content-length", "content-type"} & set(got.fields)
        assert "last-modified" in head.fields
    elif status == 412:
        assert got.code == "PreconditionFailed"
        assert b"<Condition>If-" in got.body
    else:
        assert got.body == (OBJECT if status == 200 else b"234")


@pytest.mark.parametrize("headers", [{"if-none-match": "*"}, {"if-match": OTHER}])
def test_a_long_object_that_is_not_sent(client: Client, lakefs: LakeFS, headers: Headers) -> None:
    """Its body is not read away: the connection to lakeFS goes instead."""
    Client(lakefs).send("PUT", BIG_PATH, BIG)
    for method in ("GET", "HEAD"):
        assert client.send(method, BIG_PATH, headers=headers).status in (304, 412)
    assert client.send("GET", BIG_PATH).body == BIG


def test_a_missing_object_meets_no_condition(client: Client) -> None:
    answer = client.send("GET", "/repo/main/missing", headers={"if-none-match": "*"})
    assert (answer.status, answer.code) == (404, "NoSuchKey")


def test_boto3_sees_conditions(sdk: Any) -> None:
    asked = {"Bucket": "repo", "Key": "main/a.txt"}
    for condition, code in (({"IfNoneMatch": TAG}, "304"), ({"IfMatch": OTHER}, "412")):
        with pytest.raises(ClientError) as refused:
            sdk.head_object(**asked, **condition)
        assert refused.value.response["Error"]["Code"] == code
    assert sdk.get_object(**asked, IfMatch=TAG.strip('"'))["Body"].read() == OBJECT


# Ranges


@pytest.mark.parametrize(("by", "other"), [("etag", OTHER), ("last-modified", PAST)])
def test_if_range(client: Client, by: str, other: str) -> None:
    """A part of another object than the one that the client began to read would be glued to it."""
    same = client.send("HEAD", PATH).fields[by]
    part = client.send("GET", PATH, headers={"range": "bytes=2-", "if-range": same})
    assert (part.status, part.body) == (206, OBJECT[2:])
    whole = client.send("GET", PATH, headers={"range": "bytes=2-", "if-range": other})
    assert (whole.status, whole.body) == (200, OBJECT)
    assert "content-range" not in whole.fields
    assert client.send("GET", PATH, headers={"if-range": other}).body == OBJECT


def test_if_range_of_an_object_that_became_shorter(client: Client) -> None:
    answer = client.send("GET", PATH, headers={"range": "bytes=99-", "if-range": OTHER})
    assert (answer.status, answer.body) == (200, OBJECT)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_a_range_beyond_the_end_says_where_the_end_is(client: Client, asked: str) -> None:
    got = client.send("GET", PATH, headers={"range": asked})
    assert (got.status, got.code) == (416, "InvalidRange")
    assert got.fields["content-range"] == "bytes */10"
    assert f"<RangeRequested>{asked}</RangeRequested>".encode() in got.body
    assert b"<ActualObjectSize>10</ActualObjectSize>" in got.body
    head = client.send("HEAD", PATH, headers={"range": asked})
    assert (head.status, head.fields["content-range"]) == (416, "bytes */10")


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=5-2", "items=0-1"])
def test_a_range_that_s3_ignores_as_well(client: Client, asked: str) -> None:
    answer = client.send("GET", PATH, headers={"range": asked})
    assert (answer.status, answer.body) == (200, OBJECT)


# Parameters


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_headers_that_are_asked_for(client: Client, lakefs: LakeFS, method: str) -> None:
    wanted = {
        "cache-control": "no-cache",
        "content-disposition": "attachment; filename=a b.txt",
        "content-encoding": "gzip",
        "content-language": "de",
        "content-type": "application/x-other",
        "expires": "Fri, 01 Jan 2100 00:00:00 GMT",
    }
    pairs = [f"response-{name}={value}" for name, value in wanted.items()]
    query = "&".join(pairs).replace(" ", "%20").replace(";", "%3B").replace("/", "%2F")
    answer = client.send(method, f"{PATH}?{query}")
    assert answer.status == 200
    assert {name: answer.fields[name] for name in wanted} == wanted
    assert lakefs.seen[-1].line == f"{method} {PATH}"


def test_a_header_that_would_be_two(client: Client, lakefs: LakeFS) -> None:
    answer = client.send("GET", f"{PATH}?response-expires=a%0d%0aX-Evil:%201")
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert not lakefs.seen


def test_boto3_downloads_under_another_name(sdk: Any) -> None:
    asked = {"Bucket": "repo", "Key": "main/a.txt", "ResponseContentDisposition": "attachment"}
    assert sdk.get_object(**asked)["ContentDisposition"] == "attachment"


def test_an_object_has_one_part(client: Client) -> None:
    for method in ("GET", "HEAD"):
        first = client.send(method, f"{PATH}?partNumber=1")
        assert (first.status, first.fields["content-range"]) == (206, "bytes 0-9/10")
        assert client.send(method, f"{PATH}?partNumber=2").status == 416
    assert client.send("GET", f"{PATH}?partNumber=1").body == OBJECT
    assert client.send("GET", f"{PATH}?partNumber=2").code == "InvalidPartNumber"


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("partNumber=0", {}, "InvalidArgument"),
        ("partNumber=x", {}, "InvalidArgument"),
        ("partNumber=1", {"range": "bytes=0-1"}, "InvalidRequest"),
    ],
)
def test_a_part_that_cannot_be(
    client: Client, lakefs: LakeFS, query: str, headers: Headers, code: str
) -> None:
    answer = client.send("GET", f"{PATH}?{query}", headers=headers)
    assert (answer.status, answer.code) == (400, code)
    assert not lakefs.seen


def test_a_bucket_says_its_region(sdk: Any, client: Client) -> None:
    assert client.send("HEAD", "/repo").fields["x-amz-bucket-region"] == "us-east-1"
    assert sdk.head_bucket(Bucket="repo")["BucketRegion"] == "us-east-1"
    assert sdk.get_bucket_location(Bucket="repo")["LocationConstraint"] is None


# What reaches lakeFS


@pytest.mark.parametrize(
    "query", ["a=1&a=2", "x-id=1&x-id=2", "x-id=a;b", "x-id=a%3Bb&x-id", "response-expires=a%3B"]
)
def test_a_query_that_lakefs_would_read_in_another_way(
    client: Client, lakefs: LakeFS, query: str
) -> None:
    """It signs the first of a name only, and drops what has a `;`: the signatures would differ."""
    assert client.send("GET", f"{PATH}?{query.replace('a=', 'x-a=')}").body == OBJECT
    assert lakefs.seen[-1].line == f"GET {PATH}"


def test_lines_of_one_name_become_one(client: Client, lakefs: LakeFS) -> None:
    """lakeFS signs the first line of a name only; S3 joins them."""
    head = client.signed("PUT", PATH, b"x", {"x-amz-meta-a": "one,two"})
    twice = head.replace(b"x-amz-meta-a: one,two", b"x-amz-meta-a: one\r\nx-amz-meta-a: two")
    assert twice != head
    assert client.raw(twice, b"x", "PUT").status == 200
    assert client.send("GET", PATH).fields["x-amz-meta-a"] == "one,two"


def test_what_lakefs_would_trust_or_obey(client: Client, lakefs: LakeFS) -> None:
    """Its policies believe who the client says it is; one User-Agent is sent to the block store."""
    lies = {
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "elsewhere",
        "forwarded": "for=10.0.0.1",
        "x-real-ip": "10.0.0.1",
        "cookie": "internal_auth_session=x",
        "user-agent": "spark s3RedirectionSupport",
    }
    answer = client.send("GET", PATH, headers=lies)
    assert (answer.status, answer.body) == (200, OBJECT)
    (seen,) = lakefs.seen
    assert not [name for name in lies if seen.request.has_header(name)]


def test_another_user_agent_crosses(client: Client, lakefs: LakeFS) -> None:
    client.send("GET", PATH, headers={"user-agent": "spark"})
    assert lakefs.seen[-1].request.header("user-agent") == "spark"


def test_a_presigned_url_takes_conditions(client: Client) -> None:
    answer = client.presigned(PATH, headers={"if-none-match": TAG})
    assert answer.status == 304
    assert KEYS[0] not in str(answer.fields)
