"""Answers GetObjectTagging: an object of lakeFS has no tags.

Rules: a HEAD finds out first whether the object exists, because lakeFS's response is the same if it
does not.
"""

from __future__ import annotations

from fastpath.dialects.lakefs.document_reader import unreadable_response
from fastpath.dialects.lakefs.name_checks import check_read, no_such_bucket, no_such_key
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import ClientRequest
from fastpath.http.head import ResponseHead
from fastpath.response.filters import Question, Reply, Step
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE

_NO_TAGS = f'{DECLARATION}<Tagging xmlns="{NAMESPACE}"><TagSet/></Tagging>'.encode()


class EmptyTagSet:
    """A BodyRewriter that always returns the empty set."""

    def __init__(self) -> None:
        self.status: int | None = None

    def feed(self, data: bytes) -> bytes:
        """Return nothing."""
        return b""

    def finish(self) -> bytes:
        """Return the document."""
        return _NO_TAGS


class GetTags(Request):
    """A GetObjectTagging."""

    def __init__(self, client_request: ClientRequest) -> None:
        check_read(client_request.upstream.key, client_request.key)
        super().__init__(client_request)
        self.first_question = Question(client_request.upstream.path, b"", b"HEAD")

    def on_first_reply(self, reply: Reply) -> None:
        if reply.status == 404:
            known = b"x-amz-request-id" in reply.fields  # as in `error_translation`
            raise (
                no_such_key(self.client_request.key)
                if known
                else no_such_bucket(self.client_request.bucket)
            )
        if reply.status not in (200, 403):  # a denial has a document if it is asked for with GET
            raise unreadable_response()

    def success(self, head: ResponseHead) -> Step:
        return EmptyTagSet()
