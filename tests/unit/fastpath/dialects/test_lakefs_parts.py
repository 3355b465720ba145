"""`fastpath.dialects.lakefs.part_requests` and `part_answers`: multipart uploads as S3 has them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from fastpath.dialects.lakefs.part_answers import CopiedPartAnswer, PartsAnswer
from fastpath.dialects.lakefs.part_requests import (
    check_part_number,
    check_uploads,
    no_such_upload,
    parts_query,
    read_copied_range,
)
from fastpath.errors import S3Error
from fastpath.http.query import parse_query
from tests.doubles.lakefs.xml import DECLARATION, element


def refused(call: Callable[[], object]) -> S3Error:
    with pytest.raises(S3Error) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("number", ["1", "10000", "007"])
def test_part_numbers(number: str) -> None:
    check_part_number(parse_query(f"uploadId=u&partNumber={number}".encode()))


@pytest.mark.parametrize(
    "number", ["", "0", "10001", "-1", "x", "+1", "1.0", "99999999999", "%D9%A1"]
)
def test_bad_part_numbers(number: str) -> None:
    error = refused(lambda: check_part_number(parse_query(b"partNumber=" + number.encode())))
    assert error.message == "Part number must be an integer between 1 and 10000, inclusive"
    assert error.extras[0] == ("ArgumentName", "partNumber")


def test_ranges_of_a_copied_part() -> None:
    assert read_copied_range({}) is None
    assert read_copied_range({b"x-amz-copy-source-range": b"bytes=0-0"}) == (0, 0)
    for sent in (
        b"0-4",
        b"bytes=4-2",
        b"bytes=-5",
        b"bytes=5-",
        b"bytes=0-1,3-4",
        b"",
        b"octets=0-1",
    ):
        fields = {b"x-amz-copy-source-range": sent}
        error = refused(lambda fields=fields: read_copied_range(fields))  # type: ignore[misc]
        assert error.kind.code == "InvalidArgument"
        assert error.extras == (
            ("ArgumentName", "x-amz-copy-source-range"),
            ("ArgumentValue", sent.decode()),
        )


def test_parts_are_asked_for_by_what_lakefs_reads() -> None:
    query = parse_query(b"uploadId=a%2Bb&max-parts=5000&part-number-marker=3&x-id=ListParts")
    assert parts_query(query) == b"uploadId=a%2Bb&max-parts=1000&part-number-marker=3"
    assert parts_query([(b"uploadId", b"a")]) == b"uploadId=a&max-parts=1000"
    for name in (b"max-parts", b"part-number-marker"):
        assert refused(lambda name=name: parts_query([(name, b"x")])).kind.status == 400  # type: ignore[misc]
        assert refused(lambda name=name: parts_query([(name, b"-1")])).kind.status == 400  # type: ignore[misc]


def test_uploads_cannot_be_filtered() -> None:
    check_uploads(parse_query(b"uploads&max-uploads=7&key-marker=x"))
    check_uploads(parse_query(b"uploads&prefix=&delimiter="))  # L14: as if absent
    for name in (b"prefix", b"delimiter", b"encoding-type"):
        error = refused(lambda name=name: check_uploads([(b"uploads", b""), (name, b"x")]))  # type: ignore[misc]
        assert (error.kind.status, name.decode() in error.message) == (501, True)
    assert refused(lambda: check_uploads([(b"max-uploads", b"x")])).kind.code == "InvalidArgument"


def test_an_unknown_upload_is_named() -> None:
    error = no_such_upload(parse_query(b"uploadId=a%20b"))
    assert (error.kind.status, error.kind.code) == (404, "NoSuchUpload")
    assert error.extras == (("UploadId", "a b"),)


# Answers


def part(number: int) -> bytes:
    return element(
        "Part",
        element("PartNumber", str(number)),
        element("LastModified", "2026-01-02T03:04:05Z"),
        element("ETag", "abc"),
        element("Size", "7"),
    )


def parts(*rows: bytes) -> bytes:
    return DECLARATION + element(
        "ListPartsResult",
        element("Bucket", "repo"),
        element("Key", "of lakeFS"),
        element("PartNumberMarker", "0"),
        element("NextPartNumberMarker", "2"),
        element("MaxParts", "1000"),
        element("IsTruncated", "false"),
        *rows,
    )


def translated(rewriter: PartsAnswer | CopiedPartAnswer, document: bytes, size: int) -> str:
    out = b"".join(rewriter.feed(document[at : at + size]) for at in range(0, len(document), size))
    return (out + rewriter.finish()).decode()


@pytest.mark.parametrize("size", [1, 1000])
def test_a_list_of_parts_is_s3s(size: int) -> None:
    shown = translated(PartsAnswer("repo", "main/a&b", "u"), parts(part(1), part(2)), size)
    tops = re.sub(r"<(Part|Owner|Initiator)>.*?</\1>", r"<\1></\1>", shown)
    assert re.findall(r"<(\w+)", tops) == [
        "ListPartsResult",
        "Bucket",
        "Key",
        "UploadId",
        "Initiator",
        "Owner",
        "StorageClass",
        "PartNumberMarker",
        "NextPartNumberMarker",
        "MaxParts",
        "IsTruncated",
        "Part",
        "Part",
    ]
    assert "<Key>main/a&amp;b</Key><UploadId>u</UploadId>" in shown
    assert shown.count("<ETag>&quot;abc&quot;</ETag>") == 2
    assert 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' in shown


def test_no_parts_yet() -> None:
    shown = translated(PartsAnswer("repo", "main/a", "u"), parts(), 7)
    assert shown.endswith("<IsTruncated>false</IsTruncated></ListPartsResult>")


@pytest.mark.parametrize("size", [1, 1000])
def test_a_copied_part_has_a_name_of_its_own(size: int) -> None:
    fields = element("LastModified", "2026-01-02T03:04:05Z"), element("ETag", '"abc"')
    shown = translated(CopiedPartAnswer(), element("CopyObjectResult", *fields), size)
    assert "<CopyPartResult xmlns=" in shown
    assert shown.endswith(
        "<LastModified>2026-01-02T03:04:05Z</LastModified><ETag>&quot;abc&quot;</ETag></CopyPartResult>"
    )


@pytest.mark.parametrize(
    "document",
    [b"", b"x", b"<Error/>", b"<ListPartsResult/>", b"<CopyObjectResult/>", parts(b"<Part/>")],
)
def test_what_is_not_understood_is_broken_off(document: bytes) -> None:
    for rewriter in (PartsAnswer("repo", "main/a", "u"), CopiedPartAnswer()):
        error = refused(lambda rewriter=rewriter: translated(rewriter, document, 5))  # type: ignore[misc]
        assert error.kind.status == 503
