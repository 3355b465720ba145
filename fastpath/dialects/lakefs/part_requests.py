"""Checks a request about a multipart upload by S3's rules before lakeFS gets it.

Rules: what lakeFS answers with an internal error, or does in another way than S3, is refused with
AWS's error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from fastpath.errors import NO_SUCH_UPLOAD, NOT_IMPLEMENTED, S3Error
from fastpath.payload.completed_parts import MAX_PARTS
from fastpath.s3.list_parameters import invalid, read_count

_PAGE = 1000  # parts of one ListParts
_NUMBER = re.compile(rb"[0-9]{1,10}")
COPIED_RANGE = "x-amz-copy-source-range"
_RANGE = re.compile(rb"bytes=([0-9]{1,19})-([0-9]{1,19})")
# Parameters of ListMultipartUploads that lakeFS does not have; an empty one is ignored.
_FILTERS = frozenset({"prefix", "delimiter", "encoding-type"})

Query = Sequence[tuple[bytes, bytes]]


def check_part_number(query: Query) -> None:
    """Check the number of a part that is sent or copied (AWS errors 4.26). Raises S3Error."""
    for name, value in query:
        if name == b"partNumber":
            if not _NUMBER.fullmatch(value) or not 1 <= int(value) <= MAX_PARTS:
                raise invalid(
                    "partNumber",
                    f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive",
                    value.decode("utf-8", "replace"),
                )
            return


def read_copied_range(fields: Mapping[bytes, bytes]) -> tuple[int, int] | None:
    """Read the first and the last byte to copy. Raises S3Error.

    lakeFS would copy the whole object if it cannot read the range.
    """
    sent = fields.get(COPIED_RANGE.encode())
    if sent is None:
        return None
    found = _RANGE.fullmatch(sent)
    if found is None or int(found[1]) > int(found[2]):
        raise invalid(
            COPIED_RANGE,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            sent.decode("latin-1"),
        )
    return int(found[1]), int(found[2])


def upload_id(query: Query) -> str:
    """Return the id of the upload that a request is about."""
    return next((value for name, value in query if name == b"uploadId"), b"").decode(
        "utf-8", "replace"
    )


def parts_query(query: Query) -> bytes:
    """Write lakeFS's query for the parts of an upload. Raises S3Error."""
    values = _values(query)
    most = read_count(values, "max-parts", "max-parts", _PAGE)
    after = read_count(values, "part-number-marker", "part-number-marker", MAX_PARTS)
    pairs = [("uploadId", upload_id(query)), ("max-parts", str(most))]
    if values.get("part-number-marker"):
        pairs.append(("part-number-marker", str(after)))
    return "&".join(f"{name}={quote(text, safe='')}" for name, text in pairs).encode()


def check_uploads(query: Query) -> None:
    """Refuse a list of uploads with filters that lakeFS does not have. Raises S3Error.

    It lists the uploads of all branches by keys without their branch, so the gateway could not
    filter them either.
    """
    values = _values(query)
    read_count(values, "max-uploads", "max-uploads", _PAGE)
    filters = {name for name in _FILTERS if values.get(name)}
    if filters:
        raise S3Error(
            NOT_IMPLEMENTED,
            message=f"{min(filters)} of ListMultipartUploads is not available on the storage that "
            "serves this bucket.",
        )


def no_such_upload(query: Query) -> S3Error:
    """Return the error for an upload that does not exist (AWS errors 4.29)."""
    return S3Error(NO_SUCH_UPLOAD, ("UploadId", upload_id(query)))


def _values(query: Query) -> dict[str, bytes]:
    values: dict[str, bytes] = {}
    for name, value in query:
        values.setdefault(name.decode("latin-1"), value)
    return values
