"""`fastpath.renaming.object_pages`: pages of lists, by their bytes where that is certain."""

from __future__ import annotations

import pytest

from fastpath.renaming import object_pages
from fastpath.renaming.object_pages import ObjectPage, read_object_page
from fastpath.s3.xml_reader import XmlError
from tests.doubles.generated_lists import page
from tests.doubles.listed_store import ListedStore, Style

STORE = ListedStore({"a": "1", "b/c": "2", "b/d": "3", "e=f g": "4", "h%": "5"})
ASKED = "list-type=2&encoding-type=url"
ROOT = "<ListBucketResult>{}</ListBucketResult>"
FIELDS = "<IsTruncated>false</IsTruncated><KeyCount>{}</KeyCount>"
ROW = "<Contents><Key>{}</Key><Size>1</Size></Contents>"


def only_cut(document: bytes, monkeypatch: pytest.MonkeyPatch) -> ObjectPage:
    """The page, if no parser of XML is needed for it."""
    monkeypatch.setattr(object_pages, "XmlReader", None)
    return read_object_page(document)


@pytest.mark.parametrize("query", [ASKED, f"{ASKED}&delimiter=/", f"{ASKED}&prefix=x"])
def test_what_aws_writes_needs_no_parser(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = only_cut(STORE.answer(query), monkeypatch)
    if "prefix" in query:
        assert (found.keys, found.prefixes) == ([], [])
    else:
        assert found.keys[0] == b"a"
        assert found.keys[-2:] == [b"e=f g", b"h%"]
        assert found.prefixes == ([b"b/"] if "delimiter" in query else [])
    assert only_cut(page("all", ASKED), monkeypatch).keys[999].endswith(b"-000000999.parquet")


def test_a_row_begins_with_the_text_of_its_key() -> None:
    found = read_object_page(STORE.answer(ASKED))
    for text, row in zip(found.texts, found.rows, strict=True):
        assert row.startswith(text + b"</Key><LastModified>")
    assert found.texts[3] == b"e%3Df+g"


@pytest.mark.parametrize(
    "inner",
    [
        FIELDS.format(2) + ROW.format("a") + "\n" + ROW.format("b"),
        FIELDS.format(2) + ROW.format("a") + "<!-- -->" + ROW.format("b"),
        FIELDS.format(2) + ROW.format("a") + "<Contents><Size>2</Size><Key>b</Key></Contents>",
        FIELDS.format(2) + ROW.format("a") + "<Contents >" + ROW.format("b")[10:],
        FIELDS.format(2) + ROW.format("<![CDATA[a]]>") + ROW.format("b"),
        FIELDS.format(2) + ROW.format("&#97;") + ROW.format("b"),
        FIELDS.format(9) + ROW.format("a") + ROW.format("b"),
        "<IsTruncated>false</IsTruncated>" + ROW.format("a") + ROW.format("b"),
        "<IsTruncated> false\n</IsTruncated>" + ROW.format("a") + ROW.format("b"),
        ROW.format("a") + ROW.format("b") + FIELDS.format(2),
    ],
)
def test_whatever_means_the_same(inner: str) -> None:
    found = read_object_page(ROOT.format(inner).encode())
    assert found.keys == [b"a", b"b"]
    assert not found.token


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html></html>",
        ROOT.format(FIELDS.format(1) + ROW.format("a")).encode()[:-9],
        ROOT.format(ROW.format("a")).encode(),
        ROOT.format(FIELDS.format(1).replace("false", "true") + ROW.format("a")).encode(),
        ROOT.format(FIELDS.format(1) + ROW.format("")).encode(),
        ROOT.format(FIELDS.format(1) + "<Contents><Size>1</Size></Contents>").encode(),
        ROOT.format(FIELDS.format(1) + "<CommonPrefixes><Prefix/></CommonPrefixes>").encode(),
        ROOT.format(FIELDS.format(1) + ROW.format("<b>a</b>")).encode(),
        b"<!DOCTYPE a>" + ROOT.format(FIELDS.format(0)).encode(),
    ],
)
def test_what_is_no_list(document: bytes) -> None:
    with pytest.raises(XmlError):
        read_object_page(document)


def test_rows_inside_an_element_are_no_rows() -> None:
    inside = f"<Other>{ROW.format('a')}</Other>"
    assert read_object_page(ROOT.format(FIELDS.format(1) + inside).encode()).keys == []


def test_a_row_that_is_read_is_written_without_namespaces() -> None:
    found = read_object_page(STORE.answer("list-type=2").replace(b"<Key>a", b"<Key >a"))
    plain = read_object_page(STORE.answer("list-type=2"))
    assert [row.replace(b'"', b"&quot;") for row in plain.rows] == found.rows
    named = ListedStore(STORE.objects, Style(prefix="s3:")).answer("list-type=2")
    assert read_object_page(named).rows == found.rows


@pytest.mark.parametrize("size", [1, 1_000, object_pages._SPLIT_AT_ONCE, 40_000])
def test_rows_of_any_size_are_split(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document is split a part at a time; a row may be longer than a part, or end with it."""
    sizes = [size, 1, size + 1, size - 1] * 9
    rows = [f"{number:03}</Key><Tag>{'x' * length}</Tag>" for number, length in enumerate(sizes)]
    inner = "".join(f"<Contents><Key>{row}</Contents>" for row in rows)
    document = ROOT.format(FIELDS.format(len(rows)) + inner).encode()
    assert only_cut(document, monkeypatch).rows == [row.encode() for row in rows]
