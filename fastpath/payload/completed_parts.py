"""Checks the document of a CompleteMultipartUpload for a target that answers a bad one with a 500.

Rules: a document that cannot be read, or that names parts which S3 would not accept, is refused
with AWS's error; the list of parts is kept for comparison with the parts that the target has.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from fastpath.errors import (
    INVALID_PART,
    INVALID_PART_ORDER,
    INVALID_REQUEST,
    MALFORMED_XML,
    S3Error,
)
from fastpath.s3.xml_reader import Bounds, TooLarge, Unexpected, XmlError, XmlReader

_ROOT = "CompleteMultipartUpload"
MAX_PARTS = 10000  # of an upload, and the highest part number ("Amazon S3 multipart upload limits")
_BOUNDS = Bounds(text=256)  # a number, an ETag, a checksum, or white space
_NUMBER = re.compile(r"[0-9]{1,10}")


class Part(NamedTuple):
    """One part of the object."""

    number: int
    etag: str  # without quotes


class CompletedParts:
    """A Check: 1 to 10,000 parts in ascending order."""

    __slots__ = ("_part", "_reader", "parts")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._part: dict[str, str] = {}
        self._reader = XmlReader(self._ended, self._started, _BOUNDS)

    def update(self, data: bytes | memoryview, /) -> None:
        """Read more of the document."""
        self._reader.feed_and_keep_error(data)

    def confirm(self) -> None:
        """Check the complete document. Raises S3Error (AWS errors 4.13, 4.14, 4.30)."""
        try:
            self._reader.finish()
        except XmlError:
            raise S3Error(MALFORMED_XML) from None
        if not self.parts:
            raise S3Error(INVALID_REQUEST, message="You must specify at least one part")
        numbers = [part.number for part in self.parts]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise S3Error(INVALID_PART_ORDER)
        for part in self.parts:
            if not 1 <= part.number <= MAX_PARTS:
                raise part_is_missing(part)

    def _started(self, name: str, depth: int) -> None:
        if depth == 1 and name != _ROOT:
            raise Unexpected
        if depth == 2:
            if name != "Part":
                raise Unexpected
            if len(self.parts) == MAX_PARTS:
                raise TooLarge
            self._part = {}

    def _ended(self, name: str, depth: int, text: str) -> None:
        if depth == 3:
            if name in self._part:
                raise Unexpected
            self._part[name] = text.strip()
        elif depth == 2:
            number = self._part.get("PartNumber", "")
            if not _NUMBER.fullmatch(number) or "ETag" not in self._part:
                raise Unexpected
            self.parts.append(Part(int(number), self._part["ETag"].strip('"')))


def part_is_missing(part: Part, upload_id: str = "") -> S3Error:
    """Return the error for a part that was not uploaded, or has another ETag (AWS errors 4.30)."""
    named = [("UploadId", upload_id)] if upload_id else []
    return S3Error(INVALID_PART, *named, ("PartNumber", str(part.number)), ("ETag", part.etag))
