"""Chooses what the body of an admitted request passes through on its way to the target.

Rules: a target that gets no signature verifies none, so the gateway verifies the signed digest. The
gateway does not look at a body that the target verifies completely. A body that goes to a composed
operation is verified completely, because the operation sends it in a request of its own.
"""

from __future__ import annotations

from dataclasses import replace

from fastpath.http.head import RequestHead
from fastpath.payload.body_plan import STREAMING, UPLOADS, BodyPlan, Context, plan_body
from fastpath.request.admitted import Admitted
from fastpath.routing.profiles import CHECKSUMS, Profile, without_signature
from fastpath.s3.metadata import check_metadata
from fastpath.signing.sigv4.sign import Unsigned
from fastpath.signing.sigv4.verify import STREAMING_MODES

# A target that verifies nothing and keeps every checksum. It takes chunks, or not one of their
# modes, so that a plain body keeps its headers and a chunked one loses its chunks.
_UNVERIFYING = Profile(
    "composed", verifies_digest=False, checksums=CHECKSUMS, streaming=STREAMING_MODES
)
_UNVERIFYING_IN_CHUNKS = replace(_UNVERIFYING, streaming=frozenset())


def body_plan_of(head: RequestHead, admitted: Admitted) -> BodyPlan | None:
    """What the body of an admitted request passes through; None: nothing. Raises S3Error."""
    target, operation = admitted.target, admitted.operation
    fields = (
        {**head.fields, **dict(admitted.query_headers)} if admitted.query_headers else head.fields
    )
    check_metadata(operation, fields)
    translation, is_signed = admitted.translation, not isinstance(admitted.signer, Unsigned)
    if (
        target.verifies_uploads
        and operation.name in UPLOADS
        and is_signed
        and translation is None
        and head.content_length
        and admitted.payload not in STREAMING
        and not admitted.drops_checksums
    ):
        return None  # `plan_body` would say so too, for 10,000 instructions more (heads: PUT 1 KiB)
    profile = target.profile if is_signed else without_signature(target.profile)
    secure = target.route.tls is not None
    extra_check = batch = None
    if translation is not None:
        extra_check, batch = translation.check, translation.batch
        if translation.dropped:
            gone = translation.dropped
            fields = {name: value for name, value in fields.items() if name not in gone}
    body_plan = plan_body(
        head,
        Context(
            fields,
            operation,
            admitted.payload,
            admitted.proof,
            profile,
            secure,
            extra_check,
            batch,
            admitted.drops_checksums,
        ),
    )
    if extra_check is not None and body_plan is not None and admitted.own_answer is not None:
        return body_plan._replace(is_sent=False)
    return body_plan


def verified_body_plan_of(head: RequestHead, admitted: Admitted) -> BodyPlan | None:
    """What the body passes through that a composed operation reads: all checks. Raises S3Error.

    What comes out is the payload: no chunks, and a document as the client sent it.
    """
    fields = {**head.fields, **dict(admitted.query_headers)}
    check_metadata(admitted.operation, fields)
    is_streaming = admitted.payload in STREAMING
    return plan_body(
        head,
        Context(
            fields,
            admitted.operation,
            admitted.payload,
            admitted.proof,
            _UNVERIFYING_IN_CHUNKS if is_streaming else _UNVERIFYING,
            secure=False,
        ),
    )
