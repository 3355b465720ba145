"""`fastpath.s3.xml_reader`: what is read of a document, and what ends the reading."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.s3.xml_reader import (
    Bounds,
    DocumentType,
    Malformed,
    TooDeep,
    TooLarge,
    Unexpected,
    UnknownEncoding,
    XmlError,
    XmlReader,
)

Event = tuple[str, int] | tuple[str, int, str]

DOCUMENT = (
    '<?xml version="1.0"?>\n<!-- of nobody -->'
    '<R xmlns="http://s3/" xmlns:x="y"><?skip it?>'
    '<A a="1">&lt;1&#10;<![CDATA[<2>]]></A> text <x:B><C/>  tail</x:B>é</R>\n'
)
EVENTS: list[Event] = [
    ("R", 1),
    ("A", 2),
    ("A", 2, "<1\n<2>"),
    ("B", 2),
    ("C", 3),
    ("C", 3, ""),
    ("B", 2, "  tail"),
    ("R", 1, "é"),
]


def read(document: bytes, size: int = 0, **options: object) -> list[Event]:
    """All events of a document that comes in pieces of `size` bytes. Raises XmlError."""
    events: list[Event] = []
    reader = XmlReader(
        lambda *event: events.append(event),
        lambda *event: events.append(event),
        **options,  # type: ignore[arg-type]  # each test names what it changes
    )
    size = size or len(document) or 1
    for at in range(0, len(document), size):
        reader.feed(document[at : at + size])
    reader.finish()
    return events


def fault(document: bytes, size: int = 0, bounds: Bounds | None = None) -> type[XmlError]:
    with pytest.raises(XmlError) as caught:
        read(document, size, **({} if bounds is None else {"bounds": bounds}))
    return caught.type


@pytest.mark.parametrize("size", [0, 1, 2, 7])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_document_reads_the_same_however_it_is_cut(size: int, encoding: str) -> None:
    assert read(DOCUMENT.encode(encoding), size) == EVENTS


@given(st.integers(0, len(DOCUMENT.encode()) - 3))
def test_a_document_that_is_cut_off_is_malformed(at: int) -> None:
    cut = DOCUMENT.encode()[:at]
    assert fault(cut) is fault(cut, 1) is Malformed


def test_the_last_piece_may_come_with_the_end() -> None:
    ended: list[Event] = []
    XmlReader(lambda *event: ended.append(event)).finish(b"<R><A>1</A></R>")
    assert ended == [("A", 2, "1"), ("R", 1, "")]


def test_prefixes_are_kept_for_a_reader_that_wants_them() -> None:
    document = b'<x:R xmlns:x="y"><x:A/></x:R>'
    names = [event[0] for event in read(document, prefixes=True)]
    assert names == ["x:R", "x:A", "x:A", "x:R"]


def test_text_before_a_child_is_refused_if_it_may_not_be_there() -> None:
    assert read(b"<R> \n<A>1</A></R>", mixed=False)
    with pytest.raises(Unexpected):
        read(b"<R> 1 <A>1</A></R>", mixed=False)


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize(
    "doctype",
    [
        b"<!DOCTYPE R>",
        b'<!DOCTYPE R SYSTEM "http://192.0.2.1/r.dtd">',
        b'<!DOCTYPE R [<!ENTITY e "text">]>',
        b'<!DOCTYPE R [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        b"<!DOCTYPE R [<!ENTITY % e \"<!ENTITY f 'g'>\"> %e;]>",
        b"<!DOCTYPE R [<!ELEMENT R ANY>]>",
    ],
)
def test_a_document_type_ends_the_reading(doctype: bytes, size: int) -> None:
    assert fault(doctype + b"<R>&e;</R>", size) is DocumentType


@pytest.mark.timeout(10)
@pytest.mark.parametrize("size", [0, 1, 100])
def test_entities_that_multiply_are_never_declared(size: int) -> None:
    """The "billion laughs": 10 entities of 10 of the one before."""
    declared = b'<!ENTITY a0 "lol">'
    for level in range(1, 10):
        declared += b'<!ENTITY a%d "%b">' % (level, b"&a%d;" % (level - 1) * 10)
    assert fault(b"<!DOCTYPE R [%b]><R>&a9;</R>" % declared, size) is DocumentType


def test_an_entity_of_nobody_is_malformed() -> None:
    assert fault(b"<R>&e;</R>") is Malformed
    assert read(b"<R>&amp;&quot;&apos;&#x41;</R>")[-1] == ("R", 1, "&\"'A")


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize(
    ("bounds", "fitting", "too_much", "error"),
    [
        (Bounds(depth=3), b"<A><A><A/></A></A>", b"<A><A><A><A/></A></A></A>", TooDeep),
        (Bounds(text=4), b"<A>aaaa<A/>aaaa</A>", b"<A>aaaaa</A>", TooLarge),
        (Bounds(text=4), b"<A>aaaa<A/>aaaa</A>", b"<A>aaaaa<A/></A>", TooLarge),
        (Bounds(text=4), b"<A>&lt;&lt;&#10;a</A>", b"<A>&lt;&lt;&#10;aa</A>", TooLarge),
        (Bounds(text=4), b"<A>aaaa<!-- aaaa --></A>", b"<A>aaa<!-- a -->aa</A>", TooLarge),
        (Bounds(size=8), b"<A>a</A>", b"<A>aa</A>", TooLarge),
    ],
)
def test_bounds(
    bounds: Bounds, fitting: bytes, too_much: bytes, error: type[XmlError], size: int
) -> None:
    read(fitting, size, bounds=bounds)
    assert fault(too_much, size, bounds) is error


def test_the_size_is_bounded_with_the_last_piece_too() -> None:
    reader = XmlReader(lambda *_: None, bounds=Bounds(size=8))
    reader.feed(b"<A>")
    with pytest.raises(TooLarge):
        reader.finish(b"aa</A>")


@pytest.mark.parametrize("opening", ["<A ", "<!-- ", "<?a ", '<A b="', "</A "])
def test_a_tag_without_end_is_not_waited_for(opening: str) -> None:
    reader = XmlReader(lambda *_: None, bounds=Bounds(tag=100))
    reader.feed(f"<A>{opening}".encode())
    for _ in range(90):
        reader.feed(b" ")
    with pytest.raises(TooLarge):
        reader.feed(b" " * 20)


@pytest.mark.timeout(10)
def test_a_text_that_comes_in_bytes_costs_what_it_is_long() -> None:
    assert read(b"<R>" + b"&lt;" * 60_000 + b"</R>")[-1] == ("R", 1, "<" * 60_000)
    assert read(b"<R>" + b"a" * 60_000 + b"</R>", 1)[-1] == ("R", 1, "a" * 60_000)


@pytest.mark.parametrize(
    ("declared", "text"),
    [("ISO-8859-1", b"\xe9"), ("US-ASCII", b"&#233;"), ("windows-1252", b"\xe9")],
)
def test_encodings_of_one_byte_are_read(declared: str, text: bytes) -> None:
    document = b'<?xml version="1.0" encoding="%b"?><R>%b</R>' % (declared.encode(), text)
    assert read(document, 1)[-1] == ("R", 1, "é")


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("declared", ["x-none", "shift_jis", "utf-7", "UTF-16", "base64"])
def test_an_encoding_that_cannot_be_read(declared: str, size: int) -> None:
    document = b'<?xml version="1.0" encoding="%b"?><R/>' % declared.encode()
    assert fault(document, size) is UnknownEncoding


def test_an_encoding_may_be_given() -> None:
    document = '<?xml version="1.0" encoding="x-none"?><R>é</R>'.encode("latin-1")
    assert read(document, encoding="iso-8859-1")[-1] == ("R", 1, "é")


def test_bytes_that_are_not_in_the_encoding_are_malformed() -> None:
    assert fault(b"<R>\xff</R>") is Malformed


def test_an_error_of_a_piece_waits_for_the_end() -> None:
    ended: list[Event] = []
    reader = XmlReader(lambda *event: ended.append(event))
    for piece in (b"<R><A/>", b"<!DOCTYPE", b"<B/></R>"):
        reader.feed_and_keep_error(piece)
    with pytest.raises(Malformed):
        reader.finish()
    assert ended == [("A", 2, "")]


def test_what_the_owner_raises_comes_out() -> None:
    def refuse(*_: object) -> None:
        raise Unexpected

    for reader in (XmlReader(refuse), XmlReader(lambda *_: None, refuse)):
        with pytest.raises(Unexpected):
            reader.feed(b"<R/>")


def outcome(document: bytes, size: int) -> object:
    try:
        return read(document, size)
    except XmlError as error:
        return type(error)


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes_end_in_events_or_an_error(document: bytes, size: int) -> None:
    assert outcome(document, size) == outcome(document, 0)
