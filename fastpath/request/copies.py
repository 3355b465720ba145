"""Makes the record of a request that names a source: a copy, or a rename.

    source -> right to read it -> its decision -> made by the target, or here

A target copies within itself. Across targets the gateway reads and writes, and so it does where a
target would not do as S3 does.

Rules: those of `upstream_request`; the permission to read the source of a copy is checked by the
client's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from fastpath.errors import ACCESS_DENIED, INVALID_ARGUMENT, NOT_IMPLEMENTED, S3Error
from fastpath.http.head import RequestHead
from fastpath.renaming.addresses import upstream_source
from fastpath.renaming.names import Source
from fastpath.request.across import CopySource, copy_source
from fastpath.request.admitted import Admitted
from fastpath.request.sources import (
    RENAME_SOURCE,
    SourceName,
    source_of,
    with_source,
    without_plus,
)
from fastpath.request.target_checks import check_access
from fastpath.request.trail import Trail
from fastpath.request.understood import Presigned, Query, Understood
from fastpath.request.uploads import Upload
from fastpath.request.upstream_request import names_of, request_across, upstream_request
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Chain, Decision, HidingObject
from fastpath.routing.identities import Caller
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.snapshot import Snapshot, Target
from fastpath.s3.addressing import COPY_SOURCE, Address
from fastpath.s3.operations import OPERATIONS, Operation

_READ_OF_A_COPY = OPERATIONS["GetObject"]
_RENAME = OPERATIONS["RenameObject"]
_COPIES = (OPERATIONS["CopyObject"], OPERATIONS["UploadPartCopy"])
_SAME_NAMES = Rewrite()


def request_with_source(  # noqa: PLR0913 (what is known of one request)
    request: Understood,
    snapshot: Snapshot,
    now: float,
    trail: Trail,
    decision: Decision,
    source: Chain | None = None,
    upload: Upload | None = None,
    hides: Sequence[HidingObject] = (),
) -> Admitted:
    """Return the record of a copy or a rename that goes where `decision` says. Raises S3Error.

    `source`: where its source is; None: the rules say. `upload`: that it continues. `hides`: as in
    `upstream_request`.
    """
    head, caller = request.head, trail.caller
    trail.decision = decision
    copy: CopySource | None = None
    if RENAME_SOURCE in head.fields:
        _check_rename(head, request.address, snapshot, caller, decision, now, source)
    if COPY_SOURCE in head.fields:
        copy = _copy(request, snapshot, caller, decision, now, source)
        if copy.is_elsewhere:
            names = names_of(request, decision, snapshot, upload)
            return request_across(request, decision, copy, snapshot, trail, names, hides)
    named = _name_source(request, decision if copy is None else copy.chain.primary)
    understood = request._replace(head=named.head, presigned=named.presigned)
    admitted = upstream_request(*understood, snapshot, now, trail, decision, upload, hides)
    renamed = admitted.renamed or names_of(request, decision, snapshot, upload)
    renamed = renamed._replace(names=replace(renamed.names, source=named.source))
    trail.renamed = renamed
    return replace(admitted, rewritten_headers=named.headers, renamed=renamed, across=copy)


class _Named(NamedTuple):
    """A request whose source has the target's name.

    headers: those that replace the client's.
    source: None: the target has the client's name.
    """

    head: RequestHead
    presigned: Presigned
    headers: Query
    source: Source | None


def _name_source(request: Understood, place: Decision) -> _Named:
    """Give the source the target's name; `place`: where it is. Raises S3Error: it has none."""
    head, (query_headers, presigned_names) = request.head, request.presigned
    name = COPY_SOURCE if COPY_SOURCE in head.fields else RENAME_SOURCE
    rewrite = place.rewrite or _SAME_NAMES
    value = source = None
    if rewrite != _SAME_NAMES:
        bucket, key = source_of(head, name)
        value = upstream_source(without_plus(head.fields[name]), name.decode(), rewrite)
        source = Source(bucket, key, rewrite.bucket_up(bucket), rewrite.key_up(key))
    head, query_headers, headers = with_source(head, name, query_headers, value)
    return _Named(head, (query_headers, presigned_names), headers, source)


def _copy(
    request: Understood,
    snapshot: Snapshot,
    caller: Caller,
    place: Decision,
    now: float,
    chain: Chain | None,
) -> CopySource:
    """Return the source of a copy, and whether it is made here. Raises S3Error.

    The caller must have the right to read what is copied, and reach the target that has it.
    `place`: where the copy goes. `chain`: where the source is, if the custom router has said so.
    """
    head, operation = request.head, request.operation
    source = source_of(head, COPY_SOURCE)
    if not caller.may(_READ_OF_A_COPY.name, source.bucket):
        raise S3Error(ACCESS_DENIED)
    custom = snapshot.custom
    if chain is None and custom is not None and custom.reads:
        chain = custom.chain_of_reads
    if chain is None:
        chain = snapshot.routing.plan(source.bucket).chain(asked_to_read(source, caller, now))
    is_native = (
        len(chain.places) == 1
        and chain.primary.target == place.target
        and _is_made_by(snapshot.targets[place.target], operation, head)
    )
    if not is_native:
        if operation not in _COPIES:
            raise S3Error(
                NOT_IMPLEMENTED,
                ("Header", COPY_SOURCE.decode()),
                message=f"{operation.name} does not copy.",
            )
        check_access(snapshot.targets[chain.primary.target], caller)
    return copy_source(head, chain, is_elsewhere=not is_native)


def _is_made_by(target: Target, operation: Operation, head: RequestHead) -> bool:
    """Whether a target copies within itself as S3 does, with all that the request asks for."""
    profile = target.profile
    overlooked = profile.overlooks.get(operation.name, ())
    return not profile.refuses(operation.name) and not any(map(head.fields.get, overlooked))


def _check_rename(  # noqa: PLR0913 (what is known of one request)
    head: RequestHead,
    address: Address,
    snapshot: Snapshot,
    caller: Caller,
    place: Decision,
    now: float,
    chain: Chain | None,
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
    if chain is None:
        asked = asked_to_rename(source, caller, now)
        chain = snapshot.routing.plan(source.bucket).chain(asked)
    if len(chain.places) > 1 or not chain.primary.is_same_place(place):
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
