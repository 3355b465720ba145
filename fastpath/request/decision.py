"""Decides where the request of a known caller goes: by its bucket, or by more than that.

    rights -> decision -> (`chains`) -> (`upstream_request`)

A request whose target depends on more than its head is `Undecided`: on the keys in the body of a
DeleteObjects, or on the answer of a custom router. Whoever finds that out calls `decided`. One
whose object must be looked for on several targets is `Looking`; whoever has looked calls `looked`.

Rules: no I/O; every refusal is an `S3Error`; no bucket is looked up in the routing table before
the caller is known; the permission check gets the classified operation, never the bare HTTP method;
an upload goes where it began, and the custom router is not asked about it, but for a list of many.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from fastpath.errors import ACCESS_DENIED, INVALID_ARGUMENT, SERVICE_UNAVAILABLE, S3Error
from fastpath.http.head import RequestHead
from fastpath.payload.body_plan import decoded_length
from fastpath.renaming.queries import first_value
from fastpath.request.across import AllBuckets, MergedList, SplitBatch
from fastpath.request.admitted import Admitted
from fastpath.request.chains import Looking, Placed, request_placed
from fastpath.request.copies import asked_to_read, asked_to_rename
from fastpath.request.implied_operations import implied
from fastpath.request.sources import RENAME_SOURCE, source_of
from fastpath.request.target_checks import check_access, check_target
from fastpath.request.trail import Trail
from fastpath.request.understood import Presigned, Query, Signed, Understood
from fastpath.request.uploads import Upload, upload_of
from fastpath.request.upstream_request import request_across, upstream_request
from fastpath.routing.asked import Asked
from fastpath.routing.bucket_lists import BucketLists
from fastpath.routing.chain import CUSTOM_ROUTER, DEFAULT_RULE, UPLOAD, Chain, Decision
from fastpath.routing.custom_routing import CustomRouting
from fastpath.routing.identities import Caller
from fastpath.routing.key_globs import Coverage
from fastpath.routing.plan import Plan, lies_across
from fastpath.routing.rewrite import Rewrite
from fastpath.routing.rules import CREATING
from fastpath.routing.snapshot import Snapshot
from fastpath.s3.addressing import COPY_SOURCE, Address
from fastpath.s3.continuation_tokens import read_token
from fastpath.s3.operations import OPERATIONS, Operation
from fastpath.signing.sigv4.verify import STREAMING_MODES

_DELETE_OBJECTS = OPERATIONS["DeleteObjects"]
_BEGIN_UPLOAD = OPERATIONS["CreateMultipartUpload"]
_COMPLETE = OPERATIONS["CompleteMultipartUpload"]
_LIST_BUCKETS = OPERATIONS["ListBuckets"]
_LISTS = (OPERATIONS["ListObjects"], OPERATIONS["ListObjectsV2"])
_LIST_V2 = OPERATIONS["ListObjectsV2"]
_READ = OPERATIONS["GetObject"]
_LIST_UPLOADS = OPERATIONS["ListMultipartUploads"]
_LOOKING = frozenset({"read", "list", "delete"})  # classes of operations that `custom_reads` serve
# Requests about many keys, which they name by a prefix.
_BY_PREFIX = frozenset(
    {"ListMultipartUploads", "ListObjectVersions", "ListObjects", "ListObjectsV2"}
)


class Undecided(NamedTuple):
    """A request whose target is not known yet, or that of its source.

    asked: what it asks for; of a DeleteObjects (`is_batch`), before its keys are known.
    placed: where it goes, if that is known.
    source: what a copy or a rename asks of its source, if the custom router decides about that.
    """

    understood: Understood
    asked: Asked
    placed: Placed | None = None
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
) -> Admitted | Undecided | Looking:
    """Check the rights, find the target and the signer; `head` and `query` are merged."""
    if trail.caller.grants is not None:
        _check_rights(head, query, operation, address, trail.caller)
    has_source = COPY_SOURCE in head.fields or RENAME_SOURCE in head.fields
    if snapshot.custom is None and not (operation.needs_more or has_source):
        decision = snapshot.routing.plan(address.bucket).fixed
        goes_on = operation is _LIST_V2 and _has_own_token(query, address.bucket)
        if decision is not None and not goes_on:
            return upstream_request(
                head, query, address, operation, signed, presigned, snapshot, now, trail, decision
            )
    understood = Understood(head, query, address, operation, signed, presigned)
    return _decide_by_more(understood, snapshot, now, trail)


def _decide_by_more(
    request: Understood, snapshot: Snapshot, now: float, trail: Trail
) -> Admitted | Undecided | Looking:
    """Decide by more than the bucket: the rest of the request, its upload, the custom router."""
    head, operation, custom = request.head, request.operation, snapshot.custom
    asked = trail.asked = asked_about(request, trail.caller, now)
    if operation is _LIST_BUCKETS and snapshot.bucket_lists is not None:
        return _list_of_all_buckets(request, snapshot.bucket_lists, snapshot, trail)
    upload = upload_of(request, snapshot)
    if upload is not None and (custom is None or operation is not _LIST_UPLOADS):
        if operation is _LIST_UPLOADS:
            _check_keys_after_marker(request, asked, upload, snapshot)
        placed = _placed_by_upload(request, asked, upload, snapshot)
    elif (custom is None or custom.reads) and operation is _DELETE_OBJECTS:
        return Undecided(request, asked, is_batch=True)
    elif (merged := _merged_list(request, asked, snapshot)) is not None:
        return request_across(request, merged.places[0], merged, snapshot, trail)
    elif custom is None or not asked.bucket:
        placed = placed_by(snapshot.routing.plan(asked.bucket), asked)
    elif (chain := by_reads(custom, operation)) is not None:
        placed = Placed(chain, chain.primary)
        _check_marker(operation, placed.decision, upload, asked.bucket)
    else:
        source = _asked_of_source(head, trail.caller, custom, now)
        return Undecided(request, asked, None, source, operation is _DELETE_OBJECTS)
    source = _asked_of_source(head, trail.caller, custom, now)
    if source is not None:
        return Undecided(request, asked, placed, source)
    return request_placed(request, snapshot, asked, trail, placed, None, upload)


def placed_by(plan: Plan, asked: Asked) -> Placed:
    """Return where the rules send a request. Raises S3Error."""
    if plan.fixed is not None:
        return Placed(Chain((plan.fixed,)), plan.fixed)
    if asked.operation not in CREATING:
        chain = plan.chain(asked)
        return Placed(chain, chain.primary)
    decision = plan.decide(asked)
    is_of_uploads = asked.prefix is not None  # which are where they began, and nowhere else
    return Placed(Chain((decision,)) if is_of_uploads else plan.chain(asked), decision)


def _placed_by_upload(
    request: Understood, asked: Asked, upload: Upload, snapshot: Snapshot
) -> Placed:
    """Return where an upload is; once it is complete, its object is a part of the key's chain."""
    decision = Decision(upload.origin.target, UPLOAD, upload.origin.rewrite)
    alone = Placed(Chain((decision,)), decision)
    plan, custom = snapshot.routing.plan(asked.bucket), snapshot.custom
    if request.operation is not _COMPLETE or (custom is None and plan.fixed is not None):
        return alone
    if custom is None:
        chain = plan.chain(asked)
    elif custom.reads:
        chain = custom.chain_of_reads
    else:
        return alone
    is_it = [_is_place_of(place, upload, asked.bucket) for place in chain.places]
    if not any(is_it):
        return alone  # a reload has moved the bucket since it began
    places = [decision if own else place for own, place in zip(is_it, chain.places, strict=True)]
    return Placed(chain._replace(places=tuple(places)), decision)


def _merged_list(request: Understood, asked: Asked, snapshot: Snapshot) -> MergedList | None:
    """Return where the objects are that a list shows; None: one place lists them."""
    if request.operation not in _LISTS:
        return None
    custom = snapshot.custom
    if custom is None:
        return _list_by_rules(request, snapshot.routing.plan(asked.bucket), asked)
    return _list_of_chain(custom.chain_of_reads) if len(custom.reads) > 1 else None


def _list_by_rules(request: Understood, plan: Plan, asked: Asked) -> MergedList | None:
    """Return where the rules have the objects that a list shows; None: one place lists them."""
    places = [plan.fixed] if plan.fixed else [place for place, _ in plan.places(asked)]
    if len(places) == 1:
        # A target would take a token of the gateway's for a place to go on at, and leave out keys.
        is_continued = _has_own_token(request.query, asked.bucket)
        return _list_of_chain(Chain((places[0],))) if is_continued else None
    read = asked._replace(operation=_READ.name)

    def coverage(prefix: bytes) -> Sequence[Coverage]:
        found = plan.places(read._replace(prefix=prefix))
        return [
            next((some for one, some in found if one.is_same_place(place)), Coverage.NONE)
            for place in places
        ]

    def chain_of(key: bytes) -> Chain:
        return plan.chain(read._replace(key=key, prefix=None))

    takes_all = all(some is Coverage.ALL for some in coverage(asked.prefix or b""))
    return MergedList(places, takes_all, chain_of, coverage)


def _has_own_token(query: Query, bucket: bytes) -> bool:
    """Whether a list goes on that was merged when it began: a reload has moved the bucket since."""
    token = first_value(query, b"continuation-token")
    return bool(token) and read_token(bucket, token) is not None


def _list_of_chain(chain: Chain) -> MergedList:
    """Return where the objects are, if each place may have each key."""
    every = [Coverage.ALL] * len(chain.places)
    return MergedList(chain.places, True, lambda key: chain, lambda prefix: every)


def _list_of_all_buckets(
    request: Understood, lists: BucketLists, snapshot: Snapshot, trail: Trail
) -> Admitted:
    """Admit a list of the buckets of every target that the caller may list. Raises S3Error.

    A target that it does not reach is left out: that the target exists is none of its business.
    """
    caller, default, failure = trail.caller, snapshot.routing.default, S3Error(ACCESS_DENIED)
    listed: list[str] = []
    for name in lists.shown_to(caller.name):
        target = snapshot.targets[name]
        try:
            check_target(target, request.operation, caller, request.address, (), {})
        except S3Error as error:
            failure = error
            continue
        if snapshot.signer(target, caller) is not None:
            listed.append(name)
        else:
            failure = S3Error(SERVICE_UNAVAILABLE)
    if not listed:
        raise failure
    decision = default if default.target in listed else Decision(listed[0], DEFAULT_RULE)
    return request_across(request, decision, AllBuckets(listed), snapshot, trail)


def _check_keys_after_marker(
    request: Understood, asked: Asked, marker: Upload, snapshot: Snapshot
) -> None:
    """Refuse a list of uploads that asks for keys in other places than that of its marker.

    A list goes on where its marker began, also after a reload has moved the bucket; but a marker of
    one key must not open the keys of another rule there. Raises S3Error.
    """
    plan = snapshot.routing.plan(asked.bucket)
    if plan.fixed is not None or _is_place_of(plan.decide(asked), marker, asked.bucket):
        return
    key = first_value(request.query, b"key-marker")
    if _is_place_of(plan.decide(asked._replace(key=key, prefix=None)), marker, asked.bucket):
        raise lies_across()


def _check_marker(
    operation: Operation, decision: Decision, marker: Upload | None, bucket: bytes
) -> None:
    """Refuse a list of uploads that the custom router sends elsewhere than its marker began.

    The router may send each key elsewhere; the marker of one must not open the others there.
    """
    if operation is not _LIST_UPLOADS or marker is None:
        return
    if not _is_place_of(decision, marker, bucket):
        raise lies_across()


def _is_place_of(decision: Decision, upload: Upload, bucket: bytes) -> bool:
    """Whether a decision about the client's bucket leads where an upload began."""
    rewrite, origin = decision.rewrite or Rewrite(), upload.origin
    began = origin.rewrite or Rewrite()
    return (
        (decision.target, rewrite.bucket_up(bucket)) == (origin.target, origin.bucket)
        and rewrite.key_prefix == began.key_prefix
        and rewrite.strip_prefix == began.strip_prefix
    )


def decided(
    request: Undecided,
    placed: Placed,
    source: Chain | None,
    snapshot: Snapshot,
    trail: Trail,
    split: SplitBatch | None = None,
) -> Admitted | Looking:
    """Admit a request whose target is known now.

    `source`: where the source of a copy is, if the custom router has said so. `split`: where the
    keys of a DeleteObjects are, if in several places. Raises S3Error.
    """
    if split is not None:
        shown = _first_reached(split, snapshot, trail.caller)
        return request_across(request.understood, shown, split, snapshot, trail)
    upload = upload_of(request.understood, snapshot)
    asked = request.asked
    _check_marker(request.understood.operation, placed.decision, upload, asked.bucket)
    if request.understood.operation in _LISTS:
        if placed.decision.rule == CUSTOM_ROUTER:
            merged = _list_of_chain(placed.chain) if placed.is_along else None
        else:
            merged = _list_by_rules(request.understood, snapshot.routing.plan(asked.bucket), asked)
        if merged is not None:
            return request_across(request.understood, merged.places[0], merged, snapshot, trail)
    return request_placed(request.understood, snapshot, asked, trail, placed, source, upload)


def _first_reached(split: SplitBatch, snapshot: Snapshot, caller: Caller) -> Decision:
    """Return the decision that the log shows of a split batch: the first that the caller reaches.

    If none is reached, the first of all: the request is refused by it.
    """
    decisions = dict.fromkeys(chain.primary for chain in split.chains.values())
    for decision in decisions:
        target = snapshot.targets[decision.target]
        with suppress(S3Error):
            check_access(target, caller)
            if snapshot.signer(target, caller) is not None:
                return decision
    return next(iter(decisions))


def by_reads(custom: CustomRouting, operation: Operation) -> Chain | None:
    """Return where `custom_reads` sends an operation; None: the custom router is asked."""
    if not custom.reads or operation.action not in _LOOKING:
        return None
    return custom.chain_of_reads


def asked_about(request: Understood, caller: Caller, now: float) -> Asked:
    """Return what routing rules look at.

    Only plans with conditions need it (heads: 5,000 instructions and more).
    """
    head, operation, payload = request.head, request.operation, request.signed[0]
    prefix = None
    if operation.name in _BY_PREFIX:
        prefix = _prefix_of(request.query)
    elif operation is _DELETE_OBJECTS:
        prefix = b""
    size = decoded_length(head.fields) if payload in STREAMING_MODES else head.content_length
    return Asked(
        operation.routed_as.name,
        caller.name,
        request.address.bucket,
        request.address.key,
        None if operation.routed_as is _BEGIN_UPLOAD else size,  # which nobody knows yet
        head.fields.get(b"content-type", b""),
        now,
        prefix,
    )


def _prefix_of(query: Query) -> bytes:
    """Return the prefix of a list. Raises S3Error: stores differ in which of several they read."""
    prefixes = [value for name, value in query if name == b"prefix"]
    if len(prefixes) > 1:
        raise S3Error(
            INVALID_ARGUMENT, ("ArgumentName", "prefix"), message="Only one prefix may be given."
        )
    return prefixes[0] if prefixes else b""


def _asked_of_source(
    head: RequestHead, caller: Caller, custom: CustomRouting | None, now: float
) -> Asked | None:
    """Return what a copy or a rename asks of its source; None: the custom router is not asked."""
    if custom is None:
        return None
    if RENAME_SOURCE in head.fields:
        return asked_to_rename(source_of(head, RENAME_SOURCE), caller, now)
    if custom.reads or COPY_SOURCE not in head.fields:
        return None
    return asked_to_read(source_of(head, COPY_SOURCE), caller, now)


def _check_rights(
    head: RequestHead, query: Query, operation: Operation, address: Address, caller: Caller
) -> None:
    """Check the right to the operation, and to those that its headers imply."""
    if not caller.may(operation.name, address.bucket):
        raise S3Error(ACCESS_DENIED)
    for other in implied(operation, head.fields, query):
        if not caller.may(other, address.bucket):
            raise S3Error(ACCESS_DENIED)
