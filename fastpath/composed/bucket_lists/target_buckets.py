"""Reads the buckets that a target lists, page after page, each as it arrives.

Rules: one request after the other, at most MAX_PAGES, within LIST_SECONDS; a row is handed on as
soon as it is read, so that no document is in memory; whatever the target does is TargetFailed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from fastpath.composed.calls import Fields, Place, call_at, error_of
from fastpath.errors import ACCESS_DENIED, SERVICE_UNAVAILABLE, SLOW_DOWN, S3Error
from fastpath.routing.chain import DEFAULT_RULE, Decision
from fastpath.s3.bucket_listing import MAX_BUCKETS
from fastpath.s3.xml_reader import Bounds, TooLarge, Unexpected, XmlError, XmlReader
from fastpath.upstream.call import CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest

# Of all pages of a target. SDKs wait 60 s for an answer; a client would rather have the buckets of
# the other targets before that.
LIST_SECONDS = 30.0
# AWS has at most 1,000,000 buckets in an account, on 100 pages of MAX_BUCKETS.
MAX_PAGES = 100

# A list without pages has all buckets of its store: 60 MiB are 300,000.
_BOUNDS = Bounds(depth=16, text=8192, tag=4096, size=60 << 20)
_MAX_REASON = 500  # characters of a target's own text
_MAX_FIELDS = 32  # of a bucket or its owner; S3 has four
_ROOT = "ListAllMyBucketsResult"
_ROW = ("Buckets", "Bucket")
_OWNER = ("Owner",)

Take = Callable[[list[Mapping[str, str]]], Awaitable[None]]


class TargetFailed(Exception):
    """A target did not list its buckets.

    reason: for the operator.
    error: what the client gets if nothing else is found.
    """

    def __init__(self, reason: str, error: S3Error) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


async def read_buckets(
    request: ComposedRequest, target: str, prefix: str, take: Take
) -> Mapping[str, str]:
    """Read the buckets of a target; return what it says of their owner. Raises TargetFailed.

    prefix: that the target may leave other names out by.
    take: gets the elements of some buckets, by name.
    """
    try:
        async with asyncio.timeout(LIST_SECONDS):
            return await _read_pages(request, target, prefix, take)
    except TimeoutError:
        reason = f"it took longer than {LIST_SECONDS:g} s"
        raise TargetFailed(reason, S3Error(SERVICE_UNAVAILABLE, retry_after=1)) from None
    except CallFailed as failure:
        kind = SLOW_DOWN if failure.overload else SERVICE_UNAVAILABLE
        raise TargetFailed(failure.reason, S3Error(kind, retry_after=1)) from None
    except XmlError as error:
        reason = f"its answer is no list of buckets that can be read ({type(error).__name__})"
        raise TargetFailed(reason, S3Error(SERVICE_UNAVAILABLE, retry_after=1)) from None
    except S3Error as error:
        reason = (error.note or str(error))[:_MAX_REASON]
        raise TargetFailed(reason, _for_client(error)) from None


def _for_client(error: S3Error) -> S3Error:
    """Return what a client gets for a target's error: a denial, or that it may try again.

    The target's text is for the operator: it may name the gateway's own user there.
    """
    if error.kind.status == 403:
        return S3Error(ACCESS_DENIED)
    return S3Error(SERVICE_UNAVAILABLE, retry_after=1)


async def _read_pages(
    request: ComposedRequest, target: str, prefix: str, take: Take
) -> Mapping[str, str]:
    token, sent = "", {""}
    while True:
        reader = BucketsReader()
        await _read_page(request, target, _query(prefix, token), reader, take)
        token = reader.token
        if not token:
            return reader.owner
        if token in sent or len(sent) >= MAX_PAGES:
            raise TooLarge
        sent.add(token)


def _query(prefix: str, token: str) -> Fields:
    query = [(b"max-buckets", b"%d" % MAX_BUCKETS)]
    if prefix:
        query.append((b"prefix", prefix.encode()))
    if token:
        query.append((b"continuation-token", token.encode()))
    return query


async def _read_page(
    request: ComposedRequest, target: str, query: Fields, reader: BucketsReader, take: Take
) -> None:
    place = Place(b"", b"", Decision(target, DEFAULT_RULE))
    async with call_at(request, "ListBuckets", place, query=query) as call:
        head = await call.answer()
        if head.status != 200:
            raise await error_of(request, call, head, place)
        async for piece in call.body():
            rows = reader.feed(piece)
            if rows:
                await take(rows)
    reader.finish()


class BucketsReader:
    """Reads one document.

    owner: the elements of Owner.
    token: where the next page begins; empty without one.
    """

    def __init__(self) -> None:
        self.owner: dict[str, str] = {}
        self.token = ""
        self._path: list[str] = []
        self._row: dict[str, str] = {}
        self._rows: list[Mapping[str, str]] = []
        self._reader = XmlReader(self._ended, self._started, _BOUNDS)

    def feed(self, data: bytes) -> list[Mapping[str, str]]:
        """Return the elements of the buckets that are complete now. Raises XmlError."""
        self._reader.feed(data)
        rows, self._rows = self._rows, []
        return rows

    def finish(self) -> None:
        """Check that the document is complete. Raises XmlError."""
        self._reader.finish()

    def _started(self, name: str, depth: int) -> None:
        if depth == 1 and name != _ROOT:
            raise Unexpected
        self._path.append(name)
        if tuple(self._path[1:]) == _ROW:
            self._row = {}

    def _ended(self, name: str, depth: int, text: str) -> None:
        parent = tuple(self._path[1:-1])
        if parent == _ROW:
            self._note(self._row, name, text)
        elif parent == _OWNER:
            self._note(self.owner, name, text)
        elif not parent and name == "ContinuationToken":
            self.token = text
        elif tuple(self._path[1:]) == _ROW and self._row.get("Name"):
            self._rows.append(self._row)
        self._path.pop()

    def _note(self, into: dict[str, str], name: str, text: str) -> None:
        into[name] = text
        if len(into) > _MAX_FIELDS:
            raise TooLarge
