"""What a target's refusal means: the table of answers."""

from __future__ import annotations

import pytest

from fastpath.verdict import Elsewhere, Hidden, Verdict, judge


def document(code: str, **elements: str) -> bytes:
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in elements.items())
    return f"<Error><Code>{code}</Code><Message>m</Message>{inside}</Error>".encode()


def verdict(status: int, body: bytes, *, regions: bool = True, **fields: str) -> Verdict:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in fields.items()}
    return judge(status, named, body, b"us-east-1", regions=regions)


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
    assert verdict(status, document(code), regions=regions) == Hidden(code, renew)


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
    assert verdict(status, body) is None


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
    found = verdict(status, body, **fields)
    assert isinstance(found, Elsewhere)
    assert found.region == b"eu-west-1"
    # a target that has no regions does not redirect in this sense
    kept = verdict(status, body, regions=False, **fields)
    malformed = b"Malformed" in body
    assert kept == (Hidden("AuthorizationHeaderMalformed", renew=False) if malformed else None)


def test_a_head_without_access_is_passed_on() -> None:
    assert verdict(403, b"", x_amz_bucket_region="eu-west-1") is None
