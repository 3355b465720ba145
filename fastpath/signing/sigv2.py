"""Verifies AWS Signature Version 2: boto3's default presigned URLs, and older clients.

Rules: no clock, no I/O; order, codes, texts and elements are AWS's (docs/errors.md names the source
of each); signatures are compared in constant time. SigV2 signs text that can be read in two ways,
and leaves parts of a request unsigned: what decides which operation a request is must be signed
here, and what could be read in two ways is refused. Of the body only a Content-MD5 that the client
sends is signed, which the target verifies.

Source: AWS "Signing and authenticating REST requests (Signature Version 2)"; which parameters are
signed, and how, was measured on us-east-1 by others (brekkylab/backlot, `sigv2.py`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from hmac import compare_digest
from hmac import digest as hmac_digest

from fastpath.errors import (
    HEADERS_NOT_SIGNED,
    INVALID_ACCESS_KEY_ID,
    INVALID_ARGUMENT,
    INVALID_TOKEN,
    NOT_IMPLEMENTED,
    REQUEST_EXPIRED,
    SIGNATURE_DOES_NOT_MATCH,
    SIGV2_EXPIRES,
    SIGV2_HEADER,
    SIGV2_PARAMETERS,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.http.query import is_content_header, is_field
from fastpath.s3.addressing import Address
from fastpath.s3.operations import is_ignored_parameter
from fastpath.signing.sigv4.dates import extended
from fastpath.signing.sigv4.identity import Identity
from fastpath.signing.sigv4.verify import request_time

Query = Sequence[tuple[bytes, bytes]]

# Parameters that AWS signs with their decoded value; of its other sub-resources it signs the name.
_WITH_VALUE = frozenset(
    b"partNumber response-cache-control response-content-disposition response-content-encoding "
    b"response-content-language response-content-type response-expires select-type uploadId "
    b"versionId".split()
)
_BARE = frozenset(
    b"abac accelerate acl analytics annotation annotationName attributes cors delete encryption "
    b"intelligent-tiering inventory legal-hold lifecycle location logging metadataAnnotationTable "
    b"metadataConfiguration metadataInventoryTable metadataJournalTable metadataTable metrics "
    b"notification object-lock ownershipControls policy policyStatus publicAccessBlock replication "
    b"requestPayment restore retention select tagging torrent uploads versioning versions "
    b"website".split()
)
_SIGNED = _WITH_VALUE | _BARE
_NUMBER = re.compile(rb"[+-]?[0-9]{1,18}")  # what fits a Java long for sure; AWS's limit is unknown


def verify_header(
    head: RequestHead,
    query: Query,
    address: Address,
    identities: Mapping[bytes, Identity],
    now: float,
) -> Identity:
    """Verify `Authorization: AWS KEY:SIGNATURE`. Raises S3Error."""
    authorization = head.fields[b"authorization"]
    access_key_id, _, signature = authorization[4:].rpartition(b":")
    if not access_key_id or not signature:
        raise S3Error(
            SIGV2_HEADER,
            ("ArgumentName", "Authorization"),
            ("ArgumentValue", _text(authorization)),
        )
    request_time(head.fields, now)
    # With an x-amz-date, which is signed among the x-amz-* headers, the line of Date is empty.
    date = b"" if b"x-amz-date" in head.fields else head.fields[b"date"]
    return _verify_claim(head, query, address, identities, (access_key_id, signature, date))


def verify_query(
    head: RequestHead,
    query: Query,
    address: Address,
    identities: Mapping[bytes, Identity],
    now: float,
) -> Identity:
    """Verify a URL with AWSAccessKeyId, Expires and Signature. Raises S3Error."""
    parameters = dict(reversed(query))  # of a repeated parameter AWS takes the first
    try:
        access_key_id = parameters[b"AWSAccessKeyId"]
        signature = parameters[b"Signature"]
        expires = parameters[b"Expires"]
    except KeyError:
        raise S3Error(SIGV2_PARAMETERS) from None
    if _NUMBER.fullmatch(expires) is None:
        raise S3Error(SIGV2_EXPIRES, message=f"{SIGV2_EXPIRES.message}: {_text(expires)}")
    end = max(int(expires), 0)
    if now >= end:
        raise S3Error(REQUEST_EXPIRED, ("Expires", extended(end)), ("ServerTime", extended(now)))
    return _verify_claim(head, query, address, identities, (access_key_id, signature, expires))


def _verify_claim(
    head: RequestHead,
    query: Query,
    address: Address,
    identities: Mapping[bytes, Identity],
    claim: tuple[bytes, bytes, bytes],
) -> Identity:
    """Verify a claim (access key, signature, date line). Raises S3Error."""
    access_key_id, signature, date = claim
    amz = _amz_fields(head.fields, query)
    rest = _resource_query(query)
    identity = identities.get(access_key_id)
    if identity is None:
        raise S3Error(INVALID_ACCESS_KEY_ID, ("AWSAccessKeyId", _text(access_key_id)))
    paths = _resource_paths(head, address)
    strings = [_string_to_sign(head, date, amz, path + rest) for path in paths]
    if not any(compare_digest(_sign(identity.secret, text), signature) for text in strings):
        raise S3Error(
            SIGNATURE_DOES_NOT_MATCH,
            ("AWSAccessKeyId", _text(access_key_id)),
            ("StringToSign", _text(strings[0])),
            ("SignatureProvided", _text(signature)),
            ("StringToSignBytes", strings[0].hex(" ")),
        )
    if b"x-amz-security-token" in amz:
        # No identity of the gateway has a session token.
        raise S3Error(INVALID_TOKEN, ("Token-0", _text(amz[b"x-amz-security-token"])))
    payload = amz.get(b"x-amz-content-sha256", b"")
    if payload.startswith(b"STREAMING-"):
        # The target would store the chunk framing as a part of the object.
        raise S3Error(
            NOT_IMPLEMENTED, ("Header", "x-amz-content-sha256"), ("Value", _text(payload))
        )
    return identity


def _sign(secret: bytes, text: bytes) -> bytes:
    return base64.b64encode(hmac_digest(secret, text, "sha1"))


def _string_to_sign(
    head: RequestHead, date: bytes, amz: Mapping[bytes, bytes], resource: bytes
) -> bytes:
    get = head.fields.get
    lines = [head.method, get(b"content-md5", b""), get(b"content-type", b""), date]
    lines += [b"%b:%b" % (name, amz[name]) for name in sorted(amz)]
    return b"\n".join([*lines, resource])


def _amz_fields(fields: Mapping[bytes, bytes], query: Query) -> dict[bytes, bytes]:
    """Return the x-amz-* headers of the head and of the query, where presigners move them.

    One with two values is refused, because only one of them can be signed; and so is a parameter
    that cannot be a header, because it might be read as more than one line.
    """
    amz = {name: value for name, value in fields.items() if name.startswith(b"x-amz-")}
    for spelt, value in query:
        name = spelt.lower()
        if not name.startswith(b"x-amz-"):
            continue
        if not is_field(name, value):
            raise _ambiguous(spelt, value)
        if amz.setdefault(name, value) != value:
            raise S3Error(HEADERS_NOT_SIGNED, ("HeadersNotSigned", _text(name)))
    return amz


def _resource_paths(head: RequestHead, address: Address) -> Iterator[bytes]:
    """Return the raw path in path style, whichever style was used (AWS: whole, not decoded).

    botocore signs a bucket with a slash after it where it sends none.
    """
    path = head.path if address.path_style else b"/" + address.bucket + head.path
    yield path
    if address.path_style and address.bucket and path.count(b"/") == 1:
        yield path + b"/"


def _resource_query(query: Query) -> bytes:
    """Return the signed parameters, sorted by name and decoded, with the `?` before them.

    They are those that AWS signs, and every other that decides which operation the request is.
    """
    signed = sorted([pair for pair in query if _is_signed(pair[0])], key=lambda pair: pair[0])
    texts = []
    for name, value in signed:
        bare = name in _BARE or (not value and name not in _WITH_VALUE)
        texts.append(name if bare else b"%b=%b" % (name, value))
        if (not bare and _hides_parameter(value)) or b"&" in name or b"=" in name:
            raise _ambiguous(name, value)
    return b"?" + b"&".join(texts) if texts else b""


def _is_signed(name: bytes) -> bool:
    if name in _SIGNED:
        return True
    if is_ignored_parameter(name) or is_content_header(name):
        return False
    return not name.lower().startswith(b"x-amz-")


def _hides_parameter(value: bytes) -> bool:
    """Whether a decoded value, when signed, reads as if it ended with another parameter."""
    return any(part.partition(b"=")[0] in _SIGNED for part in value.split(b"&")[1:])


def _ambiguous(name: bytes, value: bytes) -> S3Error:
    return S3Error(
        INVALID_ARGUMENT,
        ("ArgumentName", _text(name)),
        ("ArgumentValue", _text(value)),
        message="Signature Version 2 cannot sign this parameter. Please use AWS4-HMAC-SHA256.",
    )


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
