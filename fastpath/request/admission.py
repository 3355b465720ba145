"""Decides about one request: where it goes and who signs it, or the S3 error that refuses it.

    head -> address -> operation -> identity -> permission -> decision -> signer

Rules: no I/O, and no state but the bucket cache; every refusal is an `S3Error`; the order is AWS's
(first the request itself, then the identity, then its rights); no bucket is looked up in the
routing table before the caller is known; the permission check gets the classified operation and the
copy source, never the bare HTTP method.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from fastpath.dialects import translate
from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.errors import (
    ACCESS_DENIED,
    ANONYMOUS,
    AUTH_MECHANISMS,
    INVALID_ARGUMENT,
    INVALID_REQUEST,
    NOT_IMPLEMENTED,
    REQUEST_LOOP,
    SERVICE_UNAVAILABLE,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.http.query import is_enforced_in_query, parse_query, presigned_headers
from fastpath.payload.body_plan import decoded_length
from fastpath.request.admitted import Admitted
from fastpath.request.implied_operations import implied
from fastpath.routing.asked import Asked
from fastpath.routing.identities import ANONYMOUS_CALLER, OPEN_CALLER, Caller, unverified
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.routing.table import Decision
from fastpath.s3.addressing import (
    COPY_SOURCE,
    Address,
    is_only_slashes,
    locate,
    locate_copy_source,
    locate_with_plus_as_space,
    only_slashes_refused,
    plus_as_space,
)
from fastpath.s3.metadata import check_metadata
from fastpath.s3.operations import BODY_METHODS, OPERATIONS, Operation, classify
from fastpath.signing.authentication import authenticate, claimed_key_id
from fastpath.signing.sigv4.sign import Unsigned
from fastpath.signing.sigv4.verify import (
    STREAMING_MODES,
    STREAMING_UNSIGNED_TRAILER,
    UNSIGNED_PAYLOAD,
    Proof,
)

VIA_PREFIX = b"s3gateway-"  # what a gateway calls itself in Via, before its instance
MAX_HOPS = 4  # gateways in a row; a longer chain is a loop through replicas

RENAME_SOURCE = b"x-amz-rename-source"
POST_OBJECT = OPERATIONS["PostObject"]
PREFLIGHT = OPERATIONS["Preflight"]

_HEX_DIGEST = re.compile(rb"[0-9a-fA-F]{64}\Z")
_READ_OF_A_COPY = OPERATIONS["GetObject"]
_PUT_OBJECT = OPERATIONS["PutObject"]

_CURRENT_VERSION = (b"versionId", b"null")  # of a bucket without versions: the object itself

Query = Sequence[tuple[bytes, bytes]]
# Headers that a presigner put into the query: those that came only there, and the names of all.
_Presigned: TypeAlias = tuple[Query, Collection[bytes]]
_NOT_PRESIGNED: _Presigned = ((), ())
# The value of x-amz-content-sha256, and the verified signature.
_Signed: TypeAlias = tuple[bytes, Proof | None]
_NOT_SIGNED: _Signed = (UNSIGNED_PAYLOAD, None)


class Trail:
    """What is known of a request so far, for its log line and for its refusal.

    Admission fills it step by step; `address` is the client's.
    """

    __slots__ = ("address", "caller", "decision", "operation", "verified")

    def __init__(self) -> None:
        self.address: Address | None = None
        self.operation: Operation | None = None
        self.caller: Caller = OPEN_CALLER
        self.decision: Decision | None = None
        self.verified = False  # whether the signature of its head was verified


class Unadmitted(NamedTuple):
    """A request that is not decided about: a PostObject, or a preflight for the gateway to answer.

    The body of a PostObject (`is_form`) holds its identity and its key.
    """

    address: Address
    is_form: bool


def admit(head: RequestHead, snapshot: Snapshot, now: float, trail: Trail) -> Admitted | Unadmitted:
    """Decide about one request, and fill its trail; `now` in epoch seconds. Raises S3Error."""
    _refuse_loop(head, snapshot)
    address = trail.address = locate(head, snapshot.domains)
    query: Query = parse_query(head.query) if head.query else ()
    merged, rest, presigned = (
        _merge_presigned(head, query) if query else (head, query, _NOT_PRESIGNED)
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
    return _decide(merged, rest, address, operation, signed, presigned, snapshot, now, trail)


def admit_form(
    head: RequestHead,
    address: Address,
    caller: Caller,
    snapshot: Snapshot,
    now: float,
    trail: Trail,
) -> Admitted:
    """Decide about the PutObject that a form means, sent by `caller`. Raises S3Error."""
    trail.operation = _PUT_OBJECT
    trail.address = address
    trail.caller = caller
    check_metadata(_PUT_OBJECT, head.fields)
    return _decide(
        head, (), address, _PUT_OBJECT, _NOT_SIGNED, _NOT_PRESIGNED, snapshot, now, trail
    )


def asked_about(
    head: RequestHead,
    operation: Operation,
    address: Address,
    caller: Caller,
    payload: bytes,
    now: float,
) -> Asked:
    """Return what routing rules look at; `head` is merged.

    Only plans with conditions need it (heads: 5,000 instructions and more).
    """
    return Asked(
        operation.routed_as.name,
        caller.name,
        address.bucket,
        address.key,
        decoded_length(head.fields) if payload in STREAMING_MODES else head.content_length,
        head.fields.get(b"content-type", b""),
        now,
    )


def _refuse_signed_form(head: RequestHead, query: Query) -> None:
    """Refuse a form with a second signature, which could be of another identity."""
    signed = any(name.lower() in (b"x-amz-signature", b"signature") for name, _ in query)
    if signed or head.fields.get(b"authorization"):
        raise S3Error(AUTH_MECHANISMS, ("ArgumentName", "Authorization"))


def _decide(  # noqa: PLR0913 (what is understood of one request; no object per request)
    head: RequestHead,
    query: Query,
    address: Address,
    operation: Operation,
    signed: _Signed,
    presigned: _Presigned,
    snapshot: Snapshot,
    now: float,
    trail: Trail,
) -> Admitted:
    """Check the rights, find the target and the signer; `head` and `query` are merged."""
    caller, (payload, proof), (query_headers, presigned_names) = trail.caller, signed, presigned
    if caller.grants is not None:
        _check_rights(head, query, operation, address, caller)
    plan = snapshot.routing.plan(address.bucket)
    decision = plan.fixed or plan.decide(
        asked_about(head, operation, address, caller, payload, now)
    )
    target = snapshot.targets[decision.target]
    trail.decision = decision
    upstream_address = address  # no rule rewrites it
    _check_target(target, operation, caller, upstream_address)
    overlooked = target.profile.overlooks.get(operation.name)
    if overlooked is not None:
        _refuse_overlooked(overlooked, query, head)
    signer = (
        Unsigned(target.region) if caller is ANONYMOUS_CALLER else snapshot.signer(target, caller)
    )
    if signer is None:
        raise S3Error(SERVICE_UNAVAILABLE)
    rewritten_headers: Query = ()
    if COPY_SOURCE in head.fields:
        head, query_headers, rewritten_headers = _escape_plus(head, COPY_SOURCE, query_headers)
        _check_copy_source(head, snapshot, caller, target, now)
    if RENAME_SOURCE in head.fields:
        head, query_headers, more = _escape_plus(head, RENAME_SOURCE, query_headers)
        rewritten_headers = [*rewritten_headers, *more]
        _check_rename_source(head, address)
    translation: Translation | None = None
    dialect = target.profile.dialect
    if dialect is not None or operation.is_translated:
        translation = translate(
            dialect, _client_request(head, query, operation, address, upstream_address, target)
        )
    return Admitted(
        operation,
        address,
        upstream_address,
        caller,
        decision,
        target,
        signer,
        payload,
        proof,
        query_headers,
        presigned_names,
        rewritten_headers,
        translation,
    )


def _client_request(
    head: RequestHead,
    query: Query,
    operation: Operation,
    address: Address,
    upstream_address: Address,
    target: Target,
) -> ClientRequest:
    return ClientRequest(
        operation.name,
        address.bucket,
        address.key,
        upstream_address,
        query,
        head.fields,
        head.headers,
        target.region,
        head.path,
        target.drops,
    )


def _check_rights(
    head: RequestHead, query: Query, operation: Operation, address: Address, caller: Caller
) -> None:
    """Check the right to the operation, and to those that its headers imply."""
    if not caller.may(operation.name, address.bucket):
        raise S3Error(ACCESS_DENIED)
    for other in implied(operation, head.fields, query):
        if not caller.may(other, address.bucket):
            raise S3Error(ACCESS_DENIED)


def _refuse_loop(head: RequestHead, snapshot: Snapshot) -> None:
    via = head.fields.get(b"via")
    if via is None or VIA_PREFIX not in via:
        return
    if VIA_PREFIX + snapshot.instance in via or via.count(VIA_PREFIX) >= MAX_HOPS:
        raise S3Error(REQUEST_LOOP)


def _merge_presigned(head: RequestHead, query: Query) -> tuple[RequestHead, Query, _Presigned]:
    """Move the headers that a presigner put into the query back into the head.

    The signature is verified over what was sent; everything else uses the merged head and query. A
    header that was also sent as one, and so was also signed, stays as it is. What S3 does not
    enforce in a query is not forwarded.
    """
    presigned = presigned_headers(query)
    if not presigned:
        return head, query, _NOT_PRESIGNED
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
) -> _Signed:
    """Find the caller by the signature. Raises S3Error."""
    if snapshot.open:
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


def _check_target(target: Target, operation: Operation, caller: Caller, address: Address) -> None:
    """Refuse what this caller may not send to this target, or what the target does not have."""
    if not caller.reaches(target.name):
        raise S3Error(ACCESS_DENIED)
    profile = target.profile
    if caller is ANONYMOUS_CALLER and not profile.anonymous:
        raise S3Error(ACCESS_DENIED)
    if profile.refuses(operation.name):
        raise S3Error(
            NOT_IMPLEMENTED,
            message=f"{operation.name} is not available on the storage that serves this bucket.",
        )
    if profile.mistakes_keys and address.key and is_only_slashes(address.key):
        raise only_slashes_refused()


def _refuse_overlooked(names: frozenset[bytes], query: Query, head: RequestHead) -> None:
    """Refuse a parameter or header that changes the request and that the target would ignore.

    An empty condition is no condition, as on S3.
    """
    found = [pair[0] for pair in query if pair[0] in names and pair != _CURRENT_VERSION]
    found += [
        name for name in names if name in head.fields and not _is_empty_condition(name, head.fields)
    ]
    if found:
        raise S3Error(
            NOT_IMPLEMENTED,
            message=f"{found[0].decode()} is not available on the storage that serves this bucket.",
        )


def _is_empty_condition(name: bytes, fields: Mapping[bytes, bytes]) -> bool:
    return b"if-" in name and not fields[name]


def _escape_plus(
    head: RequestHead, name: bytes, query_headers: Query
) -> tuple[RequestHead, Query, Query]:
    """Escape a raw `+` in a copy source, so that every target reads the same key.

    S3 reads a space there (rclone escapes it for that reason); a version after it stays. Returns
    the head, the headers that came only in the query, and those that replace the client's.
    """
    key, question, version = head.fields[name].partition(b"?")
    if b"+" not in key:
        return head, query_headers, ()
    value = plus_as_space(key) + question + version
    others = [field for field in head.headers if field[0] != name]
    if len(others) < len(head.headers) - 1:
        return head, query_headers, ()  # two of them: refused
    escaped = replace(head, headers=[*others, (name, value)], fields={**head.fields, name: value})
    if any(field[0] == name for field in query_headers):
        kept = [field for field in query_headers if field[0] != name]
        return escaped, [*kept, (name, value)], ()
    return escaped, query_headers, [(name, value)]


def _check_copy_source(
    head: RequestHead, snapshot: Snapshot, caller: Caller, target: Target, now: float
) -> None:
    """Check that the caller may read the source of a copy, and that it is on the same target.

    A source on another target is refused: CopyObject across targets does not exist yet.
    """
    bucket, key = _source(head, COPY_SOURCE)
    if not caller.may(_READ_OF_A_COPY.name, bucket):
        raise S3Error(ACCESS_DENIED)
    asked = Asked(_READ_OF_A_COPY.name, caller.name, bucket, key, None, b"", now)
    source = snapshot.routing.plan(bucket).decide(asked)
    if source.target != target.name:
        raise S3Error(
            NOT_IMPLEMENTED,
            ("Header", COPY_SOURCE.decode()),
            message="Copying between two storage targets is not supported.",
        )


def _check_rename_source(head: RequestHead, address: Address) -> None:
    """Check that a rename stays in its bucket; `implied` has the right to delete the source."""
    if _source(head, RENAME_SOURCE)[0] != address.bucket:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", RENAME_SOURCE.decode()),
            message="An object can be renamed within its bucket only.",
        )


def _source(head: RequestHead, name: bytes) -> tuple[bytes, bytes]:
    """Return bucket and key of the only copy source. Raises S3Error."""
    values = [value for sent, value in head.headers if sent == name]
    if len(values) != 1:  # targets differ in which one they use
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", name.decode()),
            message="Only one copy source may be given.",
        )
    return locate_copy_source(values[0], name.decode())
