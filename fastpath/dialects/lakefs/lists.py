"""Translates ListObjects, ListObjectsV2 and ListBuckets.

Rules: lakeFS's BadRequest to a list that S3 would answer is about a ref that does not exist: an
empty list.
"""

from __future__ import annotations

from functools import partial

from fastpath.dialects.lakefs.bucket_lists import TOKEN_SCOPE, BucketsAnswer, upstream_query
from fastpath.dialects.lakefs.error_translation import ErrorAnswer
from fastpath.dialects.lakefs.list_answers import ListAnswer, empty_list
from fastpath.dialects.lakefs.list_requests import read_listing
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.translation import ClientRequest
from fastpath.http.head import ResponseHead
from fastpath.response.filters import Step
from fastpath.s3.bucket_listing import read_bucket_listing


class ListObjects(Request):
    """A list of objects."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        is_v2 = client_request.operation == "ListObjectsV2"
        self._listing = read_listing(client_request.query, client_request.bucket, is_v2=is_v2)
        self.query = self._listing.query

    def answer(self, head: ResponseHead) -> Step:
        if head.status == 400:
            empty = partial(empty_list, self._listing)
            return ErrorAnswer(self.client_request, head, {"BadRequest": empty})
        return super().answer(head)

    def success(self, head: ResponseHead) -> Step:
        return ListAnswer(self._listing)


class ListBuckets(Request):
    """A list of buckets."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        self._listing = read_bucket_listing(client_request.query, TOKEN_SCOPE)
        self.query = upstream_query(self._listing)

    def success(self, head: ResponseHead) -> Step:
        return BucketsAnswer(self._listing)
