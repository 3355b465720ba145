"""`fastpath.s3.xml_writer`: AWS's shape to the byte, and well-formed whatever is put in."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from fastpath.errors import ACCESS_DENIED, METHOD_NOT_ALLOWED, S3Error
from fastpath.s3.xml_writer import error_document


def test_the_shape() -> None:
    """aws-auth-errors 6.1 and 6.2."""
    error = S3Error(METHOD_NOT_ALLOWED, ("Method", "POST"), ("ResourceType", "SERVICE"))
    assert error_document(error, "ID", "HOST") == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b"<Error><Code>MethodNotAllowed</Code>"
        b"<Message>The specified method is not allowed against this resource.</Message>"
        b"<Method>POST</Method><ResourceType>SERVICE</ResourceType>"
        b"<RequestId>ID</RequestId><HostId>HOST</HostId></Error>"
    )


@pytest.mark.parametrize(
    ("value", "read_back"),
    [
        ("a&b<c>d\"e'f", "a&b<c>d\"e'f"),
        ("]]>", "]]>"),
        ("grüße €😀", "grüße €😀"),
        ("tab\tline\nreturn\r\n.", "tab\tline\nreturn\r\n."),
        ("nul\0bell\x07del\x7f", "nul�bell�del\x7f"),
        ("\ud800\udcff\ufffe\uffff", "����"),
        ("<!DOCTYPE x><![CDATA[", "<!DOCTYPE x><![CDATA["),
        ("", None),
    ],
)
def test_text_survives_or_is_replaced(value: str, read_back: str | None) -> None:
    """P8: and quotation marks are written as AWS writes them in an error, not escaped."""
    error = S3Error(ACCESS_DENIED, ("Thing", value), message=value)
    document = error_document(error, "ID", "HOST")
    root = ElementTree.fromstring(document)
    assert root.findtext("Thing") == (read_back or "")
    assert root.findtext("Message") == (read_back or ACCESS_DENIED.message)
    assert "&quot;" not in document.decode()
    assert [child.tag for child in root] == ["Code", "Message", "Thing", "RequestId", "HostId"]
