"""Translates HeadBucket, and answers CreateBucket by whether the repository exists.

Rules: the region is the target's in the configuration; lakeFS returns none. A repository is created
in lakeFS, with a storage namespace, which S3 has no parameter for; so a CreateBucket is never sent:
an existing repository is the client's own bucket.
"""

from __future__ import annotations

from fastpath.dialects.lakefs.document_reader import unreadable_response
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import ClientRequest
from fastpath.errors import ACCESS_DENIED, BUCKET_OWNED, NOT_IMPLEMENTED, S3Error
from fastpath.http.head import ResponseHead
from fastpath.response.filters import HeadChange, Question, Reply, Step


class HeadBucket(Request):
    """A HeadBucket: adds the region."""

    def success(self, head: ResponseHead) -> Step:
        return HeadChange(add=((b"x-amz-bucket-region", self.client_request.region),))


class CreateBucket(Request):
    """A CreateBucket, which is never sent."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        self.first_question = Question(b"/" + client_request.upstream.bucket, b"", b"HEAD")

    def on_first_reply(self, reply: Reply) -> None:
        """Raise the error that answers the request."""
        if reply.status == 200:
            raise S3Error(BUCKET_OWNED, ("BucketName", self.client_request.bucket.decode()))
        if reply.status == 404:
            raise cannot_create_bucket()
        raise S3Error(ACCESS_DENIED) if reply.status == 403 else unreadable_response()


def cannot_create_bucket() -> S3Error:
    """Return the error for a repository that does not exist: the gateway cannot create it."""
    return S3Error(
        NOT_IMPLEMENTED,
        message="A bucket of this name would be a repository of lakeFS: it is made there.",
    )
