"""`fastpath.dialects.lakefs.list_answers`: lists of lakeFS as S3 would give them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fastpath.dialects.lakefs.list_answers import ListAnswer, empty_list
from fastpath.dialects.lakefs.list_requests import Listing, read_listing
from fastpath.errors import S3Error
from fastpath.http.query import parse_query
from fastpath.s3.continuation_tokens import read_token
from tests.doubles.lakefs.xml import DECLARATION, element

NAMESPACE = b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def asked(query: str, *, is_v2: bool = True) -> Listing:
    return read_listing(parse_query(query.encode()), b"repo", is_v2=is_v2)


def content(key: str) -> bytes:
    return element(
        "Contents",
        element("Key", key),
        element("LastModified", "2026-01-02T03:04:05.678Z"),
        element("ETag", '"abc"'),
        element("Size", "7"),
        element("StorageClass", "STANDARD"),
    )


def prefix(name: str) -> bytes:
    return element("CommonPrefixes", element("Prefix", name))


def answer(*rows: bytes, cut: bool = False, count: int = 1) -> bytes:
    """As lakeFS orders it; rows with the tokens among them."""
    return DECLARATION + element(
        "ListBucketResult",
        element("Name", "repo"),
        element("IsTruncated", "true" if cut else "false"),
        element("Prefix", "of lakeFS"),
        element("KeyCount", str(count)),
        element("MaxKeys", "1"),
        *rows,
    )


def translated(listing: Listing, document: bytes, size: int = 0) -> str:
    rewriter = ListAnswer(listing)
    size = size or len(document) or 1
    out = b"".join(rewriter.feed(document[at : at + size]) for at in range(0, len(document), size))
    return (out + rewriter.finish()).decode()


def order(document: str) -> list[str]:
    tops = re.sub(r"<(CommonPrefixes|Contents)>.*?</\1>", r"<\1></\1>", document)
    return re.findall(r"<(\w+)", tops)


def test_a_list_of_v2_is_s3s() -> None:
    token = element("NextContinuationToken", "main/k")
    document = answer(prefix("main/b/"), token, content("main/k&<"), cut=True, count=2)
    query = "prefix=main/&delimiter=/&start-after=main/a&encoding-type=url&max-keys=2"
    shown = translated(asked(query), document)
    assert shown.startswith(DECLARATION.decode() + "<ListBucketResult " + NAMESPACE.decode())
    assert order(shown) == [
        "ListBucketResult",
        "Name",
        "Prefix",
        "StartAfter",
        "KeyCount",
        "MaxKeys",
        "Delimiter",
        "EncodingType",
        "IsTruncated",
        "CommonPrefixes",
        "NextContinuationToken",
        "Contents",
    ]
    assert "<Key>main/k%26%3C</Key>" in shown
    assert "<ETag>&quot;abc&quot;</ETag>" in shown
    assert "Owner" not in shown
    (next_token,) = re.findall("<NextContinuationToken>(.*?)<", shown)
    assert read_token(b"repo", next_token.encode()) == "main/k"


def test_a_list_of_v1_is_s3s() -> None:
    document = answer(
        element("Marker", ""), element("NextMarker", "main/k"), content("main/k"), cut=True
    )
    shown = translated(asked("prefix=main/&delimiter=/&marker=main/a", is_v2=False), document)
    assert order(shown)[1:] == [
        "Name",
        "Prefix",
        "Marker",
        "NextMarker",
        "MaxKeys",
        "Delimiter",
        "IsTruncated",
        "Contents",
    ]
    assert "<Marker>main/a</Marker><NextMarker>main/k</NextMarker>" in shown
    assert re.search("<Size>7</Size><Owner><ID>[0-9a-f]{64}</ID>.*</Owner><StorageClass>", shown)


def test_v1_tells_where_a_list_of_branches_goes_on() -> None:
    """lakeFS does not without a delimiter, and with one it names no common prefix."""
    for query, own in (("", b""), ("delimiter=/", element("NextMarker", "dev"))):
        document = answer(prefix("dev/"), element("Marker", ""), own, cut=True, count=0)
        shown = translated(asked(query, is_v2=False), document)
        assert shown.count("<NextMarker>") == shown.count("<NextMarker>dev/</NextMarker>") == 1


def test_v1_without_a_delimiter_goes_on_at_its_last_key() -> None:
    shown = translated(asked("prefix=main/", is_v2=False), answer(content("main/a"), cut=True))
    assert "NextMarker" not in shown
    assert "<IsTruncated>true</IsTruncated>" in shown


@pytest.mark.parametrize("query", ["max-keys=0&prefix=main/", "prefix=main/&start-after=z"])
def test_a_list_of_nothing_is_not_cut(query: str) -> None:
    token = element("NextContinuationToken", "")
    shown = translated(asked(query), answer(token, cut=True, count=3))
    assert "<IsTruncated>false</IsTruncated>" in shown
    assert "<KeyCount>0</KeyCount>" in shown
    assert "NextContinuationToken" not in shown


def test_an_unknown_branch_is_an_empty_list() -> None:
    shown = empty_list(asked("prefix=nobranch/&delimiter=/")).decode()
    assert "<Prefix>nobranch/</Prefix>" in shown
    assert order(shown)[-1] == "IsTruncated"
    assert shown.endswith("<IsTruncated>false</IsTruncated></ListBucketResult>")


def test_names_that_xml_cannot_hold_are_encoded_or_replaced() -> None:
    document = answer(content("main/a\rb\tc\nd\ufffd~ *+"))
    query = "prefix=main/%01~&delimiter=%0D"
    plain = translated(asked(query), document)
    assert "<Prefix>main/\ufffd~</Prefix>" in plain
    assert "<Delimiter>&#13;</Delimiter>" in plain
    assert "<Key>main/a&#13;b\tc\nd\ufffd~ *+</Key>" in plain
    encoded = translated(asked(query + "&encoding-type=url"), document)
    assert "<Prefix>main/%01%7E</Prefix>" in encoded
    assert "<Key>main/a%0Db%09c%0Ad%EF%BF%BD%7E+*%2B</Key>" in encoded


def test_what_lakefs_may_add_passes_or_is_skipped() -> None:
    row = element(
        "Contents",
        element("Key", "main/k"),
        element("New", "1"),
        element("Owner", element("ID", "x")),
    )
    shown = translated(asked("prefix=main/"), answer(element("Brand", "new"), row))
    assert "<Contents><Key>main/k</Key><New>1</New></Contents>" in shown
    assert "Brand" not in shown


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html><body>no</body></html>",
        b"<ListBucketResult>",
        b"<ListBucketResult></ListBucketResult>",
        answer() + b"<again/>",
        answer(element("Contents", "")),
        answer(element("Contents", element("Size", "1"))),
        answer(element("CommonPrefixes", element("Prefix", ""))),
        answer(content("main/a"), cut=True),
        answer().replace(b"false", b"maybe"),
        answer().replace(b"<KeyCount>1", b"<KeyCount>one"),
        b'<!DOCTYPE a [<!ENTITY e "x">]>' + answer().removeprefix(DECLARATION),
        answer(content("main/" + "k" * 9000)),
        b"<ListBucketResult " + b"a" * 5000,
        answer(element("Contents", *(element(f"E{n}", "") for n in range(40)))),
        answer(b"<a>" * 20),
        b'<?xml version="1.0" encoding="x-none"?><ListBucketResult/>',
    ],
)
def test_what_is_not_understood_is_broken_off(document: bytes) -> None:
    for size in (0, 1):
        with pytest.raises(S3Error) as caught:
            translated(asked("prefix=main/"), document, size)
        assert caught.value.kind.status == 503


def test_a_row_is_written_when_it_is_whole() -> None:
    """Nothing but the row at hand is kept."""
    rewriter = ListAnswer(replace(asked("prefix=main/"), max_keys=3))
    rows = [content(f"main/{n}") for n in range(3)]
    document = answer(*rows, count=3)
    begin = document.index(rows[0])
    assert rewriter.feed(document[:begin]) == b""
    for number, row in enumerate(rows):
        assert rewriter.feed(row[:-1]).count(b"<Key>") == 0
        assert rewriter.feed(row[-1:]).count(f"<Key>main/{number}<".encode()) == 1
