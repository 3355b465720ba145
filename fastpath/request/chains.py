"""Decides what becomes of a request to a bucket that is on a chain of targets.

    class of operation            a chain of several places
    reads of an object            a composed operation looks along it
    changes of an object          it is looked for, and the request goes where it is
    new objects                   to one candidate, by its conditions; what would hide them is
                                  looked for before, and removed after
    deletes                       a composed operation deletes along it, from its end
    versions, the bucket itself   the primary alone; 501 if there are several candidates

Rules: those of `upstream_request`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.request.across import AlongChain
from fastpath.request.admitted import Admitted
from fastpath.request.copies import request_with_source
from fastpath.request.sources import RENAME_SOURCE
from fastpath.request.trail import Trail
from fastpath.request.understood import Query, Understood
from fastpath.request.uploads import Upload
from fastpath.request.upstream_request import request_across, upstream_request
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Chain, Decision, HidingObject
from fastpath.routing.plan import has_several_targets
from fastpath.routing.snapshot import Snapshot
from fastpath.s3.addressing import COPY_SOURCE

_READS = frozenset(
    {
        "GetBucketLocation",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAttributes",
        "GetObjectTagging",
        "GetObjectTorrent",
        "HeadBucket",
        "HeadObject",
    }
)
_CHANGES = frozenset(
    {
        "DeleteObjectAnnotation",
        "DeleteObjectTagging",
        "GetObjectAnnotation",
        "ListObjectAnnotations",
        "PutObjectAcl",
        "PutObjectAnnotation",
        "PutObjectTagging",
        "RestoreObject",
        "SelectObjectContent",
        "UpdateObjectEncryption",
    }
)
# What makes an object visible, once it has succeeded.
_STORING = frozenset({"CompleteMultipartUpload", "CopyObject", "PutObject"})
# They are about an upload, or begin one: no object is seen before it is complete.
_OF_UPLOADS = frozenset(
    {
        "AbortMultipartUpload",
        "CreateMultipartUpload",
        "ListMultipartUploads",
        "ListParts",
        "UploadPart",
        "UploadPartCopy",
    }
)
CONDITIONS = (b"if-match", b"if-none-match")
_ON_DELETES = (b"if-match", b"x-amz-if-match-last-modified-time", b"x-amz-if-match-size")
_OFFSET = b"x-amz-write-offset-bytes"


class Placed(NamedTuple):
    """Where a request goes.

    chain: the places of what it names.
    decision: the one that it goes to, if it goes to one.
    """

    chain: Chain
    decision: Decision

    @property
    def is_along(self) -> bool:
        """Whether there are several places."""
        return len(self.chain.places) > 1


class Why(Enum):
    """Why an object is looked for along its chain, before a request goes up."""

    TO_CHANGE = 0  # the request goes where it is
    TO_COMPARE = 1  # the conditions of a write are about the object that reads see
    TO_MEASURE = 2  # the conditions of rules are about the source of a copy
    TO_UNCOVER = 3  # what would hide a new object is removed once that is stored


class Looking(NamedTuple):
    """A request that goes up once an object was looked for along its chain.

    asked: what it asks for.
    source: where the source of a copy is; None: the rules say.
    upload: that it continues.
    """

    understood: Understood
    placed: Placed
    why: Why
    asked: Asked
    source: Chain | None = None
    upload: Upload | None = None


def request_placed(  # noqa: PLR0913 (what is known of one request)
    request: Understood,
    snapshot: Snapshot,
    asked: Asked,
    trail: Trail,
    placed: Placed,
    source: Chain | None = None,
    upload: Upload | None = None,
) -> Admitted | Looking:
    """Return the record of a request whose places are known. Raises S3Error."""
    now = asked.time
    if not placed.is_along or request.operation.name in _OF_UPLOADS:
        return request_to(request, snapshot, now, trail, placed, source, upload)
    name, chain = request.operation.name, placed.chain
    if _names_version(request.query):
        return _request_to_primary(request, snapshot, now, trail, chain)
    if name in _READS:
        return request_across(request, chain.primary, AlongChain(chain), snapshot, trail)
    if name == "DeleteObject":
        _refuse_conditions(request, _ON_DELETES)
        return request_across(request, chain.primary, AlongChain(chain), snapshot, trail)
    if name in _CHANGES:
        return Looking(request, placed, Why.TO_CHANGE, asked)
    if name not in _STORING:
        return _request_to_primary(request, snapshot, now, trail, chain)
    why = _why_look(request, placed, by_rules=snapshot.custom is None)
    if why is not None:
        return Looking(request, placed, why, asked, source, upload)
    return request_to(request, snapshot, now, trail, placed, source, upload)


def _why_look(request: Understood, placed: Placed, *, by_rules: bool) -> Why | None:
    """Return why a request that stores an object must look for one first. Raises S3Error."""
    fields, chain = request.head.fields, placed.chain
    if RENAME_SOURCE in fields or fields.get(_OFFSET):
        raise has_several_targets()
    if any(fields.get(condition) for condition in CONDITIONS):
        # An upload may be where a reload has put another place before it.
        if chain.candidates > 1 or not placed.decision.is_same_place(chain.primary):
            _refuse_conditions(request, CONDITIONS)
        return Why.TO_COMPARE
    if COPY_SOURCE in fields and chain.candidates > 1 and by_rules:
        return Why.TO_MEASURE
    return Why.TO_UNCOVER if places_before(placed) else None


def places_before(placed: Placed) -> tuple[Decision, ...]:
    """Return the places whose objects would hide what is stored: reads look there before."""
    return placed.chain.before(placed.decision)


def looked(
    looking: Looking,
    placed: Placed,
    hides: Sequence[HidingObject],
    snapshot: Snapshot,
    trail: Trail,
) -> Admitted:
    """Return the record of a request once its object was looked for. Raises S3Error.

    `hides`: what was seen where reads look before.
    """
    request, now = looking.understood, looking.asked.time
    source, upload = looking.source, looking.upload
    admitted = request_to(request, snapshot, now, trail, placed, source, upload, hides)
    return replace(admitted, was_seen=True) if looking.why is Why.TO_CHANGE else admitted


def request_to(  # noqa: PLR0913 (what is known of one request)
    request: Understood,
    snapshot: Snapshot,
    now: float,
    trail: Trail,
    placed: Placed,
    source: Chain | None = None,
    upload: Upload | None = None,
    hides: Sequence[HidingObject] = (),
) -> Admitted:
    """Return the record of a request that goes to its one place. Raises S3Error."""
    fields = request.head.fields
    if COPY_SOURCE in fields or RENAME_SOURCE in fields:
        return request_with_source(
            request, snapshot, now, trail, placed.decision, source, upload, hides
        )
    return upstream_request(*request, snapshot, now, trail, placed.decision, upload, hides)


def _request_to_primary(
    request: Understood, snapshot: Snapshot, now: float, trail: Trail, chain: Chain
) -> Admitted:
    """Return the record of a request that one target alone can answer. Raises S3Error."""
    if chain.candidates > 1:
        raise has_several_targets()
    alone = Placed(Chain((chain.primary,)), chain.primary)
    return request_to(request, snapshot, now, trail, alone)


def _names_version(query: Query) -> bool:
    return any(name == b"versionId" for name, _ in query)


def _refuse_conditions(request: Understood, names: tuple[bytes, ...]) -> None:
    """Refuse a condition that no target can keep, as others may have the object. Raises S3Error."""
    for name in names:
        if request.head.fields.get(name):
            raise S3Error(
                NOT_IMPLEMENTED,
                ("Header", name.decode()),
                message="The objects of this bucket are on several storage targets, and a "
                "condition can be kept by one of them only.",
            )
