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
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeAlias

from fastpath.dialects import translate
from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.errors import (
    ACCESS_DENIED,
    INVALID_ARGUMENT,
    NO_SUCH_UPLOAD,
    NOT_IMPLEMENTED,
    SERVICE_UNAVAILABLE,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.payload.body_plan import decoded_length
from fastpath.payload.checksum_support import drops_checksums_of_parts
from fastpath.renaming.addresses import upstream_address as upstream_address_of
from fastpath.renaming.addresses import upstream_key, upstream_source
from fastpath.renaming.members import check_operation
from fastpath.renaming.names import Names, Source
from fastpath.renaming.queries import first_value, upstream_query
from fastpath.request.admitted import Admitted, Renamed
from fastpath.request.implied_operations import implied
from fastpath.request.sources import RENAME_SOURCE, SourceName, source_of, with_source
from fastpath.request.target_checks import check_target
from fastpath.request.trail import Trail
from fastpath.routing.asked import Asked
from fastpath.routing.custom_routing import CustomRouting
from fastpath.routing.identities import ANONYMOUS_CALLER, Caller
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.sealed_ids import Sealer, UploadOrigin
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.routing.table import CUSTOM_ROUTER, UPLOAD, Decision
from fastpath.s3.addressing import COPY_SOURCE, Address
from fastpath.s3.operations import OPERATIONS, Operation
from fastpath.signing.sigv4.sign import Unsigned
from fastpath.signing.sigv4.verify import STREAMING_MODES, Proof

_READ_OF_A_COPY = OPERATIONS["GetObject"]
_DELETE_OBJECTS = OPERATIONS["DeleteObjects"]
_LIST_UPLOADS = OPERATIONS["ListMultipartUploads"]
_LOOKING = frozenset({"read", "list", "delete"})  # classes of operations that `custom_reads` serve
_SAME_NAMES = Rewrite()
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


class Upload(NamedTuple):
    """The upload that a request names: where it began, and its id there and for the client."""

    origin: UploadOrigin
    upstream_id: bytes
    upload_id: bytes


class SealedIds(NamedTuple):
    """Makes the upload ids that clients see: renaming.names.UploadIds. `bucket`: the client's."""

    sealer: Sealer
    origin: UploadOrigin
    bucket: bytes

    def seal(self, upload_id: bytes, client_key: bytes, /) -> bytes:
        """Return the client's id for a target's. Raises S3Error: it cannot be sealed."""
        try:
            return self.sealer.seal(self.origin, upload_id, self.bucket, client_key)
        except ValueError as fault:
            error = S3Error(SERVICE_UNAVAILABLE, retry_after=1)
            error.note = f"gave an upload id that cannot be sealed: {fault}"
            raise error from None


class Undecided(NamedTuple):
    """A request whose target is not known yet, or that of its source.

    asked: what it asks for; of a DeleteObjects (`is_batch`), before its keys are known.
    decision: where it goes, if that is known.
    source: what a copy asks of its source, if the custom router decides about that.
    """

    understood: Understood
    asked: Asked
    decision: Decision | None = None
    source: Asked | None = None
    is_batch: bool = False


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
    if snapshot.custom is None and not operation.has_upload_ids:
        decision = snapshot.routing.plan(address.bucket).fixed
        if decision is not None:
            return _admit(
                head, query, address, operation, signed, presigned, snapshot, now, trail, decision
            )
    understood = Understood(head, query, address, operation, signed, presigned)
    return _decide_by_more(understood, snapshot, now, trail)


def _decide_by_more(
    request: Understood, snapshot: Snapshot, now: float, trail: Trail
) -> Admitted | Undecided:
    """Decide by more than the bucket: the rest of the request, its upload, the custom router."""
    head, operation, custom = request.head, request.operation, snapshot.custom
    upload = _upload_of(request, snapshot)
    asked = asked_about(request, trail.caller, now)
    if upload is not None:
        decision = Decision(upload.origin.target, UPLOAD, upload.origin.rewrite)
    elif custom is None or not asked.bucket:
        if operation is _DELETE_OBJECTS:
            return Undecided(request, asked, is_batch=True)
        decision = snapshot.routing.plan(asked.bucket).decide(asked)
    elif custom.reads and operation.action in _LOOKING:
        decision = Decision(custom.reads[0], CUSTOM_ROUTER)
    else:
        source = _asked_of_source(head, trail.caller, custom, now)
        return Undecided(request, asked, None, source, operation is _DELETE_OBJECTS)
    source = _asked_of_source(head, trail.caller, custom, now)
    if source is not None:
        return Undecided(request, asked, decision, source)
    return _admit(*request, snapshot, now, trail, decision, upload=upload)


def decided(
    request: Undecided,
    decision: Decision,
    source: Decision | None,
    snapshot: Snapshot,
    trail: Trail,
) -> Admitted:
    """Admit a request whose target is known now.

    `source`: where the source of a copy is, if the custom router has said so. Raises S3Error.
    """
    upload = _upload_of(request.understood, snapshot)
    return _admit(
        *request.understood, snapshot, request.asked.time, trail, decision, source, upload
    )


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


def _asked_of_source(
    head: RequestHead, caller: Caller, custom: CustomRouting | None, now: float
) -> Asked | None:
    """Return what a copy asks of its source; None: the custom router does not decide about it."""
    if custom is None or custom.reads or COPY_SOURCE not in head.fields:
        return None
    return _asked_to_read(source_of(head, COPY_SOURCE), caller, now)


def _asked_to_read(source: SourceName, caller: Caller, now: float) -> Asked:
    return Asked(_READ_OF_A_COPY.name, caller.name, source.bucket, source.key, None, b"", now)


def _upload_of(request: Understood, snapshot: Snapshot) -> Upload | None:
    """Return the upload that a request names; None: it names none. Raises S3Error NoSuchUpload."""
    operation, address = request.operation, request.address
    if operation is _LIST_UPLOADS:
        key = first_value(request.query, b"key-marker")
        upload_id = first_value(request.query, b"upload-id-marker")
        if not key or not upload_id:  # a marker of uploads means nothing without one of keys
            return None
    elif operation.routed_as is not operation:
        key, upload_id = address.key, first_value(request.query, b"uploadId")
    else:
        return None
    opened = snapshot.sealer.open(upload_id, address.bucket, key)
    if opened is None or opened[0].target not in snapshot.targets:
        raise S3Error(NO_SUCH_UPLOAD, ("UploadId", upload_id.decode("utf-8", "replace")))
    origin, upstream_id = opened
    return Upload(origin, upstream_id, upload_id)


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
    source: Decision | None = None,
    upload: Upload | None = None,
) -> Admitted:
    """Find the target and the signer of a request that goes where `decision` says.

    `source`: where the source of a copy is; None: the rules say. `upload`: that it continues.
    """
    caller, (payload, proof), (query_headers, presigned_names) = trail.caller, signed, presigned
    target = snapshot.targets[decision.target]
    trail.decision = decision
    upstream_address, renamed = address, None
    if decision.rewrite is not None or operation.has_upload_ids:
        rewrite = decision.rewrite or _SAME_NAMES
        upstream_address = upstream_address_of(address, rewrite)
        names = _names(address, upstream_address, rewrite, target, snapshot, upload)
        check_operation(operation.name, names)
        renamed = Renamed(names, query, *upstream_query(head.query, query, operation.name, names))
        query = renamed.upstream_query
        trail.renamed = renamed
    check_target(target, operation, caller, upstream_address, query, head)
    signer = (
        Unsigned(target.region) if caller is ANONYMOUS_CALLER else snapshot.signer(target, caller)
    )
    if signer is None:
        raise S3Error(SERVICE_UNAVAILABLE)
    rewritten_headers: Query = ()
    if COPY_SOURCE in head.fields or RENAME_SOURCE in head.fields:
        place = _check_sources(head, address, snapshot, caller, target, now, source)
        if renamed is None and place is not None and place.rewrite is not None:
            names = _names(address, address, _SAME_NAMES, target, snapshot, upload)
            renamed = Renamed(names, query, head.query, query)
        renamed, head, query_headers, rewritten_headers = _with_sources(
            renamed, head, query_headers, place
        )
        trail.renamed = renamed
    translation: Translation | None = None
    dialect = target.profile.dialect
    if dialect is not None or operation.is_translated:
        translation = translate(
            dialect, _client_request(head, query, operation, upstream_address, target)
        )
        if renamed is not None and translation.batch is not None:
            translation.batch.rename = partial(upstream_key, rewrite=renamed.names.rewrite)
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
        renamed,
        upload is not None and upload.origin.checksum_dropped,
    )


def _names(
    address: Address,
    upstream_address: Address,
    rewrite: Rewrite,
    target: Target,
    snapshot: Snapshot,
    upload: Upload | None,
) -> Names:
    """Return the names of a request, the client's and the target's."""
    if upload is not None:
        origin = upload.origin
    else:
        origin = UploadOrigin(
            target.name,
            upstream_address.bucket,
            rewrite,
            drops_checksums_of_parts(target.profile, secure=target.route.tls is not None),
        )
    return Names(
        address.bucket,
        address.key,
        upstream_address.bucket,
        upstream_address.key,
        rewrite,
        SealedIds(snapshot.sealer, origin, address.bucket),
        upload.upload_id if upload is not None else b"",
        upload.upstream_id if upload is not None else b"",
    )


def _with_sources(
    renamed: Renamed | None, head: RequestHead, query_headers: Query, place: Decision | None
) -> tuple[Renamed | None, RequestHead, Query, Query]:
    """Give the sources of a copy and of a rename the target's names.

    `place`: where the source of the copy is. Return what `with_source` returns.
    """
    headers: list[tuple[bytes, bytes]] = []
    for name in (COPY_SOURCE, RENAME_SOURCE):
        if name not in head.fields:
            continue
        rewrite = place.rewrite if name == COPY_SOURCE and place is not None else None
        if name == RENAME_SOURCE and renamed is not None:
            rewrite = renamed.names.rewrite
        value = None
        if rewrite is not None and renamed is not None:
            renamed, value = _with_source(renamed, head, name, rewrite)
        head, query_headers, more = with_source(head, name, query_headers, value)
        headers += more
    return renamed, head, query_headers, headers


def _with_source(
    renamed: Renamed, head: RequestHead, name: bytes, rewrite: Rewrite
) -> tuple[Renamed, bytes]:
    """Return the names with those of the source, and the header's value for the target."""
    bucket, key = source_of(head, name)
    value = upstream_source(head.fields[name], name.decode(), rewrite)
    source = Source(bucket, key, rewrite.bucket_up(bucket), rewrite.key_up(key))
    return renamed._replace(names=replace(renamed.names, source=source)), value


def _client_request(
    head: RequestHead,
    query: Query,
    operation: Operation,
    upstream_address: Address,
    target: Target,
) -> ClientRequest:
    return ClientRequest(
        operation.name,
        upstream_address.bucket,
        upstream_address.key,
        upstream_address,
        query,
        head.fields,
        head.headers,
        target.region,
        head.path,
        target.drops,
    )


def _check_sources(  # noqa: PLR0913 (what is known of one request)
    head: RequestHead,
    address: Address,
    snapshot: Snapshot,
    caller: Caller,
    target: Target,
    now: float,
    decision: Decision | None,
) -> Decision | None:
    """Check the sources of a copy and of a rename.

    The caller must have the right to read what is copied, and it must be on the same target:
    CopyObject across targets does not exist yet. A rename stays in its bucket; `implied` has the
    right to delete its source. Return where the source of the copy is; None: it is no copy.
    """
    if RENAME_SOURCE in head.fields and source_of(head, RENAME_SOURCE).bucket != address.bucket:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", RENAME_SOURCE.decode()),
            message="An object can be renamed within its bucket only.",
        )
    if COPY_SOURCE not in head.fields:
        return None
    source = source_of(head, COPY_SOURCE)
    if not caller.may(_READ_OF_A_COPY.name, source.bucket):
        raise S3Error(ACCESS_DENIED)
    custom = snapshot.custom
    if decision is None and custom is not None and custom.reads:
        decision = Decision(custom.reads[0], CUSTOM_ROUTER)
    if decision is None:
        asked = _asked_to_read(source, caller, now)
        decision = snapshot.routing.plan(source.bucket).decide(asked)
    if decision.target != target.name:
        raise S3Error(
            NOT_IMPLEMENTED,
            ("Header", COPY_SOURCE.decode()),
            message="Copying between two storage targets is not supported.",
        )
    return decision
