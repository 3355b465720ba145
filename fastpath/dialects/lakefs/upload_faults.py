"""What a 500 of lakeFS to a request about an upload means, found out with one or two questions.

    asked of an upload         question                 reply     what the client is told
    UploadPart(Copy), Complete its parts                200       Complete: what is wrong with its
                                                                  parts; else lakeFS's 500
                                                        500       (the next question)
                               uploads of the bucket    200, 501  NoSuchUpload
    ListParts                  uploads of the bucket    200       NoSuchUpload
                                                        501       NotImplemented

Rules: pure; without a reply that says something, lakeFS's own answer stands: a block store that is
down fails both questions. One that lists no uploads (501: local, Azure, Google) cannot be asked
whether it is well, so that a 500 is NoSuchUpload there: it nearly always is.

Not here: asking (`inquiry`).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from fastpath.dialects.lakefs.documents import DocumentReader, Row
from fastpath.dialects.lakefs.part_requests import no_such_upload, upload_id
from fastpath.dialects.translation import Asked, Question
from fastpath.errors import NOT_IMPLEMENTED, PART_TOO_SMALL, S3Error
from fastpath.payload.completed_parts import Part, part_is_missing

MIN_PART_BYTES = 5 << 20  # "Amazon S3 multipart upload limits": but for the last part


class UploadFault:
    """A 500 that is looked into."""

    def __init__(self, asked: Asked, parts: Sequence[Part]) -> None:
        """`parts`: those that Complete named."""
        self._asked = asked
        self._parts = parts
        self._asks_parts = asked.operation != "ListParts"

    def question(self) -> Question:
        """What is asked next."""
        if not self._asks_parts:
            return Question(b"/" + self._asked.bucket, b"uploads=&max-uploads=1")
        upload = quote(upload_id(self._asked.query), safe="")
        return Question(self._asked.path, f"uploadId={upload}&max-parts=1000".encode())

    def conclude(self, status: int, body: bytes) -> S3Error | Question | None:
        """What the reply says; None: nothing."""
        operation, query = self._asked.operation, self._asked.query
        if self._asks_parts:
            if status == 500:
                self._asks_parts = False
                return self.question()
            if status == 200 and operation == "CompleteMultipartUpload":
                return _judge_parts(self._parts, upload_id(query), body)
            return None
        if status == 501 and operation == "ListParts":
            return S3Error(
                NOT_IMPLEMENTED,
                message="Parts cannot be listed on the storage that serves this bucket, or there "
                "is no such upload.",
            )
        return no_such_upload(query) if status in (200, 501) else None


def _judge_parts(parts: Sequence[Part], upload: str, body: bytes) -> S3Error | None:
    """The first part that is missing, another, or too small."""
    try:
        known, is_cut = _read_parts(body)
    except S3Error:
        return None
    last_known = max(known, default=0)
    for part in parts:
        if is_cut and part.number > last_known:
            return None
        etag, size = known.get(part.number, ("", 0))
        if etag != part.etag:
            return part_is_missing(part, upload)
        if size < MIN_PART_BYTES and part is not parts[-1]:
            return S3Error(
                PART_TOO_SMALL,
                ("ProposedSize", str(size)),
                ("MinSizeAllowed", str(MIN_PART_BYTES)),
                ("PartNumber", str(part.number)),
                ("ETag", part.etag),
            )
    return None


def _read_parts(document: bytes) -> tuple[dict[int, tuple[str, int]], bool]:
    """ETag and size by part number, and whether there are more. Raises S3Error."""
    reader = DocumentReader("ListPartsResult", [("Part",)])
    events = reader.feed(document)
    reader.finish()
    known: dict[int, tuple[str, int]] = {}
    is_cut = False
    for event in events:
        if isinstance(event, Row):
            number, size = event.fields.get("PartNumber", ""), event.fields.get("Size", "")
            if number.isdecimal() and size.isdecimal():
                known[int(number)] = (event.fields.get("ETag", "").strip('"'), int(size))
        elif event.name == "IsTruncated":
            is_cut = event.text == "true"
    return known, is_cut
