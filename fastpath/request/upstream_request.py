"""Makes the record of a request that goes where a decision says: its names there, who signs it.

    decision -> target -> names at the target -> signer -> sources -> translation

Rules: no I/O; every refusal is an `S3Error`; a target gets its own names alone; the permission to
read the source of a copy is checked by the client's name.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

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
from fastpath.payload.checksum_support import drops_checksums_of_parts
from fastpath.renaming.addresses import upstream_address as upstream_address_of
from fastpath.renaming.addresses import upstream_key, upstream_source
from fastpath.renaming.members import check_operation
from fastpath.renaming.names import Names, Source
from fastpath.renaming.queries import upstream_query
from fastpath.request.across import Across, CopySource, copy_source
from fastpath.request.admitted import Admitted, Renamed
from fastpath.request.sources import (
    RENAME_SOURCE,
    SourceName,
    source_of,
    with_source,
    without_plus,
)
from fastpath.request.target_checks import check_access, check_target
from fastpath.request.trail import Trail
from fastpath.request.understood import Presigned, Query, Signed, Understood
from fastpath.request.uploads import SealedIds, Upload
from fastpath.routing.asked import Asked
from fastpath.routing.identities import Caller
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.sealed_ids import UploadOrigin
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.routing.table import CUSTOM_ROUTER, Decision
from fastpath.s3.addressing import COPY_SOURCE, Address
from fastpath.s3.operations import OPERATIONS, Operation

_READ_OF_A_COPY = OPERATIONS["GetObject"]
_RENAME = OPERATIONS["RenameObject"]
_COPIES = (OPERATIONS["CopyObject"], OPERATIONS["UploadPartCopy"])
_SAME_NAMES = Rewrite()


def upstream_request(  # noqa: PLR0913 (what is understood of one request; no object per request)
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
    """Return the record of a request that goes where `decision` says. Raises S3Error.

    `source`: where the source of a copy is; None: the rules say. `upload`: that it continues.
    """
    caller, (payload, proof), (query_headers, presigned_names) = trail.caller, signed, presigned
    target = snapshot.targets[decision.target]
    trail.decision = decision
    copy: CopySource | None = None
    has_source = COPY_SOURCE in head.fields or RENAME_SOURCE in head.fields
    if has_source:
        copy = _check_sources(head, address, operation, snapshot, caller, decision, now, source)
    upstream_address, renamed = address, None
    if decision.rewrite is not None or operation.has_upload_ids:
        rewrite = decision.rewrite or _SAME_NAMES
        upstream_address = upstream_address_of(address, rewrite)
        names = _names(address, upstream_address, rewrite, target, snapshot, upload)
        renamed = trail.renamed = _renamed(head, query, operation, names)
        query = renamed.upstream_query
    translation: Translation | None = None
    rewritten_headers: Query = ()
    if copy is None or not copy.is_elsewhere:
        try:
            check_target(target, operation, caller, upstream_address, query, head.fields)
            if has_source:
                names = _names(address, upstream_address, _SAME_NAMES, target, snapshot, upload)
                renamed = renamed or Renamed(names, query, head.query, query)
                found = _with_sources(renamed, head, query_headers, copy)
                renamed, head, query_headers, rewritten_headers = found
                trail.renamed = renamed
            if target.profile.dialect is not None or operation.is_translated:
                translation = _translation(
                    head, query, operation, upstream_address, target, renamed
                )
        except S3Error as error:
            if copy is None or error.kind is not NOT_IMPLEMENTED:
                raise
            copy = copy._replace(is_elsewhere=True)  # the gateway reads and writes
    if copy is not None and copy.is_elsewhere:
        understood = Understood(head, query, address, operation, signed, presigned)
        return request_across(understood, decision, copy, snapshot, trail, renamed)
    signer = snapshot.signer(target, caller)
    if signer is None:
        raise S3Error(SERVICE_UNAVAILABLE)
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
        copy,
    )


def request_across(
    request: Understood,
    decision: Decision,
    across: Across,
    snapshot: Snapshot,
    trail: Trail,
    renamed: Renamed | None = None,
) -> Admitted:
    """Return the record of a request that a composed operation answers. Raises S3Error.

    The operation gives each target its own names, has its own requests translated, and puts the
    client's names into errors. `decision`: where a copy goes, or what the log says.
    """
    caller, (payload, proof) = trail.caller, request.signed
    query_headers, presigned_names = request.presigned
    target = snapshot.targets[decision.target]
    check_access(target, caller)
    signer = snapshot.signer(target, caller)
    if signer is None:
        raise S3Error(SERVICE_UNAVAILABLE)
    trail.decision, trail.renamed = decision, None
    return Admitted(
        request.operation,
        request.address,
        request.address,
        caller,
        decision,
        target,
        signer,
        payload,
        proof,
        query_headers,
        presigned_names,
        (),
        None,
        renamed,
        False,
        across,
    )


def _renamed(head: RequestHead, query: Query, operation: Operation, names: Names) -> Renamed:
    """Return what the target is asked by its own names. Raises S3Error: it cannot be."""
    check_operation(operation.name, names)
    return Renamed(names, query, *upstream_query(head.query, query, operation.name, names))


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
    renamed: Renamed, head: RequestHead, query_headers: Query, copy: CopySource | None
) -> tuple[Renamed, RequestHead, Query, Query]:
    """Give the sources of a copy and of a rename the target's names.

    Return what `with_source` returns.
    """
    place = copy.decision if copy is not None else None
    headers: list[tuple[bytes, bytes]] = []
    own = renamed.names.rewrite
    for name, rewrite in ((COPY_SOURCE, place.rewrite if place else None), (RENAME_SOURCE, own)):
        if name not in head.fields:
            continue
        value = None
        if rewrite is not None and rewrite != _SAME_NAMES:
            renamed, value = _with_source(renamed, head, name, rewrite)
        head, query_headers, more = with_source(head, name, query_headers, value)
        headers += more
    return renamed, head, query_headers, headers


def _with_source(
    renamed: Renamed, head: RequestHead, name: bytes, rewrite: Rewrite
) -> tuple[Renamed, bytes]:
    """Return the names with those of the source, and the header's value for the target."""
    bucket, key = source_of(head, name)
    value = upstream_source(without_plus(head.fields[name]), name.decode(), rewrite)
    source = Source(bucket, key, rewrite.bucket_up(bucket), rewrite.key_up(key))
    return renamed._replace(names=replace(renamed.names, source=source)), value


def _translation(
    head: RequestHead,
    query: Query,
    operation: Operation,
    upstream_address: Address,
    target: Target,
    renamed: Renamed | None,
) -> Translation:
    """Return how the request is translated; a dialect sees the target's names alone."""
    translation = translate(
        target.profile.dialect,
        ClientRequest(
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
            renamed is not None and renamed.names.rewrite.is_part,
        ),
    )
    if renamed is not None and translation.batch is not None:
        translation.batch.rename = partial(upstream_key, rewrite=renamed.names.rewrite)
    return translation


def _check_sources(  # noqa: PLR0913 (what is known of one request)
    head: RequestHead,
    address: Address,
    operation: Operation,
    snapshot: Snapshot,
    caller: Caller,
    place: Decision,
    now: float,
    decision: Decision | None,
) -> CopySource | None:
    """Check the sources of a copy and of a rename; `place`: where the request goes.

    The caller must have the right to read what is copied, and reach the target that has it. A
    rename stays in its bucket and in its place; `implied` has the right to delete its source.
    `decision`: where the source is, if the custom router has said so. Return the source of the
    copy; None: it is no copy.
    """
    if RENAME_SOURCE in head.fields:
        _check_rename(head, address, snapshot, caller, place, now, decision)
    if COPY_SOURCE not in head.fields:
        return None
    source = source_of(head, COPY_SOURCE)
    if not caller.may(_READ_OF_A_COPY.name, source.bucket):
        raise S3Error(ACCESS_DENIED)
    custom = snapshot.custom
    if decision is None and custom is not None and custom.reads:
        decision = Decision(custom.reads[0], CUSTOM_ROUTER)
    if decision is None:
        asked = asked_to_read(source, caller, now)
        decision = snapshot.routing.plan(source.bucket).decide(asked)
    copy = copy_source(head, decision, place)
    if copy.is_elsewhere:
        if operation not in _COPIES:
            raise S3Error(
                NOT_IMPLEMENTED,
                ("Header", COPY_SOURCE.decode()),
                message=f"{operation.name} does not copy.",
            )
        check_access(snapshot.targets[decision.target], caller)
    return copy


def _check_rename(  # noqa: PLR0913 (what is known of one request)
    head: RequestHead,
    address: Address,
    snapshot: Snapshot,
    caller: Caller,
    place: Decision,
    now: float,
    decision: Decision | None,
) -> None:
    """Check that a rename stays in its bucket, and that its source is where the request goes.

    The target deletes the source: elsewhere, it would be another object of the same name.
    """
    source = source_of(head, RENAME_SOURCE)
    if source.bucket != address.bucket:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", RENAME_SOURCE.decode()),
            message="An object can be renamed within its bucket only.",
        )
    if COPY_SOURCE in head.fields:
        raise S3Error(
            INVALID_ARGUMENT,
            ("ArgumentName", RENAME_SOURCE.decode()),
            message="Only one copy source may be given.",
        )
    if decision is None:
        asked = asked_to_rename(source, caller, now)
        decision = snapshot.routing.plan(source.bucket).decide(asked)
    if not decision.is_same_place(place):
        raise S3Error(
            NOT_IMPLEMENTED,
            ("Header", RENAME_SOURCE.decode()),
            message="Renaming between two storage targets is not supported.",
        )


def asked_to_rename(source: SourceName, caller: Caller, now: float) -> Asked:
    """Return what a rename asks of its source."""
    return Asked(_RENAME.name, caller.name, source.bucket, source.key, None, b"", now)


def asked_to_read(source: SourceName, caller: Caller, now: float) -> Asked:
    """Return what a copy asks of its source."""
    return Asked(_READ_OF_A_COPY.name, caller.name, source.bucket, source.key, None, b"", now)
