"""The double directly: who sent a request.

Every test says which file of lakeFS 1.84 the behaviour was read in (SIG = pkg/gateway/sig).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from urllib.parse import quote

import pytest

from tests.doubles.lakefs import LakeFS
from tests.doubles.lakefs.addressing import DEFAULT_DOMAIN
from tests.process.lakefs.client import Client
from tests.process.lakefs.conftest import OBJECT

OBJECT_PATH = "/repo/main/a.txt"


def at(offset: timedelta) -> dict[str, str]:
    return {"x-amz-date": (datetime.now(UTC) + offset).strftime("%Y%m%dT%H%M%SZ")}


def changed(client: Client, old: bytes, new: bytes, **options: dict[str, str]) -> tuple[int, str]:
    """Status and code for a signed GET of which something was changed after signing."""
    head = client.signed("GET", OBJECT_PATH, **options)
    assert old in head
    answer = client.raw(head.replace(old, new, 1), b"", "GET")
    return answer.status, answer.code


def test_region_is_not_looked_at(lakefs: LakeFS, client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    assert Client(lakefs, region="no-such-region_9").send("GET", OBJECT_PATH).body == OBJECT


def test_a_session_token_is_not_looked_at(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    answer = client.send("GET", OBJECT_PATH, headers={"x-amz-security-token": "anything"})
    assert answer.status == 200


def test_an_authorization_header_needs_no_spaces(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    head = client.signed("GET", OBJECT_PATH).replace(b", Sig", b",Sig").replace(b", S", b",S")
    assert client.raw(head, b"", "GET").status == 200


def test_an_unknown_key_is_access_denied(client: Client) -> None:
    """lakeFS 1.84: pkg/gateway/errors/errors.go; never InvalidAccessKeyId."""
    key_id = client.key_id.encode()
    assert changed(client, key_id, b"AKIAUNKNOWN") == (403, "AccessDenied")


def test_a_wrong_signature_does_not_match(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    assert changed(client, b"Signature=", b"Signature=0") == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("key_id", ["AB", "A" * 21])
def test_a_key_id_has_3_to_20_characters(client: Client, key_id: str) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    found = changed(client, client.key_id.encode(), key_id.encode())
    assert found == (400, "MissingFields")


@pytest.mark.parametrize(
    ("old", "new", "status", "code"),
    [
        (b"AWS4-HMAC-SHA256", b"AWS4-ECDSA-P256-SHA256", 400, "MissingFields"),
        (b"/aws4_request", b"/aws4", 400, "MissingFields"),
        (b"Credential=", b"Credentials=", 400, "MissingFields"),
        (b"x-amz-date: 2", b"x-amz-date: 1", 400, "AuthorizationHeaderMalformed"),
        (b"x-amz-date: ", b"x-amz-dat: ", 400, "AccessDenied"),
    ],
)
def test_malformed_fields(client: Client, old: bytes, new: bytes, status: int, code: str) -> None:
    """lakeFS 1.84: SIG/v4.go and pkg/gateway/errors/errors.go."""
    assert changed(client, old, new) == (status, code)


def test_the_clock_may_differ_by_15_minutes(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go verifyExpiration; both ways, each with its own code."""
    minutes = timedelta(minutes=1)
    for offset in (-14 * minutes, 14 * minutes):
        assert client.send("GET", OBJECT_PATH, headers=at(offset)).status == 200
    assert client.send("GET", OBJECT_PATH, headers=at(-16 * minutes)).code == "RequestTimeTooSkewed"
    assert client.send("GET", OBJECT_PATH, headers=at(16 * minutes)).code == "AccessDenied"


def test_the_clock_is_looked_at_after_the_signature(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    old = at(timedelta(hours=-1))
    found = changed(client, b"Signature=", b"Signature=0", headers=old)
    assert found == (403, "SignatureDoesNotMatch")


def test_a_presigned_url_dies_after_15_minutes_whatever_it_says(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go verifyExpiration."""
    assert client.presigned(OBJECT_PATH, expires=86400).body == OBJECT
    fourteen, sixteen = timedelta(minutes=14), timedelta(minutes=16)
    assert client.presigned(OBJECT_PATH, age=fourteen, expires=86400).status == 200
    old = client.presigned(OBJECT_PATH, age=sixteen, expires=86400)
    assert (old.status, old.code) == (403, "RequestTimeTooSkewed")


def test_an_expired_url_within_15_minutes_is_access_denied(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go verifyExpiration."""
    answer = client.presigned(OBJECT_PATH, age=timedelta(minutes=2), expires=60)
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert b"Request has expired" in answer.body


@pytest.mark.parametrize("expires", [604801, -1])
def test_a_url_lives_seven_days_at_most(client: Client, expires: int) -> None:
    """lakeFS 1.84: SIG/v4.go."""
    answer = client.presigned(OBJECT_PATH, expires=expires)
    assert (answer.status, answer.code) == (400, "AuthorizationQueryParametersError")


def test_only_the_first_line_of_a_signed_header_counts(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go; what was added behind it is not noticed."""
    headers = {"x-amz-meta-a": "1"}
    head = client.signed("GET", OBJECT_PATH, headers=headers)
    after = head.replace(b"x-amz-meta-a: 1", b"x-amz-meta-a: 1\r\nx-amz-meta-a: 2")
    assert client.raw(after, b"", "GET").status == 200
    before = head.replace(b"x-amz-meta-a: 1", b"x-amz-meta-a: 2\r\nx-amz-meta-a: 1")
    assert client.raw(before, b"", "GET").code == "SignatureDoesNotMatch"


def test_only_the_first_value_of_a_query_parameter_counts(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go; a client that signs both, as AWS wants, is refused."""
    head = client.signed("GET", "/repo?prefix=main/")
    doubled = head.replace(b"prefix=main/", b"prefix=main/&prefix=dev/")
    assert b"<Prefix>main/</Prefix>" in client.raw(doubled, b"", "GET").body
    assert client.send("GET", "/repo?prefix=main/&prefix=dev/").code == "SignatureDoesNotMatch"


def test_a_raw_semicolon_drops_the_parameter(client: Client) -> None:
    """lakeFS 1.84: Go's url.Query in SIG/v4.go."""
    assert client.send("GET", "/repo?prefix=a;b").code == "SignatureDoesNotMatch"
    assert client.send("GET", "/repo?prefix=a%3Bb").status == 200


def test_the_host_is_signed_as_received(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go; a proxy that changes Host or port breaks the signature."""
    port = str(client.lakefs.port).encode()
    assert changed(client, b"host: 127.0.0.1:" + port, b"host: 127.0.0.1")[0] == 403


def test_bytes_that_are_no_utf_8_break_an_ordinary_signature(client: Client) -> None:
    """lakeFS 1.84: SIG/sig.go EncodePath: each becomes %EF%BF%BD."""
    assert client.send("PUT", "/repo/main/%FF", b"x").code == "SignatureDoesNotMatch"


def test_transfer_encoding_cannot_be_signed(client: Client) -> None:
    """lakeFS 1.84: Go's server takes the header away; content-length stays."""
    assert client.send("GET", OBJECT_PATH, headers={"content-length": "0"}).status == 200
    head = client.signed("PUT", OBJECT_PATH, headers={"transfer-encoding": "chunked"})
    answer = client.raw(head.replace(b"content-length: 0\r\n", b""), b"0\r\n\r\n", "PUT")
    assert answer.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (b"a  b", 200),
        (b"a \tb", 200),  # as AWS: one space
        (b"a\tb", 403),  # a tab stays a tab
        (b"a\t b", 403),
        ("a\xa0".encode(), 403),  # Unicode's spaces are trimmed
        ("a\xa0\xa0b".encode(), 403),
        ("a\xa0b".encode(), 200),
        ("a\x85".encode(), 403),
        (b"a\xe9b", 403),  # no UTF-8
        ("a\xe9b".encode(), 200),
    ],
)
def test_values_are_trimmed_as_go_trims_text(client: Client, value: bytes, status: int) -> None:
    """L7: SIG/v4.go trims and folds all that Unicode calls a space, where AWS looks at ASCII."""
    names = b"host;x-amz-content-sha256;x-amz-date;x-amz-meta-a"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ").encode()
    host = b"127.0.0.1:%d" % client.lakefs.port
    lines = [
        (b"host", host),
        (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD"),
        (b"x-amz-date", stamp),
        (b"x-amz-meta-a", value),
    ]
    signed = b"".join(b"%b:%b\n" % (name, b" ".join(text.split())) for name, text in lines)
    canonical = b"GET\n%b\n\n%b\n%b\nUNSIGNED-PAYLOAD" % (OBJECT_PATH.encode(), signed, names)
    scope = f"{stamp[:8].decode()}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp.decode()}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    signature = hmac.digest(client.signing_key(scope), text.encode(), "sha256").hex()
    head = b"GET %b HTTP/1.1\r\n" % OBJECT_PATH.encode()
    head += b"".join(b"%b: %b\r\n" % line for line in lines)
    head += f"authorization: AWS4-HMAC-SHA256 Credential={client.key_id}/{scope},".encode()
    head += b"SignedHeaders=%b,Signature=%b\r\n" % (names, signature.encode())
    assert client.raw(head + b"connection: close\r\n\r\n", b"", "GET").status == status


# SigV2


def v2(client: Client, method: str, resource: str, date: str = "") -> dict[str, str]:
    date = date or formatdate(usegmt=True)
    text = f"{method}\n\n\n{date}\n{resource}".encode()
    signature = base64.b64encode(hmac.digest(client.secret.encode(), text, "sha1")).decode()
    return {"date": date, "authorization": f"AWS {client.key_id}:{signature}"}


def test_sigv2_in_a_header_works_but_not_for_parts(client: Client) -> None:
    """lakeFS 1.84: SIG/v2.go; `uploadId` and `partNumber` are looked for in the wrong case."""
    assert client.unsigned("GET", OBJECT_PATH, headers=v2(client, "GET", OBJECT_PATH)).status == 200
    part = f"{OBJECT_PATH}?partNumber=1&uploadId=x"
    answer = client.unsigned("PUT", part, b"x", v2(client, "PUT", part))
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")


def test_dates_of_sigv2_may_differ_by_15_minutes(client: Client) -> None:
    """Confirmed on a real 1.84.0; lakeFS 1.84: SIG/v2.go."""
    dates = {
        formatdate(time.time() - 14 * 60, usegmt=True): "",
        formatdate(time.time() - 16 * 60, usegmt=True): "RequestTimeTooSkewed",
        formatdate(time.time() + 16 * 60, usegmt=True): "AccessDenied",
        "yesterday": "MalformedDate",
    }
    for date, code in dates.items():
        headers = v2(client, "GET", OBJECT_PATH, date)
        assert client.unsigned("GET", OBJECT_PATH, headers=headers).code == code


def test_presigned_sigv2_is_unknown(client: Client) -> None:
    """lakeFS 1.84: SIG/sig.go; the form that boto3 makes by default for a custom endpoint."""
    query = f"AWSAccessKeyId={client.key_id}&Signature=x&Expires=9999999999"
    answer = client.unsigned("GET", f"{OBJECT_PATH}?{query}")
    assert (answer.status, answer.code) == (400, "MissingFields")


def test_the_query_signer_of_javas_sdk_works(client: Client) -> None:
    """lakeFS 1.84: SIG/javav2.go."""
    fields = {
        "AWSAccessKeyId": client.key_id,
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": "2026-01-01T00:00:00Z",
    }
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    text = f"GET\n127.0.0.1:{client.lakefs.port}\n{OBJECT_PATH}\n{query}".encode()
    made = base64.b64encode(hmac.new(client.secret.encode(), text, hashlib.sha256).digest())
    signature = quote(made.decode(), safe="")
    assert client.unsigned("GET", f"{OBJECT_PATH}?{query}&Signature={signature}").body == OBJECT


# The REST API's authenticators come first


def test_a_session_cookie_replaces_the_signature(client: Client) -> None:
    """lakeFS 1.84: pkg/api/auth_middleware.go, GW/middleware.go AuthenticationHandler."""
    cookie = f"cookie: internal_auth_session={client.lakefs.token}\r\n".encode()
    head = client.signed("GET", OBJECT_PATH)
    broken = head.replace(b"Signature=", b"Signature=0")
    assert client.raw(broken, b"", "GET").status == 403
    with_cookie = broken.replace(b"authorization:", cookie + b"authorization:")
    assert client.raw(with_cookie, b"", "GET").body == OBJECT


def test_a_stale_session_cookie_is_ignored(client: Client) -> None:
    """Confirmed on a real 1.84.0: the signature is looked at."""
    cookie = {"cookie": "internal_auth_session=stale"}
    assert client.send("GET", OBJECT_PATH, headers=cookie).body == OBJECT
    assert client.unsigned("GET", "/api/v1/repositories", headers=cookie).status == 401


def test_a_password_or_token_reaches_s3_only_by_a_domain(client: Client) -> None:
    """lakeFS 1.84: pkg/api/auth_middleware.go, GW/middleware.go."""
    basic = base64.b64encode(f"{client.key_id}:{client.secret}".encode()).decode()
    for value in (f"Basic {basic}", f"Bearer {client.lakefs.token}"):
        headers = {"authorization": value}
        page = client.unsigned("GET", OBJECT_PATH, headers=headers)
        assert page.fields["content-type"].startswith("text/html")
        domain = {**headers, "host": DEFAULT_DOMAIN}
        assert client.unsigned("GET", OBJECT_PATH, headers=domain).body == OBJECT
    bad = {"authorization": "Bearer stale", "host": DEFAULT_DOMAIN}
    assert client.unsigned("GET", OBJECT_PATH, headers=bad).status == 401


def test_with_a_session_chunks_are_stored_as_they_are_framed(client: Client) -> None:
    """lakeFS 1.84: GW/middleware.go: no signature is looked at, so nothing is de-framed."""
    headers = {
        "host": DEFAULT_DOMAIN,
        "authorization": f"Bearer {client.lakefs.token}",
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
    framed = b"1\r\nx\r\n0\r\n\r\n"
    assert client.unsigned("PUT", "/repo/main/framed", framed, headers).status == 200
    assert client.send("GET", "/repo/main/framed").body == framed


def test_a_missing_digest_counts_as_unsigned_payload(client: Client) -> None:
    """lakeFS 1.84: SIG/v4.go; the header alone is read, and a presigned URL comes without it."""
    assert client.presigned(OBJECT_PATH).status == 200
    answer = client.presigned(OBJECT_PATH, headers={"x-amz-content-sha256": "0" * 64})
    assert answer.code == "SignatureDoesNotMatch"
