"""Refuses a DeleteObjects that the target would carry out in another way than S3.

Rules: nothing is kept but the element that is being read; a document that cannot be read is
refused, because the target might read it in another way; the last piece of the body is sent only
after this check, and without it no target deletes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastpath.errors import MALFORMED_XML, NOT_IMPLEMENTED, S3Error
from fastpath.s3.xml_reader import Bounds, XmlError, XmlReader

_BOUNDS = Bounds(text=16384)  # of a key 1,024 bytes make no more, not even as references
# Conditions on deleting a key, which the target would ignore.
_CONDITIONS = frozenset({"ETag", "LastModifiedTime", "Size"})
_CURRENT = "null"  # the version of an object in a bucket without versions


class DeleteKeysCheck:
    """A Check: every key has a branch and a path, no line break, no version and no condition.

    rename: returns the target's name of a key; a key without one (S3Error) does not go up.
    """

    __slots__ = ("_error", "_reader", "_rename")

    def __init__(self, rename: Callable[[bytes], bytes] | None = None) -> None:
        self._error: S3Error | None = None
        self._rename = rename
        self._reader = XmlReader(self._ended, bounds=_BOUNDS)

    def update(self, data: bytes | memoryview, /) -> None:
        """Read more of the document."""
        self._reader.feed_and_keep_error(data)

    def confirm(self) -> None:
        """Check the complete document. Raises S3Error MalformedXML or NotImplemented."""
        try:
            self._reader.finish()
        except XmlError:
            raise S3Error(MALFORMED_XML) from None
        if self._error is not None:
            raise self._error

    def _ended(self, name: str, depth: int, text: str) -> None:
        if depth == 3 and self._error is None:  # Delete, Object, Key
            if name == "Key" and self._rename is not None:
                try:
                    text = self._rename(text.encode()).decode()
                except S3Error:
                    return
            self._error = _check_key(name, text)


def refusal_of(entry: Mapping[str, str]) -> S3Error | None:
    """Return the error for one Object, by its children's names, or None."""
    refusals = (_check_key(name, text) for name, text in entry.items())
    return next((refusal for refusal in refusals if refusal is not None), None)


def _check_key(name: str, text: str) -> S3Error | None:
    """Return the error for one child of an Object, or None."""
    if name == "Key":
        return _check_key_text(text)
    if name == "VersionId" and text.strip() != _CURRENT:
        return _refusal("A version of a key")
    if name in _CONDITIONS:
        return _refusal(f"A key with a condition ({name})")
    return None


def _check_key_text(key: str) -> S3Error | None:
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
