"""`fastpath.dialects.lakefs.upload_errors`: what a 500 about an upload means."""

from __future__ import annotations

import pytest

from fastpath.dialects.lakefs.upload_errors import MIN_PART_BYTES, UploadErrorQuestions
from fastpath.dialects.translation import ClientRequest
from fastpath.errors import S3Error
from fastpath.payload.completed_parts import Part
from fastpath.response.filters import Question
from fastpath.s3.addressing import Address
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


OF_PARTS = Question(b"/repo/main/a%20b", b"uploadId=a%2Bb&max-parts=1000")
OF_UPLOADS = Question(b"/repo", b"uploads=&max-uploads=1")


def fault(operation: str, *parts: Part) -> UploadErrorQuestions:
    upstream = Address(b"repo", b"main/a b", True, OF_PARTS.path)
    return UploadErrorQuestions(
        ClientRequest(operation, b"repo", b"main/a b", upstream, QUERY, {}), parts
    )


def code(operation: str, status: int, body: bytes = b"", *parts: Part) -> str:
    outcome = fault(operation, *parts).on_reply(status, body)
    return outcome.kind.code if isinstance(outcome, S3Error) else "next" if outcome else ""


@pytest.mark.parametrize("operation", ["UploadPart", "UploadPartCopy", COMPLETE])
def test_the_upload_is_asked_for_its_parts_and_then_the_bucket_for_its_uploads(
    operation: str,
) -> None:
    assert fault(operation).question() == OF_PARTS
    for status in (200, 403, 404, 503):
        assert code(operation, status, listed()) == ""
    for status, found in ((200, "NoSuchUpload"), (501, "NoSuchUpload"), (500, ""), (403, "")):
        asked = fault(operation)
        assert asked.on_reply(500, b"") == OF_UPLOADS
        outcome = asked.on_reply(status, b"")
        assert (outcome.kind.code if isinstance(outcome, S3Error) else "") == found


def test_a_list_of_parts_asks_for_uploads() -> None:
    assert fault("ListParts").question() == OF_UPLOADS
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
    error = fault(COMPLETE, one, Part(2, "x")).on_reply(200, known)
    assert isinstance(error, S3Error)
    assert error.extras == (("UploadId", "a+b"), ("PartNumber", "2"), ("ETag", "x"))


def test_parts_behind_the_first_page_are_not_judged() -> None:
    known = listed((1, "a", MIN_PART_BYTES), cut=True)
    assert code(COMPLETE, 200, known, Part(1, "a"), Part(2, "x")) == ""
    assert code(COMPLETE, 200, known, Part(1, "x"), Part(2, "x")) == "InvalidPart"


@pytest.mark.parametrize("body", [b"", b"x", b"<Error/>", listed((1, "a", 1))[:-3]])
def test_an_unreadable_reply_says_nothing(body: bytes) -> None:
    assert code(COMPLETE, 200, body, Part(1, "x")) == ""
