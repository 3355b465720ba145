"""A multipart upload of the gateway's own, at the destination of a large copy.

    begin -> put a part, again if it failed -> complete
                                            -> abort, if anything else comes

Rules: a repair line with the upload id is out before the first part, and another once the upload
is over, so that no part is left that nobody knows of; an upload that is not complete is aborted,
also when its client has left.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, NamedTuple

from fastpath.composed.calls import Place, call_at, error_in, error_of
from fastpath.composed.copies.content_md5 import asks_for_md5, md5_of
from fastpath.composed.copies.new_object import OF_EACH_REQUEST, OF_THE_DATA, only
from fastpath.composed.copies.source import SourceLost, unusable
from fastpath.composed.documents import read_fields
from fastpath.errors import (
    NO_SUCH_UPLOAD,
    PRECONDITION_FAILED,
    SERVICE_UNAVAILABLE,
    SOURCE_CHANGED,
    SOURCE_DAMAGED,
    S3Error,
)
from fastpath.ipc.repair_lines import LeftUpload
from fastpath.renaming.addresses import upstream_key
from fastpath.s3.error_documents import read_error
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element
from fastpath.signing.sigv4.verify import UNSIGNED_PAYLOAD
from fastpath.upstream.call import MAX_REPLY, CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead
    from fastpath.renaming.names import Names
    from fastpath.upstream.call import Call

# A part, or a Complete, that failed is sent again after so many seconds.
_PART_WAITS = (0.5, 2.0)
# The same for aborting, which goes on when the client has left.
_ABORT_WAITS = (0.5, 2.0, 8.0)
# Errors about the body of an upload, which is not the client's here.
_ABOUT_THE_BODY = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "InvalidDigest",
        "MalformedTrailerError",
        "RequestTimeout",
        "XAmzContentChecksumMismatch",
        "XAmzContentSHA256Mismatch",
    }
)
# Errors about an upload, which is not the client's either.
_ABOUT_THE_UPLOAD = frozenset(
    {"EntityTooSmall", "InvalidPart", "InvalidPartOrder", "MalformedXML", NO_SUCH_UPLOAD.code}
)

Fields = Sequence[tuple[bytes, bytes]]
Pieces = Callable[[], AbstractAsyncContextManager[AsyncIterable[bytes]]]


class Stored(NamedTuple):
    """What a target has said about an object that it has stored."""

    etag: bytes
    head: ResponseHead


class OwnUpload:
    """One upload; made by `begin`."""

    def __init__(
        self, request: ComposedRequest, place: Place, headers: Fields, upload_id: bytes
    ) -> None:
        """`headers`: that it was begun with."""
        self._request = request
        self._place = place
        self._headers = only(OF_EACH_REQUEST, headers)
        self._headers_of_data = only(OF_THE_DATA, headers)
        self._upload_id = upload_id
        self._etags: list[bytes] = []  # of the parts, in order
        self._needs_md5 = False  # with each part
        self._left = LeftUpload(
            place.decision.target,
            place.rewrite.bucket_up(place.bucket),
            upstream_key(place.key, place.rewrite),
            upload_id,
            request.request_id,
        )

    @classmethod
    async def begin(cls, request: ComposedRequest, place: Place, headers: Fields) -> OwnUpload:
        """Begin an upload, and write its repair line. Raises S3Error, CallFailed.

        A client that leaves meanwhile does not end the request: the target would make an upload
        whose id nobody knows.
        """
        creating = asyncio.ensure_future(cls._create(request, place, headers))
        try:
            return await asyncio.shield(creating)
        except asyncio.CancelledError:
            request.afterwards(_abort_new(creating))
            raise

    @classmethod
    async def _create(cls, request: ComposedRequest, place: Place, headers: Fields) -> OwnUpload:
        async with call_at(request, "CreateMultipartUpload", place, headers=headers) as call:
            head = await call.answer()
            if head.status != 200:
                raise await error_of(request, call, head, place)
            document = await call.document(MAX_REPLY)
        upload_id = read_fields(document or b"", "InitiateMultipartUploadResult").get("UploadId")
        if not upload_id:
            raise unusable(request, place, "began an upload and gave no id for it")
        upload = cls(request, place, headers, upload_id.encode())
        if not request.log.repair(upload._left):
            upload.abort_afterwards()
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
                    raise self._for_client(failure) from None
                await asyncio.sleep(seconds)
            else:
                return

    def _for_client(self, failure: CallFailed | S3Error) -> CallFailed | S3Error:
        """Return what is told of a failure to a client that knows of no upload."""
        if isinstance(failure, S3Error) and failure.kind.code in _ABOUT_THE_UPLOAD:
            what = f"refused the upload of a copy: {failure.kind.code}"
            return unusable(self._request, self._place, what)
        return failure

    async def _put_part(self, pieces: Pieces, size: int) -> bytes:
        if not self._needs_md5:
            try:
                return await self._put_part_with(pieces, size, ())
            except S3Error as refusal:
                if not asks_for_md5(refusal):
                    raise
            self._needs_md5 = True
        async with pieces() as source:
            md5 = await md5_of(source)
        return await self._put_part_with(pieces, size, [md5])

    async def _put_part_with(self, pieces: Pieces, size: int, more: Fields) -> bytes:
        number = b"%d" % (len(self._etags) + 1)
        query = [(b"partNumber", number), (b"uploadId", self._upload_id)]
        async with pieces() as source:
            stored = await put(
                self._request,
                "UploadPart",
                self._place,
                source,
                size,
                query=query,
                headers=[*self._headers_of_data, *more],
            )
        return stored.etag

    async def complete(self, headers: Fields, size: int) -> Stored:
        """Make the object of the parts; `headers`: conditions. Raises S3Error, CallFailed."""
        try:
            stored = await self._complete(headers)
        except (CallFailed, S3Error) as failure:
            if not _may_pass(failure):
                raise self._for_client(failure) from None
            await asyncio.sleep(_PART_WAITS[0])
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
        async with call_at(
            request,
            "CompleteMultipartUpload",
            place,
            query=[(b"uploadId", self._upload_id)],
            headers=[*self._headers, *headers, (b"content-type", b"application/xml")],
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
            # The upload is gone, or its own object does not meet the condition.
            if error.kind.code not in (NO_SUCH_UPLOAD.code, PRECONDITION_FAILED.code):
                raise self._for_client(error) from None
            stored = await self._made_before(size)
            if stored is None:
                raise self._for_client(error) from None
            return stored

    async def _made_before(self, size: int) -> Stored | None:
        """Return the object that an earlier Complete has made; None: it has made none."""
        try:
            async with call_at(
                self._request, "HeadObject", self._place, headers=self._headers_of_data
            ) as call:
                head = await call.answer()
                await call.document(0)
        except S3Error:
            return None
        etag = head.fields.get(b"etag", b"")
        has_parts = etag.strip(b'"').endswith(b"-%d" % len(self._etags))
        if head.status != 200 or head.content_length != size or not has_parts:
            return None
        return Stored(etag, head)

    def abort_afterwards(self) -> None:
        """Have the upload aborted, however long the client stays."""
        self._request.afterwards(self.abort())

    async def abort(self) -> None:
        """Abort the upload, however often that must be tried."""
        request, place = self._request, self._place
        query = [(b"uploadId", self._upload_id)]
        reason = ""
        for seconds in (*_ABORT_WAITS, None):
            try:
                async with call_at(
                    request, "AbortMultipartUpload", place, query=query, headers=self._headers
                ) as call:
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


async def _abort_new(creating: asyncio.Future[OwnUpload]) -> None:
    """Abort an upload as soon as it has an id."""
    with contextlib.suppress(S3Error, CallFailed):  # there is none
        upload = await creating
        await upload.abort()


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
    names: Names | None = None,
) -> Stored:
    """Send an object or a part to its target. Raises S3Error, CallFailed: nothing is stored."""
    async with call_at(
        request,
        operation,
        place,
        query=query,
        headers=headers,
        payload=payload,
        length=length,
        names=names,
    ) as call:
        await _send_all(call, pieces)
        head = await call.answer()
        if head.status >= 300:
            error = await error_of(request, call, head, place, names)
            if error.kind.code in _ABOUT_THE_BODY:
                raise unusable(request, place, f"refused the bytes of a copy: {error.kind.code}")
            raise error
        await call.document(MAX_REPLY)
    if call.bytes_in != length:
        raise unusable(request, place, "answered before it had the whole request")
    etag = head.fields.get(b"etag")
    if not etag:
        raise unusable(request, place, "stored data and gave no ETag for it")
    return Stored(etag, head)


async def _send_all(call: Call, pieces: AsyncIterable[bytes]) -> None:
    """Send the pieces, until the target has answered, even while no piece comes."""
    loop = asyncio.get_running_loop()
    is_sending = True

    def stop() -> None:
        if is_sending:
            sending.reschedule(loop.time())

    try:
        async with asyncio.timeout(None) as sending:
            call.on_early(lambda: loop.call_soon(stop))
            try:
                async for piece in pieces:
                    if not await call.send(piece):
                        return
            finally:
                is_sending = False
    except TimeoutError:
        if not sending.expired():
            raise


def _may_pass(failure: CallFailed | S3Error) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(failure, CallFailed):
        return not isinstance(failure, SourceLost)
    kind = failure.kind
    if kind in (SOURCE_CHANGED, SOURCE_DAMAGED):  # the whole copy may, later
        return False
    return kind.status in (500, 502, 503, 504)
