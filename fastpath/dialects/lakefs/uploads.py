"""Requests about multipart uploads, there and back.

Rules: what a 500 means is asked before it goes down; an Abort of an unknown upload needs no
question, its NoSuchKey is about nothing else.

Not here: what may be asked (`part_requests`), the documents (`part_answers`), what a reply means
(`upload_faults`).
"""

from __future__ import annotations

from collections.abc import Sequence

from fastpath.dialects.lakefs.copies import Source
from fastpath.dialects.lakefs.faults import FaultAnswer
from fastpath.dialects.lakefs.names import check_upload
from fastpath.dialects.lakefs.part_answers import CopiedPartAnswer, PartsAnswer
from fastpath.dialects.lakefs.part_requests import (
    check_part_number,
    check_uploads,
    no_such_upload,
    parts_query,
    upload_id,
)
from fastpath.dialects.lakefs.promises import forgotten_keys
from fastpath.dialects.lakefs.request import Request
from fastpath.dialects.lakefs.upload_faults import UploadFault
from fastpath.dialects.lakefs.writes import check_condition
from fastpath.dialects.location import LocationAnswer, location_of
from fastpath.dialects.translation import Answer, Asked, Question, Reply
from fastpath.errors import S3Error
from fastpath.http.head import ResponseHead
from fastpath.payload.completed_parts import CompletedParts, Part


class OfUpload(Request):
    """What all requests about an upload have in common."""

    def __init__(self, asked: Asked) -> None:
        check_upload(asked)
        super().__init__(asked)
        self._fault: UploadFault | None = None

    @property
    def _parts(self) -> Sequence[Part]:
        return ()

    def question(self, status: int) -> Question | None:
        if status != 500:
            return None
        self._fault = UploadFault(self.asked, self._parts)
        return self._fault.question()

    def conclude(self, reply: Reply) -> S3Error | Question | None:
        assert self._fault is not None  # it was asked about
        return self._fault.conclude(reply.status, reply.body)


class UploadPart(OfUpload):
    """A part that is sent."""

    def __init__(self, asked: Asked) -> None:
        names = forgotten_keys(asked)
        super().__init__(asked)
        self.forget(names)
        check_part_number(asked.query)


class UploadPartCopy(UploadPart):
    """A part that is copied."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._source = Source(self)
        if self._source.must_be_known:
            self.first = self._source.question()

    def learn(self, reply: Reply) -> None:
        self._source.check(reply)

    def success(self, head: ResponseHead) -> Answer:
        return CopiedPartAnswer()

    def question(self, status: int) -> Question | None:
        """lakeFS says 400 of a source that is not there."""
        return self._source.question() if status in (400, 404) else super().question(status)

    def conclude(self, reply: Reply) -> S3Error | Question | None:
        return self._source.missing(reply) if self._fault is None else super().conclude(reply)


class Complete(OfUpload):
    """The end of an upload."""

    def __init__(self, asked: Asked) -> None:
        check_condition(asked)
        super().__init__(asked)
        self._completed = CompletedParts()
        self.check = self._completed

    def success(self, head: ResponseHead) -> Answer:
        return LocationAnswer(location_of(self.asked, secure=self.secure))

    @property
    def _parts(self) -> Sequence[Part]:
        return self._completed.parts


class ListParts(OfUpload):
    """The parts so far."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.query = parts_query(asked.query)

    def success(self, head: ResponseHead) -> Answer:
        asked = self.asked
        return PartsAnswer(asked.bucket.decode(), asked.key.decode(), upload_id(asked.query))


class Abort(Request):
    """The end of an upload that is given up."""

    def __init__(self, asked: Asked) -> None:
        check_upload(asked)
        super().__init__(asked)

    def answer(self, head: ResponseHead) -> Answer:
        if head.status == 404:
            return FaultAnswer(self.asked, head, {"NoSuchKey": self._refuse})
        return super().answer(head)

    def _refuse(self) -> bytes:
        raise no_such_upload(self.asked.query)


class ListUploads(Request):
    """The uploads of a bucket, as lakeFS lists them."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        check_uploads(asked.query)
