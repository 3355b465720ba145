"""HeadBucket: where the bucket is.

Rules: the region is the target's in the configuration; lakeFS says none.

Not here: GetBucketLocation, which lakeFS answers as S3 does.
"""

from __future__ import annotations

from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Amendment, Answer
from fastpath.head import ResponseHead


class HeadBucket(Request):
    """Whether a bucket is there."""

    def success(self, head: ResponseHead) -> Answer:
        return Amendment(add=((b"x-amz-bucket-region", self.asked.region),))
