"""ListObjects and ListObjectsV2 over several places, merged into one page in the order of names.

    each place in turn: a page -> names up to the last that all places have told
    -> each once -> the next pages, from the first place that is used up -> ... -> one page

A write puts a key at a place before it removes it where reads look before, and a delete goes the
other way. So a place is read after those before it: else the key could be missed at both.

Rules: of a key in several places, the row is that of the place which a read comes to first; a
common prefix is shown if a key in it is; a place that fails fails the list, and one whose bucket
does not exist has no keys; no step runs for each key unless places show some keys only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from fastpath.composed.object_lists.place_list import CHARGED, Names, PlaceList, known_until
from fastpath.composed.object_lists.shown_keys import ShownKeys, first_of
from fastpath.errors import NOT_IMPLEMENTED, SERVICE_UNAVAILABLE, S3Error
from fastpath.http.query import parse_query
from fastpath.request.across import MergedList
from fastpath.routing.key_globs import Coverage
from fastpath.s3.object_listing import MAX_KEYS, ObjectListing, read_object_listing

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest

# Headers that S3 reads with a list of objects.
_FORWARDED = (
    b"x-amz-expected-bucket-owner",
    b"x-amz-optional-object-attributes",
    b"x-amz-request-payer",
)
# The first pages together have so much more than the client's, so that places which share keys
# evenly need no second ones: of 1,000 random keys, one of two places has more than 550 once in
# 1,300 pages.
_SPARE = 1.1
_SMALL_PAGE = 100  # names that cost less than another request
_LOOKS_AT_ONCE = 8  # common prefixes that are looked into


async def list_objects(request: ComposedRequest) -> None:
    """Answer with a page of the objects of all places."""
    merged, head = request.admitted.across, request.head
    assert isinstance(merged, MergedList)  # `operations` has it so
    listing = read_object_listing(
        parse_query(head.query) if head.query else (),
        request.admitted.address.bucket,
        is_v2=request.admitted.operation.name == "ListObjectsV2",
    )
    _check_order_of_targets(request, merged)
    merge = _Merge(request, merged, listing)
    await merge.run()
    next_name = merge.last if merge.is_truncated else None
    try:
        document = listing.document(merge.rows, merge.prefixes, next_name)
    except UnicodeDecodeError:
        raise _unwritable(request, merged, merge.last) from None
    charged = {place.charged for place in merge.places if place.charged}
    await request.reply.document(200, document, [b"%b: %b" % (CHARGED, one) for one in charged])


def _check_order_of_targets(request: ComposedRequest, merged: MergedList) -> None:
    """Refuse targets whose lists have another order. Raises S3Error."""
    for place in merged.places:
        if "sorted" in request.snapshot.targets[place.target].profile.lists:
            continue
        request.warn(
            place.target,
            "it does not list keys in the order of their bytes, so its lists cannot be merged with "
            "others (probe it; if it does, say so in its profile_overrides.lists)",
        )
        raise S3Error(
            NOT_IMPLEMENTED,
            message="The keys that this request asks for are on several storage targets, one of "
            "which does not list keys in order. Please ask for a longer prefix.",
        )


def _unwritable(request: ComposedRequest, merged: MergedList, name: bytes) -> S3Error:
    """Return the error for a page that ends with a name which no client could send."""
    targets = " or ".join(dict.fromkeys(place.target for place in merged.places))
    request.warn(targets, f"a key there is no UTF-8, and no list can go on behind it: {name!r}")
    return S3Error(SERVICE_UNAVAILABLE, retry_after=1)


class _Merge:
    """One page.

    rows: of its keys.
    prefixes: its common prefixes.
    last: the last name of both.
    is_truncated: whether there are more names.
    """

    def __init__(
        self, request: ComposedRequest, merged: MergedList, listing: ObjectListing
    ) -> None:
        fields = {**request.head.fields, **dict(request.admitted.query_headers)}
        headers = [(name, fields[name]) for name in _FORWARDED if name in fields]
        self.rows: list[bytes] = []
        self.prefixes: list[bytes] = []
        self.last = b""
        self.is_truncated = False
        self.places = [
            PlaceList(request, listing, decision, ShownKeys(merged, number), headers)
            for number, decision in enumerate(merged.places)
        ]
        self._request = request
        self._merged = merged
        self._listing = listing

    @property
    def _room(self) -> int:
        """Names that the page may still take."""
        return self._listing.max_keys - len(self.rows) - len(self.prefixes)

    async def run(self) -> None:
        """Gather the page. Raises S3Error, CallFailed."""
        await _fetch(self.places, self._first_count())
        missing = [place.missing for place in self.places if place.missing is not None]
        if missing and len(missing) == sum(place.may_have_keys for place in self.places):
            raise missing[0]
        while self._listing.max_keys:
            until = known_until(self.places)
            await self._add([place.take(until) for place in self.places])
            due = [number for number, place in enumerate(self.places) if place.is_due]
            if self.is_truncated or not due or until is None:
                return
            for place in self.places[due[0] + 1 :]:
                place.read_again(until)
            count = self._room + 1 if self._merged.takes_all else MAX_KEYS
            await _fetch(
                [place for place in self.places[due[0] :] if place.is_due], min(count, MAX_KEYS)
            )

    def _first_count(self) -> int:
        """How many names each place is asked for first."""
        wanted = self._listing.max_keys
        if not wanted:
            return 0  # whether the bucket exists
        share = int(wanted * _SPARE / len(self.places))
        return min(wanted + 1, max(share, _SMALL_PAGE), MAX_KEYS)

    async def _add(self, parts: Sequence[Names]) -> None:
        """Take names that come next, as far as there is room."""
        rows = self._rows_of(parts)
        # Where keys are grouped here, one that is shown may be found after the prefix was taken.
        prefixes = frozenset(name for part in parts for name in part.prefixes if name > self.last)
        names = sorted(rows.keys() | prefixes) if prefixes else sorted(rows)
        at_once = _LOOKS_AT_ONCE if prefixes and not self._merged.takes_all else len(names)
        while names and not self.is_truncated:
            some, names = names[:at_once], names[at_once:]
            shown: Collection[bytes] = prefixes
            if prefixes and not self._merged.takes_all:
                shown = await self._shown(prefixes.intersection(some), parts)
                some = [name for name in some if name in rows or name in shown]
            self._add_shown(some, rows, shown)

    def _add_shown(
        self, names: Sequence[bytes], rows: Mapping[bytes, bytes], prefixes: Collection[bytes]
    ) -> None:
        """Take names, as far as there is room: keys with their rows, and common prefixes."""
        taken = names[: self._room]
        self.is_truncated = len(taken) < len(names)
        if not taken:
            return
        self.last = taken[-1]
        if not prefixes:
            self.rows += map(rows.__getitem__, taken)
            return
        self.rows += [rows[name] for name in taken if name in rows]
        self.prefixes += [name for name in taken if name not in rows]

    async def _shown(
        self, prefixes: Collection[bytes], parts: Sequence[Names]
    ) -> Collection[bytes]:
        """Return those of some common prefixes that hold a key which is shown."""
        async with asyncio.TaskGroup() as group:
            tasks = {
                prefix: group.create_task(self._is_shown(prefix, parts)) for prefix in prefixes
            }
        return {prefix for prefix, task in tasks.items() if task.result()}

    async def _is_shown(self, prefix: bytes, parts: Sequence[Names]) -> bool:
        undecided: list[PlaceList] = []
        for place, part in zip(self.places, parts, strict=True):
            if prefix not in part.prefixes:
                continue
            coverage = Coverage.ALL if place.shows_prefixes else place.shown.coverage(prefix)
            if coverage is Coverage.ALL:
                return True
            if coverage is Coverage.SOME:
                undecided.append(place)
        for place in undecided:
            if await self._holds_shown_key(place, prefix):
                return True
        return False

    async def _holds_shown_key(self, place: PlaceList, prefix: bytes) -> bool:
        """Look below a common prefix for one key that is shown, a page at a time."""
        try:
            text = prefix.decode()
        except UnicodeDecodeError:
            raise _unwritable(self._request, self._merged, prefix) from None
        below = place.below(text)
        await below.fetch(_SMALL_PAGE)
        while below.is_due:
            await below.fetch(MAX_KEYS)
        return bool(below.names.keys)

    def _rows_of(self, parts: Sequence[Names]) -> dict[bytes, bytes]:
        """Return the row of each key, of the place that a read comes to first."""
        rows: dict[bytes, bytes] = {}
        if self._merged.takes_all:
            for part in reversed(parts):
                rows.update(zip(part.keys, part.rows, strict=True))
            return rows
        several: set[bytes] = set()
        of_places = [dict(zip(part.keys, part.rows, strict=True)) for part in parts]
        for of_place in of_places:
            several |= rows.keys() & of_place.keys()
            rows.update(of_place)
        for key in several:
            numbers = [number for number, one in enumerate(of_places) if key in one]
            rows[key] = of_places[first_of(self._merged, key, numbers)][key]
        return rows


async def _fetch(places: Sequence[PlaceList], count: int) -> None:
    """Get the next page of each place, one after the other. Raises S3Error, CallFailed."""
    for place in places:
        if place.more:
            await place.fetch(count)
