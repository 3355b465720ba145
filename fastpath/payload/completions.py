"""The document of a CompleteMultipartUpload, for a target that answers a bad one with a 500.

Rules: expat, fed piece by piece; what cannot be read, or names parts that S3 would not take, is
refused with AWS's error; the list of parts is kept, because what the target says of it is compared
with what it has; its size is bounded by the number of parts.

Not here: whether the parts are there (`dialects`).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple
from xml.parsers import expat

from fastpath.errors import (
    INVALID_PART,
    INVALID_PART_ORDER,
    INVALID_REQUEST,
    MALFORMED_XML,
    S3Error,
)

_ROOT = "CompleteMultipartUpload"
_MAX_PARTS = 10000  # "Amazon S3 multipart upload limits"
_MAX_TEXT = 256  # characters of a number, an ETag or a checksum, or of white space
_NUMBER = re.compile(r"[0-9]{1,10}")


class Part(NamedTuple):
    """One part that the object is to be made of."""

    number: int
    etag: str  # without quotes


class _Unfit(Exception):
    """No document that S3 describes."""


class CompletedParts:
    """A Check: 1 to 10,000 parts in ascending order."""

    __slots__ = ("_depth", "_parser", "_part", "_text", "_unfit", "parts")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._part: dict[str, str] = {}
        self._text: list[str] = []
        self._depth = 0
        self._unfit = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in more of the document."""
        self._parse(data, last=False)

    def confirm(self) -> None:
        """The document is complete. Raises S3Error (AWS errors 4.13, 4.14, 4.30)."""
        self._parse(b"", last=True)
        if self._unfit:
            raise S3Error(MALFORMED_XML)
        if not self.parts:
            raise S3Error(INVALID_REQUEST, message="You must specify at least one part")
        numbers = [part.number for part in self.parts]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise S3Error(INVALID_PART_ORDER)
        for part in self.parts:
            if not 1 <= part.number <= _MAX_PARTS:
                raise part_is_missing(part)

    def _parse(self, data: bytes | memoryview, *, last: bool) -> None:
        if self._unfit:
            return
        try:
            self._parser.Parse(data, last)
        except (_Unfit, expat.ExpatError, ValueError, LookupError):  # the last two: an encoding
            self._unfit = True

    def _start(self, name: str, _: object) -> None:
        self._depth += 1
        self._text.clear()
        name = name.rpartition(":")[2]
        if self._depth == 1 and name != _ROOT:
            raise _Unfit
        if self._depth == 2:
            if name != "Part" or len(self.parts) == _MAX_PARTS:
                raise _Unfit
            self._part = {}

    def _characters(self, data: str) -> None:
        self._text.append(data)
        if sum(map(len, self._text)) > _MAX_TEXT:
            raise _Unfit

    def _end(self, name: str) -> None:
        if self._depth == 3:
            name = name.rpartition(":")[2]
            if name in self._part:
                raise _Unfit
            self._part[name] = "".join(self._text).strip()
        elif self._depth == 2:
            number = self._part.get("PartNumber", "")
            if not _NUMBER.fullmatch(number) or "ETag" not in self._part:
                raise _Unfit
            self.parts.append(Part(int(number), self._part["ETag"].strip('"')))
        self._text.clear()
        self._depth -= 1

    def _doctype(self, *_: object) -> None:
        raise _Unfit


def part_is_missing(part: Part, upload_id: str = "") -> S3Error:
    """A part that was never uploaded, or is another one (AWS errors 4.30)."""
    named = [("UploadId", upload_id)] if upload_id else []
    return S3Error(INVALID_PART, *named, ("PartNumber", str(part.number)), ("ETag", part.etag))
