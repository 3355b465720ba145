"""Finds the checksum that a store asks for with a copied part.

    the store has refused the part -> Content-MD5, if that is what it asks for
                                   -> ListParts: the algorithm of the upload
                                   -> the bytes of the source, read once more: the value

Rules: a store that copies by itself computes the checksum of a part. What algorithm an upload was
begun with, only its store knows; so it is asked, and only if it has refused a part without one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.composed.calls import Place, call_at
from fastpath.composed.copies.content_md5 import asks_for_md5, md5_of
from fastpath.composed.copies.source import SourceReader
from fastpath.composed.documents import read_fields
from fastpath.errors import INVALID_REQUEST, S3Error
from fastpath.payload.checksum_support import drops_checksums_of_parts
from fastpath.payload.checksums import ALGORITHMS, HEADER_PREFIX, encode
from fastpath.upstream.call import MAX_REPLY, CallFailed

if TYPE_CHECKING:
    from fastpath.composed.operation import ComposedRequest


async def missing_checksum(
    request: ComposedRequest,
    place: Place,
    upload_id: bytes,
    refusal: S3Error,
    reader: SourceReader,
) -> tuple[bytes, bytes] | None:
    """Return the header that a part must have; None: it was refused for another reason.

    upload_id: the target's. reader: of the bytes of the part, not yet opened. Raises S3Error,
    CallFailed: they cannot be read.
    """
    if asks_for_md5(refusal):
        async with reader:
            return await md5_of(reader)
    if refusal.kind.code != INVALID_REQUEST.code:
        return None
    algorithm = await _algorithm_of(request, place, upload_id)
    if algorithm is None:
        return None
    checksum = ALGORITHMS[algorithm][0]()
    async with reader:
        async for piece in reader:
            checksum.update(piece)
    return HEADER_PREFIX + algorithm, encode(checksum.digest())


async def _algorithm_of(request: ComposedRequest, place: Place, upload_id: bytes) -> bytes | None:
    """Ask for the algorithm of an upload; None: it has none, or its target does not say."""
    target = request.snapshot.targets[place.decision.target]
    if drops_checksums_of_parts(target.profile, secure=target.route.tls is not None):
        return None  # so it was not told of one
    query = [(b"max-parts", b"1"), (b"uploadId", upload_id)]
    try:
        async with call_at(request, "ListParts", place, query=query) as call:
            head = await call.answer()
            document = await call.document(MAX_REPLY) or b""
    except (CallFailed, S3Error):
        return None
    if head.status != 200:
        return None
    found = read_fields(document, "ListPartsResult").get("ChecksumAlgorithm", "")
    algorithm = found.lower().encode()
    return algorithm if algorithm in ALGORITHMS else None
