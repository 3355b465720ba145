"""What the corpus cannot say in a request: the clock's edges, and what a caller can tell apart."""

from __future__ import annotations

import pytest

from fastpath.errors import (
    ACCESS_DENIED,
    ANONYMOUS,
    REQUEST_EXPIRED,
    REQUEST_NOT_YET_VALID,
    REQUEST_TIME_TOO_SKEWED,
    S3Error,
)
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.verify import Proof, authenticate
from tests.corpus.signatures import ACCESS_KEY_ID, SECRET, Case, Recipe

KEY = ACCESS_KEY_ID.encode()
IDENTITIES = {KEY: Identity("corpus", KEY, SECRET.encode())}
NOW = 1_756_744_908


def head_of(recipe: Recipe) -> RequestHead:
    return parse_request_head(Case("", "", recipe, {}).render("h", NOW).raw, Limits())


def believe(recipe: Recipe, now: float) -> Proof:
    head = head_of(recipe)
    return authenticate(head, parse_query(head.query), IDENTITIES, now)


@pytest.mark.parametrize("offset", [-900, 0, 900])
def test_skew_within(offset: int) -> None:
    assert believe(Recipe(), NOW + offset).date == b"20250901"


@pytest.mark.parametrize("offset", [-900.01, 900.01])
def test_skew_beyond(offset: float) -> None:
    with pytest.raises(S3Error) as caught:
        believe(Recipe(), NOW + offset)
    assert caught.value.kind is REQUEST_TIME_TOO_SKEWED


@pytest.mark.parametrize("offset", [-900, 0, 299.99])
def test_presigned_within_its_life(offset: float) -> None:
    assert believe(Recipe(form="query"), NOW + offset).presigned


def test_presigned_outside_its_life() -> None:
    with pytest.raises(S3Error) as caught:
        believe(Recipe(form="query"), NOW + 300)
    assert caught.value.kind is REQUEST_EXPIRED
    with pytest.raises(S3Error) as caught:
        believe(Recipe(form="query"), NOW - 900.01)
    assert caught.value.kind is REQUEST_NOT_YET_VALID


def test_presigned_at_the_end_of_time() -> None:
    with pytest.raises(S3Error) as caught:
        believe(Recipe(form="query", date="99991231T235959Z", expires="604800"), NOW)
    assert dict(caught.value.extras)["Expires"] == "9999-12-31T23:59:59Z"


def test_anonymous_can_be_told_from_denied() -> None:
    with pytest.raises(S3Error) as caught:
        believe(Recipe(form="none"), NOW)
    assert caught.value.kind is ANONYMOUS
    assert caught.value.kind is not ACCESS_DENIED


def test_proof() -> None:
    head = head_of(Recipe(region="eu-north-1", payload="A" * 64))
    proof = authenticate(head, [], IDENTITIES, NOW)
    assert proof.identity is IDENTITIES[KEY]
    assert proof.payload == b"a" * 64
    assert not proof.presigned
    assert head.fields[b"authorization"].endswith(b"Signature=" + proof.seed_signature)
    assert (proof.timestamp, proof.date) == (b"20250901T164148Z", b"20250901")
    assert proof.region == b"eu-north-1"


def test_first_of_repeated_parameters_counts() -> None:
    """AWS does so with list parameters; both are signed, so nothing can be slipped in."""
    recipe = Recipe(form="query", query="X-Amz-Expires=1")
    assert believe(recipe, NOW).presigned
    with pytest.raises(S3Error) as caught:
        believe(recipe, NOW + 1)
    assert caught.value.kind is REQUEST_EXPIRED
    assert caught.value.extras[0] == ("X-Amz-Expires", "1")


def test_nobody_is_known() -> None:
    head = head_of(Recipe())
    with pytest.raises(S3Error, match="InvalidAccessKeyId"):
        authenticate(head, [], {}, NOW)


REGIONS = (b"us-east-1", b"eu-central-1")
WRONG = "the region 'us-west-2' is wrong; expecting 'us-east-1'"


@pytest.mark.parametrize(
    ("form", "code", "prefix", "told"),
    [
        (
            "header",
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; ",
            ((b"x-amz-bucket-region", b"us-east-1"),),
        ),
        (
            "query",
            "AuthorizationQueryParametersError",
            "Error parsing the X-Amz-Credential parameter; ",
            (),
        ),
    ],
)
@pytest.mark.parametrize("secret", ["", "of somebody else"])
def test_a_scope_of_another_region(
    form: str, code: str, prefix: str, told: object, secret: str
) -> None:
    """P5: refused as AWS does (AWS errors 1.17, 2.15), before the signature is looked at."""
    head = head_of(Recipe(form=form, region="us-west-2", secret=secret))
    with pytest.raises(S3Error) as caught:
        authenticate(head, parse_query(head.query), IDENTITIES, NOW, REGIONS)
    error = caught.value
    assert (error.kind.status, error.kind.code) == (400, code)
    assert error.message == prefix + WRONG
    assert error.extras == (("Region", "us-east-1"),)
    assert error.fields == told


@pytest.mark.parametrize("form", ["header", "query"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_scope_of_a_region_that_is_served(form: str, region: str) -> None:
    """P5: any of the list is good."""
    head = head_of(Recipe(form=form, region=region))
    proof = authenticate(head, parse_query(head.query), IDENTITIES, NOW, REGIONS)
    assert proof.region == region.encode()


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearer secret-token", "AWS5 Signature=s"])
@pytest.mark.parametrize("query", ["", "X-Amz-Algorithm=AWS4-HMAC-SHA256"])
def test_an_answer_repeats_no_credential(value: str, query: str) -> None:
    """P7: of an Authorization header that is refused only the scheme is shown."""
    recipe = Recipe(form="none", headers=[["authorization", value]], query=query)
    with pytest.raises(S3Error) as caught:
        believe(recipe, NOW)
    scheme, secret = value.split(" ")
    assert ("ArgumentValue", scheme) in caught.value.extras
    assert secret not in str(caught.value.extras) + caught.value.message
