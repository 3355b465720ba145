"""Tells a client to try again if an object is gone that was at a place of its chain a moment ago.

    HEAD: there -> somebody writes it to another candidate -> the change finds 404 -> 503

Rules: a 404 would say of an object that reads see throughout that it does not exist. The next try
looks for it anew, and finds it, or finds that it was deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.response.filters import MAX_ASKED_BYTES, Buffer, ResponseFilter
from fastpath.s3.error_documents import read_error

if TYPE_CHECKING:
    from fastpath.http.head import ResponseHead
    from fastpath.response.filters import Step

_GONE = frozenset({"", "NoSuchBucket", "NoSuchKey"})


class MovedObjects(ResponseFilter):
    """Decides about the answer to a change of an object that was seen there."""

    def head(self, head: ResponseHead) -> Step:
        return Buffer(MAX_ASKED_BYTES) if head.status == 404 else None

    def whole(self, body: bytes, *, complete: bool) -> Step:
        if read_error(body).get("Code", "") in _GONE:
            raise S3Error(SERVICE_UNAVAILABLE, retry_after=1)
        return None
