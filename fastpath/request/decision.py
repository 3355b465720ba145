"""Decides about the request of a known caller: its rights, its target, its names there, its signer.

    rights -> decision -> target -> names at the target -> signer -> translation

A request whose target depends on more than its head is `Undecided`: on the keys in the body of a
DeleteObjects, or on the answer of a custom router. Whoever finds that out calls `decided`.

Rules: no I/O; every refusal is an `S3Error`; no bucket is looked up in the routing table before
the caller is known; the permission check gets the classified operation and the copy source, never
the bare HTTP method; an upload goes where it began.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias

from fastpath.dialects import translate
from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.errors import (
    ACCESS_DENIED,
    INVALID_ARGUMENT,
    NOT_IMPLEMENTED,
    SERVICE_UNAVAILABLE,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.payload.body_plan import decoded_length
from fastpath.request.admitted import Admitted
from fastpath.request.implied_operations import implied
from fastpath.request.sources import RENAME_SOURCE, source_of, with_source
from fastpath.request.target_checks import check_target
from fastpath.request.trail import Trail
from fastpath.routing.asked import Asked
from fastpath.routing.identities import ANONYMOUS_CALLER, Caller
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.routing.table import Decision
from fastpath.s3.addressing import COPY_SOURCE, Address
from fastpath.s3.operations import OPERATIONS, Operation
from fastpath.signing.sigv4.sign import Unsigned
from fastpath.signing.sigv4.verify import STREAMING_MODES, Proof

_READ_OF_A_COPY = OPERATIONS["GetObject"]
_DELETE_OBJECTS = OPERATIONS["DeleteObjects"]
# Requests about many keys, which they name by a prefix.
_BY_PREFIX = frozenset(
    {"ListMultipartUploads", "ListObjectVersions", "ListObjects", "ListObjectsV2"}
)

Query = Sequence[tuple[bytes, bytes]]
# Headers that a presigner put into the query: those that came only there, and the names of all.
Presigned: TypeAlias = tuple[Query, Collection[bytes]]
NOT_PRESIGNED: Presigned = ((), ())
# The value of x-amz-content-sha256, and the verified signature.
Signed: TypeAlias = tuple[bytes, Proof | None]


class Understood(NamedTuple):
    """A request of a known caller; `head` and `query` are merged with what a presigner moved."""

    head: RequestHead
    query: Query
    address: Address
    operation: Operation
    signed: Signed
    presigned: Presigned


class Undecided(NamedTuple):
    """A request whose target is not known yet.

    asked: what it asks for; of a DeleteObjects, before its keys are known.
    decision: where it goes, if only its source is not known.
    source: what it asks of the source of a copy; None: it has none, or that is known.
    is_batch: the keys in its body decide.
    """

    understood: Understood
    asked: Asked
    decision: Decision | None
    source: Asked | None
    is_batch: bool


def decide(  # noqa: PLR0913 (what is understood of one request; no object per request)
    head: RequestHead,
    query: Query,
    address: Address,
    operation: Operation,
    signed: Signed,
    presigned: Presigned,
    snapshot: Snapshot,
    now: float,
    trail: Trail,
) -> Admitted | Undecided:
    """Check the rights, find the target and the signer; `head` and `query` are merged."""
    if trail.caller.grants is not None:
        _check_rights(head, query, operation, address, trail.caller)
    decision = snapshot.routing.plan(address.bucket).fixed
    if decision is None:
        understood = Understood(head, query, address, operation, signed, presigned)
        asked = asked_about(understood, trail.caller, now)
        if operation is _DELETE_OBJECTS:
            return Undecided(understood, asked, None, None, is_batch=True)
        decision = snapshot.routing.plan(address.bucket).decide(asked)
    return _admit(
        head, query, address, operation, signed, presigned, snapshot, now, trail, decision, None
    )


def decided(
    request: Undecided,
    decision: Decision,
    source: Decision | None,
    snapshot: Snapshot,
    trail: Trail,
) -> Admitted:
    """Admit a request whose target, and that of its source, are known now. Raises S3Error."""
    return _admit(*request.understood, snapshot, request.asked.time, trail, decision, source)


def asked_about(request: Understood, caller: Caller, now: float) -> Asked:
    """Return what routing rules look at.

    Only plans with conditions need it (heads: 5,000 instructions and more).
    """
    head, operation, payload = request.head, request.operation, request.signed[0]
    prefix = None
    if operation.name in _BY_PREFIX:
        prefix = next((value for name, value in request.query if name == b"prefix"), b"")
    elif operation is _DELETE_OBJECTS:
        prefix = b""
    return Asked(
        operation.routed_as.name,
        caller.name,
        request.address.bucket,
        request.address.key,
        decoded_length(head.fields) if payload in STREAMING_MODES else head.content_length,
        head.fields.get(b"content-type", b""),
        now,
        prefix,
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


def _admit(  # noqa: PLR0913 (what is understood of one request; no object per request)
    head: RequestHead,
    query: Query,
    address: Address,
    operation: Operation,
    signed: Signed,
    presigned: Presigned,
    snapshot: Snapshot,
    now: float,
    trail: Trail,
    decision: Decision,
    source: Decision | None,
) -> Admitted:
    """Find the target and the signer of a request that goes where `decision` says.

    `source`: where the source of a copy is; None: the rules say.
    """
    caller, (payload, proof), (query_headers, presigned_names) = trail.caller, signed, presigned
    target = snapshot.targets[decision.target]
    trail.decision = decision
    upstream_address = address
    check_target(target, operation, caller, upstream_address, query, head)
    signer = (
        Unsigned(target.region) if caller is ANONYMOUS_CALLER else snapshot.signer(target, caller)
    )
    if signer is None:
        raise S3Error(SERVICE_UNAVAILABLE)
    rewritten_headers: Query = ()
    if COPY_SOURCE in head.fields:
        value = _check_copy_source(head, snapshot, caller, target, now, source)
        head, query_headers, rewritten_headers = with_source(
            head, COPY_SOURCE, query_headers, value
        )
    if RENAME_SOURCE in head.fields:
        _check_rename_source(head, address)
        head, query_headers, more = with_source(head, RENAME_SOURCE, query_headers, None)
        rewritten_headers = [*rewritten_headers, *more]
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


def _check_copy_source(
    head: RequestHead,
    snapshot: Snapshot,
    caller: Caller,
    target: Target,
    now: float,
    decision: Decision | None,
) -> bytes | None:
    """Check that the caller may read the source of a copy, and that it is on the same target.

    A source on another target is refused: CopyObject across targets does not exist yet. Return its
    new name; None: it has none.
    """
    bucket, key = source_of(head, COPY_SOURCE)
    if not caller.may(_READ_OF_A_COPY.name, bucket):
        raise S3Error(ACCESS_DENIED)
    if decision is None:
        asked = Asked(_READ_OF_A_COPY.name, caller.name, bucket, key, None, b"", now)
        decision = snapshot.routing.plan(bucket).decide(asked)
    if decision.target != target.name:
        raise S3Error(
            NOT_IMPLEMENTED,
            ("Header", COPY_SOURCE.decode()),
            message="Copying between two storage targets is not supported.",
        )
    return None


def _check_rename_source(head: RequestHead, address: Address) -> None:
    """Check that a rename stays in its bucket; `implied` has the right to delete the source."""
    if source_of(head, RENAME_SOURCE).bucket != address.bucket:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", RENAME_SOURCE.decode()),
            message="An object can be renamed within its bucket only.",
        )
