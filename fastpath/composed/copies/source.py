"""Finds and reads the source of a copy.

    HEAD -> conditions, size -> GET, and from where it broke off once more -> pieces

Rules: what is read is one version of the object: each answer must have the ETag of the HEAD, also
where the store ignores If-Match; conditions on the source are evaluated by the HEAD. A source that
breaks off is read on, MAX_TRIES times in all; one that changes ends the copy.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from fastpath.composed.calls import Place, call_at, error_in, error_of
from fastpath.composed.chains.look import Absent, look
from fastpath.errors import (
    COPY_SOURCE_TOO_LARGE,
    INVALID_ARGUMENT,
    INVALID_REQUEST,
    PRECONDITION_FAILED,
    SERVICE_UNAVAILABLE,
    SOURCE_CHANGED,
    S3Error,
)
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX
from fastpath.routing.chain import Chain
from fastpath.routing.plan import has_several_targets
from fastpath.s3.addressing import COPY_SOURCE
from fastpath.s3.conditions import CONDITIONS, Conditions
from fastpath.upstream.call import Call, CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead
    from fastpath.request.across import CopySource

MAX_SIZE = 5 << 30  # bytes of what one request copies (API reference, CopyObject, UploadPartCopy)
MAX_TRIES = 4  # to read the source, before the copy fails
_WAITS = (0.0, 0.5, 2.0)  # seconds before the second try, the third and the fourth

RANGE_HEADER = b"x-amz-copy-source-range"
_ON_SOURCE = COPY_SOURCE + b"-"
_OF_THE_SOURCES_KEY = _ON_SOURCE + b"server-side-encryption-customer-"
_CLIENTS_KEY = b"x-amz-server-side-encryption-customer-"
_OWNER = b"x-amz-source-expected-bucket-owner"
_PAYER = b"x-amz-request-payer"
_RANGE = re.compile(rb"bytes=([0-9]{1,19})-([0-9]{1,19})")
_OF_PARTS = re.compile(rb'-[0-9]+"?\Z')  # how the ETag of an upload in parts ends
_CONTENT_RANGE = re.compile(rb"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")

Fields = Sequence[tuple[bytes, bytes]]


class SourceObject(NamedTuple):
    """The source, as the HEAD shows it.

    query, headers: of each request for it.
    fields: of the answer to the HEAD.
    """

    place: Place
    query: Fields
    headers: Fields
    fields: Mapping[bytes, bytes]
    size: int

    @property
    def etag(self) -> bytes:
        """As the store writes it."""
        return self.fields[b"etag"]

    @property
    def version(self) -> bytes:
        """That was read; empty in a bucket without versions."""
        return self.fields.get(b"x-amz-version-id", b"")

    @property
    def checksum(self) -> tuple[bytes, bytes] | None:
        """Algorithm and value of a checksum of all its bytes; None: the store shows none."""
        # An upload in parts may have a checksum of their checksums, and not every store says so.
        kind = b"COMPOSITE" if _OF_PARTS.search(self.etag) else b"FULL_OBJECT"
        if self.fields.get(HEADER_PREFIX + b"type", kind) != b"FULL_OBJECT":
            return None
        for algorithm in ALGORITHMS:
            value = self.fields.get(HEADER_PREFIX + algorithm)
            if value and b"-" not in value:
                return algorithm, value
        return None


async def find_source(request: ComposedRequest, copy: CopySource) -> SourceObject:
    """Ask for the source with a HEAD, and evaluate the conditions on it.

    Raises S3Error: it does not exist, or must not be copied; CallFailed.
    """
    query = [(b"versionId", copy.version)] if copy.version else []
    chain = _chain_of_version(copy.chain) if copy.version else copy.chain
    fields = dict(copy.headers)
    headers = _source_headers(fields)
    asked = [*headers, (HEADER_PREFIX + b"mode", b"ENABLED")]
    bucket, key = copy.name
    try:
        async with look(
            request, chain, "HeadObject", bucket, key, query=query, headers=asked
        ) as seen:
            place, head = seen.place, seen.head
            await seen.call.document(0)
    except Absent:
        if len(chain.places) > 1:
            raise
        raise await _why_missing(
            request, Place(bucket, key, chain.primary), query, headers
        ) from None
    if head.status != 200:
        if len(chain.places) > 1:  # a read of this place alone may say that it does not exist
            raise error_in(request, head.status, b"", place)
        raise await _why_missing(request, place, query, headers)
    etag, size = head.fields.get(b"etag"), head.content_length
    if not etag or size is None:
        raise unusable(request, place, "gave no ETag or no length for the source of a copy")
    _check_conditions(fields, head.fields)
    return SourceObject(place, query, headers, head.fields, size)


def _chain_of_version(chain: Chain) -> Chain:
    """Return the one place that may have a version. Raises S3Error: there are several."""
    if chain.candidates > 1:
        raise has_several_targets()
    return Chain((chain.primary,))


def _source_headers(fields: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a copy that are about its source, as a read has them."""
    headers = [
        (_CLIENTS_KEY + name.removeprefix(_OF_THE_SOURCES_KEY), value)
        for name, value in fields.items()
        if name.startswith(_OF_THE_SOURCES_KEY)
    ]
    if _OWNER in fields:
        headers.append((b"x-amz-expected-bucket-owner", fields[_OWNER]))
    if _PAYER in fields:
        headers.append((_PAYER, fields[_PAYER]))
    return headers


async def _why_missing(
    request: ComposedRequest, place: Place, query: Fields, headers: Fields
) -> S3Error:
    """Return the error of a read: the answer to a HEAD has no document that says more."""
    headers = [*headers, (b"range", b"bytes=0-0")]
    async with call_at(request, "GetObject", place, query=query, headers=headers) as call:
        head = await call.answer()
        if head.status < 300 or head.status == 416:  # it is there now; 416: and empty
            return S3Error(SOURCE_CHANGED, retry_after=1)
        error = await error_of(request, call, head, place)
    if head.status == 405 and query:
        return S3Error(
            INVALID_REQUEST,
            message="The source of a copy request may not specifically refer to a delete marker by "
            "version id.",
        )
    return error


def _check_conditions(fields: Mapping[bytes, bytes], found: Mapping[bytes, bytes]) -> None:
    """Evaluate the conditions on the source; S3 answers a copy with no 304. Raises S3Error 412."""
    values = [fields.get(_ON_SOURCE + name) or None for name in CONDITIONS]
    failed = Conditions(*values).check(found)
    if failed is None:
        return
    of_a_304 = "If-None-Match" if values[1] else "If-Modified-Since"
    name = dict(failed.extras).get("Condition", of_a_304)
    raise S3Error(PRECONDITION_FAILED, ("Condition", f"{_ON_SOURCE.decode()}{name}"))


def copied_range(copy: CopySource, size: int) -> tuple[int, int]:
    """Return the first byte to copy and the one behind the last. Raises S3Error.

    AWS errors 4.57: a range must lie in the source, and has both ends.
    """
    sent = dict(copy.headers).get(RANGE_HEADER)
    first, end = 0, size
    if sent is not None:
        found = _RANGE.fullmatch(sent)
        if found is None or int(found[1]) > int(found[2]):
            raise _bad_range(
                sent,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where "
                "first and last are the zero-based offsets of the first and last bytes to copy",
            )
        first, end = int(found[1]), int(found[2]) + 1
        if end > size:
            text = f"Range specified is not valid for source object of size: {size}"
            raise _bad_range(sent, text)
    if end - first > MAX_SIZE:
        raise S3Error(COPY_SOURCE_TOO_LARGE)
    return first, end


def _bad_range(sent: bytes, text: str) -> S3Error:
    return S3Error(
        INVALID_ARGUMENT,
        ("ArgumentName", RANGE_HEADER.decode()),
        ("ArgumentValue", sent.decode("latin-1")),
        message=text,
    )


class SourceLost(CallFailed):
    """The source gave no whole answer, however often it was asked."""


class SourceReader:
    """Reads bytes of the source: an asynchronous iterator over pieces, within `async with`.

    head: of the last answer.
    """

    def __init__(
        self, request: ComposedRequest, source: SourceObject, first: int, end: int
    ) -> None:
        """Reads from `first` to the byte before `end`."""
        self.head: ResponseHead
        self._request = request
        self._source = source
        self._at = first
        self._end = end
        self._tries = 0
        self._call: Call

    async def __aenter__(self) -> Self:
        await self._ask()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._call.abort()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                piece = await self._call.piece()
            except CallFailed as failure:
                await self._wait_after(failure)
                await self._ask()
                continue
            if piece:
                self._at += len(piece)
                return piece
            if self._at != self._end:
                raise CallFailed("sent less of an object than it had promised")
            raise StopAsyncIteration

    async def _ask(self) -> None:
        """Ask for what is missing. Raises S3Error, SourceLost."""
        while True:
            self._tries += 1
            try:
                await self._ask_once()
            except CallFailed as failure:
                await self._wait_after(failure)
            else:
                return

    async def _wait_after(self, failure: CallFailed) -> None:
        """Wait for the next try. Raises SourceLost after the last."""
        if self._tries == MAX_TRIES:
            raise SourceLost(failure.reason, how=failure.how)
        await asyncio.sleep(_WAITS[self._tries - 1])

    async def _ask_once(self) -> None:
        source = self._source
        headers = [*source.headers, (b"if-match", source.etag)]
        is_part = (self._at, self._end) != (0, source.size)
        if is_part:
            headers.append((b"range", b"bytes=%d-%d" % (self._at, self._end - 1)))
        self._call = call_at(
            self._request, "GetObject", source.place, query=source.query, headers=headers
        )
        try:
            head = await self._answer()
            await self._check(head, is_part=is_part)
        except BaseException:
            self._call.abort()
            raise
        self.head = head

    async def _answer(self) -> ResponseHead:
        try:
            await self._call.__aenter__()
            return await self._call.answer()
        except S3Error as error:  # of a translation, which may have asked the target before
            if error.kind is PRECONDITION_FAILED or error.kind.status == 404:
                raise S3Error(SOURCE_CHANGED, retry_after=1) from None
            raise

    async def _check(self, head: ResponseHead, *, is_part: bool) -> None:
        """Check that the answer has the bytes that are missing, of the object that was found."""
        source = self._source
        if head.status in (412, 416):  # 416: it is shorter now, and If-Match was ignored
            raise S3Error(SOURCE_CHANGED, retry_after=1)
        if head.status == 404:  # it was moved along its chain, or deleted: the next try looks anew
            raise S3Error(SOURCE_CHANGED, retry_after=1)
        if head.status >= 400:
            raise await error_of(self._request, self._call, head, source.place)
        if head.fields.get(b"etag") != source.etag:
            raise S3Error(SOURCE_CHANGED, retry_after=1)
        place = source.place
        if head.status != (206 if is_part else 200):
            raise unusable(self._request, place, f"answered {head.status} to a read")
        if head.content_length != self._end - self._at:
            raise unusable(self._request, place, "sends another length than was asked for")
        if is_part:
            found = _CONTENT_RANGE.fullmatch(head.fields.get(b"content-range", b""))
            if found is None or (int(found[1]), int(found[2])) != (self._at, self._end - 1):
                raise unusable(self._request, place, "sends another range than was asked for")


def unusable(request: ComposedRequest, place: Place, what: str) -> S3Error:
    """Tell the operator what a target did; return the error for the client."""
    request.warn(place.decision.target, what)
    return S3Error(SERVICE_UNAVAILABLE, retry_after=1)
