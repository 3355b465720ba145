"""DeleteObject and DeleteObjects: only a branch has objects that can be deleted.

Rules: a ref of another form (a tag with a dot, an expression) is refused as S3 refuses what cannot
be done to an object, not with lakeFS's internal error; whether a branch exists is lakeFS's to say;
a key that names no object is as deleted as any other that is not there.

Not here: the keys of a batch (`payload.delete_keys`), its result (`delete_answers`).
"""

from __future__ import annotations

from fastpath.dialects.lakefs.delete_answers import DeletedAnswer
from fastpath.dialects.lakefs.names import is_branch
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Amendment, Answer, Asked
from fastpath.http.head import ResponseHead
from fastpath.payload.delete_batch import DeleteBatch
from fastpath.s3.operations import MethodNotAllowed


class DeleteObject(Request):
    """The deletion of one object."""

    def __init__(self, asked: Asked) -> None:
        ref, _, path = asked.key.partition(b"/")
        self._is_object = bool(ref and path)
        if (error := _below_no_branch(asked.key)) is not None:
            raise error
        super().__init__(asked)

    def answer(self, head: ResponseHead) -> Answer:
        if not self._is_object and head.status == 404 and not head.content_length:
            return Amendment(204, drop=(b"content-length", b"content-type"))
        return super().answer(head)


class DeleteObjects(Request):
    """The deletion of many."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._refused = (batch := DeleteBatch(_below_no_branch)).refused
        self.batch = batch

    def success(self, head: ResponseHead) -> Answer:
        return DeletedAnswer(self._refused)


def _below_no_branch(key: bytes) -> MethodNotAllowed | None:
    """Why an object cannot be deleted, by itself or in a batch: below a tag, say."""
    ref, _, path = key.partition(b"/")
    if ref and path and not is_branch(ref):
        return MethodNotAllowed(b"DELETE", "OBJECT", "GET, HEAD")
    return None
