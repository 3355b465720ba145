"""Translates the requests about multipart uploads.

Rules: a 500 is relayed only after lakeFS was asked what it means; an Abort of an unknown upload
needs no question, because its NoSuchKey means nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastpath.dialects.lakefs.copy_sources import Source
from fastpath.dialects.lakefs.error_translation import ErrorAnswer
from fastpath.dialects.lakefs.ignored_headers import ignored_key_headers
from fastpath.dialects.lakefs.name_checks import check_upload
from fastpath.dialects.lakefs.part_answers import CopiedPartAnswer, PartsAnswer
from fastpath.dialects.lakefs.part_requests import (
    check_part_number,
    check_uploads,
    no_such_upload,
    parts_query,
    upload_id,
)
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.lakefs.upload_errors import UploadErrorQuestions
from fastpath.dialects.lakefs.writes import check_condition
from fastpath.dialects.location_urls import LocationAnswer, location_of
from fastpath.dialects.translation import ClientRequest
from fastpath.errors import S3Error
from fastpath.http.head import ResponseHead
from fastpath.payload.completed_parts import CompletedParts, Part
from fastpath.response.filters import Question, Reply, Step


class UploadRequest(Request):
    """A request about an upload."""

    def __init__(self, client_request: ClientRequest) -> None:
        check_upload(client_request)
        super().__init__(client_request)
        self._upload_error: UploadErrorQuestions | None = None

    @property
    def _parts(self) -> Sequence[Part]:
        return ()

    def question(self, status: int) -> Question | None:
        if status != 500:
            return None
        self._upload_error = UploadErrorQuestions(self.client_request, self._parts)
        return self._upload_error.question()

    def on_reply(self, reply: Reply) -> S3Error | Question | None:
        assert self._upload_error is not None  # it was asked about
        return self._upload_error.on_reply(reply.status, reply.body)


class UploadPart(UploadRequest):
    """An UploadPart."""

    def __init__(self, client_request: ClientRequest) -> None:
        names = ignored_key_headers(client_request)
        super().__init__(client_request)
        self.drop_headers(names)
        check_part_number(client_request.query)


class UploadPartCopy(UploadPart):
    """An UploadPartCopy."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        self._source = Source(self)
        if self._source.must_be_checked:
            self.first_question = self._source.question()

    def on_first_reply(self, reply: Reply) -> None:
        self._source.check(reply)

    def success(self, head: ResponseHead) -> Step:
        return CopiedPartAnswer()

    def question(self, status: int) -> Question | None:
        """Ask about the source: lakeFS answers 400 if it does not exist."""
        return self._source.question() if status in (400, 404) else super().question(status)

    def on_reply(self, reply: Reply) -> S3Error | Question | None:
        return (
            self._source.missing_source(reply)
            if self._upload_error is None
            else super().on_reply(reply)
        )


class Complete(UploadRequest):
    """A CompleteMultipartUpload."""

    def __init__(self, client_request: ClientRequest) -> None:
        check_condition(client_request)
        super().__init__(client_request)
        self._completed = CompletedParts()
        self.check = self._completed

    def success(self, head: ResponseHead) -> Step:
        return LocationAnswer(location_of(self.client_request, secure=self.secure))

    @property
    def _parts(self) -> Sequence[Part]:
        return self._completed.parts


class ListParts(UploadRequest):
    """A ListParts."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        self.query = parts_query(client_request.query)

    def success(self, head: ResponseHead) -> Step:
        client_request = self.client_request
        return PartsAnswer(
            client_request.bucket.decode(),
            client_request.key.decode(),
            upload_id(client_request.query),
        )


class Abort(Request):
    """An AbortMultipartUpload."""

    def __init__(self, client_request: ClientRequest) -> None:
        check_upload(client_request)
        super().__init__(client_request)

    def answer(self, head: ResponseHead) -> Step:
        if head.status == 404:
            return ErrorAnswer(self.client_request, head, {"NoSuchKey": self._refuse})
        return super().answer(head)

    def _refuse(self) -> bytes:
        raise no_such_upload(self.client_request.query)


class ListUploads(Request):
    """A ListMultipartUploads."""

    def __init__(self, client_request: ClientRequest) -> None:
        super().__init__(client_request)
        check_uploads(client_request.query)
