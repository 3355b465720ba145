"""The documents that answer a DeleteObjects: a target's is read, the client's is written. Pure.

    rows of the target, by its names -> what became of each entry that it got -> one document

Rules: an entry is deleted only if a row says so: a target that leaves a key out has perhaps not
seen it. A row is the answer to one entry; entries that are equal may share it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fastpath.errors import INTERNAL_ERROR
from fastpath.s3.xml_reader import Bounds, XmlError, XmlReader
from fastpath.s3.xml_writer import DECLARATION, NAMESPACE, element

Entry = Mapping[str, str]  # the texts of an Object's children, by name

_BOUNDS = Bounds(depth=8)  # S3's has three: DeleteResult, the row, its children
_ROWS = ("Deleted", "Error")
# What a row tells of a deletion, in the order in which S3 writes it.
_OF_A_DELETION = ("VersionId", "DeleteMarker", "DeleteMarkerVersionId")


class Row(NamedTuple):
    """What became of one entry; the texts of the row's children, by name.

    failed: it is not deleted, and `texts` has Code and Message.
    """

    failed: bool
    texts: Mapping[str, str]


class Failure(NamedTuple):
    """Why an entry is not deleted."""

    code: str
    message: str


class NoBucket(Failure):
    """The place has no entry, because its bucket does not exist."""


Outcome = Row | Failure


def read_rows(document: bytes) -> Sequence[Row]:
    """Return the rows of a DeleteResult that name a key; none if it cannot be read to its end."""
    rows: list[Row] = []
    texts: dict[str, str] = {}

    def ended(name: str, depth: int, text: str) -> None:
        if depth == 3:
            texts[name] = text
        elif depth == 2:
            if name in _ROWS and "Key" in texts:
                rows.append(Row(name == "Error", dict(texts)))
            texts.clear()

    try:
        XmlReader(ended, bounds=_BOUNDS).finish(document)
    except XmlError:
        return ()
    return rows


def rows_of(entries: Sequence[Entry], rows: Sequence[Row]) -> list[Row | None]:
    """Return the row of each entry; None: there is none. Both have the target's names.

    A row with the entry's version comes first. Some stores leave it out, or name the one that they
    have deleted: next is a row of the same key that no other entry has, if one of both has none.
    """
    by_name: dict[tuple[str, str], deque[Row]] = defaultdict(deque)
    for row in rows:
        by_name[_name(row.texts)].append(row)
    found: list[Row | None] = []
    claimed: dict[tuple[str, str], Row] = {}
    for entry in entries:
        name = _name(entry)
        if by_name[name]:
            claimed[name] = by_name[name].popleft()
        found.append(claimed.get(name))
    left = [row for others in by_name.values() for row in others]
    for number, entry in enumerate(entries):
        if found[number] is None:
            found[number] = _taken_from(left, entry)
    return found


def _taken_from(left: list[Row], entry: Entry) -> Row | None:
    key, version = _name(entry)
    for row in left:
        if row.texts["Key"] == key and not (version and row.texts.get("VersionId")):
            left.remove(row)
            return row
    return None


def _name(texts: Mapping[str, str]) -> tuple[str, str]:
    return texts["Key"], texts.get("VersionId", "")


def failure_of(row: Row) -> Failure:
    """Return why a target has not deleted an entry."""
    code = row.texts.get("Code", "").strip() or INTERNAL_ERROR.code
    return Failure(code, row.texts.get("Message", ""))


def write_result(entries: Sequence[Entry], outcomes: Sequence[Outcome], *, quiet: bool) -> bytes:
    """Write the answer to the client; both are by its names, and in its order.

    quiet: without what was deleted.
    """
    written = [
        _written(entry, outcome)
        for entry, outcome in zip(entries, outcomes, strict=True)
        if not (quiet and isinstance(outcome, Row))
    ]
    inner = "".join(written)
    return f'{DECLARATION}<DeleteResult xmlns="{NAMESPACE}">{inner}</DeleteResult>'.encode()


def _written(entry: Entry, outcome: Outcome) -> str:
    key = element("Key", entry["Key"])
    if isinstance(outcome, Row):
        texts = {**outcome.texts, **_version(entry)}
        more = "".join(element(name, texts[name]) for name in _OF_A_DELETION if texts.get(name))
        return f"<Deleted>{key}{more}</Deleted>"
    version = "".join(element(name, text) for name, text in _version(entry).items())
    why = element("Code", outcome.code) + element("Message", outcome.message)
    return f"<Error>{key}{version}{why}</Error>"


def _version(entry: Entry) -> Mapping[str, str]:
    version = entry.get("VersionId", "")
    return {"VersionId": version} if version else {}
