"""Finds out with one or two questions what lakeFS's 500 to a request about an upload means.

    request                    question                 reply     the client gets
    UploadPart(Copy), Complete parts of the upload      200       Complete: what is wrong with its
                                                                  parts; else lakeFS's 500
                                                        500       (the next question)
                               uploads of the bucket    200, 501  NoSuchUpload
    ListParts                  uploads of the bucket    200       NoSuchUpload
                                                        501       NotImplemented

Rules: if no reply decides it, the client gets lakeFS's 500: a block store that is down fails both
questions. A store that lists no uploads (501: local, Azure, Google) cannot be checked that way, so
that a 500 is NoSuchUpload there: it nearly always is.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from fastpath.dialects.lakefs.document_reader import DocumentReader, Row
from fastpath.dialects.lakefs.part_requests import no_such_upload, upload_id
from fastpath.dialects.translation import ClientRequest
from fastpath.errors import NOT_IMPLEMENTED, PART_TOO_SMALL, S3Error
from fastpath.payload.completed_parts import Part, part_is_missing
from fastpath.response.filters import Question

MIN_PART_BYTES = 5 << 20  # "Amazon S3 multipart upload limits": of all but the last part


class UploadErrorQuestions:
    """The questions about one 500."""

    def __init__(self, client_request: ClientRequest, parts: Sequence[Part]) -> None:
        """`parts`: those in the document of a CompleteMultipartUpload."""
        self._asked = client_request
        self._parts = parts
        self._asks_parts = client_request.operation != "ListParts"

    def question(self) -> Question:
        """Return the next question."""
        if not self._asks_parts:
            return Question(b"/" + self._asked.upstream.bucket, b"uploads=&max-uploads=1")
        upload = quote(upload_id(self._asked.query), safe="")
        return Question(self._asked.upstream.path, f"uploadId={upload}&max-parts=1000".encode())

    def on_reply(self, status: int, body: bytes) -> S3Error | Question | None:
        """Return the error that a reply means, the next question, or None."""
        operation, query = self._asked.operation, self._asked.query
        if self._asks_parts:
            if status == 500:
                self._asks_parts = False
                return self.question()
            if status == 200 and operation == "CompleteMultipartUpload":
                return _check_parts(self._parts, upload_id(query), body)
            return None
        if status == 501 and operation == "ListParts":
            return S3Error(
                NOT_IMPLEMENTED,
                message="Parts cannot be listed on the storage that serves this bucket, or there "
                "is no such upload.",
            )
        return no_such_upload(query) if status in (200, 501) else None


def _check_parts(parts: Sequence[Part], upload: str, body: bytes) -> S3Error | None:
    """Return the error for the first part that is missing, different or too small."""
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
    """Read ETag and size by part number, and whether there are more. Raises S3Error."""
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
