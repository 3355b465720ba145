"""ListBuckets over all targets that a client's reads may go to, merged into one list.

    every target, at the same time: its buckets -> those that are shown, by the client's names
    -> the first ones in the order of their bytes -> one page

Rules: each bucket once, and only if a read of it would go there; a target that fails is left out
and told, or the list is refused (`routing.list_buckets_failure`); if all fail, the client gets an
error and never an empty list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING

from fastpath.composed.bucket_lists.shown_buckets import (
    BY_NAME,
    ShownBucket,
    ShownBuckets,
    Undecided,
)
from fastpath.composed.bucket_lists.target_buckets import TargetFailed, read_buckets
from fastpath.http.query import parse_query
from fastpath.request.across import AllBuckets
from fastpath.s3.bucket_listing import BucketListing, read_bucket_listing
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest

_TOKEN_SCOPE = b"*"  # of continuation tokens: no bucket is called that
_ARN = "BucketArn"
_ROWS_AT_ONCE = 500  # written between two turns of the loop: 2 ms


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a target has answered: its first buckets and their owner, or its failure."""

    target: str
    buckets: Sequence[ShownBucket] = ()
    owner: Mapping[str, str] | None = None
    failure: TargetFailed | None = None


async def list_buckets(request: ComposedRequest) -> None:
    """Answer with a page of the buckets of all targets."""
    across = request.admitted.across
    assert isinstance(across, AllBuckets)  # `operations` has it so
    query = request.head.query
    listing = read_bucket_listing(parse_query(query) if query else (), _TOKEN_SCOPE)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_list_target(request, target, listing)) for target in across.targets
        ]
    listed = [task.result() for task in tasks]
    _check_failures(request, listed)
    # By name: a chain has the bucket on several targets, and a custom router may have named two.
    by_name = {bucket.name: bucket for one in listed for bucket in one.buckets}
    found = nsmallest(listing.max_buckets + 1, by_name.values(), BY_NAME)
    owner = _owner(listed, request.snapshot.routing.default.target)
    page = found[: listing.max_buckets]
    rows: list[str] = []
    for first in range(0, len(page), _ROWS_AT_ONCE):
        rows += map(_row, page[first : first + _ROWS_AT_ONCE])
        await asyncio.sleep(0)
    token = listing.token(page[-1].name.decode()) if len(found) > len(page) else ""
    await request.reply.document(200, _document(listing, rows, owner, token))


async def _list_target(request: ComposedRequest, target: str, listing: BucketListing) -> _Listed:
    """Return what the client is shown of a target. Raises S3Error: nobody knows what to show."""
    shown = ShownBuckets(request, target, listing)
    try:
        owner = await read_buckets(request, target, shown.prefix_for_target, shown.take)
    except TargetFailed as failure:
        return _Listed(target, failure=failure)
    except Undecided as undecided:
        raise undecided.error from None
    return _Listed(target, shown.first, owner)


def _check_failures(request: ComposedRequest, listed: Sequence[_Listed]) -> None:
    """Tell the operator of targets that failed. Raises S3Error: there is no list without them."""
    failures = [(one.target, one.failure) for one in listed if one.failure is not None]
    lists = request.snapshot.bucket_lists
    assert lists is not None  # or the list is not composed
    refused = len(failures) == len(listed) or (lists.refuses and bool(failures))
    for target, failure in failures:
        request.log.list_failed(request.request_id, target, failure.reason, refused=refused)
    if refused:
        # What may be better at the next try comes before a denial.
        raise max((failure.error for _, failure in failures), key=lambda error: error.kind.status)


def _owner(listed: Sequence[_Listed], default: str) -> Mapping[str, str]:
    """Return the owner at the default target, or at the first one that has said something."""
    by_target = {one.target: one.owner for one in listed if one.owner}
    return by_target.get(default) or next(iter(by_target.values()), {})


def _document(
    listing: BucketListing, rows: Sequence[str], owner: Mapping[str, str], token: str
) -> bytes:
    parts = [
        f'{DECLARATION}<ListAllMyBucketsResult xmlns="{NAMESPACE}"><Owner>',
        *(element(name, owner[name]) for name in ("ID", "DisplayName") if name in owner),
        "</Owner><Buckets>",
        *rows,
        "</Buckets>",
    ]
    if token:
        parts.append(element("ContinuationToken", token))
    if listing.prefix:
        parts.append(element("Prefix", listing.prefix))
    parts.append("</ListAllMyBucketsResult>")
    return "".join(parts).encode()


def _row(bucket: ShownBucket) -> str:
    name, upstream, fields = bucket
    parts = [element("Name", name.decode())]
    parts += [
        element(one, fields[one]) for one in ("CreationDate", "BucketRegion") if one in fields
    ]
    arn = fields.get(_ARN, "")
    if arn.endswith(f":{upstream.decode()}"):
        parts.append(element(_ARN, arn[: -len(upstream.decode())] + name.decode()))
    return f"<Bucket>{''.join(parts)}</Bucket>"
