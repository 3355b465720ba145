"""Makes the record of a request that goes where a decision says: its names there, who signs it.

    decision -> target -> names at the target -> signer -> translation

Rules: no I/O; every refusal is an `S3Error`; a target gets its own names alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from fastpath.dialects import translate
from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.errors import (
    SERVICE_UNAVAILABLE,
    S3Error,
)
from fastpath.http.head import RequestHead
from fastpath.payload.checksum_support import drops_checksums_of_parts
from fastpath.renaming.addresses import upstream_address as upstream_address_of
from fastpath.renaming.addresses import upstream_key
from fastpath.renaming.members import check_operation
from fastpath.renaming.names import Names
from fastpath.renaming.queries import upstream_query
from fastpath.request.across import Across
from fastpath.request.admitted import Admitted, Renamed
from fastpath.request.target_checks import check_access, check_target
from fastpath.request.trail import Trail
from fastpath.request.understood import Presigned, Query, Signed, Understood
from fastpath.request.uploads import SealedIds, Upload
from fastpath.routing.chain import Decision, HidingObject
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.sealed_ids import UploadOrigin
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.s3.addressing import Address
from fastpath.s3.operations import OPERATIONS, Operation

_READ_OF_A_COPY = OPERATIONS["GetObject"]
_RENAME = OPERATIONS["RenameObject"]
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
    upload: Upload | None = None,
    hides: Sequence[HidingObject] = (),
) -> Admitted:
    """Return the record of a request that goes where `decision` says. Raises S3Error.

    `upload`: that it continues. `hides`: objects that would hide what it stores. `copies` has what
    a request with a source needs besides.
    """
    caller, (payload, proof), (query_headers, presigned_names) = trail.caller, signed, presigned
    target = snapshot.targets[decision.target]
    trail.decision = decision
    upstream_address, renamed = address, None
    if decision.rewrite is not None or operation.has_upload_ids:
        rewrite = decision.rewrite or _SAME_NAMES
        upstream_address = upstream_address_of(address, rewrite)
        names = _names(address, upstream_address, rewrite, target, snapshot, upload)
        renamed = trail.renamed = _renamed(head, query, operation, names)
        query = renamed.upstream_query
    check_target(target, operation, caller, upstream_address, query, head.fields)
    signer = snapshot.signer(target, caller)
    if signer is None:
        raise S3Error(SERVICE_UNAVAILABLE)
    translation: Translation | None = None
    if target.profile.dialect is not None or operation.is_translated:
        translation = _translation(head, query, operation, upstream_address, target, renamed)
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
        (),
        translation,
        renamed,
        upload is not None and upload.origin.checksum_dropped,
        None,
        hides,
    )


def request_across(  # noqa: PLR0913 (what is known of one request)
    request: Understood,
    decision: Decision,
    across: Across,
    snapshot: Snapshot,
    trail: Trail,
    renamed: Renamed | None = None,
    hides: Sequence[HidingObject] = (),
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
        hides,
    )


def names_of(
    request: Understood, decision: Decision, snapshot: Snapshot, upload: Upload | None
) -> Renamed:
    """Return what the target is asked by its own names. Raises S3Error: it cannot be."""
    rewrite, target = decision.rewrite or _SAME_NAMES, snapshot.targets[decision.target]
    upstream_address = upstream_address_of(request.address, rewrite)
    names = _names(request.address, upstream_address, rewrite, target, snapshot, upload)
    return _renamed(request.head, request.query, request.operation, names)


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
