"""One request's body: what it is checked against, and in which form its target gets it.

Rules: the mode is the signed x-amz-content-sha256; header faults are told in AWS's order (AWS
errors 0.6): Content-MD5, checksum headers, decoded length; a target that checks something itself
is left to it, and a body that needs nothing gets no filter, so that it is relayed untouched.

Not here: taking bodies apart (`filters`), whether the request may happen (`admission`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from fastpath.errors import (
    CONTENT_SHA256_MISPLACED,
    INVALID_DIGEST,
    INVALID_REQUEST,
    MISSING_CONTENT_LENGTH,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.payload.batches import Batch
from fastpath.payload.checks import Check, ChecksumCheck, DigestCheck, MD5Check
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX, NOT_VALUES, decode
from fastpath.payload.crossing import SDK_ALGORITHM, Crossing, crossing_of
from fastpath.payload.deletions import DeletedKeys
from fastpath.payload.filters import BodyFilter, CheckedBody, StreamedBody
from fastpath.payload.framers import ChunkFramer, Framer, PlainFramer
from fastpath.payload.members import BlankedMembers
from fastpath.payload.reframing import Reframing
from fastpath.payload.seals import Seals
from fastpath.payload.trailers import Trailers
from fastpath.routing.profiles import Profile
from fastpath.s3.operations import Operation, has_request_body
from fastpath.signing.sigv4.verify import (
    STREAMING_SIGNED,
    STREAMING_SIGNED_TRAILER,
    STREAMING_UNSIGNED_TRAILER,
    UNSIGNED_PAYLOAD,
    Proof,
)

_DECODED_LENGTH = b"x-amz-decoded-content-length"
_TRAILER = b"x-amz-trailer"
# Whose body is an object's data.
UPLOADS = frozenset({"PutObject", "UploadPart"})
# Whose x-amz-checksum-* headers are about an object, not about the body they come with.
_ABOUT_AN_OBJECT = frozenset(
    {
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "UploadPartCopy",
        "WriteGetObjectResponse",
    }
)
_NO_BODY = sha256().hexdigest().encode()
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


class Passage(NamedTuple):
    """How a body goes up; without `reframing`, its head stays as it is."""

    filter: BodyFilter
    reframing: Reframing | None = None
    batch: Batch | None = None  # the filter, if it may change the body
    goes_up: bool = True  # else it is read, and verified, before the request goes up without it


class Context(NamedTuple):
    """What besides the head decides; `proof` is None where nobody is verified.

    `fields` are the headers as they are meant: also those that a presigner moved into the query.
    """

    fields: Mapping[bytes, bytes]
    operation: Operation
    payload: bytes
    proof: Proof | None
    profile: Profile
    secure: bool  # the way to the target is encrypted
    also: Check | None = None  # what the target's dialect wants to know of the body
    batch: Batch | None = None  # what takes keys out of it


def choose(head: RequestHead, context: Context) -> Passage | None:
    """How the body of a request that has one, or may have one, goes up.

    None: as it comes. Raises S3Error.
    """
    mode = STREAMING.get(context.payload)
    if mode is not None:
        return _streamed(context, mode)
    payload, length = context.payload, head.content_length
    crossing = crossing_of(context.profile, context.secure)
    if length and not has_request_body(context.operation, head.method):
        return _not_sent(context, crossing)
    if crossing is not None and context.operation.name == "CompleteMultipartUpload":
        return _completion(context, crossing, length)
    checks = _checks(context, length, crossing)
    behind = _NOTHING
    if crossing is not None:
        behind = crossing.left_behind(context.operation.name, context.fields)
    if context.batch is not None:
        context.batch.require(checks, context.fields, context.profile)
        return Passage(context.batch, None, context.batch)
    if behind:
        return Passage(CheckedBody(checks), Reframing(payload, length, behind, b""))
    return Passage(CheckedBody(checks)) if checks else None


def _checks(context: Context, length: int | None, crossing: Crossing | None) -> list[Check]:
    """What is left to the gateway to verify."""
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
    if not verified or crossing is not None:
        checks += _checksum_header(context, trailer=False, there=crossing if verified else None)
    if profile.mistakes_deletes and context.operation.name == "DeleteObjects":
        checks.append(DeletedKeys())
    if context.also is not None:
        checks.append(context.also)
    return checks


def _completion(context: Context, crossing: Crossing, length: int | None) -> Passage:
    """A CompleteMultipartUpload with checksums that its target is not to see.

    Its document is another one afterwards, so that what is said of the client's stays here too.
    """
    checks: list[Check] = []
    if context.payload != UNSIGNED_PAYLOAD:
        checks.append(DigestCheck(context.payload))
    checks += _md5_header(context)
    if context.also is not None:
        checks.append(context.also)
    name = context.operation.name
    behind = (*crossing.left_behind(name, context.fields), b"content-md5")
    body = BlankedMembers(checks, lambda algorithm: crossing.takes(name, algorithm))
    return Passage(body, Reframing(UNSIGNED_PAYLOAD, length, behind, b""))


def _not_sent(context: Context, crossing: Crossing | None) -> Passage:
    """A body where S3 has none: a target that does not read it would take it for a request."""
    checks = _md5_header(context)
    payload = context.payload
    if payload != UNSIGNED_PAYLOAD:
        checks.insert(0, DigestCheck(payload))
        payload = _NO_BODY
    behind = _NOTHING
    if crossing is not None:
        behind = crossing.left_behind(context.operation.name, context.fields)
    reframing = Reframing(payload, 0, (*behind, b"content-md5"), b"")
    return Passage(CheckedBody(checks), reframing, goes_up=False)


# --- what the headers say of the body ---


def _md5_header(context: Context) -> list[Check]:
    """Content-MD5 (AWS errors 4.5)."""
    sent = context.fields.get(b"content-md5")
    if sent is None:
        return []
    expected = decode(sent, 16)
    if expected is None:
        raise S3Error(INVALID_DIGEST, ("Content-MD5", sent.decode("latin-1")))
    return [MD5Check(expected, in_hex=context.operation.name == "PutObject")]


def _checksum_header(
    context: Context, *, trailer: bool, there: Crossing | None = None
) -> list[Check]:
    """x-amz-checksum-* (AWS errors 3.15 to 3.18, 4.10).

    `there`: the target verifies what crosses.
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
        if there is None or not there.takes(context.operation.name, algorithm):
            checks.append(ChecksumCheck(algorithm, expected))
    _check_sdk_algorithm(fields, names[0] if names else fields.get(_TRAILER) if trailer else None)
    return checks


def _check_sdk_algorithm(fields: Mapping[bytes, bytes], name: bytes | None) -> None:
    """`name` is the checksum header or trailer that is sent."""
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


def _streamed(context: Context, mode: Mode) -> Passage:
    name, fields = context.operation.name, context.fields
    if name not in UPLOADS:
        raise S3Error(CONTENT_SHA256_MISPLACED)
    crossing = crossing_of(context.profile, context.secure)
    declared = fields.get(_TRAILER)
    expects_trailer = mode.trailers and declared is not None
    checks = [*_md5_header(context), *_checksum_header(context, trailer=expects_trailer)]
    trailers = Trailers(declared, allowed=mode.trailers, signed=mode.signed)
    if trailers.check is not None:
        checks.append(trailers.check)
    decoded = _decoded_length(fields)
    behind, crosses = _NOTHING, True
    if crossing is not None:
        behind = crossing.left_behind(name, fields)
        crosses = trailers.check is None or crossing.takes(name, trailers.algorithm)
    upstream = _upstream_mode(context, mode, trailers) if crosses else None
    framer: Framer
    if upstream is None:
        framer = PlainFramer(decoded)
        behind += (_DECODED_LENGTH, _TRAILER)
        if expects_trailer:
            behind += (SDK_ALGORITHM,)
        reframing = Reframing(UNSIGNED_PAYLOAD, decoded, *_uncoded(fields, behind))
    else:
        signed = STREAMING[upstream].signed
        framer = ChunkFramer(decoded, signed=signed, trailer=trailers.shape)
        coding = behind, b""
        if context.profile.keeps_aws_chunked:
            coding = _uncoded(fields, behind)
        reframing = Reframing(upstream, framer.length, *coding)
    proof = context.proof
    seals = Seals(proof) if mode.signed and proof is not None else None
    body = StreamedBody(decoded, mode.signed, seals, trailers, checks, framer)
    return Passage(body, reframing)


def _decoded_length(fields: Mapping[bytes, bytes]) -> int:
    value = fields.get(_DECODED_LENGTH)
    if value is None or _LENGTH.fullmatch(value) is None:
        raise S3Error(MISSING_CONTENT_LENGTH)
    return int(value)


def _upstream_mode(context: Context, mode: Mode, trailers: Trailers) -> bytes | None:
    """The streaming mode towards the target; None: the plain body.

    AWS takes unsigned trailers over an encrypted connection only; over another the gateway signs.
    A checksum is worth more than the mode it came in.
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


def _uncoded(
    fields: Mapping[bytes, bytes], drop: tuple[bytes, ...]
) -> tuple[tuple[bytes, ...], bytes]:
    """`drop`, and what is left of Content-Encoding without a word of the framing."""
    encoding = fields.get(b"content-encoding")
    if encoding is None:
        return drop, b""
    codings = [part.strip(b" \t") for part in encoding.split(b",")]
    left = b",".join(coding for coding in codings if coding.lower() not in (b"aws-chunked", b""))
    return (*drop, b"content-encoding"), b"content-encoding: %b\r\n" % left if left else b""
