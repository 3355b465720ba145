"""`fastpath.dialects.lakefs.bucket_lists`: repositories in pages of buckets."""

from __future__ import annotations

import re

import pytest

from fastpath.dialects.lakefs.bucket_lists import TOKEN_SCOPE, BucketsAnswer, upstream_query
from fastpath.errors import S3Error
from fastpath.http.query import parse_query
from fastpath.s3.bucket_listing import read_bucket_listing
from fastpath.s3.continuation_tokens import make_token
from tests.doubles.lakefs.xml import DECLARATION, element

NAMES = ["one", "repo", "two"]


def repositories(names: list[str]) -> bytes:
    rows = [
        element(
            "Bucket", element("Name", name), element("CreationDate", "2026-01-02T03:04:05.000Z")
        )
        for name in names
    ]
    owner = element("Owner", element("ID"), element("DisplayName"))
    return DECLARATION + element("ListAllMyBucketsResult", owner, element("Buckets", *rows))


def page(query: str, names: list[str] = NAMES, size: int = 7) -> str:
    rewriter = BucketsAnswer(read_bucket_listing(parse_query(query.encode()), TOKEN_SCOPE))
    document = repositories(names)
    out = b"".join(rewriter.feed(document[at : at + size]) for at in range(0, len(document), size))
    return (out + rewriter.finish()).decode()


def found(document: str) -> list[str]:
    return re.findall("<Name>(.*?)</Name>", document)


def test_all_buckets_at_once() -> None:
    shown = page("x-id=ListBuckets")
    assert found(shown) == NAMES
    assert re.search("<Owner><ID>[0-9a-f]{64}</ID>", shown)
    assert "ContinuationToken" not in shown
    assert "</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>" in shown


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_pages_of_buckets(size: int) -> None:
    seen, token = [], ""
    for _ in NAMES:
        shown = page(f"max-buckets=1{token}", size=size)
        seen += found(shown)
        next_token = re.findall("<ContinuationToken>(.*?)</", shown)
        token = f"&continuation-token={next_token[0]}" if next_token else ""
    assert (seen, token) == (NAMES, "")


def test_no_buckets() -> None:
    assert "<Buckets></Buckets>" in page("", [])
    assert "<Prefix>o</Prefix>" in page("prefix=o", [])
    listing = read_bucket_listing([(b"prefix", b"o &")], TOKEN_SCOPE)
    assert upstream_query(listing) == b"prefix=o%20%26"


def test_pages_need_an_order() -> None:
    assert found(page("", ["b", "a"])) == ["b", "a"]
    for query in ("max-buckets=1", f"continuation-token={make_token(b'', 'a')}"):
        with pytest.raises(S3Error, match="503"):
            page(query, ["b", "a"])


@pytest.mark.parametrize("sent", ["0", "10001", "-1", "x", "9999999999"])
def test_a_bad_number_of_buckets(sent: str) -> None:
    with pytest.raises(S3Error, match="must be an integer between 1 and 10000"):
        page(f"max-buckets={sent}")


@pytest.mark.parametrize("token", ["", "one", make_token(b"repo", "one"), make_token(b"", "")])
def test_a_foreign_token(token: str) -> None:
    with pytest.raises(S3Error, match="The continuation token provided is incorrect"):
        page(f"continuation-token={token}")


def test_a_token_of_another_prefix() -> None:
    with pytest.raises(S3Error, match="The continuation token provided is incorrect"):
        page(f"prefix=t&continuation-token={make_token(b'', 'one')}")


def test_bytes_that_are_no_utf_8() -> None:
    with pytest.raises(S3Error, match="InvalidURI"):
        page("prefix=%ff")
