"""Keeps the answer to a write back until no older object hides the new one.

    2xx of the target -> the key is removed where reads look before -> the client's answer

Rules: a client is told that its object is stored only once a read would find it; if an older one
cannot be removed, the client is told to try again (503). What the target refuses removes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.composed.chains.delete import remove_hiding
from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.response.filters import MAX_ASKED_BYTES, Buffer, Removal, Reply, ResponseFilter
from fastpath.s3.error_documents import read_error
from fastpath.upstream.call import CallFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastpath.composed.operation import ComposedRequest
    from fastpath.http.head import ResponseHead
    from fastpath.response.filters import Step
    from fastpath.routing.chain import Decision


class HidingObjects(ResponseFilter):
    """Decides about the answer to a write that older objects may hide."""

    def head(self, head: ResponseHead) -> Step:
        return Buffer(MAX_ASKED_BYTES) if head.status < 300 else None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        # S3 writes an error into a 200 that has begun (CopyObject, CompleteMultipartUpload).
        return None if read_error(body) else Removal()

    def reply(self, reply: Reply | None) -> Step:
        if reply is None:
            raise S3Error(SERVICE_UNAVAILABLE, retry_after=1)
        return None


async def removed(
    request: ComposedRequest, places: Sequence[Decision], bucket: bytes, key: bytes
) -> Reply | None:
    """Remove what hides a new object; None: it is still there."""
    try:
        await remove_hiding(request, places, bucket, key)
    except CallFailed:  # which was logged
        return None
    except S3Error as error:
        what = f"an older object hides a new one, and cannot be removed: {error}"
        request.warn(request.admitted.decision.target, what)
        return None
    return Reply(204, b"", {})
