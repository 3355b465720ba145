"""Reads a page of a list of objects that a target answers: its rows, by their bytes if possible.

    <Contents><Key>main/a</Key>...</Contents><Contents><Key>main/b</Key>...</Contents>
    -> keys main/a, main/b    rows `main/a</Key>...`, `main/b</Key>...`

1,000 rows as AWS writes them cost 0.2 ms; any others are read one by one, for 15 ms.

Rules: of a row only its key is read, and all else stays as the target wrote it; a well-formed
document whose rows are cut here gets what the reader gives, because as many rows must be found as
the document says that it has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from fastpath.s3.object_listing import BETWEEN_ROWS, ROW_BEGINS, ROW_ENDS
from fastpath.s3.xml_reader import Bounds, Unexpected, XmlReader
from fastpath.s3.xml_writer import escaped

KEY_ENDS = b"</Key>"

_PERCENT = b"%25"  # which would make other escapes
_FEW_ESCAPES = 8
_ROOT = "ListBucketResult"
_ROOT_BEGINS = b"<" + _ROOT.encode()
_ROW = "Contents"
# CPython prepares its search of 30,000 bytes and more anew for each row that it splits off, which
# takes as long as the search.
_SPLIT_AT_ONCE = 28000
# Of the document around its rows, and a Key that was not cut out with them.
_PREFIX = "CommonPrefixes/Prefix"
# The document around its rows, as AWS writes it: texts, empty elements, common prefixes.
_ELEMENTS = (
    rb"(?:<(\w+)>[^<&]*</\1>|<\w+/>"
    rb"|<CommonPrefixes><Prefix>[^<&]*</Prefix></CommonPrefixes>)*+"
)
_BEFORE = re.compile(rb'<ListBucketResult(?: xmlns="[^"<>&]*")?>' + _ELEMENTS)
_AFTER = re.compile(_ELEMENTS + rb"</ListBucketResult>\s*")
_TEXTS = re.compile(rb"<(\w+)>([^<]*)</")
_PREFIXES = re.compile(rb"<CommonPrefixes><Prefix>([^<]*)<")
# A key of 1,024 bytes has 3,072 characters once it is encoded.
_BOUNDS = Bounds(depth=16, text=16384, tag=4096)


class ObjectPage(NamedTuple):
    """A page, by the target's names.

    keys: decoded, in the order of the document.
    texts: how each stands in the document.
    rows: of each key, from its text on, to the end of what the row holds.
    prefixes: the common prefixes.
    token: where the next page begins; empty: there is none.
    encoded: whether texts are URL-encoded.
    is_plain: whether each text is its key.
    """

    keys: list[bytes]
    texts: list[bytes]
    rows: list[bytes]
    prefixes: list[bytes]
    token: str
    encoded: bool
    is_plain: bool


def read_object_page(document: bytes) -> ObjectPage:
    """Read the answer to a ListObjectsV2. Raises XmlError: it is none."""
    return _cut_page(document) or _read_page(document)


# --- by bytes ---


def _cut_page(document: bytes) -> ObjectPage | None:
    """Cut the rows out of a document; None: it is not written as AWS writes it."""
    start = document.find(_ROOT_BEGINS)
    if start < 0 or not _is_simple(document[:start]):
        return None
    begin, end = _bounds_of_rows(document, start)
    # A comment or a section of character data may hold anything.
    if not 0 <= begin <= end or document.find(b"!", begin, end) >= 0:
        return None
    around = _around(document[start:begin] + document[end:], begin - start)
    if around is None:
        return None
    rows = _rows(document, begin, end)
    if around.names != len(rows) + len(around.prefixes):
        return None
    texts = [row.partition(b"<")[0] for row in rows]
    joined = b"\n".join(texts)
    if not all(texts) or b"&" in joined or b"\r" in joined:  # a reader of XML knows what that is
        return None
    is_plain = not (around.encoded and (b"%" in joined or b"+" in joined))
    keys = texts if is_plain else _decoded_all(texts, joined)
    return ObjectPage(keys, texts, rows, around.prefixes, around.token, around.encoded, is_plain)


def _bounds_of_rows(document: bytes, start: int) -> tuple[int, int]:
    """Return where the rows begin and end, -1 and anything if they are written in another way.

    Without rows, both are a place between elements.
    """
    begin = document.find(ROW_BEGINS, start)
    if begin < 0 and b"Contents" not in document:
        begin = document.find(b">", start) + 1
        return begin, begin
    return begin, document.rfind(ROW_ENDS) + len(ROW_ENDS)


def _rows(document: bytes, begin: int, end: int) -> list[bytes]:
    """Split the rows between two places."""
    if begin == end:
        return []
    rows: list[bytes] = []
    begin, end = begin + len(ROW_BEGINS), end - len(ROW_ENDS)
    while end - begin > _SPLIT_AT_ONCE:
        at = document.rfind(BETWEEN_ROWS, begin, begin + _SPLIT_AT_ONCE)
        if at < 0:  # a very long row
            break
        rows += document[begin:at].split(BETWEEN_ROWS)
        begin = at + len(BETWEEN_ROWS)
    return rows + document[begin:end].split(BETWEEN_ROWS)


def _is_simple(prolog: bytes) -> bool:
    """Whether a document is in UTF-8, and declares nothing."""
    return b"<!" not in prolog and (b"encoding" not in prolog or b"utf-8" in prolog.lower())


class _Around(NamedTuple):
    """What a document says beside its rows; `names`: how many it has, -1 if it does not say so."""

    names: int
    prefixes: list[bytes]
    token: str
    encoded: bool


def _around(rest: bytes, at: int) -> _Around | None:
    """Read a document whose rows were cut out; None: they did not stand between its elements.

    It may also be written in another way, or be no list.
    """
    if not (_BEFORE.fullmatch(rest, 0, at) and _AFTER.fullmatch(rest, at)) or b"\r" in rest:
        return None
    texts = dict(_TEXTS.findall(rest))
    encoded = texts.get(b"EncodingType", b"").lower() == b"url"
    count = texts.get(b"KeyCount", b"")
    prefixes = _PREFIXES.findall(rest)
    if not all(prefixes):
        return None
    if encoded:
        prefixes = [_decoded(prefix) for prefix in prefixes]
    try:
        token = _next_token(
            texts.get(b"IsTruncated", b"").decode(),
            texts.get(b"NextContinuationToken", b"").decode(),
        )
    except (Unexpected, UnicodeDecodeError):
        return None
    return _Around(int(count) if count.isdigit() else -1, prefixes, token, encoded)


def _decoded_all(texts: Sequence[bytes], joined: bytes) -> list[bytes]:
    """Decode many texts at once: mostly the same few characters are escaped in all of them."""
    names = joined.replace(b"+", b" ")
    for _ in range(_FEW_ESCAPES):
        at = names.find(b"%")
        escape = names[at : at + 3]
        if at < 0 or escape == _PERCENT:
            break
        decoded = unquote_to_bytes(escape)
        if decoded in (escape, b"\n"):
            break
        names = names.replace(escape, decoded)
    keys = (unquote_to_bytes(names) if b"%" in names else names).split(b"\n")
    if len(keys) != len(texts):  # a key has a line break
        return [_decoded(text) for text in texts]
    return keys


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _next_token(is_truncated: str, token: str) -> str:
    """Return where the next page begins; empty: there is none. Raises Unexpected."""
    if is_truncated not in ("true", "false") or (is_truncated == "true" and not token):
        raise Unexpected
    return token if is_truncated == "true" else ""


def _name(text: str, *, encoded: bool) -> bytes:
    """Return the name that a text is. Raises Unexpected: it is empty."""
    name = text.encode()
    if not name:
        raise Unexpected
    return _decoded(name) if encoded else name


# --- row by row ---


def _read_page(document: bytes) -> ObjectPage:
    reader = _PageReader()
    reader.read(document)
    fields = reader.fields
    encoded = fields.get("EncodingType", "").lower() == "url"
    texts = [escaped(key).encode() for key, _ in reader.rows]
    return ObjectPage(
        [_name(key, encoded=encoded) for key, _ in reader.rows],
        texts,
        [
            text + KEY_ENDS + rest.encode()
            for text, (_, rest) in zip(texts, reader.rows, strict=True)
        ],
        [_name(prefix, encoded=encoded) for prefix in reader.prefixes],
        _next_token(fields.get("IsTruncated", ""), fields.get("NextContinuationToken", "")),
        encoded,
        is_plain=False,
    )


class _PageReader:
    """Reads one document.

    fields: the texts below the root.
    rows: of each Contents its Key, and its other elements, written anew.
    """

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.rows: list[tuple[str, str]] = []
        self.prefixes: list[str] = []
        self._path: list[str] = []
        self._key = ""
        self._row: list[str] = []
        self._has_children = False  # the element that ended last was inside the one that ends now

    def read(self, document: bytes) -> None:
        """Read all of it. Raises XmlError."""
        XmlReader(self._ended, self._started, _BOUNDS).finish(document)

    def _started(self, name: str, depth: int) -> None:
        if depth == 1 and name != _ROOT:
            raise Unexpected
        self._path.append(name)
        self._has_children = False
        if depth == 2:
            self._key, self._row = "", []
        elif depth > 2 and self._path[1] == _ROW and (depth > 3 or name != "Key"):
            self._row.append(f"<{name}>")

    def _ended(self, name: str, depth: int, text: str) -> None:
        path, self._path = self._path, self._path[:-1]
        has_children, self._has_children = self._has_children, True
        if depth == 2:
            self._end_of_child(name, "" if has_children else text)
        elif depth > 2 and path[1] == _ROW:
            if depth == 3 and name == "Key":
                if has_children or self._key:
                    raise Unexpected
                self._key = text
            else:
                self._row.append(f"{'' if has_children else escaped(text)}</{name}>")
        elif "/".join(path[1:]) == _PREFIX:
            self.prefixes.append(text)

    def _end_of_child(self, name: str, text: str) -> None:
        if name == _ROW:
            self.rows.append((self._key, "".join(self._row)))
        else:
            self.fields[name] = text.strip()
