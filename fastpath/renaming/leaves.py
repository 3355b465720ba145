"""Finds the elements of a document whose text may hold a name, and replaces it where it stands.

Rules: every byte outside a replaced text stays as the target sent it; an element that may hold a
name has no children, and a document that has them is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from fastpath.s3.xml_reader import Bounds, Unexpected, UnknownEncoding, XmlReader

# A key of 1,024 bytes has 3,072 characters once it is encoded, a text in an error no more.
_BOUNDS = Bounds(text=16384, tag=4096)
_START_TAG = re.compile(rb"<[^>\"']*(?:\"[^\"]*\"[^>\"']*|'[^']*'[^>\"']*)*>")
_NAME = re.compile(rb"<([^\s/>]+)")


class Leaf(NamedTuple):
    """An element that may hold a name.

    path: below the root, with slashes.
    text: what it holds.
    begin, end: bytes of the document before its start tag and before its end tag.
    row: which child of the root it is in.
    """

    path: str
    text: str
    begin: int
    end: int
    row: int


class Leaves(NamedTuple):
    """What was read of a document; `end`: bytes before the end tag of its root."""

    root: str
    found: list[Leaf]
    end: int


# Gets a leaf and its raw text, and returns its new raw text; None: it stays.
NewText = Callable[[Leaf, bytes], bytes | None]


class _Reader:
    """Reads one document."""

    def __init__(self, names: Collection[str], split: int) -> None:
        self.root = ""
        self.end = 0
        self.found: list[Leaf] = []
        self._names = names
        self._path: list[str] = []
        self._begin = -1  # of the leaf that is read
        self._row = 0
        self._split = split
        self._reader = XmlReader(self._ended, self._started, _BOUNDS, encoding="utf-8")

    def read(self, document: bytes) -> None:
        split = self._split
        if split:
            self._reader.feed(document[:split])
            if len(self._path) != 1 or self._reader.position != split:
                raise Unexpected  # what stood there is not below the root
        self._reader.finish(document[split:])

    def _started(self, name: str, depth: int) -> None:
        if self._begin >= 0:
            raise Unexpected
        if depth == 1:
            self.root = name
        elif depth == 2:
            self._row += 1
        self._path.append(name)
        if name in self._names and depth > 1:
            self._begin = self._reader.position

    def _ended(self, name: str, _: int, text: str) -> None:
        if self._begin >= 0:
            path = "/".join(self._path[1:])
            end = self._reader.position
            self.found.append(Leaf(path, text, self._begin, end, self._row))
            self._begin = -1
        self._path.pop()
        if not self._path:
            self.end = self._reader.position


def is_wide(document: bytes) -> bool:
    """Whether a document is in UTF-16, of which names are neither found nor replaced by bytes."""
    return b"\0" in document[:4]


def read_leaves(document: bytes, names: Collection[str], split: int = 0) -> Leaves:
    """Read every element of these names. Raises XmlError.

    split: where elements below the root were cut out of the document; 0: nowhere.
    """
    if is_wide(document):
        raise UnknownEncoding
    reader = _Reader(names, split)
    reader.read(document)
    return Leaves(reader.root, reader.found, reader.end)


def replace_texts(
    document: bytes, found: Iterable[Leaf], new_text: NewText, begin: int = 0
) -> list[bytes]:
    """Return the document from `begin` on in pieces, with other texts in its leaves."""
    pieces: list[bytes] = []
    done = begin
    for leaf in found:
        tag = _START_TAG.match(document, leaf.begin)
        assert tag is not None  # expat has read one
        is_empty = tag[0].endswith(b"/>")
        new = new_text(leaf, b"" if is_empty else document[tag.end() : leaf.end])
        if new is None or (is_empty and not new):
            continue
        if is_empty:
            name = _NAME.match(tag[0])
            assert name is not None  # a start tag
            opened = tag[0][:-2].rstrip() + b">"
            pieces += (document[done : leaf.begin], opened, new, b"</" + name[1] + b">")
            done = tag.end()
        else:
            pieces += (document[done : tag.end()], new)
            done = leaf.end
    pieces.append(document[done:])
    return pieces


def insert_before_end(document: bytes, read: Leaves, inner: bytes) -> bytes:
    """Return the document with more elements at the end of its root."""
    end = read.end
    if document[end : end + 2] == b"</":
        return document[:end] + inner + document[end:]
    begin = document.rfind(b"<", 0, end)  # the root is empty
    name = _NAME.match(document, begin)
    assert name is not None  # a start tag
    opened = document[: end - 2] + b">" + inner + b"</" + name[1] + b">"
    return opened + document[end:]
