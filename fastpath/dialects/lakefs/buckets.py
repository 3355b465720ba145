"""HeadBucket: where the bucket is. CreateBucket: whether it is there.

Rules: the region is the target's in the configuration; lakeFS says none. A repository is made in
lakeFS, with a storage namespace, which S3 has no word for; so a CreateBucket never goes up: a
repository that is there is the client's already, to whom S3 says so.

Not here: GetBucketLocation, which lakeFS answers as S3 does.
"""

from __future__ import annotations

from fastpath.dialects.lakefs.documents import unreadable
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Amendment, Answer, Asked, Question, Reply
from fastpath.errors import ACCESS_DENIED, BUCKET_OWNED, NOT_IMPLEMENTED, S3Error
from fastpath.http.head import ResponseHead


class HeadBucket(Request):
    """Whether a bucket is there."""

    def success(self, head: ResponseHead) -> Answer:
        return Amendment(add=((b"x-amz-bucket-region", self.asked.region),))


class CreateBucket(Request):
    """A bucket that should be made."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.first = Question(b"/" + asked.bucket, b"", b"HEAD")

    def learn(self, reply: Reply) -> None:
        """Never goes up."""
        if reply.status == 200:
            raise S3Error(BUCKET_OWNED, ("BucketName", self.asked.bucket.decode()))
        if reply.status == 404:
            raise no_bucket_is_made()
        raise S3Error(ACCESS_DENIED) if reply.status == 403 else unreadable()


def no_bucket_is_made() -> S3Error:
    """The repository is not there, and the gateway cannot make it."""
    return S3Error(
        NOT_IMPLEMENTED,
        message="A bucket of this name would be a repository of lakeFS: it is made there.",
    )
