"""Verifies the SigV4 signature of a request, in the header or in the query, as AWS does.

Rules: no clock, no I/O; the order of the checks, the codes, texts and elements are AWS's
(docs/errors.md names the source of each); a signature is compared in constant time; everything that
is trusted later (host, every x-amz-* header, the payload's digest) must be signed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from fastpath.errors import (
    ANONYMOUS,
    AUTH_DATE_MISSING,
    AUTH_HEADER_MALFORMED,
    AUTH_HEADER_SPACE,
    AUTH_MECHANISMS,
    AUTH_QUERY_MALFORMED,
    AUTH_TYPE,
    CONTENT_SHA256_INVALID,
    CONTENT_SHA256_MISSING,
    HEADERS_NOT_SIGNED,
    INVALID_ACCESS_KEY_ID,
    INVALID_TOKEN,
    REQUEST_EXPIRED,
    REQUEST_NOT_YET_VALID,
    REQUEST_TIME_TOO_SKEWED,
    SIGNATURE_DOES_NOT_MATCH,
    SIGV2_REFUSED,
    SIGV4A_NOT_IMPLEMENTED,
    Kind,
    S3Error,
)
from fastpath.http.query import is_field
from fastpath.s3.addressing import plus_as_space
from fastpath.signing.sigv4.canonical import (
    canonical_path,
    canonical_query,
    canonical_raw_query,
    canonical_request,
    signed_names,
    string_to_sign,
)
from fastpath.signing.sigv4.credential import (
    IN_HEADER,
    IN_QUERY,
    Scope,
    parse_authorization,
    parse_credential,
    wrong_region,
)
from fastpath.signing.sigv4.dates import basic, extended, parse_any, parse_basic
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.keys import remember, signing_key

if TYPE_CHECKING:
    from fastpath.http.head import RequestHead

Query = Sequence[tuple[bytes, bytes]]

MAX_SKEW_SECONDS = 900  # AWS: 15 minutes, either direction
MAX_EXPIRES_SECONDS = 604800  # AWS: a week

UNSIGNED_PAYLOAD = b"UNSIGNED-PAYLOAD"
_ALGORITHM = b"AWS4-HMAC-SHA256"
_ALGORITHM_V4A = b"AWS4-ECDSA-P256-SHA256"
STREAMING_SIGNED = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_SIGNED_TRAILER = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMING_MODES = frozenset(
    (STREAMING_SIGNED, STREAMING_SIGNED_TRAILER, STREAMING_UNSIGNED_TRAILER)
)
_STREAMING_V4A = frozenset(
    (
        b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        b"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
    )
)
_KEYWORDS = STREAMING_MODES | _STREAMING_V4A | {UNSIGNED_PAYLOAD}
_DIGEST = re.compile(rb"[0-9a-fA-F]{64}")
_NUMBER = re.compile(rb"[+-]?[0-9]{1,18}")  # what fits a Java long for sure; AWS's limit is unknown


class Proof(NamedTuple):
    """A verified signature. Signed chunks are chained to the fields from `seed_signature` on."""

    identity: Identity
    payload: bytes  # hex digest in lower case, or a keyword; was signed
    presigned: bool
    seed_signature: bytes  # hex, as sent
    timestamp: bytes  # as signed
    date: bytes  # yyyyMMdd, of the scope
    region: bytes
    canonical: bytes = b""  # the canonical request, for the error of a chunk
    plus_as_space: bool = False  # the client signed a raw `+` in the path as a space


class _Claim(NamedTuple):
    """What a client says that it signed; not verified."""

    scope: Scope
    signed: bytes  # names of the signed headers, `a;b;c`
    signature: bytes
    timestamps: tuple[bytes, ...]  # that the string to sign may hold; the likeliest first
    payload: bytes
    query: bytes  # canonical


def authenticate(
    head: RequestHead,
    query: Query,
    identities: Mapping[bytes, Identity],
    now: float,
    regions: Sequence[bytes] = (),
) -> Proof:
    """Verify a SigV4 header or presigned URL; `query` are the decoded pairs of the head.

    `regions` are those that a scope may name; any, if there are none.
    Raises S3Error; of kind ANONYMOUS if the request is not signed.
    """
    authorization = head.fields.get(b"authorization", b"")
    if authorization:
        claim, token = _header_claim(head, query, authorization, now, regions)
        return _verify_claim(head, claim, identities, token, False)
    if query:
        parameters = _parameters(query)
        if b"X-Amz-Algorithm" in parameters:
            claim = _presigned_claim(head, query, parameters, now, regions)
            token = parameters.get(b"X-Amz-Security-Token")
            return _verify_claim(
                _with_parameters(head, claim, query), claim, identities, token, True
            )
        if b"Signature" in parameters or b"AWSAccessKeyId" in parameters:
            raise S3Error(SIGV2_REFUSED)
    raise S3Error(ANONYMOUS)


def _parameters(query: Query) -> dict[bytes, bytes]:
    """Return name -> first value. Refuses more than one signature in the query."""
    parameters: dict[bytes, bytes] = {}
    for name, value in query:
        parameters.setdefault(name, value)
    if b"X-Amz-Algorithm" in parameters and b"Signature" in parameters:
        raise S3Error(AUTH_MECHANISMS, ("ArgumentName", "Authorization"))
    return parameters


# --- the Authorization header ---


def _header_claim(
    head: RequestHead, query: Query, authorization: bytes, now: float, regions: Sequence[bytes]
) -> tuple[_Claim, bytes | None]:
    """Return the claim of an Authorization header and its session token."""
    if query:
        refuse_second_mechanism(query, authorization)
    scheme, space, rest = authorization.partition(b" ")
    if scheme != _ALGORITHM or not space:
        _check_scheme(authorization, scheme, space)
    fields = head.fields
    payload = fields.get(b"x-amz-content-sha256")
    if payload is None:
        raise S3Error(CONTENT_SHA256_MISSING)
    _check_payload(payload)
    timestamps, date = request_time(fields, now)
    scope, signed, signature = parse_authorization(rest)
    if regions and scope.region not in regions:
        error = wrong_region(scope.region, regions[0], IN_HEADER)
        error.fields = ((b"x-amz-bucket-region", regions[0]),)  # SDKs sign again for it
        raise error
    if scope.date != date:
        raise S3Error(
            AUTH_HEADER_MALFORMED,
            message="The authorization header is malformed; Invalid credential date. Date is not "
            "the same as X-Amz-Date.",
        )
    encoded = canonical_raw_query(head.query) if query else b""
    claim = _Claim(scope, signed, signature, timestamps, payload, encoded)
    return claim, fields.get(b"x-amz-security-token")


def refuse_second_mechanism(query: Query, authorization: bytes) -> None:
    """Refuse a request with `authorization` that also has a signature in its query."""
    for name, _ in query:
        if name == b"X-Amz-Algorithm" or name == b"Signature":
            raise _argument(AUTH_MECHANISMS, authorization.partition(b" ")[0])


def _check_scheme(authorization: bytes, scheme: bytes, space: bytes) -> None:
    """Refuse every scheme but another spelling of SigV4's."""
    if not space:
        raise _argument(AUTH_HEADER_SPACE, authorization)
    upper = scheme.upper()
    if upper == b"AWS":
        raise S3Error(SIGV2_REFUSED)
    if upper == _ALGORITHM_V4A:
        raise S3Error(SIGV4A_NOT_IMPLEMENTED)
    if upper != _ALGORITHM:
        raise _argument(AUTH_TYPE, scheme)


def request_time(fields: Mapping[bytes, bytes], now: float) -> tuple[tuple[bytes, ...], bytes]:
    """Return the dates that the string to sign may hold, and their scope date.

    A date in another form than ISO 8601 is signed in ISO form by the specification (and botocore),
    as it was sent by AWS's own reading.
    """
    sent = fields.get(b"x-amz-date")
    if sent is None:
        sent = fields.get(b"date", b"")
    requested = parse_any(sent)
    if requested is None:
        raise S3Error(AUTH_DATE_MISSING)
    if not -MAX_SKEW_SECONDS <= now - requested <= MAX_SKEW_SECONDS:
        raise S3Error(
            REQUEST_TIME_TOO_SKEWED,
            ("RequestTime", _text(sent)),
            ("ServerTime", extended(now)),
            ("MaxAllowedSkewMilliseconds", str(MAX_SKEW_SECONDS * 1000)),
        )
    if len(sent) == 16:
        return (sent,), sent[:8]
    iso = basic(requested)
    return (sent, iso), iso[:8]


# --- the presigned query ---


def _presigned_claim(
    head: RequestHead,
    query: Query,
    parameters: Mapping[bytes, bytes],
    now: float,
    regions: Sequence[bytes],
) -> _Claim:
    algorithm = parameters[b"X-Amz-Algorithm"]
    if algorithm != _ALGORITHM:
        if algorithm == _ALGORITHM_V4A:
            raise S3Error(SIGV4A_NOT_IMPLEMENTED)
        raise _query_fault(
            'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"'
        )
    try:
        credential = parameters[b"X-Amz-Credential"]
        signature = parameters[b"X-Amz-Signature"]
        sent = parameters[b"X-Amz-Date"]
        signed = parameters[b"X-Amz-SignedHeaders"]
        lifetime = parameters[b"X-Amz-Expires"]
    except KeyError:
        raise _query_fault(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        ) from None
    _check_lifetime(sent, lifetime, now)
    scope = parse_credential(credential, IN_QUERY)
    if regions and scope.region not in regions:
        raise wrong_region(scope.region, regions[0], IN_QUERY)
    if scope.date != sent[:8]:
        raise _query_fault(
            f'Invalid credential date "{_text(scope.date)}". This date is not the same as '
            f'X-Amz-Date: "{_text(sent[:8])}".'
        )
    payload = parameters.get(b"X-Amz-Content-Sha256")
    if payload is None:
        payload = head.fields.get(b"x-amz-content-sha256", UNSIGNED_PAYLOAD)
    encoded = canonical_query(query, without=b"X-Amz-Signature")
    return _Claim(scope, signed, signature, (sent,), payload, encoded)


def _check_lifetime(sent: bytes, lifetime: bytes, now: float) -> None:
    begins = parse_basic(sent)
    if begins is None:
        raise _query_fault("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    if _NUMBER.fullmatch(lifetime) is None:
        raise _query_fault("X-Amz-Expires should be a number")
    seconds = int(lifetime)
    if seconds < 0:
        raise _query_fault("X-Amz-Expires must be non-negative")
    if seconds > MAX_EXPIRES_SECONDS:
        raise _query_fault(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
            "must be less than 604800 seconds"
        )
    if begins - now > MAX_SKEW_SECONDS:
        raise S3Error(
            REQUEST_NOT_YET_VALID,
            ("X-Amz-Date", str(begins * 1000)),
            ("Expires", extended(begins + seconds)),
            ("ServerTime", extended(now)),
        )
    if now >= begins + seconds:
        raise S3Error(
            REQUEST_EXPIRED,
            ("X-Amz-Expires", _text(lifetime)),
            ("Expires", extended(begins + seconds)),
            ("ServerTime", extended(now)),
        )


# --- both ---


def _verify_claim(
    head: RequestHead,
    claim: _Claim,
    identities: Mapping[bytes, Identity],
    token: bytes | None,
    presigned: bool,
) -> Proof:
    """Verify a claim in AWS's order: unsigned headers, access key, signature, token."""
    signed = signed_names(claim.signed)
    _check_all_signed(head.fields, signed.among)
    scope = claim.scope
    identity = identities.get(scope.access_key_id)
    if identity is None:
        raise S3Error(INVALID_ACCESS_KEY_ID, ("AWSAccessKeyId", _text(scope.access_key_id)))
    lines = signed.lines(head.fields)
    canonical = canonical_request(
        head.method, canonical_path(head.path), claim.query, lines, claim.signed, claim.payload
    )
    is_spaced = False
    try:
        timestamp = _matching_timestamp(identity, claim, canonical)
    except S3Error as mismatch:
        # AWS reads `+` in a path as a space, and so do clients that encode as forms do.
        if b"+" not in head.path:
            raise
        is_spaced = True
        path = canonical_path(plus_as_space(head.path))
        canonical = canonical_request(
            head.method, path, claim.query, lines, claim.signed, claim.payload
        )
        try:
            timestamp = _matching_timestamp(identity, claim, canonical)
        except S3Error:
            raise mismatch from None
    if token is not None:
        # No identity of the gateway has a session token.
        raise S3Error(INVALID_TOKEN, ("Token-0", _text(token)))
    payload = claim.payload
    if presigned:
        _check_payload(payload)
    if payload in _STREAMING_V4A:
        raise S3Error(SIGV4A_NOT_IMPLEMENTED)
    return Proof(
        identity,
        payload if payload in _KEYWORDS else payload.lower(),
        presigned,
        claim.signature,
        timestamp,
        scope.date,
        scope.region,
        canonical,
        is_spaced,
    )


def _with_parameters(head: RequestHead, claim: _Claim, query: Query) -> RequestHead:
    """Add signed x-amz-* headers that came only in the query, where S3 reads them too.

    aws-sdk-js v2 signs them as headers and repeats them in the query (aws-sdk-js-v3 issue 5414).
    """
    names = signed_names(claim.signed).among
    missing = {
        name: value.strip(b" \t")
        for spelt, value in reversed(query)
        if (name := spelt.lower()) in names
        and name not in head.fields
        and name[:6] == b"x-amz-"
        and is_field(name, value)
    }
    return replace(head, fields={**head.fields, **missing}) if missing else head


def _check_all_signed(fields: Mapping[bytes, bytes], names: Set[bytes]) -> None:
    """Check that Host, Content-MD5 and every x-amz-* header are signed.

    x-amz-content-sha256 is excepted: its value is the last line of the canonical request.
    """
    unsigned = [
        name
        for name in fields
        if name not in names and name[:6] == b"x-amz-" and name != b"x-amz-content-sha256"
    ]
    if b"host" not in names:
        unsigned.append(b"host")
    if b"content-md5" in fields and b"content-md5" not in names:
        unsigned.append(b"content-md5")
    if unsigned:
        raise S3Error(HEADERS_NOT_SIGNED, ("HeadersNotSigned", _text(b", ".join(unsigned))))


def _matching_timestamp(identity: Identity, claim: _Claim, canonical: bytes) -> bytes:
    """Return the timestamp that makes the signature valid. Raises SignatureDoesNotMatch."""
    scope = claim.scope
    key = signing_key(identity.secret, scope.date, scope.region)
    for timestamp in claim.timestamps:
        to_sign = string_to_sign(timestamp, scope.value, canonical)
        if compare_digest(key.sign(to_sign), claim.signature):
            remember(identity.secret, scope.date, scope.region, key)
            return timestamp
    to_sign = string_to_sign(claim.timestamps[0], scope.value, canonical)
    raise signature_mismatch(scope.access_key_id, to_sign, claim.signature, canonical)


def signature_mismatch(
    access_key_id: bytes, to_sign: bytes, signature: bytes, canonical: bytes
) -> S3Error:
    """Return AWS's error for a wrong signature of a request or a chunk (AWS errors 1.26, 3.1)."""
    return S3Error(
        SIGNATURE_DOES_NOT_MATCH,
        ("AWSAccessKeyId", _text(access_key_id)),
        ("StringToSign", _text(to_sign)),
        ("SignatureProvided", _text(signature)),
        ("StringToSignBytes", to_sign.hex(" ")),
        ("CanonicalRequest", _text(canonical)),
        ("CanonicalRequestBytes", canonical.hex(" ")),
    )


def _check_payload(payload: bytes) -> None:
    if payload not in _KEYWORDS and _DIGEST.fullmatch(payload) is None:
        raise _argument(CONTENT_SHA256_INVALID, payload, "x-amz-content-sha256")


def _argument(kind: Kind, value: bytes, name: str = "Authorization") -> S3Error:
    """Of an Authorization header `value` is the scheme alone.

    AWS repeats all of it, but what follows the scheme may be a token or a password.
    """
    return S3Error(kind, ("ArgumentName", name), ("ArgumentValue", _text(value)))


def _query_fault(text: str) -> S3Error:
    return S3Error(AUTH_QUERY_MALFORMED, message=text)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
