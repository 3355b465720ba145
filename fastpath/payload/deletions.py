"""The keys of a DeleteObjects document, for a target that would delete others, or none, instead.

Rules: expat, fed piece by piece, nothing kept but the key at hand; a document type ends the
reading; what cannot be read is refused rather than left to another reader to understand; the last
piece of the body waits for the verdict, and without it no target deletes anything.

Not here: whether the caller may delete (`admission`), splitting a batch.
"""

from __future__ import annotations

from xml.parsers import expat

from fastpath.errors import MALFORMED_XML, NOT_IMPLEMENTED, S3Error

# Characters of one key as it is written; 1,024 bytes make no more, not even as references.
_MAX_KEY = 16384


class _Unfit(Exception):
    """No document that S3 describes."""


class DeletedKeys:
    """A Check: every key has a branch and a path, and stands on one line."""

    __slots__ = ("_depth", "_key", "_parser", "_size", "_unfit", "_wrong")

    def __init__(self) -> None:
        self._key: list[str] | None = None  # the text of the key that is being read
        self._size = 0  # characters of it; counted, as expat tells each reference by itself
        self._depth = 0
        self._unfit = False
        self._wrong = ""
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def update(self, data: bytes, /) -> None:
        """Take in more of the document."""
        self._parse(data, last=False)

    def confirm(self) -> None:
        """The document is complete. Raises S3Error MalformedXML or NotImplemented."""
        self._parse(b"", last=True)
        if self._unfit:
            raise S3Error(MALFORMED_XML)
        if self._wrong:
            raise S3Error(
                NOT_IMPLEMENTED,
                message=f"A key {self._wrong} cannot be deleted in a batch on the storage that "
                "serves this bucket. Please delete it alone.",
            )

    def _parse(self, data: bytes, *, last: bool) -> None:
        if self._unfit:
            return
        try:
            self._parser.Parse(data, last)
        except (_Unfit, expat.ExpatError, ValueError, LookupError):  # the last two: an encoding
            self._unfit = True

    def _start(self, name: str, _: object) -> None:
        self._depth += 1
        if self._depth == 3 and name.rpartition(":")[2] == "Key":  # Delete, Object, Key
            self._key, self._size = [], 0

    def _text(self, data: str) -> None:
        if self._key is not None and self._depth == 3:
            self._key.append(data)
            self._size += len(data)
            if self._size > _MAX_KEY:
                raise _Unfit

    def _end(self, _: str) -> None:
        if self._key is not None and self._depth == 3:
            key, self._key = "".join(self._key), None
            if "\n" in key:
                self._wrong = "with a line break"
            elif not key.removeprefix("/").partition("/")[2]:
                self._wrong = "without a path behind its branch"
        self._depth -= 1

    def _doctype(self, *_: object) -> None:
        raise _Unfit
