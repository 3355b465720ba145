"""`fastpath.dialects.lakefs.upload_faults`: what a 500 about an upload means."""

from __future__ import annotations

import pytest

from fastpath.dialects.lakefs.upload_faults import (
    MIN_PART_BYTES,
    judge_fault,
    question_path,
    question_query,
)
from fastpath.payload.completions import Part
from tests.doubles.lakefs.xml import element

QUERY = [(b"uploadId", b"a+b"), (b"partNumber", b"1")]
COMPLETE = "CompleteMultipartUpload"


def listed(*parts: tuple[int, str, int], cut: bool = False) -> bytes:
    rows = [
        element(
            "Part", element("PartNumber", str(n)), element("ETag", etag), element("Size", str(size))
        )
        for n, etag, size in parts
    ]
    return element("ListPartsResult", element("IsTruncated", "true" if cut else "false"), *rows)


def code(operation: str, status: int, body: bytes = b"", *parts: Part) -> str:
    error = judge_fault(operation, QUERY, parts, status, body)
    return error.kind.code if error else ""


@pytest.mark.parametrize("operation", ["UploadPart", "UploadPartCopy", COMPLETE])
def test_the_upload_is_asked_for_its_parts(operation: str) -> None:
    assert question_path(operation, b"repo", b"/repo/main/a%20b") == b"/repo/main/a%20b"
    assert question_query(operation, QUERY) == b"uploadId=a%2Bb&max-parts=1000"
    assert code(operation, 500) == "NoSuchUpload"
    for status in (200, 403, 404, 503):
        assert code(operation, status, listed()) == ""


def test_a_list_of_parts_asks_for_uploads() -> None:
    assert question_path("ListParts", b"repo", b"/repo/main/a") == b"/repo"
    assert question_query("ListParts", QUERY) == b"uploads=&max-uploads=1"
    assert code("ListParts", 200) == "NoSuchUpload"
    assert code("ListParts", 501) == "NotImplemented"
    assert code("ListParts", 500) == ""


def test_what_is_wrong_with_the_parts_of_an_upload_that_exists() -> None:
    big = MIN_PART_BYTES
    known = listed((1, "a", big), (2, '"b"', big), (3, "c", 7))
    one, two, three = Part(1, "a"), Part(2, "b"), Part(3, "c")
    assert code(COMPLETE, 200, known, one, two, three) == ""
    assert code(COMPLETE, 200, known, one, Part(2, "x")) == "InvalidPart"
    assert code(COMPLETE, 200, known, one, Part(4, "d")) == "InvalidPart"
    assert code(COMPLETE, 200, known, three, Part(4, "d")) == "EntityTooSmall"
    assert code(COMPLETE, 200, known, three) == ""  # the last may be small
    error = judge_fault(COMPLETE, QUERY, [one, Part(2, "x")], 200, known)
    assert error is not None
    assert error.extras == (("UploadId", "a+b"), ("PartNumber", "2"), ("ETag", "x"))


def test_parts_behind_the_first_page_are_not_judged() -> None:
    known = listed((1, "a", MIN_PART_BYTES), cut=True)
    assert code(COMPLETE, 200, known, Part(1, "a"), Part(2, "x")) == ""
    assert code(COMPLETE, 200, known, Part(1, "x"), Part(2, "x")) == "InvalidPart"


@pytest.mark.parametrize("body", [b"", b"x", b"<Error/>", listed((1, "a", 1))[:-3]])
def test_an_unreadable_reply_says_nothing(body: bytes) -> None:
    assert code(COMPLETE, 200, body, Part(1, "x")) == ""
