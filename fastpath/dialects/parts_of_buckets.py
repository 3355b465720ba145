"""Answers a CreateBucket of a part of a bucket, by whether that bucket exists at the target.

Clients make sure of their bucket before they write (rclone does), and a part is there as soon as
its bucket is.

Rules: the request is never sent: it would make, or change, more than the part.
"""

from __future__ import annotations

from fastpath.dialects.translation import ClientRequest, Translation
from fastpath.errors import (
    ACCESS_DENIED,
    BUCKET_OWNED,
    NOT_IMPLEMENTED,
    SERVICE_UNAVAILABLE,
    S3Error,
)
from fastpath.response.filters import Question, Reply


class CreateBucket(Translation):
    """A CreateBucket, which is never sent."""

    def __init__(self, client_request: ClientRequest) -> None:
        self._bucket = client_request.bucket
        self.first_question = Question(b"/" + client_request.upstream.bucket, b"", b"HEAD")

    def on_first_reply(self, reply: Reply) -> None:
        """Raise the error that answers the request."""
        if reply.status == 200:
            raise S3Error(BUCKET_OWNED, ("BucketName", self._bucket.decode()))
        if reply.status == 404:
            error = S3Error(
                NOT_IMPLEMENTED,
                message="CreateBucket is not available on the storage that serves this bucket.",
            )
            error.note = "CreateBucket refused: its bucket is a part of another one, which is not "
            error.note += "there (make that at the target)"
            raise error
        raise S3Error(ACCESS_DENIED) if reply.status == 403 else S3Error(SERVICE_UNAVAILABLE)
