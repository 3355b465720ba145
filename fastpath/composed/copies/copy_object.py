"""CopyObject from one target to another.

    HEAD of the source -> conditions, size
    GET of the source  -> PutObject, up to WHOLE bytes; else parts of an upload of the gateway's own
                          (PutObject of any size where the ETag of parts looks like an MD5)
    HEAD of the object -> LastModified

Rules: nothing is sent to the destination before the source was checked; at most a window of the
object is in memory; a copy that fails leaves no object. What the destination cannot hold is refused
or dropped there, as it would be of the client's own PutObject (`forgets`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING

from fastpath.composed.calls import Place, call_at
from fastpath.composed.chains.hiding_objects import remove_hiding
from fastpath.composed.copies.checksums import (
    FramedPieces,
    Trailer,
    Verification,
    VerifiedPieces,
    accepts,
    takes_trailer,
)
from fastpath.composed.copies.content_md5 import asks_for_md5, md5_of
from fastpath.composed.copies.new_object import (
    CONDITIONS,
    OF_THE_DATA,
    TAGGING,
    check_directives,
    copies_tags,
    new_headers,
    only,
    wanted_checksum,
)
from fastpath.composed.copies.own_upload import OwnUpload, Stored, put
from fastpath.composed.copies.source import MAX_SIZE, SourceObject, SourceReader, find_source
from fastpath.composed.copies.tags import tags_of
from fastpath.errors import ACCESS_DENIED, COPY_SOURCE_TOO_LARGE, S3Error
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX
from fastpath.request.across import CopySource
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element
from fastpath.upstream.call import CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead

# Bytes of an object that is stored by one PutObject: its ETag is then that of the source in most
# cases, and one broken connection costs no more than the time for these.
WHOLE = 64 << 20
PART = 64 << 20  # bytes; the largest copy, of 5 GiB, has 80

Fields = Sequence[tuple[bytes, bytes]]

_ALGORITHM = HEADER_PREFIX + b"algorithm"
# Header lines of the destination's answer that S3's answer to a copy has too.
_KEPT = (b"x-amz-version-id", b"x-amz-expiration", b"x-amz-request-charged")
_KEPT_PREFIX = b"x-amz-server-side-encryption"


async def copy_object(request: ComposedRequest) -> None:
    """Copy an object between two targets, while the client waits for the document."""
    copy = request.admitted.across
    assert isinstance(copy, CopySource)  # `operations` has it so
    fields = dict(copy.headers)
    check_directives(fields)
    request.reply.announce_document()
    address = request.admitted.address
    place = Place(address.bucket, address.key, request.admitted.decision)
    source = await find_source(request, copy)
    if source.size > MAX_SIZE:
        raise S3Error(COPY_SOURCE_TOO_LARGE)
    stored = await _Copy(request, copy, source, place).make()
    await remove_hiding(request)
    modified = await _last_modified(request, place, only(OF_THE_DATA, copy.headers), stored)
    document = result("CopyObjectResult", stored, modified)
    await request.reply.document(200, document, answer_lines(stored.head, source))


class _Copy:
    """One copy whose source was found."""

    def __init__(
        self, request: ComposedRequest, copy: CopySource, source: SourceObject, place: Place
    ) -> None:
        self._request = request
        self._copy = copy
        self._fields = dict(copy.headers)
        self._source = source
        self._place = place
        self._target = request.snapshot.targets[place.decision.target]
        self._verification = Verification(request, source, source.checksum)
        self._algorithm = wanted_checksum(self._fields, source.checksum)
        self._tags: bytes | None = None  # until they were asked for

    async def make(self) -> Stored:
        """Make the object. Raises S3Error, CallFailed: there is none."""
        # Before the read, if the HEAD shows that there are any: a copy that has a connection to the
        # source and waits for another one could wait for those who do the same.
        await self._find_tags(self._source.fields)
        is_small = self._source.size <= WHOLE
        # rclone compares what looks like an MD5 with that of the source, and deletes the copy.
        needs_md5 = self._target.profile.hides_parts
        if is_small or needs_md5 or self._needs_trailer():
            return await self._put_whole()
        return await self._put_in_parts()

    def _needs_trailer(self) -> bool:
        """Whether the client asks for a checksum that the source does not show."""
        algorithm = self._algorithm
        if _ALGORITHM not in self._fields or algorithm is None:
            return False
        found = self._source.checksum
        is_known = found is not None and found[0] == algorithm
        return not is_known and takes_trailer(self._target, algorithm)

    async def _put_whole(self) -> Stored:
        try:
            return await self._put_whole_with(())
        except S3Error as refusal:
            if not asks_for_md5(refusal):
                raise
        async with self._opened(0, self._source.size) as pieces:
            md5 = await md5_of(pieces)
        return await self._put_whole_with([md5])

    async def _put_whole_with(self, more: Fields) -> Stored:
        source, request = self._source, self._request
        async with SourceReader(request, source, 0, source.size) as reader:
            headers = [*await self._headers(reader.head), *more]
            pieces = VerifiedPieces(reader, 0, self._verification)
            if self._needs_trailer():
                assert self._algorithm is not None  # it is what the trailer has
                trailer = Trailer(self._algorithm, source.size)
                return await put(
                    request,
                    "PutObject",
                    self._place,
                    FramedPieces(pieces, trailer),
                    trailer.length,
                    headers=trailer.headers(headers),
                    payload=trailer.payload,
                )
            found = source.checksum
            is_wanted = found is not None and found[0] == self._algorithm
            if found is not None and is_wanted and accepts(self._target, found[0]):
                headers.append((HEADER_PREFIX + found[0], found[1]))
            return await put(
                request, "PutObject", self._place, pieces, source.size, headers=headers
            )

    async def _put_in_parts(self) -> Stored:
        source, request = self._source, self._request
        async with SourceReader(request, source, 0, 1) as reader:
            headers = await self._headers(reader.head)
            async for _ in reader:
                pass  # read to its end, the connection is kept
        # What the destination would not take of one PutObject, it does not get in parts.
        call_at(request, "PutObject", self._place, headers=headers, length=source.size)
        conditions = only(CONDITIONS, headers)
        others = [field for field in headers if field not in conditions]
        upload = await OwnUpload.begin(request, self._place, others)
        try:
            for first in range(0, source.size, PART):
                end = min(first + PART, source.size)
                await upload.put_part(partial(self._opened, first, end), end - first)
            return await upload.complete(conditions, source.size)
        except (Exception, asyncio.CancelledError):  # also if the client has left
            upload.abort_afterwards()
            raise

    @asynccontextmanager
    async def _opened(self, first: int, end: int) -> AsyncIterator[AsyncIterable[bytes]]:
        """Open what is read for one part."""
        async with SourceReader(self._request, self._source, first, end) as reader:
            yield VerifiedPieces(reader, first, self._verification)

    async def _headers(self, found: ResponseHead) -> list[tuple[bytes, bytes]]:
        """Return the headers of the new object; `found`: of the answer to the read."""
        headers = new_headers(self._copy.headers, found.fields)
        await self._find_tags(found.fields)
        if self._tags:
            headers.append((TAGGING, self._tags))
        return headers

    async def _find_tags(self, shown: Mapping[bytes, bytes]) -> None:
        """Ask for the tags of the source, if it has any and they are copied. Raises S3Error."""
        if self._tags is not None or not copies_tags(self._fields):
            return
        if shown.get(b"x-amz-tagging-count", b"0") != b"0":
            self._check_rights_to_tags()
            self._tags = await tags_of(self._request, self._source)

    def _check_rights_to_tags(self) -> None:
        """API reference, CopyObject, "Permissions". Raises S3Error AccessDenied."""
        caller = self._request.admitted.caller
        source, place = self._source.place, self._place
        if not caller.may("GetObjectTagging", source.bucket):
            raise S3Error(ACCESS_DENIED)
        if not caller.may("PutObjectTagging", place.bucket):
            raise S3Error(ACCESS_DENIED)


async def _last_modified(
    request: ComposedRequest, place: Place, headers: Fields, stored: Stored
) -> bytes:
    """Return the Last-Modified of a new object; the Date of its answer if another replaced it."""
    try:
        async with call_at(request, "HeadObject", place, headers=headers) as call:
            head = await call.answer()
            await call.document(0)
        if head.status == 200 and bare(head.fields.get(b"etag", b"")) == bare(stored.etag):
            return head.fields.get(b"last-modified", b"")
    except (CallFailed, S3Error):  # the copy is made all the same
        pass
    return stored.head.fields.get(b"date", b"")


def result(root: str, stored: Stored, modified: bytes) -> bytes:
    """Write the document that answers a copy. `modified`: an HTTP-date; else it is now."""
    parts = [
        element("LastModified", _as_iso(modified)),
        element("ETag", f'"{bare(stored.etag).decode("latin-1")}"'),
        *_checksums(stored.head.fields),
    ]
    inner = "".join(parts)
    return f'{DECLARATION}<{root} xmlns="{NAMESPACE}">{inner}</{root}>'.encode()


def bare(etag: bytes) -> bytes:
    """Return an ETag without its quotes."""
    return etag.removeprefix(b"W/").strip(b'"')


def _checksums(fields: Mapping[bytes, bytes]) -> list[str]:
    found = [
        element(f"Checksum{algorithm.decode().upper()}", fields[HEADER_PREFIX + algorithm].decode())
        for algorithm in ALGORITHMS
        if HEADER_PREFIX + algorithm in fields
    ]
    kind = fields.get(HEADER_PREFIX + b"type")
    if found and kind is not None:
        found.append(element("ChecksumType", kind.decode()))
    return found


def _as_iso(date: bytes) -> str:
    try:
        moment = parsedate_to_datetime(date.decode("latin-1"))
    except ValueError:
        moment = datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def answer_lines(head: ResponseHead, source: SourceObject) -> list[bytes]:
    """Return the header lines of the answer to a copy; `head`: of the destination's answer."""
    lines = [
        b"%b: %b" % field
        for field in head.headers
        if field[0] in _KEPT or field[0].startswith(_KEPT_PREFIX)
    ]
    if source.version:
        lines.append(b"x-amz-copy-source-version-id: " + source.version)
    return lines
