"""Reads an XML document of lakeFS as it arrives, as a sequence of fields and rows.

Rules: one row is kept at a time, and each text is bounded; a document type, another root, or
anything that is not XML ends the reading with an error rather than with half of a document; other
elements are skipped.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from fastpath.errors import SERVICE_UNAVAILABLE, S3Error
from fastpath.s3.xml_reader import Bounds, TooLarge, Unexpected, XmlError, XmlReader

# Characters of one text: a key has at most 1,024 bytes after its branch.
MAX_TEXT = 8192
# Bytes of one tag, comment or instruction; lakeFS writes tags of 30.
MAX_TAG = 4096
# Elements of one row, and how deep they may nest; lakeFS writes five, three deep.
MAX_FIELDS = 32
MAX_DEPTH = 16
_BOUNDS = Bounds(depth=MAX_DEPTH, text=MAX_TEXT, tag=MAX_TAG)


class Field(NamedTuple):
    """A child of the root that holds text."""

    name: str
    text: str


class Row(NamedTuple):
    """A repeated element: its children that hold text, in their order."""

    name: str
    fields: dict[str, str]


Event = Field | Row


def unreadable_response() -> S3Error:
    """Return the error for a response that was not understood."""
    error = S3Error(SERVICE_UNAVAILABLE, retry_after=1)
    error.note = (
        "answered what cannot be translated: no document of S3 (is the target's endpoint the S3 "
        "gateway of lakeFS, or a web page or a proxy before it?)"
    )
    return error


class DocumentReader:
    """Reads one document. `rows` are the paths of repeated elements below the root."""

    def __init__(self, root: str, rows: Collection[tuple[str, ...]]) -> None:
        self._root = root
        self._rows = frozenset(rows)
        self._row_depths = frozenset(len(row) + 1 for row in rows)
        self._path: list[str] = []
        self._is_leaf = False  # no child so far
        self._row: dict[str, str] = {}
        self._row_depth = 0  # of the row that is read; 0: none is
        self._events: list[Event] = []
        self._reader = XmlReader(self._ended, self._started, _BOUNDS)

    def feed(self, data: bytes) -> list[Event]:
        """Return what is complete now. Raises S3Error ServiceUnavailable."""
        try:
            self._reader.feed(data)
        except XmlError:
            raise unreadable_response() from None
        events, self._events = self._events, []
        return events

    def finish(self) -> None:
        """Check that the document is complete. Raises S3Error ServiceUnavailable."""
        try:
            self._reader.finish()
        except XmlError:
            raise unreadable_response() from None

    def _started(self, name: str, depth: int) -> None:
        if depth == 1 and name != self._root:
            raise Unexpected
        self._path.append(name)
        self._is_leaf = True
        if depth in self._row_depths and tuple(self._path[1:]) in self._rows:
            self._row = {}
            self._row_depth = depth

    def _ended(self, name: str, depth: int, text: str) -> None:
        self._path.pop()
        is_leaf, self._is_leaf = self._is_leaf, False
        if self._row_depth:
            if depth == self._row_depth:
                self._events.append(Row(name, self._row))
                self._row_depth = 0
            elif is_leaf and depth == self._row_depth + 1:
                self._row[name] = text
                if len(self._row) > MAX_FIELDS:
                    raise TooLarge
        elif is_leaf and depth == 2:
            self._events.append(Field(name, text))
