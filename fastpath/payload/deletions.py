"""The keys of a DeleteObjects document, for a target that would delete others, or none, instead.

Rules: expat, fed piece by piece, nothing kept but the element at hand; a document type ends the
reading; what cannot be read is refused rather than left to another reader to understand; the last
piece of the body waits for the verdict, and without it no target deletes anything.

Not here: whether the caller may delete (`admission`), keys that are refused one by one
(`batches`).
"""

from __future__ import annotations

from xml.parsers import expat

from fastpath.errors import MALFORMED_XML, NOT_IMPLEMENTED, S3Error

# Characters of one key as it is written; 1,024 bytes make no more, not even as references.
_MAX_TEXT = 16384
# What makes deleting a key depend on something: the target would delete it all the same.
_CONDITIONS = frozenset({"ETag", "LastModifiedTime", "Size"})
_CURRENT = "null"  # the version of an object in a bucket without versions


class _Unfit(Exception):
    """No document that S3 describes."""


class DeletedKeys:
    """A Check: every key has a branch and a path, stands on one line, and alone decides."""

    __slots__ = ("_depth", "_error", "_parser", "_size", "_text", "_unfit")

    def __init__(self) -> None:
        self._text: list[str] = []  # of the element that is read
        self._size = 0
        self._depth = 0
        self._unfit = False
        self._error: S3Error | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in more of the document."""
        self._parse(data, last=False)

    def confirm(self) -> None:
        """The document is complete. Raises S3Error MalformedXML or NotImplemented."""
        self._parse(b"", last=True)
        if self._unfit:
            raise S3Error(MALFORMED_XML)
        if self._error is not None:
            raise self._error

    def _parse(self, data: bytes | memoryview, *, last: bool) -> None:
        if self._unfit:
            return
        try:
            self._parser.Parse(data, last)
        except (_Unfit, expat.ExpatError, ValueError, LookupError):  # the last two: an encoding
            self._unfit = True

    def _start(self, _: str, __: object) -> None:
        self._depth += 1
        self._text.clear()
        self._size = 0

    def _characters(self, data: str) -> None:
        self._size += len(data)
        if self._size > _MAX_TEXT:
            raise _Unfit
        if self._depth == 3:
            self._text.append(data)

    def _end(self, name: str) -> None:
        if self._depth == 3:  # Delete, Object, Key
            error = _judge(name.rpartition(":")[2], "".join(self._text))
            self._error = self._error or error
        self._text.clear()
        self._size = 0
        self._depth -= 1

    def _doctype(self, *_: object) -> None:
        raise _Unfit


def _judge(name: str, text: str) -> S3Error | None:
    """What is wrong with one child of an Object."""
    if name == "Key":
        return _judge_key(text)
    if name == "VersionId" and text.strip() != _CURRENT:
        return _refusal("A version of a key")
    if name in _CONDITIONS:
        return _refusal(f"A key with a condition ({name})")
    return None


def _judge_key(key: str) -> S3Error | None:
    if "\n" in key:
        return _refusal("A key with a line break", hint=" Please delete it alone.")
    if not key.removeprefix("/").partition("/")[2]:
        return _refusal("A key without a path behind its branch")
    return None


def _refusal(what: str, hint: str = "") -> S3Error:
    return S3Error(
        NOT_IMPLEMENTED,
        message=f"{what} cannot be deleted in a batch on the storage that serves this bucket."
        f"{hint}",
    )
