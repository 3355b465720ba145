"""`fastpath.s3.addressing`: what the corpus of raw requests does not say."""

from __future__ import annotations

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.limits import Limits
from fastpath.s3.addressing import (
    Address,
    is_bucket_host,
    locate,
    locate_copy_source,
    percent_decode,
)


def head(path: bytes, host: bytes = b"localhost") -> RequestHead:
    return parse_request_head(
        b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", Limits()
    )


def refusal(path: bytes, host: bytes = b"localhost", *domains: bytes) -> S3Error:
    with pytest.raises(S3Error) as caught:
        locate(head(path, host), domains)
    return caught.value


def test_path_style() -> None:
    assert locate(head(b"/bucket/a%20b?x=/y"), ()) == Address(
        b"bucket", b"a b", True, b"/bucket/a%20b"
    )


def test_virtual_host_style() -> None:
    address = locate(head(b"/a%20b", b"bucket.s3.test:80"), (b"s3.test",))
    assert address == Address(b"bucket", b"a b", False, b"/bucket/a%20b")


def test_without_domains_the_host_says_nothing() -> None:
    assert locate(head(b"/b1/k", b"bucket.s3.test"), ()).bucket == b"b1"


def test_the_longest_domain_decides() -> None:
    for domains in ((b"test", b"s3.test"), (b"s3.test", b"test")):
        assert locate(head(b"/k", b"bucket.s3.test"), domains).bucket == b"bucket"
        assert locate(head(b"/b1/k", b"s3.test"), domains).bucket == b"b1"
        assert locate(head(b"/k", b"bucket.test"), domains).bucket == b"bucket"


def test_http10_without_host_is_path_style() -> None:
    raw = b"GET /bucket/key HTTP/1.0\r\n\r\n"
    assert locate(parse_request_head(raw, Limits()), (b"s3.test",)).bucket == b"bucket"


def test_is_bucket_host() -> None:
    assert is_bucket_host(head(b"/", b"bucket.s3.test"), (b"s3.test",))
    assert is_bucket_host(head(b"/", b".s3.test"), (b"s3.test",))
    assert not is_bucket_host(head(b"/", b"s3.test"), (b"s3.test",))
    assert not is_bucket_host(head(b"/", b"bucket.s3.test"), ())


def test_the_name_that_is_wrong_is_shown() -> None:
    error = refusal(b"/%FF%00%3Cx%3E/key")
    assert error.kind.code == "InvalidBucketName"
    assert error.extras == (("BucketName", "�\0<x>"),)


def test_a_key_too_long_tells_the_sizes() -> None:
    error = refusal(b"/bucket/" + b"k" * 2000)
    assert error.kind.code == "KeyTooLongError"
    assert error.extras == (("Size", "2000"), ("MaxSizeAllowed", "1024"))


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        (b"", b""),
        (b"a+b", b"a+b"),
        (b"%41%2f%2F%00%ff", b"A//\0\xff"),
        (b"%2525", b"%25"),
        (b"a%20", b"a "),
    ],
)
def test_percent_decode(raw: bytes, decoded: bytes) -> None:
    assert percent_decode(raw) == decoded


@pytest.mark.parametrize("raw", [b"%", b"a%", b"%2", b"%2g", b"%g2", b"%%41", b"%-1", b"% 1"])
def test_escapes_that_are_none(raw: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        percent_decode(raw)
    assert caught.value.kind.code == "InvalidURI"


@pytest.mark.parametrize("key", [b"a/../b", b"a/b/../../c", b"a/..", b"..a", b"a../..b", b"..."])
def test_keys_that_stay_inside(key: bytes) -> None:
    assert locate(head(b"/bucket/" + key), ()).key == key


@pytest.mark.parametrize(
    "key", [b"..", b"../a", b"a/../..", b"a/../../b/c/d", b"./..", b"//..", b"a//../.."]
)
def test_keys_that_climb_out(key: bytes) -> None:
    assert refusal(b"/bucket/" + key).kind.code == "InvalidURI"
    assert refusal(b"/" + key, b"bucket.s3.test", b"s3.test").kind.code == "InvalidURI"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"bucket/key", (b"bucket", b"key")),
        (b"/bucket/a%2Fb%20c", (b"bucket", b"a/b c")),
        (b"bucket/key?versionId=abc", (b"bucket", b"key")),
        (b"bucket/a//b/../c", (b"bucket", b"a//b/../c")),
    ],
)
def test_a_copy_source_is_located(raw: bytes, expected: tuple[bytes, bytes]) -> None:
    assert locate_copy_source(raw) == expected


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"bucket", "InvalidArgument"),
        (b"bucket/", "InvalidArgument"),
        (b"//bucket/key", "InvalidArgument"),
        (b"../secret/key", "InvalidArgument"),
        (b"mine/../secret/key", "InvalidURI"),
        (b"mine/%2e%2e/secret/key", "InvalidURI"),
        (b"mine/" + b"k" * 1025, "KeyTooLongError"),
        (b"arn:aws:s3:us-east-1:1:accesspoint/x/object/k", "InvalidArgument"),
    ],
)
def test_a_copy_source_obeys_the_rules_of_a_path(raw: bytes, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        locate_copy_source(raw)
    assert caught.value.kind.code == code


@pytest.mark.parametrize("raw", [b"bucket/%ZZ", b"bucket/a%", b"%zz/key", b"/bucket/%2", b"%"])
def test_a_copy_source_with_an_escape_that_is_none(raw: bytes) -> None:
    """P9: AWS names the header, not the URI of the request."""
    with pytest.raises(S3Error) as caught:
        locate_copy_source(raw)
    error = caught.value
    assert (error.kind.code, error.message) == ("InvalidArgument", "Invalid copy source encoding.")
    assert error.extras == (
        ("ArgumentName", "x-amz-copy-source"),
        ("ArgumentValue", raw.decode()),
    )
