"""A multipart upload of the gateway's own, at the destination of a large copy.

    begin -> put a part, again if it failed -> complete
                                            -> abort, if anything else comes

Rules: a repair line with the upload id is out before the first part, and another once the upload
is over, so that no part is left that nobody knows of; an upload that is not complete is aborted,
also when its client has left.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, NamedTuple

from fastpath.composed.copies.source import unusable
from fastpath.composed.documents import read_fields
from fastpath.composed.subrequest import Place, error_in, error_of, subrequest
from fastpath.errors import NO_SUCH_UPLOAD, SERVICE_UNAVAILABLE, S3Error
from fastpath.ipc.repair_lines import LeftUpload
from fastpath.renaming.addresses import upstream_key
from fastpath.s3.error_documents import read_error
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element
from fastpath.signing.sigv4.verify import UNSIGNED_PAYLOAD
from fastpath.upstream.call import MAX_REPLY, CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead

# A part that failed is sent again after so many seconds.
_PART_WAITS = (0.5, 2.0)
# The same for aborting, which goes on when the client has left.
_ABORT_WAITS = (0.5, 2.0, 8.0)

Fields = Sequence[tuple[bytes, bytes]]
Pieces = Callable[[], AbstractAsyncContextManager[AsyncIterable[bytes]]]


class Stored(NamedTuple):
    """What a target has said about an object that it has stored."""

    etag: bytes
    head: ResponseHead


class OwnUpload:
    """One upload; made by `begin`."""

    def __init__(self, request: ComposedRequest, place: Place, upload_id: bytes) -> None:
        self._request = request
        self._place = place
        self._upload_id = upload_id
        self._etags: list[bytes] = []  # of the parts, in order
        self._left = LeftUpload(
            place.decision.target,
            place.rewrite.bucket_up(place.bucket),
            upstream_key(place.key, place.rewrite),
            upload_id,
            request.request_id,
        )

    @classmethod
    async def begin(cls, request: ComposedRequest, place: Place, headers: Fields) -> OwnUpload:
        """Begin an upload, and write its repair line. Raises S3Error, CallFailed."""
        async with subrequest(request, "CreateMultipartUpload", place, headers=headers) as call:
            head = await call.answer()
            if head.status != 200:
                raise await error_of(request, call, head, place)
            document = await call.document(MAX_REPLY)
        upload_id = read_fields(document or b"", "InitiateMultipartUploadResult").get("UploadId")
        if not upload_id:
            raise unusable(request, place, "began an upload and gave no id for it")
        upload = cls(request, place, upload_id.encode())
        if not request.log.repair(upload._left):
            upload.abort()
            request.warn(place.decision.target, "no copy: its repair line cannot be written")
            raise S3Error(SERVICE_UNAVAILABLE, retry_after=1)
        return upload

    async def put_part(self, pieces: Pieces, size: int) -> None:
        """Store the next part; `pieces` opens what is read for it. Raises S3Error, CallFailed."""
        for seconds in (*_PART_WAITS, None):
            try:
                self._etags.append(await self._put_part(pieces, size))
            except (CallFailed, S3Error) as failure:
                if seconds is None or not _may_pass(failure):
                    raise
                await asyncio.sleep(seconds)
            else:
                return

    async def _put_part(self, pieces: Pieces, size: int) -> bytes:
        number = b"%d" % (len(self._etags) + 1)
        query = [(b"partNumber", number), (b"uploadId", self._upload_id)]
        async with pieces() as source:
            stored = await put(self._request, "UploadPart", self._place, source, size, query=query)
        return stored.etag

    async def complete(self, headers: Fields, size: int) -> Stored:
        """Make the object of the parts; `headers`: conditions. Raises S3Error, CallFailed."""
        try:
            stored = await self._complete(headers)
        except CallFailed:  # whether it was completed is unknown
            stored = await self._complete_again(headers, size)
        self._request.log.repaired(self._left)
        return stored

    async def _complete(self, headers: Fields) -> Stored:
        request, place = self._request, self._place
        parts = "".join(
            f"<Part>{element('PartNumber', str(number))}{element('ETag', etag.decode())}</Part>"
            for number, etag in enumerate(self._etags, start=1)
        )
        opening = f'{DECLARATION}<CompleteMultipartUpload xmlns="{NAMESPACE}">'
        body = f"{opening}{parts}</CompleteMultipartUpload>".encode()
        async with subrequest(
            request,
            "CompleteMultipartUpload",
            place,
            query=[(b"uploadId", self._upload_id)],
            headers=[*headers, (b"content-type", b"application/xml")],
            payload=hashlib.sha256(body).hexdigest().encode(),
            length=len(body),
        ) as call:
            await call.send(body)
            head = await call.answer()
            document = await call.document(MAX_REPLY) or b""
        if head.status != 200 or read_error(document):
            raise error_in(request, head.status, document, place)
        etag = read_fields(document, "CompleteMultipartUploadResult").get("ETag")
        if not etag:
            raise unusable(request, place, "completed an upload and gave no ETag")
        return Stored(etag.encode(), head)

    async def _complete_again(self, headers: Fields, size: int) -> Stored:
        """Complete an upload that may be complete: then its object is there."""
        try:
            return await self._complete(headers)
        except S3Error as error:
            if error.kind.code != NO_SUCH_UPLOAD.code:
                raise
            async with subrequest(self._request, "HeadObject", self._place) as call:
                head = await call.answer()
            etag = head.fields.get(b"etag", b"")
            has_parts = etag.strip(b'"').endswith(b"-%d" % len(self._etags))
            if head.status != 200 or head.content_length != size or not has_parts:
                raise
            return Stored(etag, head)

    def abort(self) -> None:
        """Have the upload aborted, however long the client stays."""
        self._request.afterwards(self._abort())

    async def _abort(self) -> None:
        request, place = self._request, self._place
        query = [(b"uploadId", self._upload_id)]
        reason = ""
        for seconds in (*_ABORT_WAITS, None):
            try:
                async with subrequest(request, "AbortMultipartUpload", place, query=query) as call:
                    head = await call.answer()
                    document = await call.document(MAX_REPLY) or b""
                if head.status < 300 or head.status == 404:
                    request.log.repaired(self._left)
                    return
                reason = error_in(request, head.status, document, place).kind.code
            except S3Error as error:
                if error.kind.status == 404:
                    request.log.repaired(self._left)
                    return
                reason = error.kind.code
            except CallFailed as failure:
                reason = failure.reason
            if seconds is not None:
                await asyncio.sleep(seconds)
        request.log.left(self._left)
        request.warn(
            place.decision.target,
            f"left an upload that could not be aborted ({reason}): see `s3gateway repair`",
        )


async def put(  # noqa: PLR0913 (a request and its body)
    request: ComposedRequest,
    operation: str,
    place: Place,
    pieces: AsyncIterable[bytes],
    length: int,
    *,
    query: Fields = (),
    headers: Fields = (),
    payload: bytes = UNSIGNED_PAYLOAD,
) -> Stored:
    """Send an object or a part to its target. Raises S3Error, CallFailed: nothing is stored."""
    async with subrequest(
        request,
        operation,
        place,
        query=query,
        headers=headers,
        payload=payload,
        length=length,
    ) as call:
        async for piece in pieces:
            if not await call.send(piece):
                break
        head = await call.answer()
        if head.status >= 300:
            raise await error_of(request, call, head, place)
        await call.document(MAX_REPLY)
    etag = head.fields.get(b"etag")
    if not etag:
        raise unusable(request, place, "stored data and gave no ETag for it")
    return Stored(etag, head)


def _may_pass(failure: CallFailed | S3Error) -> bool:
    """Whether the same request may succeed a little later."""
    return isinstance(failure, CallFailed) or failure.kind.status >= 500
