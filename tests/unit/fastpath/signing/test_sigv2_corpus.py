"""Replays the corpus of Signature Version 2: the pure functions, and live connections."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fastpath.errors import S3Error
from fastpath.http.head import RequestHead, parse_request_head
from fastpath.http.query import parse_query
from fastpath.limits import Limits
from fastpath.s3.addressing import locate
from fastpath.signing.authentication import Accepted, Sigv2, authenticate
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.verify import Proof
from tests.corpus.sigv2 import ACCESS_KEY_ID, DOMAIN, SECRET, UPLOAD_ID, Case, cases, fill
from tests.doubles.uploads import sealed
from tests.doubles.wire import Rig
from tests.unit.fastpath.exchange.test_corpora_live import replay

KEY = ACCESS_KEY_ID.encode()
IDENTITIES = {KEY: Identity("corpus", KEY, SECRET.encode())}
NOW = 1_756_744_908.25  # 2025-09-01T16:41:48Z
HOST = "gateway.test:8080"
NEVER_SENT = (b"Signature", b"Expires", b"AWSAccessKeyId", b"content-type", b"x-amz-acl")
CASES = cases()
BY_NAME = {case.name: case for case in CASES}


def verify(case: Case, head: RequestHead, now: float = NOW) -> Proof:
    address = locate(head, (DOMAIN.encode(),))
    accepted = Accepted(Sigv2(case.recipe.accepts))
    return authenticate(head, parse_query(head.query), address, IDENTITIES, accepted, now)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_answer(case: Case) -> None:
    raw, names = case.render(HOST, NOW)
    head = parse_request_head(raw, Limits())
    if case.accepted:
        proof = verify(case, head)
        assert proof.identity is IDENTITIES[KEY]
        assert proof.payload == b"UNSIGNED-PAYLOAD"
        assert proof.presigned is (case.recipe.form == "query")
        return
    with pytest.raises(S3Error) as caught:
        verify(case, head)
    error, expect = caught.value, case.expect
    assert (error.kind.status, error.kind.code) == (expect["status"], expect["code"])
    assert error.message == fill(str(expect["message"]), names)
    elements: Any = expect.get("elements", [])
    assert [name for name, _ in error.extras] == [name for name, _ in elements]
    for (name, value), (_, wanted) in zip(error.extras, elements, strict=True):
        assert wanted == "*" or value == fill(wanted, names), name
    told = dict(error.extras)
    if "StringToSign" in told:
        assert bytes.fromhex(told["StringToSignBytes"]).decode() == told["StringToSign"]
    assert SECRET not in str(error.extras)


def test_corpus_is_complete() -> None:
    assert len(CASES) >= 80
    assert len(BY_NAME) == len(CASES)
    sources = ("AWS errors", "AWS docs", "AWS measured", "botocore", "names are", "the gateway's")
    assert [case.name for case in CASES if not case.source.startswith((*sources, "only a"))] == []


def rig(accepts: str) -> Rig:
    known = {
        "name": "corpus",
        "keys": [{"access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET}],
        "targets": None,
        "allow": None,
        "credentials": {},
        "show_decisions": False,
    }
    return Rig(mode="sigv4", sigv2=accepts, identities=[known], domains=[DOMAIN], rules=())


@pytest.mark.parametrize("accepts", ["presigned", "all", "off"])
def test_live_answers_and_nothing_refused_goes_upstream(accepts: str) -> None:
    live = rig(accepts)
    upload_id = sealed(UPLOAD_ID, "corpus-bucket", "some/key")
    seen = 0
    for case in (case.with_upload_id(upload_id) for case in CASES):
        if case.recipe.accepts != accepts or case.recipe.method == "HEAD":
            continue
        outcome = replay(live, [case.render(HOST, time.time())[0]])
        ((status, code, _),) = outcome.answers
        seen += 1
        if case.accepted:
            assert (status, len(outcome.forwarded)) == (200, 1), case.name
            for method, path, _ in outcome.forwarded:
                assert method == case.recipe.method.encode()
                sent = dict(parse_query(path.partition(b"?")[2]))
                assert sent.keys().isdisjoint(NEVER_SENT), case.name
                assert sent.get(b"uploadId") in (None, UPLOAD_ID.encode()), case.name
        else:
            assert (status, code) == (case.expect["status"], case.expect["code"]), case.name
            assert outcome.forwarded == [], case.name
    assert seen
    assert not live.defects


def test_life_of_a_url_ends_with_the_second() -> None:
    case = BY_NAME["query-good"]
    head = parse_request_head(case.render(HOST, NOW)[0], Limits())
    verify(case, head, int(NOW) + 299.99)
    with pytest.raises(S3Error, match="Request has expired"):
        verify(case, head, int(NOW) + 300)
    verify(case, head, 0.0)  # SigV2 says when a URL ends, not when it begins


@pytest.mark.parametrize("name", ["query-good", "header-good"])
def test_nobody_is_known(name: str) -> None:
    head = parse_request_head(BY_NAME[name].render(HOST, NOW)[0], Limits())
    with pytest.raises(S3Error, match="InvalidAccessKeyId"):
        authenticate(head, parse_query(head.query), locate(head, ()), {}, Accepted(Sigv2.ALL), NOW)


def test_sigv4_is_verified_whatever_sigv2_says() -> None:
    from tests.corpus import signatures

    identities = {
        signatures.ACCESS_KEY_ID.encode(): Identity(
            "v4", signatures.ACCESS_KEY_ID.encode(), signatures.SECRET.encode()
        )
    }
    for form in ("header", "query"):
        recipe = signatures.Recipe(form=form)
        raw = signatures.Case("", "", recipe, {}).render(HOST, NOW).raw
        head = parse_request_head(raw, Limits())
        for accepted in map(Accepted, Sigv2):
            proof = authenticate(
                head, parse_query(head.query), locate(head, ()), identities, accepted, NOW
            )
            assert proof.region == b"us-east-1"
