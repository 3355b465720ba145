"""Decides how a request's body is checked, and in which form the target gets it.

Rules: the signed x-amz-content-sha256 is the mode; faults of headers are reported in AWS's order
(AWS errors 0.6): Content-MD5, checksum headers, decoded length; what a target verifies itself is
not verified here, and a body that needs nothing gets no filter, so that it is relayed untouched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from fastpath.errors import (
    CONTENT_SHA256_MISPLACED,
    INVALID_DIGEST,
    INVALID_REQUEST,
    MISSING_CONTENT_LENGTH,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.payload.body_checks import Check, ChecksumCheck, DigestCheck, MD5Check
from fastpath.payload.body_headers import BodyHeaders
from fastpath.payload.checksum_blanking import BlankedChecksums
from fastpath.payload.checksum_support import SDK_ALGORITHM, ChecksumSupport, checksum_support_of
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX, NOT_VALUES, decode
from fastpath.payload.chunk_signatures import ChunkSignatures
from fastpath.payload.delete_batch import DeleteBatch
from fastpath.payload.delete_keys import DeleteKeysCheck
from fastpath.payload.filters import BodyFilter, CheckedBody, StreamedBody
from fastpath.payload.framers import ChunkFramer, Framer, PlainFramer
from fastpath.payload.trailers import Trailers
from fastpath.routing.profiles import Profile
from fastpath.s3.operations import Operation, has_request_body
from fastpath.signing.sigv4.chain import EMPTY_DIGEST
from fastpath.signing.sigv4.verify import (
    STREAMING_SIGNED,
    STREAMING_SIGNED_TRAILER,
    STREAMING_UNSIGNED_TRAILER,
    UNSIGNED_PAYLOAD,
    Proof,
)

DECODED_LENGTH = b"x-amz-decoded-content-length"
_TRAILER = b"x-amz-trailer"
# Operations whose body is an object's data.
UPLOADS = frozenset({"PutObject", "UploadPart"})
# Operations whose x-amz-checksum-* headers are about an object, not about the request's body.
_ABOUT_AN_OBJECT = frozenset(
    {
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPartCopy",
        "WriteGetObjectResponse",
    }
)
_NOTHING: tuple[bytes, ...] = ()
_LENGTH = re.compile(rb"[0-9]{1,18}")


class Mode(NamedTuple):
    """A streaming mode: whether chunks are signed, whether trailers may follow."""

    signed: bool
    trailers: bool


STREAMING: dict[bytes, Mode] = {
    STREAMING_SIGNED: Mode(signed=True, trailers=False),
    STREAMING_SIGNED_TRAILER: Mode(signed=True, trailers=True),
    STREAMING_UNSIGNED_TRAILER: Mode(signed=False, trailers=True),
}


class BodyPlan(NamedTuple):
    """How a body is sent to the target; without `body_headers`, its head stays as it is."""

    filter: BodyFilter
    body_headers: BodyHeaders | None = None
    batch: DeleteBatch | None = None  # the filter, if it may remove keys from the body
    is_sent: bool = True  # else it is read and verified before the request is sent without it


class Context(NamedTuple):
    """What else the plan depends on; `proof` is None for an anonymous request.

    `fields` are the headers, including those that a presigner moved into the query.
    """

    fields: Mapping[bytes, bytes]
    operation: Operation
    payload: bytes
    proof: Proof | None
    profile: Profile
    secure: bool  # the connection to the target is encrypted
    extra_check: Check | None = None  # of the target's dialect
    batch: DeleteBatch | None = None  # the filter that removes keys from a DeleteObjects
    drops_checksums: bool = False  # its upload was begun without their algorithm


def plan_body(head: RequestHead, context: Context) -> BodyPlan | None:
    """Plan the body of a request that has one, or may have one. Raises S3Error.

    None: the body is relayed as it comes.
    """
    mode = STREAMING.get(context.payload)
    if mode is not None:
        return _plan_streamed(context, mode)
    payload, length = context.payload, head.content_length
    support = checksum_support_of(
        context.profile, secure=context.secure, drops=context.drops_checksums
    )
    if length and not has_request_body(context.operation, head.method):
        return _plan_unsent(context, support)
    if support is not None and context.operation.name == "CompleteMultipartUpload":
        return _plan_completion(context, support, length)
    checks = _checks(context, length, support)
    dropped = _NOTHING
    if support is not None:
        dropped = support.unsupported_headers(context.operation.name, context.fields)
    if context.batch is not None:
        context.batch.require(checks, context.fields, context.profile)
        return BodyPlan(context.batch, None, context.batch)
    if dropped:
        return BodyPlan(CheckedBody(checks), BodyHeaders(payload, length, dropped, b""))
    return BodyPlan(CheckedBody(checks)) if checks else None


def _checks(context: Context, length: int | None, support: ChecksumSupport | None) -> list[Check]:
    """Return the checks that the gateway has to make."""
    profile, payload = context.profile, context.payload
    checks: list[Check] = []
    trusted = context.operation.name in UPLOADS or profile.verifies_documents
    if context.batch is not None:
        trusted = False  # the target may get another body
    if payload != UNSIGNED_PAYLOAD and not (trusted and profile.verifies_digest and length):
        checks.append(DigestCheck(payload))
    if not (trusted and profile.verifies_md5):
        checks += _md5_header(context)
    verified = trusted and profile.verifies_checksums
    if not verified or support is not None:
        checks += _checksum_header(context, trailer=False, support=support if verified else None)
    if profile.mistakes_deletes and context.operation.name == "DeleteObjects":
        rename = context.batch.rename if context.batch is not None else None
        checks.append(DeleteKeysCheck(rename))
    if context.extra_check is not None:
        checks.append(context.extra_check)
    return checks


def _plan_completion(context: Context, support: ChecksumSupport, length: int | None) -> BodyPlan:
    """Plan a CompleteMultipartUpload with checksums that its target does not get.

    The target gets another document, so it does not get the digests of the client's either.
    """
    checks: list[Check] = []
    if context.payload != UNSIGNED_PAYLOAD:
        checks.append(DigestCheck(context.payload))
    checks += _md5_header(context)
    if context.extra_check is not None:
        checks.append(context.extra_check)
    name = context.operation.name
    dropped = (*support.unsupported_headers(name, context.fields), b"content-md5")
    body = BlankedChecksums(checks, lambda algorithm: support.accepts(name, algorithm))
    return BodyPlan(body, BodyHeaders(UNSIGNED_PAYLOAD, length, dropped, b""))


def _plan_unsent(context: Context, support: ChecksumSupport | None) -> BodyPlan:
    """Plan a body where S3 has none: a target might read it as the next request."""
    checks = _md5_header(context)
    payload = context.payload
    if payload != UNSIGNED_PAYLOAD:
        checks.insert(0, DigestCheck(payload))
        payload = EMPTY_DIGEST
    dropped = _NOTHING
    if support is not None:
        dropped = support.unsupported_headers(context.operation.name, context.fields)
    body_headers = BodyHeaders(payload, 0, (*dropped, b"content-md5"), b"")
    return BodyPlan(CheckedBody(checks), body_headers, is_sent=False)


# --- checks that headers ask for ---


def _md5_header(context: Context) -> list[Check]:
    """Return the check for Content-MD5 (AWS errors 4.5)."""
    sent = context.fields.get(b"content-md5")
    if sent is None:
        return []
    expected = decode(sent, 16)
    if expected is None:
        raise S3Error(INVALID_DIGEST, ("Content-MD5", sent.decode("latin-1")))
    return [MD5Check(expected, in_hex=context.operation.name == "PutObject")]


def _checksum_header(
    context: Context, *, trailer: bool, support: ChecksumSupport | None = None
) -> list[Check]:
    """Return the check for x-amz-checksum-* (AWS errors 3.15 to 3.18, 4.10).

    `support`: the target verifies the checksums that it accepts.
    """
    if context.operation.name in _ABOUT_AN_OBJECT:
        return []
    fields = context.fields
    names = [n for n in fields if n.startswith(HEADER_PREFIX) and n not in NOT_VALUES]
    for name in names:
        if name[len(HEADER_PREFIX) :] not in ALGORITHMS:
            raise _invalid("The algorithm type you specified in x-amz-checksum- header is invalid.")
    if names and trailer:
        raise _invalid("Expecting a single x-amz-checksum- header")
    if len(names) > 1:
        raise _invalid(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    checks: list[Check] = []
    for name in names:
        algorithm = name[len(HEADER_PREFIX) :]
        expected = decode(fields[name], ALGORITHMS[algorithm][1])
        if expected is None:
            raise _invalid(f"Value for {name.decode()} header is invalid.")
        if support is None or not support.accepts(context.operation.name, algorithm):
            checks.append(ChecksumCheck(algorithm, expected))
    _check_sdk_algorithm(fields, names[0] if names else fields.get(_TRAILER) if trailer else None)
    return checks


def _check_sdk_algorithm(fields: Mapping[bytes, bytes], name: bytes | None) -> None:
    """Check x-amz-sdk-checksum-algorithm against `name`, the checksum header or trailer."""
    algorithm = fields.get(SDK_ALGORITHM)
    if algorithm is None:
        return
    if name is None:
        raise _invalid(
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
            "x-amz-trailer headers were found."
        )
    if HEADER_PREFIX + algorithm.lower() != name.lower():
        raise _invalid("Value for x-amz-sdk-checksum-algorithm header is invalid.")


def _invalid(text: str) -> S3Error:
    return S3Error(INVALID_REQUEST, message=text)


# --- streaming modes ---


def _plan_streamed(context: Context, mode: Mode) -> BodyPlan:
    name, fields = context.operation.name, context.fields
    if name not in UPLOADS:
        raise S3Error(CONTENT_SHA256_MISPLACED)
    support = checksum_support_of(
        context.profile, secure=context.secure, drops=context.drops_checksums
    )
    declared = fields.get(_TRAILER)
    expects_trailer = mode.trailers and declared is not None
    checks = [*_md5_header(context), *_checksum_header(context, trailer=expects_trailer)]
    trailers = Trailers(declared, allowed=mode.trailers, signed=mode.signed)
    if trailers.check is not None:
        checks.append(trailers.check)
    decoded = decoded_length(fields)
    if decoded is None:
        raise S3Error(MISSING_CONTENT_LENGTH)
    dropped, is_sent = _NOTHING, True
    if support is not None:
        dropped = support.unsupported_headers(name, fields)
        is_sent = trailers.check is None or support.accepts(name, trailers.algorithm)
    upstream = _upstream_mode(context, mode, trailers) if is_sent else None
    framer: Framer
    if upstream is None:
        framer = PlainFramer(decoded)
        dropped += (DECODED_LENGTH, _TRAILER)
        if expects_trailer:
            dropped += (SDK_ALGORITHM,)
        body_headers = BodyHeaders(
            UNSIGNED_PAYLOAD, decoded, *_without_aws_chunked(fields, dropped)
        )
    else:
        signed = STREAMING[upstream].signed
        framer = ChunkFramer(decoded, signed=signed, trailer=trailers.shape)
        coding = dropped, b""
        if context.profile.keeps_aws_chunked:
            coding = _without_aws_chunked(fields, dropped)
        body_headers = BodyHeaders(upstream, framer.length, *coding)
    proof = context.proof
    chunk_signatures = ChunkSignatures(proof) if mode.signed and proof is not None else None
    body = StreamedBody(decoded, mode.signed, chunk_signatures, trailers, checks, framer)
    return BodyPlan(body, body_headers)


def decoded_length(fields: Mapping[bytes, bytes]) -> int | None:
    """Return the length of a framed body without its framing; None: none was sent, or no number."""
    value = fields.get(DECODED_LENGTH)
    return None if value is None or _LENGTH.fullmatch(value) is None else int(value)


def _upstream_mode(context: Context, mode: Mode, trailers: Trailers) -> bytes | None:
    """Return the streaming mode towards the target; None: the plain body.

    AWS accepts unsigned trailers over an encrypted connection only; over another the gateway signs
    them. To keep a checksum, the mode may differ from the client's.
    """
    streaming = context.profile.streaming
    unsigned = (STREAMING_UNSIGNED_TRAILER,) if context.secure else ()
    if trailers.shape is not None:
        signed = (STREAMING_SIGNED_TRAILER,)
        wanted = signed + unsigned if mode.signed else unsigned + signed
    elif mode.signed or not context.secure:
        wanted = (STREAMING_SIGNED,)
    else:
        wanted = unsigned
    return next((name for name in wanted if name in streaming), None)


def _without_aws_chunked(
    fields: Mapping[bytes, bytes], drop: tuple[bytes, ...]
) -> tuple[tuple[bytes, ...], bytes]:
    """Return the headers to drop, and the Content-Encoding line without `aws-chunked`."""
    encoding = fields.get(b"content-encoding")
    if encoding is None:
        return drop, b""
    codings = [part.strip(b" \t") for part in encoding.split(b",")]
    left = b",".join(coding for coding in codings if coding.lower() not in (b"aws-chunked", b""))
    return (*drop, b"content-encoding"), b"content-encoding: %b\r\n" % left if left else b""
