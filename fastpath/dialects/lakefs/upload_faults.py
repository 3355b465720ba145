"""What a 500 of lakeFS to a request about an upload means, found out with one more question.

    asked of an upload         question                 reply         what the client is told
    UploadPart(Copy), Complete its parts                200           Complete: what is wrong with
                                                                      its parts; else lakeFS's 500
                                                        500           NoSuchUpload
    ListParts                  uploads of the bucket    200           NoSuchUpload
                                                        501           NotImplemented

Rules: pure; without a reply that says something, lakeFS's own answer stands. On local and Azure
block stores parts cannot be listed, so that every 500 is NoSuchUpload there: it nearly always is.

Not here: asking (`inquiry`).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from fastpath.dialects.lakefs.documents import DocumentReader, Row
from fastpath.dialects.lakefs.part_requests import Query, no_such_upload, upload_id
from fastpath.errors import NOT_IMPLEMENTED, PART_TOO_SMALL, S3Error
from fastpath.payload.completions import Part, part_is_missing

MIN_PART_BYTES = 5 << 20  # "Amazon S3 multipart upload limits": but for the last part

IN_QUESTION = frozenset({"CompleteMultipartUpload", "ListParts", "UploadPart", "UploadPartCopy"})


def question_path(operation: str, bucket: bytes, path: bytes) -> bytes:
    """Of whom it is asked: the raw path of the key, or the bucket."""
    return b"/" + bucket if operation == "ListParts" else path


def question_query(operation: str, query: Query) -> bytes:
    """What is asked."""
    if operation == "ListParts":
        return b"uploads=&max-uploads=1"
    return f"uploadId={quote(upload_id(query), safe='')}&max-parts=1000".encode()


def judge_fault(
    operation: str, query: Query, parts: Sequence[Part], status: int, body: bytes
) -> S3Error | None:
    """What the reply says about a 500; None: nothing. `parts` are those that Complete named."""
    if operation == "ListParts":
        return _judge_list(query, status)
    if status == 500:
        return no_such_upload(query)
    if status == 200 and operation == "CompleteMultipartUpload":
        return _judge_parts(parts, upload_id(query), body)
    return None


def _judge_list(query: Query, status: int) -> S3Error | None:
    if status == 501:
        return S3Error(
            NOT_IMPLEMENTED,
            message="Parts cannot be listed on the storage that serves this bucket, or there is no "
            "such upload.",
        )
    return no_such_upload(query) if status == 200 else None


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
