"""UploadPartCopy from one target to an upload at another.

Rules: those of `copy_object`; the upload is the client's, so that it stays if a part fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.composed.calls import Place
from fastpath.composed.copies.checksums import Verification, VerifiedPieces
from fastpath.composed.copies.copy_object import answer_lines, result
from fastpath.composed.copies.new_object import OF_THE_DATA, only
from fastpath.composed.copies.own_upload import Stored, put
from fastpath.composed.copies.part_checksum import missing_checksum
from fastpath.composed.copies.source import SourceReader, copied_range, find_source
from fastpath.errors import S3Error
from fastpath.request.across import CopySource

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest


async def copy_part(request: ComposedRequest) -> None:
    """Copy bytes of an object into a part of an upload at another target."""
    admitted = request.admitted
    copy, renamed = admitted.across, admitted.renamed
    assert isinstance(copy, CopySource)  # `operations` has it so
    assert renamed is not None  # it names an upload
    request.reply.announce_document()
    source = await find_source(request, copy)
    first, end = copied_range(copy, source.size)
    place = Place(admitted.address.bucket, admitted.address.key, admitted.decision)
    part = [pair for pair in renamed.query if pair[0] == b"partNumber"]
    upload_id = renamed.names.upstream_upload_id
    query = [*part, (b"uploadId", upload_id)]
    headers = only(OF_THE_DATA, copy.headers)
    known = source.checksum if end - first == source.size else None

    async def store(*checksum: tuple[bytes, bytes]) -> Stored:
        verification = Verification(request, source, known)
        async with SourceReader(request, source, first, end) as reader:
            return await put(
                request,
                "UploadPart",
                place,
                VerifiedPieces(reader, first, verification),
                end - first,
                query=query,
                headers=[*headers, *checksum],
                names=renamed.names,
            )

    try:
        stored = await store()
    except S3Error as refusal:
        again = SourceReader(request, source, first, end)
        missing = await missing_checksum(request, place, upload_id, refusal, again)
        if missing is None:
            raise
        stored = await store(missing)
    date = stored.head.fields.get(b"date", b"")
    document = result("CopyPartResult", stored, date)
    await request.reply.document(200, document, answer_lines(stored.head, source))
