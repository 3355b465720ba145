"""Lists the objects of one place, page after page, by the client's names.

    place -> ListObjectsV2 by the target's names -> page -> order -> names -> what is shown

Rules: one page is kept at a time; a page is asked for only once the one before it was taken; a page
that is not in the order of bytes, or not behind the page before it, and a target that does not
answer with a list, fail the client's list, because what is missing in one, `sync --delete` deletes;
the operator is told which target it was, and what to do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from fastpath.composed.calls import Fields, Place, call_at, error_of
from fastpath.errors import ACCESS_DENIED, NO_SUCH_BUCKET, SERVICE_UNAVAILABLE, S3Error
from fastpath.renaming.answers import MAX_DOCUMENT
from fastpath.renaming.listed_names import ListedNames, NamedPage, OutOfOrder
from fastpath.renaming.object_pages import read_object_page
from fastpath.s3.object_listing import MAX_KEYS
from fastpath.s3.xml_reader import XmlError

if TYPE_CHECKING:
    from fastpath.composed.object_lists.shown_keys import ShownKeys
    from fastpath.composed.operation import ComposedRequest
    from fastpath.routing.chain import Decision
    from fastpath.s3.object_listing import ObjectListing
    from fastpath.upstream.call import Call

CHARGED = b"x-amz-request-charged"

# Pages in a row that hold nothing and say that more follows: stores that skip what they have
# deleted write a few of them.
_MAX_EMPTY_PAGES = 100
_MAX_REASON = 500  # characters of a target's own text
_ORDER = (
    "its keys are not in the order of their bytes (take `sorted` out of its "
    "profile_overrides.lists: such a target cannot be merged with others)"
)
_NO_LIST = "its answer is no list of objects that can be read (is its endpoint an S3 endpoint?)"
_ENDLESS = "it says page after page that more follows, and lists nothing"
_RIGHTS = " (may its credentials list the bucket?)"
_ILL = " (its own log says why)"


class Names(NamedTuple):
    """Some of a place's names, in order: keys with their rows, and common prefixes."""

    keys: list[bytes]
    rows: list[bytes]
    prefixes: list[bytes]


class PlaceList:
    """The list of one place.

    names: those of the current page that were not taken yet.
    last: the last name that was listed, whether it is shown or not; empty: there is none.
    more: whether pages follow.
    missing: the error of a place whose bucket does not exist.
    charged: the target's x-amz-request-charged; empty: it has none.
    """

    def __init__(
        self,
        request: ComposedRequest,
        listing: ObjectListing,
        decision: Decision,
        shown: ShownKeys,
        headers: Fields,
    ) -> None:
        """`headers`: of each request. Raises S3Error: the place has no name for the prefix."""
        self._request = request
        self._listing = listing
        self._place = Place(listing.bucket, b"", decision)
        self._shown = shown
        self._headers = headers
        self._features = request.snapshot.targets[decision.target].profile.lists
        self._start = listing.start.encode()
        self._names = ListedNames(
            self._place.rewrite,
            listing.prefix.encode(),
            listing.delimiter.encode(),
            encoded=listing.encoded,
        )
        self._begin = self._names.start(self._start) if self._may_skip else b""
        self._token = ""
        self._empty_pages = 0
        self._passed = self._start  # no common prefix up to here is new
        self.names = Names([], [], [])
        self.last = b""
        self.more = not self._names.is_empty
        self.missing: S3Error | None = None
        self.charged = b""

    @property
    def is_due(self) -> bool:
        """Whether the next page is needed before any other name can be shown."""
        return self.more and not self.names.keys and not self.names.prefixes

    @property
    def shows_prefixes(self) -> bool:
        """Whether each of its common prefixes holds a key that is shown."""
        return self._shown.shows_all or self._names.groups

    def below(self, prefix: str) -> PlaceList:
        """Return the list of the same place for a longer prefix, with no keys in common prefixes.

        Raises S3Error.
        """
        listing = replace(self._listing, prefix=prefix, delimiter="", start="", owners=False)
        decision = self._place.decision
        return PlaceList(self._request, listing, decision, self._shown, self._headers)

    @property
    def may_have_keys(self) -> bool:
        """Whether the place has names that begin with the prefix, and so is asked."""
        return not self._names.is_empty

    @property
    def shown(self) -> ShownKeys:
        """What the place shows."""
        return self._shown

    @property
    def _may_skip(self) -> bool:
        """Whether a list may begin after any name."""
        return "start-after" in self._features

    async def fetch(self, count: int) -> None:
        """Get the next page, of `count` names at most. Raises S3Error, CallFailed."""
        if count and self._names.is_one_group and self._shown.shows_all:
            count = 1
        elif count and self._start and not self._may_skip:
            count = MAX_KEYS  # most of them are left out
        document = await self._ask(count)
        if document is None:
            self.more = False
            return
        if not count:
            return
        try:
            page = read_object_page(document)
            named = self._names.page(page, self.last)
        except XmlError as error:
            raise self._failed(f"{_NO_LIST} ({type(error).__name__})") from None
        except OutOfOrder:
            raise self._failed(_ORDER) from None
        except S3Error as error:
            raise self._failed(error.note) from None
        self._token, self.more = page.token, bool(page.token)
        self._check_progress(named)
        await self._keep(named)

    def read_again(self, behind: bytes) -> None:
        """Forget what was read behind a name, unless the target cannot begin there."""
        if not (self._may_skip and (self.names.keys or self.names.prefixes)):
            return
        self.names = Names([], [], [])
        self._start = self._passed = behind
        self._begin, self._token = self._names.start(behind), ""
        self.last, self.more = b"", True

    def take(self, until: bytes | None) -> Names:
        """Return the names up to one, of which nothing is kept; None: all of them."""
        keys, rows, prefixes = names = self.names
        if until is None:
            self.names = Names([], [], [])
            return names
        end, end_of_prefixes = bisect_right(keys, until), bisect_right(prefixes, until)
        self.names = Names(keys[end:], rows[end:], prefixes[end_of_prefixes:])
        return Names(keys[:end], rows[:end], prefixes[:end_of_prefixes])

    # --- the request ---

    async def _ask(self, count: int) -> bytes | None:
        """Return a page as the target writes it; None: there is no such bucket."""
        call = call_at(
            self._request,
            "ListObjectsV2",
            self._place,
            query=self._query(count),
            headers=self._headers,
            is_for_document=True,
        )
        try:
            async with call:
                document = await self._answer(call)
        except S3Error as error:
            if error.kind.code == NO_SUCH_BUCKET.code and not self.last:
                self.missing = error
                return None
            raise self._refused(error) from None
        if document is None:
            raise self._failed(f"its page is larger than {MAX_DOCUMENT >> 20} MiB")
        return document

    async def _answer(self, call: Call) -> bytes | None:
        head = await call.answer()
        if head.status != 200:
            raise await error_of(self._request, call, head, self._place)
        self.charged = head.fields.get(CHARGED, b"")
        return await call.document(MAX_DOCUMENT)

    def _query(self, count: int) -> Fields:
        names, features = self._names, self._features
        query = [
            (b"list-type", b"2"),
            (b"prefix", names.prefix),
            (b"delimiter", names.delimiter),
            (b"continuation-token", self._token.encode()),
            (b"start-after", b"" if self._token else self._begin),
            (b"max-keys", b"%d" % count),
            (b"encoding-type", b"url" if "encoding-type" in features else b""),
            (b"fetch-owner", b"true" if self._listing.owners else b""),
        ]
        return [pair for pair in query if pair[1]]

    # --- its answer ---

    def _check_progress(self, page: NamedPage) -> None:
        """Fail a list without end. Raises S3Error."""
        if page.last:
            self.last = page.last
            self._empty_pages = 0
            return
        self._empty_pages += self.more
        if self._empty_pages > _MAX_EMPTY_PAGES:
            raise self._failed(_ENDLESS)

    async def _keep(self, page: NamedPage) -> None:
        """Keep what is shown of a page, and go on behind what is certainly not."""
        first = bisect_right(page.keys, self._start)
        keys, rows = page.keys[first:], page.rows[first:]
        ranges = await self._shown.ranges(keys)
        if ranges != [(0, len(keys))]:
            rows = [row for begin, end in ranges for row in rows[begin:end]]
            keys = [key for begin, end in ranges for key in keys[begin:end]]
        prefixes = page.prefixes[bisect_right(page.prefixes, self._start) :]
        self.names = Names(keys, rows, prefixes)
        if self._names.groups:
            self._group()
        if self.more and page.keys and page.keys[-1] == page.last:
            self._skip(page.last)

    def _group(self) -> None:
        """Put keys into their common prefixes, of which the target knows nothing."""
        keys, rows, prefixes = [], [], dict.fromkeys(self.names.prefixes)
        for key, row in zip(self.names.keys, self.names.rows, strict=True):
            group = self._names.group_of(key)
            if not group:
                keys.append(key)
                rows.append(row)
            elif group > self._passed:
                prefixes[group] = None
        self.names = Names(keys, rows, list(prefixes))
        self._passed = max([self._passed, *prefixes])

    def _skip(self, last: bytes) -> None:
        """Go on behind a common prefix that is known now, or a beginning that no shown key has."""
        if not self._may_skip:
            return
        group = self._names.group_of(last) if self._names.groups else b""
        if group and group <= self._passed:
            beginning = group
        else:
            beginning = self._shown.hidden_beginning(last, self._listing.prefix.encode())
        if not beginning:
            return
        begin = self._names.behind(beginning)
        if begin is None:
            self.more = False
        elif begin != self._begin:
            self._begin, self._token = begin, ""

    # --- what goes wrong ---

    def _refused(self, error: S3Error) -> S3Error:
        """Return what a client gets for a target's error; the target's text is the operator's."""
        reason = (error.note or str(error))[:_MAX_REASON]
        if error.kind.status != 403:
            return self._failed(reason + _ILL)
        self._failed(reason + _RIGHTS)
        return S3Error(ACCESS_DENIED)

    def _failed(self, reason: str) -> S3Error:
        """Tell the operator why there is no list; return the error for the client."""
        bucket = self._listing.bucket.decode()
        what = f"the merged list of bucket {bucket} is refused: {reason}"
        self._request.warn(self._place.decision.target, what)
        return S3Error(SERVICE_UNAVAILABLE, retry_after=1)


def known_until(places: Sequence[PlaceList]) -> bytes | None:
    """Return the name up to which all names of these places are here; None: all of them are."""
    return min((place.last for place in places if place.more), default=None)
