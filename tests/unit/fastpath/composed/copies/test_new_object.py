"""`fastpath.composed.copies.new_object`: what the new object has of its source and its request."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.composed.copies.new_object import (
    check_directives,
    copies_tags,
    new_headers,
    wanted_checksum,
)
from fastpath.errors import S3Error

SOURCE = {
    b"content-type": b"text/x",
    b"cache-control": b"no-store",
    b"content-disposition": b"attachment",
    b"content-encoding": b"gzip",
    b"content-language": b"de",
    b"expires": b"Thu, 01 Dec 2033 16:00:00 GMT",
    b"x-amz-meta-a": b"1",
    b"x-amz-meta-empty": b"",
    b"etag": b'"e"',
    b"x-amz-storage-class": b"GLACIER",
    b"x-amz-server-side-encryption": b"aws:kms",
    b"x-amz-object-lock-mode": b"GOVERNANCE",
    b"x-amz-website-redirect-location": b"/there",
    b"x-amz-version-id": b"v",
    b"x-amz-tagging-count": b"1",
}
USER_METADATA = {name: value for name, value in SOURCE.items() if name.startswith(b"x-amz-meta-")}
DESCRIPTION = {
    name: value
    for name, value in SOURCE.items()
    if not name.startswith(b"x-amz-") and name != b"etag"
} | USER_METADATA
REPLACE = {b"x-amz-metadata-directive": b"REPLACE"}
DEFAULT_TYPE = {b"content-type": b"binary/octet-stream"}


def made(request: dict[bytes, bytes], source: dict[bytes, bytes]) -> dict[bytes, bytes]:
    headers = new_headers(list(request.items()), source)
    assert len(dict(headers)) == len(headers)
    return dict(headers)


def test_a_copy_has_the_metadata_of_its_source_and_nothing_else_of_it() -> None:
    request = {b"content-type": b"text/other", b"x-amz-meta-a": b"2", b"cache-control": b"x"}
    assert made(request, SOURCE) == DESCRIPTION
    assert made({b"x-amz-metadata-directive": b"COPY", **request}, SOURCE) == DESCRIPTION


def test_with_replace_the_request_says_all() -> None:
    own = {b"content-type": b"text/y", b"x-amz-meta-b": b"2", b"content-encoding": b"br"}
    assert made({**REPLACE, **own}, SOURCE) == own


@pytest.mark.parametrize("request_", [{}, REPLACE])
def test_without_a_type_it_has_the_default_of_s3(request_: dict[bytes, bytes]) -> None:
    assert made(request_, {}) == DEFAULT_TYPE


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"aws-chunked", None),
        (b"aws-chunked,gzip", b"gzip"),
        (b"gzip, aws-chunked , br", b"gzip,br"),
        (b"gzip", b"gzip"),
        (b"gzip, br", b"gzip, br"),
    ],
)
def test_the_framing_of_an_upload_is_no_coding_of_an_object(
    sent: bytes, kept: bytes | None
) -> None:
    coding = {b"content-encoding": sent}
    assert made({}, coding).get(b"content-encoding") == kept
    assert made({**REPLACE, **coding}, {}).get(b"content-encoding") == kept


def test_only_a_coding_is_looked_at_for_framing() -> None:
    kept = {b"cache-control": b"aws-chunked, x"}
    assert made({}, kept) == kept | DEFAULT_TYPE


def test_what_a_request_says_of_the_object_goes_on() -> None:
    own = {
        b"x-amz-acl": b"private",
        b"x-amz-grant-read": b"id=1",
        b"x-amz-storage-class": b"STANDARD_IA",
        b"x-amz-server-side-encryption": b"aws:kms",
        b"x-amz-server-side-encryption-aws-kms-key-id": b"k",
        b"x-amz-server-side-encryption-bucket-key-enabled": b"true",
        b"x-amz-server-side-encryption-customer-algorithm": b"AES256",
        b"x-amz-server-side-encryption-customer-key": b"k",
        b"x-amz-server-side-encryption-customer-key-md5": b"m",
        b"x-amz-object-lock-mode": b"COMPLIANCE",
        b"x-amz-object-lock-retain-until-date": b"2030-01-01T00:00:00Z",
        b"x-amz-object-lock-legal-hold": b"ON",
        b"x-amz-website-redirect-location": b"/here",
        b"x-amz-expected-bucket-owner": b"1",
        b"x-amz-request-payer": b"requester",
        b"if-match": b'"m"',
        b"if-none-match": b"*",
    }
    assert made(own, {}) == own | DEFAULT_TYPE


def test_nothing_else_of_a_request_does() -> None:
    others = {
        b"x-amz-copy-source": b"b/k",
        b"x-amz-copy-source-if-match": b"e",
        b"x-amz-copy-source-server-side-encryption-customer-key": b"k",
        b"x-amz-source-expected-bucket-owner": b"1",
        b"x-amz-content-sha256": b"d",
        b"x-amz-date": b"d",
        b"x-amz-security-token": b"t",
        b"x-amz-checksum-algorithm": b"CRC32",
        b"x-amz-sdk-checksum-algorithm": b"CRC32",
        b"x-amz-checksum-crc32": b"AAAAAA==",
        b"x-amz-decoded-content-length": b"1",
        b"x-amz-trailer": b"x-amz-checksum-crc32",
        b"x-amz-write-offset-bytes": b"5",  # a PutObject would append
        b"x-amz-tagging": b"a=b",  # without the directive
        b"x-amz-user-agent": b"aws-sdk-js",
        b"authorization": b"AWS4-HMAC-SHA256 ...",
        b"content-length": b"0",
        b"content-md5": b"d",
        b"range": b"bytes=0-1",
        b"if-modified-since": b"d",
        b"if-none-match": b"",
    }
    assert made(others, {}) == DEFAULT_TYPE


def test_tags_of_the_request_need_the_directive() -> None:
    tags = {b"x-amz-tagging": b"a=b", b"x-amz-tagging-directive": b"REPLACE"}
    assert made(tags, {})[b"x-amz-tagging"] == b"a=b"
    assert b"x-amz-tagging" not in made({**tags, b"x-amz-tagging": b""}, {})
    assert not copies_tags(tags)
    assert copies_tags({})
    assert copies_tags({b"x-amz-tagging-directive": b"COPY"})


def test_metadata_that_no_header_can_hold_is_not_lost_silently() -> None:
    source = {**SOURCE, b"x-amz-missing-meta": b"2"}
    with pytest.raises(S3Error) as caught:
        made({}, source)
    assert (caught.value.kind.status, dict(caught.value.extras)["Header"]) == (
        501,
        "x-amz-missing-meta",
    )
    assert made({}, {**SOURCE, b"x-amz-missing-meta": b"0"}) == DESCRIPTION
    assert made(REPLACE, source) == DEFAULT_TYPE


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"x-amz-metadata-directive": b"COPY", b"x-amz-tagging-directive": b"REPLACE"},
        {b"x-amz-checksum-algorithm": b"SHA256"},
        {b"x-amz-checksum-algorithm": b"crc64nvme"},
    ],
)
def test_directives_of_s3(fields: dict[bytes, bytes]) -> None:
    check_directives(fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-amz-metadata-directive", b"replace"),
        (b"x-amz-metadata-directive", b""),
        (b"x-amz-tagging-directive", b"MERGE"),
        (b"x-amz-checksum-algorithm", b"CRC99"),
    ],
)
def test_other_directives_are_refused(name: bytes, value: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        check_directives({name: value})
    error = caught.value
    assert (error.kind.status, error.kind.code) == (400, "InvalidArgument")
    assert dict(error.extras) == {"ArgumentName": name.decode(), "ArgumentValue": value.decode()}


@pytest.mark.parametrize(
    ("fields", "found", "expected"),
    [
        ({}, None, None),
        ({}, (b"crc32", b"v"), b"crc32"),
        ({b"x-amz-checksum-algorithm": b"SHA1"}, (b"crc32", b"v"), b"sha1"),
        ({b"x-amz-checksum-algorithm": b"SHA1"}, None, b"sha1"),
    ],
)
def test_the_checksum_that_is_wanted(
    fields: dict[bytes, bytes], found: Any, expected: bytes | None
) -> None:
    assert wanted_checksum(fields, found) == expected
