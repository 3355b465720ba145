"""`fastpath.dialects.lakefs.document_reader`: what of a document is kept, and how much."""

from __future__ import annotations

import pytest

from fastpath.dialects.lakefs.document_reader import (
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_TAG,
    MAX_TEXT,
    DocumentReader,
    Event,
    Field,
    Row,
)
from fastpath.errors import S3Error


def read(document: str, *rows: tuple[str, ...]) -> list[Event]:
    reader = DocumentReader("R", rows)
    events = reader.feed(document.encode())
    reader.finish()
    return events


def test_fields_and_rows_in_their_order() -> None:
    document = (
        "<R><A>1</A>\n<B><K>2</K><L/></B><C>&lt;3</C><D><E><K>4</K></E></D><B><K>5</K></B></R>"
    )
    assert read(document, ("B",), ("D", "E")) == [
        Field("A", "1"),
        Row("B", {"K": "2", "L": ""}),
        Field("C", "<3"),
        Row("E", {"K": "4"}),
        Row("B", {"K": "5"}),
    ]


def test_namespaces_and_what_nobody_asked_for_are_skipped() -> None:
    document = (
        '<x:R xmlns:x="y"><x:B a="1"><x:K>2</x:K><x:N><x:K>3</x:K></x:N></x:B><Z><Y/></Z></x:R>'
    )
    assert read(document, ("B",)) == [Row("B", {"K": "2"})]


def nested(depth: int) -> str:
    return "<R>" + "<A>" * (depth - 1) + "</A>" * (depth - 1) + "</R>"


def row_of(fields: int) -> str:
    return "<R><B>" + "".join(f"<K{number}/>" for number in range(fields)) + "</B></R>"


@pytest.mark.parametrize(
    ("fitting", "too_much"),
    [
        (nested(MAX_DEPTH), nested(MAX_DEPTH + 1)),
        (row_of(MAX_FIELDS), row_of(MAX_FIELDS + 1)),
        (f"<R><A>{'a' * MAX_TEXT}</A></R>", f"<R><A>{'a' * (MAX_TEXT + 1)}</A></R>"),
    ],
)
def test_bounds(fitting: str, too_much: str) -> None:
    read(fitting, ("B",))
    with pytest.raises(S3Error, match="503"):
        read(too_much, ("B",))


@pytest.mark.parametrize("opening", ["<A ", "<!-- ", "<?a ", '<A b="'])
def test_a_tag_without_end_is_not_waited_for(opening: str) -> None:
    reader = DocumentReader("R", ())
    reader.feed(f"<R>{'x' * 3 * MAX_TAG}".encode()[:MAX_TEXT])
    reader.feed((opening + "a" * (MAX_TAG // 2)).encode())
    with pytest.raises(S3Error, match="503"):
        reader.feed(b"a" * MAX_TAG)
