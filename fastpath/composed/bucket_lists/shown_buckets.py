"""Finds out which of a target's buckets a client is shown, and by which names.

    bucket of the target -> names that rules give it -> those of which a read would go there

Rules: a name is shown only if a read of it, whatever its key, is decided to go to this target and
this bucket; the page's names and one more are kept, however many a target has; the loop goes on
meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from fastpath.composed.calls import Place
from fastpath.composed.finding_targets import decide_read
from fastpath.errors import INVALID_BUCKET_NAME, S3Error
from fastpath.routing.asked import Asked

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.s3.bucket_listing import BucketListing

# Names decided about between two turns of the loop, or asked of the custom router at a time, so
# that others are served too: 1 ms by rules.
_AT_ONCE = 100
_SPARE = 1000  # names beyond the page that are kept, so that sorting is seldom


class ShownBucket(NamedTuple):
    """A bucket by the client's name.

    upstream: the target's name.
    fields: the elements of the target's row.
    """

    name: bytes
    upstream: bytes
    fields: Mapping[str, str]


BY_NAME = attrgetter("name")  # S3 lists in the order of the bytes


class Undecided(Exception):
    """Nobody knows where a bucket is: the error is for the client, and no target's fault."""

    def __init__(self, error: S3Error) -> None:
        super().__init__(str(error))
        self.error = error


class ShownBuckets:
    """What one client is shown of one target, of one page."""

    def __init__(self, request: ComposedRequest, target: str, listing: BucketListing) -> None:
        self._request = request
        self._target = target
        self._listing = listing
        self._mark, self._prefix = listing.mark.encode(), listing.prefix.encode()
        self._region = request.snapshot.targets[target].region.decode()
        self._names = request.snapshot.routing.client_names
        self._found: dict[bytes, ShownBucket] = {}

    @property
    def prefix_for_target(self) -> str:
        """What all of the target's names of wanted buckets begin with."""
        return "" if self._names.renames_any(self._target) else self._listing.prefix

    @property
    def first(self) -> list[ShownBucket]:
        """The first ones in order: those of a page, and one more."""
        return nsmallest(self._listing.max_buckets + 1, self._found.values(), BY_NAME)

    async def take(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Take buckets that the target lists. Raises Undecided."""
        wanted = [bucket for row in rows for bucket in self._wanted(row)]
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            for bucket, is_shown in zip(some, await self._decide(some), strict=True):
                if is_shown:
                    self._found[bucket.name] = bucket
            await asyncio.sleep(0)
        if len(self._found) > self._listing.max_buckets + _SPARE:
            self._found = {bucket.name: bucket for bucket in self.first}

    def _wanted(self, row: Mapping[str, str]) -> Iterator[ShownBucket]:
        """Yield a bucket by the names that it may have, as far as the page asks for them."""
        region = self._listing.region
        if region and region != (row.get("BucketRegion") or self._region):
            return
        upstream = row["Name"].encode()
        for name in self._names.of(self._target, upstream):
            if name > self._mark and name.startswith(self._prefix):
                yield ShownBucket(name, upstream, row)

    async def _decide(self, buckets: Sequence[ShownBucket]) -> list[bool]:
        if self._request.snapshot.custom is None:
            return [await self._is_shown(bucket) for bucket in buckets]  # none of them waits
        return await asyncio.gather(*map(self._is_shown, buckets))

    async def _is_shown(self, bucket: ShownBucket) -> bool:
        request = self._request
        caller, now = request.admitted.caller.name, time.time()
        asked = Asked("GetObject", caller, bucket.name, b"", None, b"", now)
        try:
            chain = await decide_read(asked, request.snapshot, request.router)
        except S3Error as error:
            if error.kind is INVALID_BUCKET_NAME:  # a rule that names its parts has none for it
                return False
            raise Undecided(error) from None
        return any(
            place.target == self._target
            and Place(bucket.name, b"", place).rewrite.bucket_up(bucket.name) == bucket.upstream
            for place in chain.places
        )
