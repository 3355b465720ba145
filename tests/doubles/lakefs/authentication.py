"""Who sent a request: the REST authenticators first, then the chain of signatures.

Rules: only the first line of a signed header counts; region, service and session token are not
looked at; the clock is compared after the signature, for presigned URLs as well; a session cookie
that is no good is as absent, a password or token is not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from tests.doubles.lakefs.errors import Refusal
from tests.doubles.lakefs.wire import Request, raw_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=15)
MAX_EXPIRES = 604800
STAMP = "%Y%m%dT%H%M%SZ"
# Go's unicode.IsSpace.
_SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)

_SCOPE = re.compile(r"([^/]+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request\Z")
_PRESIGNED = ("Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires")
# `partNumber` and `uploadId` belong here; lakeFS looks for them in the wrong case.
_V2_RESOURCES = (
    "acl cors delete lifecycle location logging notification policy requestPayment restore tagging"
    " torrent uploads versionId versioning versions website response-cache-control"
    " response-content-disposition response-content-encoding response-content-language"
    " response-content-type response-expires"
)


class Unauthorised(Exception):
    """A token or password of the REST API that is no good: answered in JSON."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A good signature; of SigV4 also what the signatures of chunks go on from."""

    access_key_id: str
    signing_key: bytes = b""
    stamp: str = ""
    scope: str = ""
    signature: str = ""

    @property
    def is_v4(self) -> bool:
        return bool(self.scope)


def has_session(request: Request, keys: Mapping[str, str], tokens: Collection[str]) -> bool:
    """Whether the REST authenticators know the user; then no signature is looked at.

    Raises Unauthorised for a wrong password or token.
    """
    for pair in request.header("cookie").split(";"):
        name, _, cookie = pair.strip().partition("=")
        if name == "internal_auth_session" and cookie in tokens:
            return True
    scheme, _, value = request.header("authorization").partition(" ")
    if scheme == "Bearer":
        good = value in tokens
    elif scheme == "Basic":
        name, _, password = base64.b64decode(value).decode().partition(":")
        good = keys.get(name) == password
    else:
        return False
    if not good:
        raise Unauthorised
    return True


def verify(request: Request, keys: Mapping[str, str]) -> Proof:
    """The chain: SigV4 header or query, SigV2 header, the Java query signer. Raises Refusal."""
    authorization, query = request.header("authorization"), request.query
    if authorization.startswith(f"{ALGORITHM} "):
        return _verify_header(request, keys, authorization.removeprefix(ALGORITHM))
    if query.get("X-Amz-Algorithm") == ALGORITHM or "X-Amz-Credential" in query:
        return _verify_presigned(request, keys)
    if authorization.startswith("AWS "):
        return _verify_v2(request, keys, authorization.removeprefix("AWS "))
    if query.get("SignatureVersion") == "2" and query.get("SignatureMethod") == "HmacSHA256":
        return _verify_java(request, keys)
    raise Refusal("MissingFields")


def _secret(keys: Mapping[str, str], access_key_id: str) -> bytes:
    if not 3 <= len(access_key_id) <= 20:
        raise Refusal("MissingFields")
    if access_key_id not in keys:
        raise Refusal("AccessDenied")
    return keys[access_key_id].encode()


# SigV4


def _verify_header(request: Request, keys: Mapping[str, str], text: str) -> Proof:
    fields = dict(part.strip().partition("=")[::2] for part in text.split(","))
    if not all(fields.get(name) for name in ("Credential", "SignedHeaders", "Signature")):
        raise Refusal("MissingFields")
    return _verify_v4(
        request, keys, fields["Credential"], fields["SignedHeaders"], fields["Signature"]
    )[0]


def _verify_presigned(request: Request, keys: Mapping[str, str]) -> Proof:
    fields = {name: request.query.get(f"X-Amz-{name}", "") for name in _PRESIGNED}
    expires = fields["Expires"]
    if not all(fields.values()) or not re.fullmatch(r"\d{1,9}", expires):
        raise Refusal("AuthorizationQueryParametersError")
    if int(expires) > MAX_EXPIRES:
        raise Refusal("AuthorizationQueryParametersError")
    proof, age = _verify_v4(
        request, keys, fields["Credential"], fields["SignedHeaders"], fields["Signature"]
    )
    if age > timedelta(seconds=int(expires)):
        raise Refusal("AccessDenied", "Request has expired")
    return proof


def _verify_v4(
    request: Request, keys: Mapping[str, str], credential: str, signed: str, signature: str
) -> tuple[Proof, timedelta]:
    found = _SCOPE.match(credential)
    if not found:
        raise Refusal("MissingFields")
    access_key_id, day, region, service = found.groups()
    stamp, moment = _moment(request)
    if stamp[:8] != day:
        raise Refusal("AuthorizationHeaderMalformed")
    key = b"AWS4" + _secret(keys, access_key_id)
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{day}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(_canonical(request, signed).encode()).hexdigest()
    expected = hmac.digest(key, f"{ALGORITHM}\n{stamp}\n{scope}\n{hashed}".encode(), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Refusal("SignatureDoesNotMatch")
    return Proof(access_key_id, key, stamp, scope, signature), _age(moment)


def _age(moment: datetime) -> timedelta:
    """How long ago; raises Refusal if the clocks differ too much."""
    age = datetime.now(UTC) - moment
    if age > SKEW:
        raise Refusal("RequestTimeTooSkewed")
    if -age > SKEW:
        raise Refusal("AccessDenied", "Request is not valid yet")
    return age


def _moment(request: Request) -> tuple[str, datetime]:
    dates = (
        request.query.get("X-Amz-Date"),
        request.header("x-amz-date"),
        request.header("date"),
    )
    stamp = next((date for date in dates if date), "")
    if not stamp:
        raise Refusal("AccessDenied", status=400)
    try:
        return stamp, datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise Refusal("MalformedDate") from None


def _canonical(request: Request, signed: str) -> str:
    names = signed.split(";")
    headers = [f"{name}:{_trimmed(request.header(name.lower()))}" for name in names]
    pairs = sorted(
        (name, value) for name, value in request.query.items() if name != "X-Amz-Signature"
    )
    return "\n".join(
        [
            request.method,
            _escape(request.path, "/-_.~"),
            "&".join(f"{_escape(name)}={_escape(value)}" for name, value in pairs),
            *headers,
            "",
            signed,
            request.header("x-amz-content-sha256") or "UNSIGNED-PAYLOAD",
        ]
    )


def _escape(value: str, safe: str = "-_.~") -> str:
    return quote(_runes(value), safe=safe)


def _runes(value: str) -> str:
    """Each byte that is not UTF-8 becomes U+FFFD, as in a Go string."""
    return "".join("\ufffd" if "\ud800" <= sign <= "\udfff" else sign for sign in value)


def _trimmed(value: str) -> str:
    """Without Unicode's spaces at both ends, and only the first of those in a row."""
    return re.sub(f"([{_SPACES}])[{_SPACES}]+", r"\1", _runes(value).strip(_SPACES))


# SigV2


def _verify_v2(request: Request, keys: Mapping[str, str], text: str) -> Proof:
    access_key_id, colon, signature = text.partition(":")
    if not colon:
        raise Refusal("MissingFields")
    amz = sorted((n, request.header(n)) for n, _ in request.headers if n.startswith("x-amz-"))
    dated = "" if request.has_header("x-amz-date") else request.header("date")
    resources = sorted(set(request.query) & set(_V2_RESOURCES.split()))
    asked = "&".join(
        f"{name}={request.query[name]}" if request.query[name] else name for name in resources
    )
    text = "\n".join(
        [
            request.method,
            request.header("content-md5"),
            request.header("content-type"),
            dated,
            *(f"{name}:{value}" for name, value in dict(amz).items()),
            request.raw_path.decode() + (f"?{asked}" if asked else ""),
        ]
    )
    secret = _secret(keys, access_key_id)
    _compare(hmac.digest(secret, raw_bytes(text), "sha1"), signature)
    _age(_moment_of_v2(request))
    return Proof(access_key_id)


def _moment_of_v2(request: Request) -> datetime:
    stamp = request.header("x-amz-date") or request.header("date")
    if not stamp:
        raise Refusal("MissingFields")
    for form in (STAMP, "%a, %d %b %Y %H:%M:%S %Z"):
        with suppress(ValueError):
            return datetime.strptime(stamp, form).replace(tzinfo=UTC)
    raise Refusal("MalformedDate")


def _verify_java(request: Request, keys: Mapping[str, str]) -> Proof:
    query = request.query
    if not (query.get("AWSAccessKeyId") and query.get("Signature") and query.get("Timestamp")):
        raise Refusal("MissingFields")
    pairs = sorted((name, value) for name, value in query.items() if name != "Signature")
    text = "\n".join(
        [
            request.method,
            request.header("host"),
            request.path,
            "&".join(f"{_escape(name)}={_escape(value)}" for name, value in pairs),
        ]
    )
    secret = _secret(keys, query["AWSAccessKeyId"])
    _compare(hmac.digest(secret, raw_bytes(text), "sha256"), query["Signature"])
    return Proof(query["AWSAccessKeyId"])


def _compare(expected: bytes, signature: str) -> None:
    if not hmac.compare_digest(base64.b64encode(expected), signature.encode()):
        raise Refusal("SignatureDoesNotMatch")
