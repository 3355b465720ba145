"""D2: what answers say of credentials, clocks, regions and certificates."""

from __future__ import annotations

import pytest

from gateway.connect import classify
from gateway.connect.attempt import Answer
from gateway.connect.classify import Finding

LISTED = b"<ListAllMyBucketsResult/>"


def answer(
    status: int,
    body: bytes = b"",
    *,
    skew: float | None = 0.0,
    expires: float | None = None,
    **headers: str,
) -> Answer:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return Answer(status, named, body, skew, expires)


def error(status: int, code: str, more: str = "", **facts: float) -> Answer:
    return answer(status, f"<Error><Code>{code}</Code>{more}</Error>".encode(), **facts)


def of_list(said: Answer, *, lakefs: bool = False) -> list[Finding]:
    return list(classify.of_list(said, tls=False, lakefs=lakefs))


@pytest.mark.parametrize(
    ("said", "setting", "message"),
    [
        (error(403, "InvalidAccessKeyId"), "access_key_id", "does not know the access key id"),
        (error(403, "SignatureDoesNotMatch"), "secret_access_key", "the secret is not that"),
        (error(400, "ExpiredToken"), "access_key_id", "the session has expired"),
        (error(400, "InvalidToken"), "access_key_id", "the session token"),
        (error(400, "MissingFields"), "access_key_id", "3 to 20 characters"),
        (error(403, "RequestTimeTooSkewed"), "endpoint", "clocks too far apart"),
        (
            error(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            "region",
            "the target is of region eu-west-1",
        ),
        (error(400, "AuthorizationHeaderMalformed"), "region", "scope malformed"),
        (answer(301, x_amz_bucket_region="eu-west-1"), "region", "is of region eu-west-1"),
        (answer(307), "endpoint", "307, a redirect"),
        (answer(200, b"<!DOCTYPE html><html>"), "endpoint", "a web page"),
        (answer(200, b"{}"), "endpoint", "something else than a list of buckets"),
        (error(503, "SlowDown"), "endpoint", "answers 503 SlowDown"),
        (error(400, "Weird"), "access_key_id", "answers 400 Weird"),
        (error(400, "a secret: x"), "access_key_id", "answers 400 to"),
        (
            answer(400, b"The plain HTTP request was sent to HTTPS port"),
            "endpoint",
            "the port speaks TLS",
        ),
    ],
    ids=lambda value: f"D2 {value.status} {value.body[:40]!r}" if isinstance(value, Answer) else "",
)
def test_what_a_list_of_buckets_tells(said: Answer, setting: str, message: str) -> None:
    (finding,) = of_list(said)
    assert (finding.setting, finding.severity) == (setting, "error")
    assert message in finding.message
    assert finding.remedy


@pytest.mark.parametrize("said", [answer(200, LISTED), error(403, "AccessDenied"), answer(501)])
def test_what_says_nothing_against_the_credentials(said: Answer) -> None:
    """D2: AccessDenied is somebody's who may do something else, or nobody's."""
    assert of_list(said) == []


def test_a_skew_is_told_once() -> None:
    """D2: by the Date, or by the code if there is none."""
    skewed = error(403, "RequestTimeTooSkewed", skew=-1000.0)
    assert of_list(skewed) == []
    (finding,) = classify.of_connection(skewed, 0.0)
    assert finding.message == "the target's clock is 1000 seconds behind this machine's"


@pytest.mark.parametrize(
    ("skew", "severity"),
    [(None, None), (0.0, None), (-299.0, None), (300.0, "warning"), (-900.0, "error")],
)
def test_clocks(skew: float | None, severity: str | None) -> None:
    """D2: S3 refuses from 900 seconds on."""
    found = list(classify.of_connection(answer(200, skew=skew), 0.0))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


@pytest.mark.parametrize(("days", "told"), [(13, True), (15, False)])
def test_a_certificate_that_ends_soon(days: int, told: bool) -> None:
    """D2: a warning while there is time."""
    found = list(classify.of_connection(answer(200, expires=1000.0 + days * 86400), 1000.0))
    assert [finding.severity for finding in found] == (["warning"] if told else [])


@pytest.mark.parametrize(
    ("said", "regions", "message"),
    [
        (answer(200), False, None),
        (answer(404), False, "does not exist"),
        (answer(403), False, "may not look at bucket b"),
        (answer(500), False, "answers 500"),
        (answer(301, x_amz_bucket_region="eu-west-1"), False, "is in region eu-west-1"),
        (answer(301, x_amz_bucket_region="eu-west-1"), True, None),
    ],
    ids=lambda value: f"D2 {value.status}" if isinstance(value, Answer) else "",
)
def test_a_bucket_that_a_rule_names(said: Answer, regions: bool, message: str | None) -> None:
    found = classify.of_bucket(said, "b", "us-east-1", regions=regions)
    assert (found is None) if message is None else (found and message in found.message)


def test_lakefs_says_access_denied_to_an_unknown_key() -> None:
    """D2: an error there, a warning elsewhere while nothing else was tried."""
    assert classify.of_denied(lakefs=True, tried=False).severity == "error"
    assert classify.of_denied(lakefs=False, tried=True).severity == "error"
    assert classify.of_denied(lakefs=False, tried=False).severity == "warning"


@pytest.mark.parametrize(
    ("said", "severity", "message"),
    [
        (error(404, "NoSuchKey"), None, ""),
        (error(404, "NoSuchBucket"), None, ""),
        (answer(301), None, ""),
        (error(403, "AccessDenied"), "error", "answered 403 AccessDenied and not 404"),
        (error(503, "SlowDown"), "warning", "answered 503 SlowDown and not 404"),
        (answer(200), "warning", "answered 200 and not 404"),
    ],
    ids=lambda value: f"{value.status}" if isinstance(value, Answer) else "",
)
def test_a_missing_key(said: Answer, severity: str | None, message: str) -> None:
    """A read moves on along a chain after a 404 alone."""
    found = classify.of_missing(said, "b")
    assert (found and found.severity) == severity
    assert found is None or message in found.message
