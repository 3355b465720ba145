"""Signing upstream: the lines, the session token, midnight, and what is never shown."""

from __future__ import annotations

import pytest

from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.sign import Credentials, Signer
from fastpath.signing.sigv4.verify import Proof

MIDNIGHT = 1_756_771_200.0  # 2025-09-02T00:00:00Z
EMPTY = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def sign(signer: Signer, now: float = MIDNIGHT, **changes: object) -> list[bytes]:
    parts: dict[str, object] = {
        "method": b"GET",
        "raw_path": b"/b/k",
        "raw_query": b"",
        "host": b"store:8000",
        "amz_headers": [],
        "payload": EMPTY,
        **changes,
    }
    return signer.sign(now=now, **parts)  # type: ignore[arg-type]


@pytest.fixture
def signer() -> Signer:
    return Signer(Credentials(b"AKID", b"SECRET"), b"eu-west-1")


def test_lines(signer: Signer) -> None:
    authorization, date, payload = sign(signer, amz_headers=[(b"x-amz-acl", b"private")])
    assert authorization.startswith(
        b"authorization: AWS4-HMAC-SHA256 Credential=AKID/20250902/eu-west-1/s3/aws4_request,"
        b"SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date,Signature="
    )
    assert authorization.endswith(b"\r\n")
    assert date == b"x-amz-date: 20250902T000000Z\r\n"
    assert payload == b"x-amz-content-sha256: " + EMPTY + b"\r\n"


def test_session_token_is_signed_and_sent() -> None:
    signer = Signer(Credentials(b"AKID", b"SECRET", b"TOKEN"), b"eu-west-1")
    lines = sign(signer)
    assert b";x-amz-date;x-amz-security-token," in lines[0]
    assert lines[3:] == [b"x-amz-security-token: TOKEN\r\n"]


def test_day_turns_both_ways(signer: Signer) -> None:
    before = sign(signer, MIDNIGHT - 0.001)
    after = sign(signer, MIDNIGHT)
    assert b"/20250901/" in before[0]
    assert before[1] == b"x-amz-date: 20250901T235959Z\r\n"
    assert b"/20250902/" in after[0]
    assert sign(signer, MIDNIGHT - 0.001) == before  # a clock set back
    assert sign(Signer(Credentials(b"AKID", b"SECRET"), b"eu-west-1"), MIDNIGHT) == after


@pytest.mark.parametrize(
    "changes",
    [
        {"method": b"PUT"},
        {"raw_path": b"/b/k2"},
        {"raw_query": b"acl"},
        {"host": b"store:8001"},
        {"amz_headers": [(b"x-amz-acl", b"private")]},
        {"payload": b"UNSIGNED-PAYLOAD"},
        {"now": MIDNIGHT + 1},
    ],
)
def test_every_part_is_signed(signer: Signer, changes: dict[str, object]) -> None:
    assert sign(signer, **changes)[0] != sign(signer)[0]  # type: ignore[arg-type]


def test_repeated_headers_are_signed_joined(signer: Signer) -> None:
    repeated = [(b"x-amz-meta-a", b"one"), (b"x-amz-meta-a", b"two  three")]
    assert sign(signer, amz_headers=repeated) == sign(
        signer, amz_headers=[(b"x-amz-meta-a", b"one,two three")]
    )


def test_equal_spellings_of_a_path_have_one_signature(signer: Signer) -> None:
    assert sign(signer, raw_path=b"/b/a+b") == sign(signer, raw_path=b"/b/a%2Bb")
    assert sign(signer, raw_query=b"b&a=%7E") == sign(signer, raw_query=b"a=~&b=")


def test_secrets_never_show() -> None:
    credentials = Credentials(b"AKID", b"SECRET", b"TOKEN")
    identity = Identity("analytics", b"AKID", b"SECRET")
    proof = Proof(identity, b"", False, b"", b"", b"", b"")
    shown = repr((credentials, Signer(credentials, b"r"), identity, proof))
    assert "SECRET" not in shown
    assert "TOKEN" not in shown
    assert repr(identity) == "<Identity 'analytics'>"
    assert repr(credentials) == "<Credentials session>"
    assert repr(Credentials(b"AKID", b"SECRET")) == "<Credentials static>"
    assert repr(Signer(credentials, b"eu-west-1")) == "<Signer eu-west-1>"
