"""`fastpath.payload.completed_parts`: which lists of parts S3 would take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.payload.completed_parts import CompletedParts, Part


def document(*numbers: object, root: str = "CompleteMultipartUpload") -> bytes:
    parts = "".join(
        f"\n  <Part><PartNumber>{number}</PartNumber><ETag>&quot;e{number}&quot;</ETag></Part>"
        for number in numbers
    )
    return f'<?xml version="1.0"?><{root} xmlns="http://s3/">{parts}</{root}>'.encode()


def judged(body: bytes, size: int = 0) -> tuple[str, list[Part]]:
    check = CompletedParts()
    size = size or len(body) or 1
    for at in range(0, len(body), size):
        check.update(body[at : at + size])
    try:
        check.confirm()
    except S3Error as error:
        return f"{error.kind.code} {error.message}".rstrip(), check.parts
    return "", check.parts


@pytest.mark.parametrize("size", [0, 1])
def test_parts_in_their_order(size: int) -> None:
    assert judged(document(1, 2, 10000), size) == (
        "",
        [Part(1, "e1"), Part(2, "e2"), Part(10000, "e10000")],
    )


def test_checksums_and_foreign_elements_of_a_part_are_let_through() -> None:
    body = document(1).replace(b"</Part>", b"<ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>")
    assert judged(body)[0] == ""


@pytest.mark.parametrize("numbers", [[2, 1], [1, 1], [1, 3, 2]])
def test_parts_out_of_order(numbers: list[int]) -> None:
    assert judged(document(*numbers), 1)[0].startswith("InvalidPartOrder The list of parts was not")


@pytest.mark.parametrize("number", [0, 10001])
def test_a_part_that_cannot_be(number: int) -> None:
    assert judged(document(number))[0].startswith("InvalidPart One or more of the specified parts")


def test_no_part_at_all() -> None:
    assert judged(document())[0] == "InvalidRequest You must specify at least one part"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<CompleteMultipartUpload>",
        b"<Other/>",
        document(1, root="Other"),
        document("x"),
        document(""),
        document("-1"),
        document(1).replace(b"PartNumber", b"Number"),
        document(1).replace(b"ETag", b"Tag"),
        document(1).replace(b"</Part>", b"<PartNumber>2</PartNumber></Part>"),
        document(1).replace(b"<Part>", b"<Part>" + b" " * 300),
        document(1).replace(b"Part>", b"Piece>"),
        document(*range(1, 10002)),
        b"<!DOCTYPE x>" + document(1)[21:],
        b'<?xml version="1.0" encoding="x-none"?><CompleteMultipartUpload/>',
    ],
)
def test_what_is_no_list_of_parts(body: bytes) -> None:
    assert judged(body)[0].startswith("MalformedXML")


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes_end_in_a_verdict(body: bytes, size: int) -> None:
    assert judged(body, size) == judged(body)
