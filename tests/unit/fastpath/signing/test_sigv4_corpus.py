"""Replays the signature corpus through the pure functions, at two fixed times."""

from __future__ import annotations

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import parse_request_head
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.verify import authenticate
from tests.corpus.signatures import ACCESS_KEY_ID, SECRET, Case, Expected, cases

KEY = ACCESS_KEY_ID.encode()
IDENTITIES = {KEY: Identity("corpus", KEY, SECRET.encode())}
NOON = 1_756_744_908.25  # 2025-09-01T16:41:48Z
NEW_YEAR = 1_767_225_600.0 + 43_200  # 2026-01-01T12:00:00Z
CASES = cases()


def check_refusal(error: S3Error, expected: Expected) -> None:
    assert (error.kind.status, error.kind.code) == (expected.status, expected.code)
    assert error.message == expected.message
    assert [name for name, _ in error.extras] == [name for name, _ in expected.elements]
    for (name, value), (_, wanted) in zip(error.extras, expected.elements, strict=True):
        if wanted != "*":
            assert value == wanted, name
    told = dict(error.extras)
    for name in ("StringToSign", "CanonicalRequest"):
        if name in told and "\ufffd" not in told[name]:
            assert bytes.fromhex(told[name + "Bytes"]) == told[name].encode()
    assert SECRET not in str(error.extras)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_answer(case: Case) -> None:
    for now in (NOON, NEW_YEAR):
        check(case, now)


def check(case: Case, now: float) -> None:
    rendered = case.render("gateway.test:8080", now)
    head = parse_request_head(rendered.raw, Limits())
    expected = rendered.expected
    if expected.accepted:
        proof = authenticate(head, parse_query(head.query), IDENTITIES, now)
        assert proof.identity is IDENTITIES[KEY]
        assert proof.payload == expected.payload.encode()
        assert proof.presigned is (case.recipe.form == "query")
    else:
        with pytest.raises(S3Error) as caught:
            authenticate(head, parse_query(head.query), IDENTITIES, now)
        check_refusal(caught.value, expected)


def test_corpus_is_complete() -> None:
    assert len(CASES) >= 75
    assert len({case.name for case in CASES}) == len(CASES)
    for case in CASES:
        assert case.source.startswith(("AWS ", "the gateway's own", "unverified")), case.name
        assert ("code" in case.expect) != bool(case.expect.get("accepted", False)), case.name


def test_every_refusal_of_authenticate_is_in_the_corpus() -> None:
    """Each text that the signature rooms can answer with is expected by some case."""
    codes = {(case.expect.get("status"), case.expect.get("code")) for case in CASES}
    assert {
        (400, "AuthorizationHeaderMalformed"),
        (400, "AuthorizationQueryParametersError"),
        (400, "InvalidArgument"),
        (400, "InvalidRequest"),
        (400, "InvalidToken"),
        (403, "AccessDenied"),
        (403, "InvalidAccessKeyId"),
        (403, "RequestTimeTooSkewed"),
        (403, "SignatureDoesNotMatch"),
        (501, "NotImplemented"),
    } <= codes
