"""Admits one request: what it asks for and who sent it, or the S3 error that refuses it.

    head -> address -> operation -> identity -> (`decision`)

Rules: no I/O, and no state but the bucket cache; every refusal is an `S3Error`; the order is AWS's
(first the request itself, then the identity, then its rights).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from fastpath.errors import (
    ANONYMOUS,
    AUTH_MECHANISMS,
    INVALID_REQUEST,
    NOT_IMPLEMENTED,
    REQUEST_LOOP,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.http.query import is_enforced_in_query, parse_query, presigned_headers
from fastpath.request.admitted import Admitted
from fastpath.request.chains import Looking
from fastpath.request.decision import Undecided, decide
from fastpath.request.trail import Trail
from fastpath.request.understood import NOT_PRESIGNED, Presigned, Query, Signed
from fastpath.routing.identities import ANONYMOUS_CALLER, OPEN_CALLER, Caller, unverified
from fastpath.routing.snapshot import Snapshot
from fastpath.s3.addressing import Address, locate, locate_with_plus_as_space
from fastpath.s3.metadata import check_metadata
from fastpath.s3.operations import BODY_METHODS, OPERATIONS, classify
from fastpath.signing.authentication import authenticate, claimed_key_id
from fastpath.signing.sigv4.verify import (
    STREAMING_MODES,
    STREAMING_UNSIGNED_TRAILER,
    UNSIGNED_PAYLOAD,
)

VIA_PREFIX = b"s3gateway-"  # what a gateway calls itself in Via, before its instance
MAX_HOPS = 4  # gateways in a row; a longer chain is a loop through replicas

POST_OBJECT = OPERATIONS["PostObject"]
PREFLIGHT = OPERATIONS["Preflight"]

_HEX_DIGEST = re.compile(rb"[0-9a-fA-F]{64}\Z")
_PUT_OBJECT = OPERATIONS["PutObject"]

_NOT_SIGNED: Signed = (UNSIGNED_PAYLOAD, None)


class Unadmitted(NamedTuple):
    """A request that is not decided about: a PostObject, or a preflight for the gateway to answer.

    The body of a PostObject (`is_form`) holds its identity and its key.
    """

    address: Address
    is_form: bool


def admit(
    head: RequestHead, snapshot: Snapshot, now: float, trail: Trail
) -> Admitted | Undecided | Looking | Unadmitted:
    """Decide about one request, and fill its trail; `now` in epoch seconds. Raises S3Error."""
    _refuse_loop(head, snapshot)
    address = trail.address = locate(head, snapshot.domains)
    query: Query = parse_query(head.query) if head.query else ()
    merged, rest, presigned = (
        _merge_presigned(head, query) if query else (head, query, NOT_PRESIGNED)
    )
    operation = trail.operation = classify(head.method, address, rest, merged.fields)
    signed = _NOT_SIGNED
    if operation is POST_OBJECT:
        _refuse_signed_form(head, query)
        return Unadmitted(address, is_form=True)
    if operation is not PREFLIGHT:
        signed = _authenticate(head, query, address, snapshot, now, trail)
        proof = signed[1]
        if proof is not None and proof.plus_as_space:
            address = trail.address = locate_with_plus_as_space(head, snapshot.domains)
    elif snapshot.cors is not None and snapshot.cors.forward:
        trail.caller = ANONYMOUS_CALLER
    else:
        return Unadmitted(address, is_form=False)
    return decide(merged, rest, address, operation, signed, presigned, snapshot, now, trail)


def admit_form(
    head: RequestHead,
    address: Address,
    caller: Caller,
    snapshot: Snapshot,
    now: float,
    trail: Trail,
) -> Admitted | Undecided | Looking:
    """Decide about the PutObject that a form means, sent by `caller`. Raises S3Error."""
    trail.operation = _PUT_OBJECT
    trail.address = address
    trail.caller = caller
    check_metadata(_PUT_OBJECT, head.fields)
    return decide(head, (), address, _PUT_OBJECT, _NOT_SIGNED, NOT_PRESIGNED, snapshot, now, trail)


def _refuse_signed_form(head: RequestHead, query: Query) -> None:
    """Refuse a form with a second signature, which could be of another identity."""
    signed = any(name.lower() in (b"x-amz-signature", b"signature") for name, _ in query)
    if signed or head.fields.get(b"authorization"):
        raise S3Error(AUTH_MECHANISMS, ("ArgumentName", "Authorization"))


def _refuse_loop(head: RequestHead, snapshot: Snapshot) -> None:
    via = head.fields.get(b"via")
    if via is None or VIA_PREFIX not in via:
        return
    if VIA_PREFIX + snapshot.instance in via or via.count(VIA_PREFIX) >= MAX_HOPS:
        raise S3Error(REQUEST_LOOP)


def _merge_presigned(head: RequestHead, query: Query) -> tuple[RequestHead, Query, Presigned]:
    """Move the headers that a presigner put into the query back into the head.

    The signature is verified over what was sent; everything else uses the merged head and query. A
    header that was also sent as one, and so was also signed, stays as it is. What S3 does not
    enforce in a query is not forwarded.
    """
    presigned = presigned_headers(query)
    if not presigned:
        return head, query, NOT_PRESIGNED
    names = {name for name, _ in presigned}
    added = [f for f in presigned if f[0] not in head.fields and is_enforced_in_query(f[0])]
    merged = replace(head, headers=[*head.headers, *added], fields={**head.fields, **dict(added)})
    return merged, [pair for pair in query if pair[0].lower() not in names], (added, names)


def _authenticate(
    head: RequestHead,
    query: Query,
    address: Address,
    snapshot: Snapshot,
    now: float,
    trail: Trail,
) -> Signed:
    """Find the caller by the signature. Raises S3Error."""
    if snapshot.open_caller is not None:
        trail.caller = snapshot.open_caller
        return _claimed_payload(head), None
    try:
        proof = authenticate(head, query, address, snapshot.callers, snapshot.accepted, now)
    except S3Error as error:
        if error.kind is not ANONYMOUS or not snapshot.anonymous:
            claimed = claimed_key_id(head, query)
            trail.caller = unverified(claimed) if claimed else OPEN_CALLER
            raise
        trail.caller = ANONYMOUS_CALLER
        return _unsigned_payload(head), None
    trail.caller = snapshot.callers[proof.identity.access_key_id]
    trail.verified = True
    return proof.payload, proof


def _unsigned_payload(head: RequestHead) -> bytes:
    """Return the payload hash of an anonymous request: no chunk is signed (AWS errors 3.24)."""
    claimed = head.fields.get(b"x-amz-content-sha256", UNSIGNED_PAYLOAD)
    if claimed.startswith(b"STREAMING-") and claimed != STREAMING_UNSIGNED_TRAILER:
        raise S3Error(
            INVALID_REQUEST,
            message="Anonymous requests don't support this x-amz-content-sha256 value. Please use "
            "UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER.",
        )
    return _claimed_payload(head)


def _claimed_payload(head: RequestHead) -> bytes:
    """Return the payload hash of a request whose signature is not verified.

    A value that is no digest matches no body: AWS compares all the same (versitygw issue 1423).
    """
    claimed = head.fields.get(b"x-amz-content-sha256", UNSIGNED_PAYLOAD)
    if claimed in STREAMING_MODES:
        return claimed
    if claimed.startswith(b"STREAMING-"):
        # The target would store the chunk framing as a part of the object.
        raise S3Error(
            NOT_IMPLEMENTED,
            ("Header", "x-amz-content-sha256"),
            ("Value", claimed.decode("latin-1")),
        )
    if _HEX_DIGEST.match(claimed):
        return claimed.lower()
    return claimed if head.method in BODY_METHODS else UNSIGNED_PAYLOAD
