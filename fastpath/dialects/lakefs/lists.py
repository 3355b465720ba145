"""ListObjects, ListObjectsV2 and ListBuckets, there and back.

Rules: lakeFS's BadRequest to a list that S3 would answer is about a ref that it does not know: an
empty list.

Not here: what may be asked (`list_requests`), the documents (`list_answers`, `bucket_lists`).
"""

from __future__ import annotations

from functools import partial

from fastpath.dialects.lakefs.bucket_lists import BucketsAnswer, read_bucket_listing
from fastpath.dialects.lakefs.faults import FaultAnswer
from fastpath.dialects.lakefs.list_answers import ListAnswer, empty_list
from fastpath.dialects.lakefs.list_requests import read_listing
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import Answer, Asked
from fastpath.http.head import ResponseHead


class ListObjects(Request):
    """A list of objects."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        is_v2 = asked.operation == "ListObjectsV2"
        self._listing = read_listing(asked.query, asked.bucket, is_v2=is_v2)
        self.query = self._listing.query

    def answer(self, head: ResponseHead) -> Answer:
        if head.status == 400:
            empty = partial(empty_list, self._listing)
            return FaultAnswer(self.asked, head, {"BadRequest": empty})
        return super().answer(head)

    def success(self, head: ResponseHead) -> Answer:
        return ListAnswer(self._listing)


class ListBuckets(Request):
    """A list of buckets."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._listing = read_bucket_listing(asked.query)
        self.query = self._listing.query

    def success(self, head: ResponseHead) -> Answer:
        return BucketsAnswer(self._listing)
