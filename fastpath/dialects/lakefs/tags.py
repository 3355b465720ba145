"""GetObjectTagging: an object of lakeFS has no tags.

Rules: whether the object is there is asked first, because lakeFS answers the same for one that is
not.

Not here: tags of an object that is made, which are refused (`promises`).
"""

from __future__ import annotations

from fastpath.dialects.lakefs.documents import unreadable
from fastpath.dialects.lakefs.names import check_read, no_such_bucket, no_such_key
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Answer, Asked, Question, Reply
from fastpath.http.head import ResponseHead
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE

_NO_TAGS = f'{DECLARATION}<Tagging xmlns="{NAMESPACE}"><TagSet/></Tagging>'.encode()


class NoTags:
    """A Rendering: the empty set, whatever was said."""

    def __init__(self) -> None:
        self.status: int | None = None

    def feed(self, data: bytes) -> bytes:
        """Nothing."""
        return b""

    def finish(self) -> bytes:
        """The document."""
        return _NO_TAGS


class GetTags(Request):
    """A GetObjectTagging."""

    def __init__(self, asked: Asked) -> None:
        check_read(asked.key)
        super().__init__(asked)
        self.first = Question(asked.path, b"", b"HEAD")

    def learn(self, reply: Reply) -> None:
        if reply.status == 404:
            known = b"x-amz-request-id" in reply.fields  # as in `faults`
            raise no_such_key(self.asked.key) if known else no_such_bucket(self.asked.bucket)
        if reply.status not in (200, 403):  # a denial has a document if it is asked for with GET
            raise unreadable()

    def success(self, head: ResponseHead) -> Answer:
        return NoTags()
