"""The gateway in front of the lakeFS double: lists are S3's.

Rules: each test names the difference that `tests/process/lakefs/test_listing.py` shows of the
double itself, and shows that a client does not see it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.doubles.http1 import Answer
from tests.doubles.lakefs import LakeFS
from tests.process.harness import Gateway
from tests.process.lakefs.client import Client
from tests.process.lakefs.gateway import KEYS, configuration

NAMES = ["a.txt", "b/1", "b/2", "c&d +é", "e"]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[LakeFS, Gateway]]:
    with LakeFS() as lakefs, Gateway.start(configuration(lakefs), 1) as gateway:
        yield lakefs, gateway


@pytest.fixture
def lakefs(running: tuple[LakeFS, Gateway]) -> LakeFS:
    """With a fresh `repo`, and NAMES on its `main`."""
    lakefs = running[0]
    lakefs.store.repositories.clear()
    lakefs.add_repository("repo", "dev")
    direct = Client(lakefs)
    for name in NAMES:
        path = f"/repo/main/{name}".replace(" ", "%20").replace("é", "%C3%A9")
        assert direct.send("PUT", path, b"x").status == 200
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


def names(answer: Answer) -> list[str]:
    """Keys and common prefixes, as written."""
    assert answer.status == 200, answer.body
    found: list[bytes] = re.findall(rb"<(?:Key|Prefix)>([^<]*)</", answer.body)
    return [name.decode() for name in found][1:]


def value(answer: Answer, name: str) -> str | None:
    found = re.search(f"<{name}>([^<]*)</{name}>".encode(), answer.body)
    return found[1].decode() if found else None


# What SDKs do


def test_boto3_gets_every_key_as_it_is(sdk: Any) -> None:
    """botocore asks for encoding-type=url, and decodes if EncodingType is echoed."""
    for pages in (
        sdk.get_paginator("list_objects_v2").paginate(
            Bucket="repo", Prefix="main/", PaginationConfig={"PageSize": 2}
        ),
        sdk.get_paginator("list_objects").paginate(
            Bucket="repo", Prefix="main/", PaginationConfig={"PageSize": 2}
        ),
    ):
        shown = list(pages)
        assert len(shown) == 3
        assert [row["Key"] for page in shown for row in page["Contents"]] == [
            f"main/{name}" for name in NAMES
        ]


def test_boto3_walks_folders(sdk: Any) -> None:
    pages = sdk.get_paginator("list_objects_v2").paginate(
        Bucket="repo", Prefix="main/", Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    shown = list(pages)
    keys = [row["Key"] for page in shown for row in page.get("Contents", ())]
    folders = [row["Prefix"] for page in shown for row in page.get("CommonPrefixes", ())]
    assert (keys, folders) == (["main/a.txt", "main/c&d +é", "main/e"], ["main/b/"])
    assert {page["EncodingType"] for page in shown} == {"url"}


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("asked", [{}, {"Delimiter": "/"}])
def test_boto3_finds_branches_page_by_page(
    sdk: Any, lakefs: LakeFS, operation: str, asked: dict[str, str]
) -> None:
    """L3: lakeFS tells V1 where a list of branches goes on only if there is a delimiter, and would
    go on from `dev/` behind `dev-a`.
    """
    lakefs.store.repositories["repo"].add_branch("dev-a", "main")
    pages = sdk.get_paginator(operation).paginate(
        Bucket="repo", **asked, PaginationConfig={"PageSize": 1}
    )
    found = [row["Prefix"] for page in pages for row in page["CommonPrefixes"]]
    assert found == ["dev/", "dev-a/", "main/"]


# What lakeFS leaves out


@pytest.mark.parametrize("version", ["", "&list-type=2"])
def test_names_are_encoded_if_that_is_asked_for(client: Client, version: str) -> None:
    answer = client.send("GET", f"/repo?prefix=main/c&delimiter=%2B&encoding-type=url{version}")
    assert names(answer) == ["main/c%26d+%2B"]
    assert value(answer, "EncodingType") == "url"
    assert value(answer, "Delimiter") == "%2B"
    plain = client.send("GET", f"/repo?prefix=main/c{version}")
    assert names(plain) == ["main/c&amp;d +é"]
    assert value(plain, "EncodingType") is None


def test_what_was_asked_for_is_echoed(client: Client) -> None:
    answer = client.send("GET", "/repo?list-type=2&prefix=main/&start-after=main/b/2&x-id=x")
    assert value(answer, "StartAfter") == "main/b/2"
    assert value(answer, "KeyCount") == "2"
    assert value(answer, "MaxKeys") == "1000"
    older = client.send("GET", "/repo?prefix=main/&marker=main/b/2")
    assert value(older, "Marker") == "main/b/2"
    assert value(older, "KeyCount") is None


def test_owners_are_shown_where_s3_shows_them(client: Client) -> None:
    for query, count in (
        ("prefix=main/", 5),
        ("list-type=2&prefix=main/", 0),
        ("list-type=2&prefix=main/&fetch-owner=true", 5),
    ):
        body = client.send("GET", f"/repo?{query}").body
        assert body.count(b"<Owner><ID>") == count
        assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns=')


# How much comes back


def test_a_page_has_at_most_1000_keys(client: Client, lakefs: LakeFS) -> None:
    entries = lakefs.store.repositories["repo"].branches["main"].entries
    entries.update({f"k{number:05}": entries["a.txt"] for number in range(1500)})
    answer = client.send("GET", "/repo?list-type=2&prefix=main/&max-keys=5000")
    assert (len(names(answer)), value(answer, "MaxKeys")) == (1000, "1000")
    token = value(answer, "NextContinuationToken")
    rest = client.send("GET", f"/repo?list-type=2&prefix=main/&continuation-token={token}")
    assert (len(names(rest)), value(rest, "IsTruncated")) == (505, "false")
    assert value(rest, "ContinuationToken") == token


@pytest.mark.parametrize("version", ["", "&list-type=2"])
def test_max_keys_of_zero_is_not_truncated(client: Client, version: str) -> None:
    answer = client.send("GET", f"/repo?prefix=main/&max-keys=0{version}")
    assert (names(answer), value(answer, "IsTruncated")) == ([], "false")


@pytest.mark.parametrize("sent", ["x", "-1", "2147483648"])
def test_a_bad_max_keys_does_not_reach_lakefs(client: Client, lakefs: LakeFS, sent: str) -> None:
    answer = client.send("GET", f"/repo?prefix=main/&max-keys={sent}")
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert not lakefs.seen


# Where it begins


@pytest.mark.parametrize("where", ["marker", "list-type=2&start-after"])
def test_a_marker_that_is_the_prefix_is_a_marker(
    client: Client, lakefs: LakeFS, where: str
) -> None:
    """L2."""
    entries = lakefs.store.repositories["repo"].branches["main"].entries
    entries["dir/"] = entries["dir/a"] = entries["a.txt"]
    path = f"/repo?prefix=main/dir/&max-keys=1&{where}=main/dir/"
    assert names(client.send("GET", path)) == ["main/dir/a"]
    assert names(client.send("GET", f"{path}a")) == []


@pytest.mark.parametrize("where", ["marker", "list-type=2&start-after"])
def test_a_common_prefix_with_nothing_behind_the_marker_is_not_shown(
    client: Client, where: str
) -> None:
    """L19."""
    path = f"/repo?prefix=main/&delimiter=/&{where}=main/b"
    assert names(client.send("GET", f"{path}/1"))[0] == "main/b/"
    for after in (f"{path}/2", f"{path}/"):
        assert names(client.send("GET", after)) == ["main/c&amp;d +é", "main/e"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("list-type=2&start-after=dev/a", 5),
        ("list-type=2&start-after=a", 5),
        ("list-type=2&start-after=zzz", 0),
        ("marker=dev/a", 5),
        ("marker=/", 5),
        ("marker=main0", 0),
        ("marker=MAIN/c", 5),
        ("marker=main/c", 2),
    ],
)
def test_a_marker_need_not_be_of_the_same_branch(client: Client, query: str, expected: int) -> None:
    assert len(names(client.send("GET", f"/repo?prefix=main/&{query}"))) == expected


def test_tokens_are_opaque_and_no_keys(client: Client, lakefs: LakeFS) -> None:
    path = "/repo?list-type=2&prefix=main/&max-keys=2"
    token = value(client.send("GET", path), "NextContinuationToken")
    assert token is not None
    assert "main" not in token
    assert names(client.send("GET", f"{path}&continuation-token={token}"))[0] == "main/b/2"
    lakefs.seen.clear()
    for foreign in ("main/b/1", "", token[:-2]):
        answer = client.send("GET", f"{path}&continuation-token={foreign}")
        assert (answer.status, answer.code) == (400, "InvalidArgument")
        assert b"The continuation token provided is incorrect" in answer.body
    elsewhere = client.send("GET", f"/repo?list-type=2&prefix=dev/&continuation-token={token}")
    assert elsewhere.code == "InvalidArgument"
    assert not lakefs.seen


@pytest.mark.parametrize("version", ["", "&list-type=2"])
@pytest.mark.parametrize("prefix", ["nobranch/", "ma~x/", "/", "/main/e", "nothing"])
def test_a_prefix_that_is_not_there_is_an_empty_list(
    client: Client, prefix: str, version: str
) -> None:
    answer = client.send("GET", f"/repo?prefix={prefix}{version}")
    assert names(answer) == []
    assert value(answer, "Prefix") == prefix
    assert value(answer, "IsTruncated") == "false"


def test_a_bucket_that_is_not_there_is_still_told(sdk: Any) -> None:
    for asked in ({}, {"MaxKeys": 0}, {"Prefix": "main/", "StartAfter": "z"}):
        with pytest.raises(ClientError, match="NoSuchBucket"):
            sdk.list_objects_v2(Bucket="missing", **asked)


def test_a_list_does_not_turn_in_a_circle(client: Client, lakefs: LakeFS) -> None:
    """lakeFS would go on behind the first line of the key, again and again."""
    Client(lakefs).send("PUT", "/repo/main/a%0Ab", b"x")
    path = "/repo?list-type=2&prefix=main/&max-keys=1"
    first = client.send("GET", path)
    assert names(first) == ["main/a\nb"]
    token = value(first, "NextContinuationToken")
    assert names(client.send("GET", f"{path}&continuation-token={token}")) == ["main/a.txt"]
    for query in ("prefix=main/a%0A", "prefix=main/&marker=main/a%0Ab"):
        assert client.send("GET", f"/repo?{query}").code == "NotImplemented"


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_keys_that_xml_cannot_hold_are_paged_over(
    sdk: Any, lakefs: LakeFS, operation: str, size: int
) -> None:
    """L17: going on from U+FFFD would leave out what stands between it and the key itself."""
    entries = lakefs.store.repositories["repo"].branches["main"].entries
    for key in ("a\x01", "a\x02", "a\nb", "d\ufffe", "zz\x1f"):
        entries[key] = entries["a.txt"]
    pages = sdk.get_paginator(operation).paginate(
        Bucket="repo", Prefix="main/", PaginationConfig={"PageSize": size}
    )
    shown = [row["Key"].removeprefix("main/") for page in pages for row in page["Contents"]]
    untold = {"a\x01": "a\ufffd", "a\x02": "a\ufffd", "d\ufffe": "d\ufffd", "zz\x1f": "zz\ufffd"}
    assert shown == [untold.get(key, key) for key in sorted(entries)]


def test_another_list_type_is_an_invalid_argument(client: Client, lakefs: LakeFS) -> None:
    for kind in ("3", "x"):
        assert client.send("GET", f"/repo?list-type={kind}").code == "InvalidArgument"
    assert not lakefs.seen


# Buckets


def test_buckets_come_in_pages(sdk: Any, lakefs: LakeFS) -> None:
    lakefs.add_repository("other")
    first = sdk.list_buckets(MaxBuckets=1)
    assert [bucket["Name"] for bucket in first["Buckets"]] == ["other"]
    second = sdk.list_buckets(MaxBuckets=1, ContinuationToken=first["ContinuationToken"])
    assert [bucket["Name"] for bucket in second["Buckets"]] == ["repo"]
    assert "ContinuationToken" not in second
    assert first["Owner"]["ID"]
    found = sdk.list_buckets(Prefix="o")
    assert [bucket["Name"] for bucket in found["Buckets"]] == ["other"]
