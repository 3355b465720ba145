"""`auth.anonymous: forward`: what of nobody's requests goes up, and how."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from tests.doubles.http1 import get, ok, put
from tests.doubles.rules import Rule
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import Peer, Rig
from tests.unit.fastpath.clients import BODY, one


def started(**options: Any) -> tuple[Rig, Peer]:
    rig = Rig(**{"mode": "sigv4", "anonymous": "forward", **options})
    return rig, rig.connect()


def refused(request: bytes, method: bytes = b"PUT", **options: Any) -> tuple[int, str]:
    rig, client = started(**options)
    client.says(request)
    answer = one(client, method)
    assert all(not target.heard for target in rig.targets)
    assert not rig.defects
    return answer.status, answer.code


def test_it_is_denied_unless_it_is_asked_for() -> None:
    assert refused(get("/b-b/k"), b"GET", anonymous="deny") == (403, "AccessDenied")


def test_an_unsigned_request_goes_up_unsigned() -> None:
    rig, client = started()
    client.says(get("/b-b/k?versionId=1", "X-Amz-Date: 20260101T000000Z", "Cookie: a=b"))
    head = rig.target.heard
    assert head.startswith(b"GET /b-b/k?versionId=1 HTTP/1.1\r\nhost: first.test:9000\r\n")
    for word in (b"authorization", b"x-amz-date", b"x-amz-content-sha256", b"cookie", b"akid"):
        assert word not in head.lower()
    assert b"\r\nvia: 1.1 s3gateway-rig\r\n" in head
    rig.target.says(ok(BODY))
    assert one(client).body == BODY
    (line,) = rig.lines("access")
    assert (line["identity"], line["operation"], line["target"]) == ("", "GetObject", "first")


def test_the_target_s_refusal_is_passed_on() -> None:
    for code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        rig, client = started()
        client.says(get("/b-b/k"))
        document = f"<Error><Code>{code}</Code></Error>".encode()
        rig.target.says(ok(document, status="403 Forbidden"))
        answer = one(client)
        assert (answer.status, answer.code) == (403, code)
        assert not rig.lines("refresh")
        assert rig.target.heard.count(b"GET ") == 1


def test_a_bucket_of_another_region_is_asked_for_there_still_unsigned() -> None:
    rig, client = started()
    client.says(get("/b-b/k"))
    rig.target.says(
        ok(
            b"<Error><Code>PermanentRedirect</Code></Error>",
            "x-amz-bucket-region: eu-west-1",
            status="301 Moved Permanently",
        )
    )
    assert rig.target.heard.count(b"GET ") >= 1
    assert b"authorization" not in b"".join(target.heard for target in rig.targets).lower()
    rig.target.says(ok(BODY))
    assert one(client).body == BODY


def test_a_profile_that_knows_no_strangers_is_not_shown_any() -> None:
    assert refused(get("/b-b/k"), b"GET", profile="lakefs") == (403, "AccessDenied")
    rig, client = started(profile="lakefs")
    client.says(get("/g-b/k"))  # of the generic target
    assert rig.target.heard


def test_rules_of_identities_are_not_for_nobody() -> None:
    rule = Rule(1, 1, "*", "generic", identities=("client",))
    rig, client = started(rules=[rule])
    client.says(get("/b-b/k"))
    assert b"host: first.test" in rig.target.heard


def test_a_bad_signature_is_not_taken_for_none() -> None:
    line = "Authorization: AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=y"
    assert refused(get("/b-b/k", line), b"GET")[0] == 400
    assert refused(get("/b-b/k?AWSAccessKeyId=a&Signature=b"), b"GET")[0] == 403


def test_a_circle_is_noticed() -> None:
    assert refused(get("/b-b/k", "Via: 1.1 s3gateway-rig"), b"GET") == (400, "InvalidRequest")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("profile", ["s3", "generic"])
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (
            f"x-amz-content-sha256: {hashlib.sha256(b'else').hexdigest()}",
            "XAmzContentSHA256Mismatch",
        ),
        ("x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "InvalidRequest"),
        ("x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "InvalidRequest"),
        ("x-amz-content-sha256: STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "InvalidRequest"),
    ],
)
def test_bodies_are_verified_here(profile: str, line: str, code: str) -> None:
    assert refused(put("/b-b/k", BODY, line), profile=profile) == (400, code)


DIGEST = hashlib.sha256(BODY).hexdigest()
NO_DIGESTS = ["", "0", "incorrect_hash", DIGEST[:63], DIGEST + "0", "unsigned-payload", "x" * 64]


@pytest.mark.parametrize("options", [{}, {"mode": "open"}], ids=["anonymous", "open"])
@pytest.mark.parametrize("claimed", NO_DIGESTS)
def test_what_is_no_digest_is_the_digest_of_no_body(claimed: str, options: dict[str, str]) -> None:
    """P4: AWS computes the digest and compares, whatever the header says (versitygw issue 1423)."""
    line = f"x-amz-content-sha256: {claimed}"
    part = with_sealed_id("/g-b/k?partNumber=1&uploadId=u")
    for path, body in (("/g-b/k", BODY), ("/g-b/k", b""), (part, BODY)):
        rig, client = started(**options)
        client.says(put(path, body, line))
        answer = one(client, b"PUT")
        assert (answer.status, answer.code) == (400, "XAmzContentSHA256Mismatch")
        assert f"<ClientComputedContentSHA256>{claimed}</".encode() in answer.body
        assert not any(target.heard for target in rig.targets)


@pytest.mark.parametrize("claimed", [DIGEST, DIGEST.upper(), "UNSIGNED-PAYLOAD"])
def test_digests_of_the_body_are_taken(claimed: str) -> None:
    """P4: in either case, and none at all."""
    rig, client = started()
    client.says(put("/g-b/k", BODY, f"x-amz-content-sha256: {claimed}"))
    assert rig.target.heard.endswith(BODY)


def test_content_md5_and_checksums_are_verified_where_the_target_does_not() -> None:
    wrong = _base64(hashlib.md5(b"else").digest())
    assert refused(put("/g-b/k", BODY, f"Content-MD5: {wrong}")) == (400, "BadDigest")
    wrong = _base64(hashlib.sha256(b"else").digest())
    assert refused(put("/g-b/k", BODY, f"x-amz-checksum-sha256: {wrong}")) == (400, "BadDigest")


TRAILER = [
    "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    f"x-amz-decoded-content-length: {len(BODY)}",
    "x-amz-trailer: x-amz-checksum-sha256",
    "Content-Encoding: aws-chunked",
]


@pytest.mark.parametrize("profile", ["s3", "generic"])
def test_an_unsigned_trailer_is_verified_and_taken_off(profile: str) -> None:
    for data, code in ((BODY, ""), (b"else", "BadDigest")):
        value = _base64(hashlib.sha256(data).digest())
        framed = b"%x\r\n%b\r\n0\r\nx-amz-checksum-sha256:%b\r\n\r\n" % (
            len(BODY),
            BODY,
            value.encode(),
        )
        request = put("/b-b/k", framed, *TRAILER)
        if code:
            assert refused(request, profile=profile) == (400, code)
            continue
        rig, client = started(profile=profile)
        client.says(request)
        head, _, body = rig.target.heard.partition(b"\r\n\r\n")
        assert body == BODY
        assert b"\r\ncontent-length: %d\r\n" % len(BODY) in head + b"\r\n"
        for word in (b"aws-chunked", b"x-amz-trailer", b"decoded", b"content-sha256"):
            assert word not in head.lower()
