"""What is read of a target's error document, and what ends the reading."""

from __future__ import annotations

import pytest

from fastpath.s3.error_documents import read_error

DECLARED = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (b"<Error><Code>A</Code><Region>r</Region></Error>", {"Code": "A", "Region": "r"}),
        (DECLARED + b"<Error>\n  <Code> A&amp;B </Code>\n</Error>", {"Code": "A&B"}),
        (b'<Error xmlns="http://s3.example/doc/2006-03-01/"><Code>A</Code></Error>', {"Code": "A"}),
        (b"<Error><Code>A</Code><Code>B</Code></Error>", {"Code": "A"}),
        (b"<Error><Code><![CDATA[A]]></Code></Error>", {"Code": "A"}),
        (b"<Error><Code>A</Code><Deep><Code>B</Code></Deep></Error>", {"Code": "A", "Deep": ""}),
        # what stood before the end of a piece, or before a defect, counts
        (b"<Error><Code>A</Code><CanonicalRequest>PUT", {"Code": "A"}),
        (b"<Error><Code>A</Code></Oops>", {"Code": "A"}),
        (b"<Error><Code>A", {}),
        # no error document
        (b"", {}),
        (b"Access denied", {}),
        (b'["A", "Code"]', {}),
        (b"<ErrorResponse><Code>A</Code></ErrorResponse>", {}),
        (b"<html><Error><Code>A</Code></Error></html>", {}),
        (b"<Error>" + b"<a>" * 8 + b"</a>" * 8 + b"<Code>A</Code></Error>", {}),
        (b"<Error><Code>&undefined;</Code></Error>", {}),
        (b"\xff\xfe\x00", {}),
    ],
)
def test_what_is_found(document: bytes, found: dict[str, str]) -> None:
    assert read_error(document) == found


@pytest.mark.parametrize(
    "doctype",
    [
        b"<!DOCTYPE Error>",
        b'<!DOCTYPE Error SYSTEM "http://192.0.2.1/e.dtd">',
        b'<!DOCTYPE Error [<!ENTITY a "SignatureDoesNotMatch">]>',
    ],
)
def test_a_document_type_ends_the_reading(doctype: bytes) -> None:
    assert read_error(doctype + b"<Error><Code>SignatureDoesNotMatch</Code></Error>") == {}
