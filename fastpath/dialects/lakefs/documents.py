"""Reads a document of lakeFS as it arrives: a sequence of fields and rows.

Rules: expat, fed piece by piece; what is kept is one row, and each text is bounded; a document
type, another root, or anything that is no XML ends the reading with an error rather than with half
of a document; elements that nobody asked for are skipped.

Not here: what the fields mean (`list_answers`, `part_answers`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from xml.parsers import expat

from fastpath.errors import SERVICE_UNAVAILABLE, S3Error

# Characters of one text: a key has at most 1,024 bytes behind its branch.
MAX_TEXT = 8192
# Bytes of one tag, comment or instruction; lakeFS writes tags of 30.
MAX_TAG = 4096
# Elements of one row, and how deep they may nest; lakeFS writes five, three deep.
MAX_FIELDS = 32
MAX_DEPTH = 16


class Field(NamedTuple):
    """A child of the root that holds text."""

    name: str
    text: str


class Row(NamedTuple):
    """A repeated element: its children that hold text, in their order."""

    name: str
    fields: dict[str, str]


Event = Field | Row


def unreadable() -> S3Error:
    """What a client is told of an answer that is not understood, if nothing of it was sent yet."""
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
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = 0  # characters in _text
        self._is_leaf = False  # no child so far
        self._row: dict[str, str] = {}
        self._events: list[Event] = []
        self._fed = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def feed(self, data: bytes) -> list[Event]:
        """What is complete now. Raises S3Error ServiceUnavailable."""
        self._fed += len(data)
        self._parse(data, last=False)
        if self._fed - self._parser.CurrentByteIndex > MAX_TAG:
            raise unreadable()
        events, self._events = self._events, []
        return events

    def finish(self) -> None:
        """The document must be whole. Raises S3Error ServiceUnavailable."""
        self._parse(b"", last=True)

    def _parse(self, data: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(data, last)
        except (expat.ExpatError, ValueError, LookupError):  # the last two: an encoding of its own
            raise unreadable() from None

    def _start(self, name: str, _: object) -> None:
        name = name.rpartition(":")[2]
        if not self._path and name != self._root:
            raise unreadable()
        self._path.append(name)
        if len(self._path) > MAX_DEPTH:
            raise unreadable()
        self._text.clear()
        self._size = 0
        self._is_leaf = True
        if tuple(self._path[1:]) in self._rows:
            self._row = {}

    def _characters(self, data: str) -> None:
        self._size += len(data)
        if self._size > MAX_TEXT:
            raise unreadable()
        self._text.append(data)

    def _end(self, _: str) -> None:
        path = tuple(self._path[1:])
        name = self._path.pop()
        if path in self._rows:
            self._events.append(Row(name, self._row))
        elif self._is_leaf and path[:-1] in self._rows:
            self._row[name] = "".join(self._text)
            if len(self._row) > MAX_FIELDS:
                raise unreadable()
        elif self._is_leaf and len(path) == 1:
            self._events.append(Field(name, "".join(self._text)))
        self._is_leaf = False
        self._text.clear()
        self._size = 0

    def _doctype(self, *_: object) -> None:
        raise unreadable()
