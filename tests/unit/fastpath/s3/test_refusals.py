"""What a target's refusal means: the table of answers."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest

from fastpath.s3.refusals import (
    OtherRegion,
    RedirectsToItself,
    Refusal,
    SignatureRefused,
    classify_refusal,
)

OURS: Any = {"key_id": b"AKIDTARGET", "host": "first.test"}


def document(code: str, **elements: str) -> bytes:
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in elements.items())
    return f"<Error><Code>{code}</Code><Message>m</Message>{inside}</Error>".encode()


def refusal(status: int, body: bytes, *, regions: bool = True, **fields: str) -> Refusal:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in fields.items()}
    return classify_refusal(status, named, body, b"us-east-1", regions=regions, **OURS)


@pytest.mark.parametrize("regions", [True, False])
@pytest.mark.parametrize(
    ("status", "code", "renew"),
    [
        (403, "SignatureDoesNotMatch", True),
        (403, "InvalidAccessKeyId", True),
        (400, "ExpiredToken", True),
        (400, "InvalidToken", True),
        (400, "TokenRefreshRequired", True),
        (401, "InvalidAccessKeyId", True),
        (403, "RequestTimeTooSkewed", False),
        (400, "AuthorizationHeaderMalformed", False),
    ],
)
def test_a_refused_signature_is_hidden(status: int, code: str, renew: bool, regions: bool) -> None:
    assert refusal(status, document(code), regions=regions) == SignatureRefused(code, renew)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, document("AccessDenied")),
        (403, document("AllAccessDisabled")),
        (403, document("InvalidObjectState")),
        (400, document("InvalidArgument")),
        (400, document("XAmzContentSHA256Mismatch")),
        (400, document("IllegalLocationConstraintException")),
        (403, b"<html>SignatureDoesNotMatch</html>"),
        (403, b""),
        (400, b""),
        (307, b""),
        (301, document("PermanentRedirect", Region="us-east-1")),  # where we are
        (301, document("PermanentRedirect", Endpoint="evil.example.com")),
        (301, document("PermanentRedirect", Region="../evil")),
    ],
)
def test_everything_else_is_the_stores_own(status: int, body: bytes) -> None:
    assert refusal(status, body) is None


@pytest.mark.parametrize(
    ("status", "body", "fields"),
    [
        (301, document("PermanentRedirect", Region="eu-west-1"), {}),
        (301, document("PermanentRedirect"), {"x_amz_bucket_region": "eu-west-1"}),
        (301, document("PermanentRedirect", Endpoint="bkt.s3.eu-west-1.amazonaws.com"), {}),
        (301, document("PermanentRedirect", Endpoint="s3-eu-west-1.amazonaws.com"), {}),
        (307, document("TemporaryRedirect", Endpoint="b.s3-eu-west-1.amazonaws.com"), {}),
        (
            307,
            document("TemporaryRedirect"),
            {"location": "https://bkt.s3.dualstack.eu-west-1.amazonaws.com/k"},
        ),
        (400, document("AuthorizationHeaderMalformed", Region="eu-west-1"), {}),
        # answers to HEAD
        (301, b"", {"x_amz_bucket_region": "eu-west-1"}),
        (400, b"", {"x_amz_bucket_region": "eu-west-1"}),
    ],
)
def test_a_bucket_elsewhere(status: int, body: bytes, fields: dict[str, str]) -> None:
    found = refusal(status, body, **fields)
    assert isinstance(found, OtherRegion)
    assert found.region == b"eu-west-1"
    # a target that has no regions does not redirect in this sense
    kept = refusal(status, body, regions=False, **fields)
    malformed = b"Malformed" in body
    assert kept == (
        SignatureRefused("AuthorizationHeaderMalformed", renew=False) if malformed else None
    )


def test_a_head_without_access_is_passed_on() -> None:
    assert refusal(403, b"", x_amz_bucket_region="eu-west-1") is None


XML = document("SignatureDoesNotMatch", AWSAccessKeyId="AKIDTARGET")
DECLARED = b'<?xml version="1.0" encoding="%b"?>'


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (gzip.compress(XML, mtime=0), {"content_encoding": "gzip"}),
        (gzip.compress(XML, mtime=0), {"content_encoding": "x-gzip"}),
        (gzip.compress(XML, mtime=0), {"content_encoding": "GZIP"}),
        (gzip.compress(XML, mtime=0), {}),
        (gzip.compress(gzip.compress(XML, mtime=0), mtime=0), {"content_encoding": "gzip, gzip"}),
        (gzip.compress(XML + b" " * (64 << 20), 1, mtime=0), {"content_encoding": "gzip"}),
        (gzip.compress(XML + b"x" * 9000, mtime=0)[:150], {"content_encoding": "gzip"}),
        (zlib.compress(XML), {"content_encoding": "deflate"}),
        (zlib.compress(XML)[2:-4], {"content_encoding": "deflate"}),
        (XML, {"content_encoding": "br"}),  # which it is not
        (XML, {"content_encoding": "gzip"}),
        (b"\xef\xbb\xbf" + XML, {}),
        (b"\r\n " + XML, {}),
        ((DECLARED % b"UTF-16" + XML).decode().encode("utf-16"), {}),
        ((DECLARED % b"UTF-16" + XML).decode().encode("utf-16-be"), {}),
        ((DECLARED % b"UTF-32" + XML).decode().encode("utf-32"), {}),
        (DECLARED % b"ISO-8859-15" + XML, {}),
        (DECLARED % b"GB18030" + XML, {}),
        (DECLARED % b"x-unheard-of" + XML, {}),
        (b'<ErrorResponse xmlns="q">' + XML + b"<RequestId>1</RequestId></ErrorResponse>", {}),
        (b"<Response><Errors>" + XML + b"</Errors><RequestID>1</RequestID></Response>", {}),
        (b'<s3:Error xmlns:s3="q"><s3:Code>SignatureDoesNotMatch</s3:Code></s3:Error>', {}),
        (b"<error><code>SignatureDoesNotMatch</code></error>", {}),
        (b'{"Code": "SignatureDoesNotMatch", "AWSAccessKeyId": "AKIDTARGET"}', {}),
        (b'{"error": {"code": "SignatureDoesNotMatch", "message": "m"}}', {}),
        (b'{"error": "SignatureDoesNotMatch"}', {}),
        (b'{"__type": "com.amazon#SignatureDoesNotMatchException:http://q/"}', {}),
        (b'\xef\xbb\xbf{"errors": [{"code": "SignatureDoesNotMatch", "more": "', {}),
        (b"", {"x_minio_error_code": "SignatureDoesNotMatch"}),
        (b"", {"x_amz_error_code": "SignatureDoesNotMatch"}),
        (b"", {"x_amzn_errortype": "SignatureDoesNotMatch:http://internal/"}),
    ],
)
def test_a_refused_signature_is_known_in_any_coding_and_shape(
    body: bytes, fields: dict[str, str]
) -> None:
    """B6"""
    assert refusal(403, body, **fields) == SignatureRefused("SignatureDoesNotMatch", renew=True)


@pytest.mark.parametrize(
    ("body", "fields", "found"),
    [
        (b"<html>no access with AKIDTARGET</html>", {}, SignatureRefused("403", renew=True)),
        (document("Strange", Key="AKIDTARGET"), {}, SignatureRefused("Strange", renew=False)),
        (b"<!DOCTYPE a>" + XML, {}, SignatureRefused("403", renew=True)),
        (b"", {"x_hint": "key AKIDTARGET"}, SignatureRefused("403", renew=True)),
        (
            b"\x8b\x02\x80",
            {"content_encoding": "br"},
            SignatureRefused("403 in the coding br", renew=True),
        ),
        (
            b"\x1f\x8b no",
            {"content_encoding": "gzip"},
            SignatureRefused("403 in the coding gzip", True),
        ),
        (gzip.compress(document("AccessDenied"), mtime=0), {"content_encoding": "gzip"}, None),
        (b'{"Code": "AccessDenied"}', {}, None),
        (b"", {"content_encoding": "br"}, None),
        (b"", {"x_minio_error_code": "AccessDenied"}, None),
    ],
)
def test_the_key_of_the_target_is_shown_to_nobody(
    body: bytes, fields: dict[str, str], found: Refusal
) -> None:
    """B6"""
    assert refusal(403, body, **fields) == found


def test_a_redirect_is_understood_in_a_coding() -> None:
    """B6"""
    body = gzip.compress(document("PermanentRedirect", Region="eu-west-1"), mtime=0)
    found = refusal(301, body, content_encoding="gzip")
    assert found == OtherRegion("PermanentRedirect", b"eu-west-1")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(
    ("body", "location", "shown"),
    [
        (b"", "https://first.test/bkt/k", "https://first.test"),
        (b"", "https://first.test:9443/bkt/k?a=b", "https://first.test:9443"),
        (b"", "//First.Test", "//First.Test"),
        (b"", "https://bkt.first.test/k", "https://bkt.first.test"),
        (document("Redirect", Endpoint="first.test"), "", "first.test"),
        (document("PermanentRedirect", Endpoint="bkt.first.test:1"), "", "bkt.first.test:1"),
        (b"", "https://notfirst.test/bkt/k", ""),
        (b"", "https://first.test.example/", ""),
        (b"", "https://first.test@example.com/", ""),
        (b"", "/elsewhere/on/first.test", ""),
        (document("Redirect", Endpoint="other.test"), "https://other.test/", ""),
    ],
)
def test_a_target_that_redirects_to_itself(
    status: int, body: bytes, location: str, shown: str
) -> None:
    """P2"""
    found = refusal(status, body, regions=False, location=location)
    assert found == (RedirectsToItself(shown) if shown else None)
