"""Verifies the signature of a form's policy: SigV4, or SigV2 where `auth.sigv2` allows it.

Rules: no clock, no I/O; the policy is signed as it was sent, in base64; order, codes and texts are
AWS's (AWS errors 5.3, 5.7 to 5.14); signatures are compared in constant time. A SigV4 form is valid
for at most a week after its x-amz-date, as a presigned URL is.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hmac import compare_digest
from hmac import digest as hmac_digest

from fastpath.errors import (
    AUTH_MECHANISMS,
    INVALID_ACCESS_KEY_ID,
    INVALID_ARGUMENT,
    INVALID_TOKEN,
    POLICY_REFUSES,
    SIGNATURE_DOES_NOT_MATCH,
    SIGV2_REFUSED,
    S3Error,
)
from fastpath.signing.authentication import MAX_KEY_ID_BYTES, Accepted, Sigv2
from fastpath.signing.sigv4.credential import Form, parse_credential, wrong_region
from fastpath.signing.sigv4.dates import parse_basic
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.keys import remember, signing_key
from fastpath.signing.sigv4.verify import MAX_EXPIRES_SECONDS

Fields = Mapping[bytes, bytes]  # by lower-case name

# Field names as AWS spells them in its errors.
_SIGV4 = ("policy", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature")
_SIGV2 = ("AWSAccessKeyId", "policy", "signature")
_IN_FORM = Form(INVALID_ARGUMENT, "")


def is_anonymous(fields: Fields) -> bool:
    """Whether a form is unsigned."""
    return not any(name.lower().encode() in fields for name in (*_SIGV4, *_SIGV2))


def authenticate_form(
    fields: Fields,
    identities: Mapping[bytes, Identity],
    accepted: Accepted,
    now: float,
) -> Identity:
    """Return the identity that signed the policy of a signed form. Raises S3Error."""
    if b"awsaccesskeyid" in fields or b"signature" in fields:
        if b"x-amz-algorithm" in fields or b"x-amz-signature" in fields:
            raise S3Error(AUTH_MECHANISMS, ("ArgumentName", "Authorization"))
        if accepted.sigv2 is Sigv2.OFF:
            raise S3Error(SIGV2_REFUSED)
        identity = _sigv2(fields, identities)
    else:
        identity = _sigv4(fields, identities, now, accepted.regions)
    token = fields.get(b"x-amz-security-token")
    if token is not None:
        # No identity of the gateway has a session token.
        raise S3Error(INVALID_TOKEN, ("Token-0", _text(token)))
    return identity


def claimed_in_form(fields: Fields) -> bytes:
    """Return the access key id that an unverified form names; empty if none."""
    credential = fields.get(b"x-amz-credential", b"").partition(b"/")[0]
    return (credential or fields.get(b"awsaccesskeyid", b""))[:MAX_KEY_ID_BYTES]


def require(fields: Fields, name: str) -> bytes:
    """Return the value of a required field. Raises S3Error."""
    value = fields.get(name.lower().encode())
    if value is None:
        raise _argument(
            f"Bucket POST must contain a field named '{name}'.  If it is specified, please check "
            "the order of the fields.",
            name,
            b"",
        )
    return value


def _sigv2(fields: Fields, identities: Mapping[bytes, Identity]) -> Identity:
    access_key_id, policy, signature = [require(fields, name) for name in _SIGV2]
    identity = _known(access_key_id, identities)
    expected = base64.b64encode(hmac_digest(identity.secret, policy, "sha1"))
    _compare(access_key_id, policy, expected, signature)
    return identity


def _sigv4(
    fields: Fields, identities: Mapping[bytes, Identity], now: float, regions: Sequence[bytes]
) -> Identity:
    policy, algorithm, credential, date, signature = [require(fields, name) for name in _SIGV4]
    if algorithm != b"AWS4-HMAC-SHA256":
        raise _argument("Only AWS4-HMAC-SHA256 is supported", "X-Amz-Algorithm", algorithm)
    begins = parse_basic(date)
    if begins is None:
        text = "X-Amz-Date must be formated via ISO8601 Long format"  # sic
        raise _argument(text, "X-Amz-Date", date)
    try:
        scope = parse_credential(credential, _IN_FORM)
        if regions and scope.region not in regions:
            raise wrong_region(scope.region, regions[0], _IN_FORM)
    except S3Error as fault:
        raise _argument(fault.message, "X-Amz-Credential", credential, *fault.extras) from None
    if scope.date != date[:8]:
        text = "Invalid credential date. Date is not the same as X-Amz-Date."
        raise _argument(text, "X-Amz-Credential", credential)
    identity = _known(scope.access_key_id, identities)
    key = signing_key(identity.secret, scope.date, scope.region)
    _compare(scope.access_key_id, policy, key.sign(policy), signature)
    remember(identity.secret, scope.date, scope.region, key)
    if now >= begins + MAX_EXPIRES_SECONDS:
        raise S3Error(POLICY_REFUSES, message="Invalid according to Policy: Policy expired.")
    return identity


def _known(access_key_id: bytes, identities: Mapping[bytes, Identity]) -> Identity:
    identity = identities.get(access_key_id)
    if identity is None:
        raise S3Error(INVALID_ACCESS_KEY_ID, ("AWSAccessKeyId", _text(access_key_id)))
    return identity


def _compare(access_key_id: bytes, policy: bytes, expected: bytes, signature: bytes) -> None:
    if not compare_digest(expected, signature):
        raise S3Error(
            SIGNATURE_DOES_NOT_MATCH,
            ("AWSAccessKeyId", _text(access_key_id)),
            ("StringToSign", _text(policy)),
            ("SignatureProvided", _text(signature)),
            ("StringToSignBytes", policy.hex(" ")),
        )


def _argument(text: str, name: str, value: bytes, *extras: tuple[str, str]) -> S3Error:
    argument = (("ArgumentName", name), ("ArgumentValue", _text(value)))
    return S3Error(INVALID_ARGUMENT, *argument, *extras, message=text)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
