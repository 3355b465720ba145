"""Translates DeleteObject and DeleteObjects: only objects of a branch can be deleted.

Rules: a ref of another form (a tag with a dot, an expression) is refused as S3 refuses a method
that an object does not allow, not with lakeFS's internal error; lakeFS finds out whether a branch
exists; a key that cannot name an object counts as deleted, as any key without an object does.
"""

from __future__ import annotations

from fastpath.dialects.lakefs.delete_answers import DeletedAnswer
from fastpath.dialects.lakefs.name_checks import is_branch
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import ClientRequest
from fastpath.http.head import ResponseHead
from fastpath.payload.delete_batch import DeleteBatch
from fastpath.response.filters import HeadChange, Step
from fastpath.s3.operations import MethodNotAllowed


class DeleteObject(Request):
    """A DeleteObject."""

    def __init__(self, client_request: ClientRequest) -> None:
        key = client_request.upstream.key
        ref, _, path = key.partition(b"/")
        self._is_object = bool(ref and path)
        if (error := _check_deletable(key)) is not None:
            raise error
        super().__init__(client_request)

    def answer(self, head: ResponseHead) -> Step:
        if not self._is_object and head.status == 404 and not head.content_length:
            return HeadChange(204, drop=(b"content-length", b"content-type"))
        return super().answer(head)


class DeleteObjects(Request):
    """A DeleteObjects."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        self._refused = (batch := DeleteBatch(_check_deletable)).refused
        self.batch = batch

    def success(self, head: ResponseHead) -> Step:
        return DeletedAnswer(self._refused)


def _check_deletable(key: bytes) -> MethodNotAllowed | None:
    """Return the error for an object that cannot be deleted, for example below a tag."""
    ref, _, path = key.partition(b"/")
    if ref and path and not is_branch(ref):
        return MethodNotAllowed(b"DELETE", "OBJECT", "GET, HEAD")
    return None
