"""Lists come down with the client's names: plain, encoded, in pieces, by their bytes or read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.renaming import answers
from fastpath.renaming.answers import MAX_DOCUMENT
from fastpath.renaming.list_rows import cut_rows, renamed_rows
from fastpath.routing.rewrite import Rewrite
from tests.unit.fastpath.renaming.sides import (
    HOSTILE,
    LIST_WRITERS,
    MOVED,
    REWRITE,
    Side,
    client_side,
    list_objects,
    list_objects_v2,
    names_of,
    pairs,
    rename,
    rewriter,
    target_side,
)

# No control character: XML cannot hold it.
TEXTS = st.text(
    st.one_of(
        st.sampled_from("&<>\"'+%/ ~*\n\rK!:;#x2F;"),
        st.characters(
            min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"
        ),
    ),
    max_size=12,
)
REWRITES = st.builds(
    lambda kept, key_prefix, strip_prefix: Rewrite(
        b"" if kept else b"lakefs-new", key_prefix.encode(), strip_prefix.encode()
    ),
    st.booleans(),
    TEXTS,
    TEXTS,
)


def sides(
    rewrite: Rewrite, client_query: dict[str, str], *, encoded: bool, upload: str = ""
) -> tuple[Side, Side]:
    """The client's and the target's side of one list."""
    up = {name: rewrite.key_up(value.encode()).decode() for name, value in client_query.items()}
    if upload:
        client_query = client_query | {"upload-id-marker": "client's"}
        up["upload-id-marker"] = upload
    return (
        client_side(encoded=encoded, query=client_query),
        target_side(rewrite, encoded=encoded, query=up),
    )


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("rewrite", [REWRITE, MOVED, Rewrite(b"lakefs-new"), Rewrite(b"", b"p")])
@pytest.mark.parametrize("operation", LIST_WRITERS)
def test_every_name_in_a_list_is_the_clients(
    operation: str, rewrite: Rewrite, encoded: bool
) -> None:
    strip = rewrite.strip_prefix.decode()
    keys = [strip + name for name in HOSTILE]
    markers = {
        "ListObjects": "marker",
        "ListObjectsV2": "start-after",
        "ListObjectVersions": "key-marker",
        "ListMultipartUploads": "key-marker",
    }
    query = {"prefix": strip, markers[operation]: strip + "a&+\n/"}
    upload = "t" if operation == "ListMultipartUploads" else ""
    client, target = sides(rewrite, query, encoded=encoded, upload=upload)
    write = LIST_WRITERS[operation]
    names = names_of(rewrite=rewrite, upload=(b"client's", b"t") if upload else (b"", b""))
    renamed = rename(write(target, keys, keys), operation, names, pairs(client.query))
    assert renamed == write(client, keys, keys)


@given(
    st.sampled_from(sorted(LIST_WRITERS)),
    REWRITES,
    st.lists(TEXTS, max_size=6),
    st.lists(TEXTS, max_size=3),
    st.booleans(),
    st.data(),
)
def test_renaming_a_list_gives_the_list_of_renamed_keys(
    operation: str,
    rewrite: Rewrite,
    keys: list[str],
    prefixes: list[str],
    encoded: bool,
    data: st.DataObject,
) -> None:
    """In whatever pieces it comes."""
    strip = rewrite.strip_prefix.decode()
    keys = [strip + key for key in keys if rewrite.key_prefix or key]
    prefixes = [strip + prefix for prefix in prefixes if rewrite.key_prefix or prefix]
    query = {"prefix": strip} if strip else {}
    client, target = sides(rewrite, query, encoded=encoded)
    if rewrite.key_prefix:
        target.query["prefix"] = rewrite.key_prefix.decode()
    write = LIST_WRITERS[operation]
    names = names_of(rewrite=rewrite)
    document = write(target, keys, prefixes)
    step = rewriter(operation, names, pairs(query))
    if step is None:
        assert rewrite == Rewrite()
        return
    out = b""
    while document:
        size = data.draw(st.integers(1, max(1, len(document))))
        out += step.feed(document[:size])
        document = document[size:]
    out += step.finish()
    assert out == write(client, keys, prefixes)


def by_reader(document: bytes, names: object, monkeypatch: pytest.MonkeyPatch) -> bytes:
    with monkeypatch.context() as patch:
        patch.setattr(answers, "cut_rows", lambda *_: None)
        return rename(document, "ListObjectsV2", names_of(rewrite=REWRITE))


ROW = b"<Contents><Key>main/a</Key><Size>1</Size></Contents>"
ODD_ROWS = {
    "attribute": b'<Contents><Key x=">">main/a</Key></Contents>',
    "namespace": b'<Contents xmlns:s="u"><s:Key>main/a</s:Key></Contents>',
    "later": b"<Contents><Size>1</Size><Key>main/a</Key></Contents>",
    "white space": b"\n  <Contents>\n <Key>main/a</Key></Contents>\n ",
    "reference": b"<Contents><Key>&#109;ain/a</Key></Contents>",
    "comment": b"<Contents><Key>ma<!-- -->in/a</Key></Contents>",
    "character data": b"<Contents><Key><![CDATA[main/<a&>]]></Key></Contents>",
    "field between": b"<NextMarker>main/a</NextMarker><Prefix>main/</Prefix>",
    "row without key": b"<Contents ></Contents><Prefix>main/</Prefix><Contents ></Contents>",
    "capital K": b"<Contents><Key>main/Key :KEY!</Key></Contents>",
    "second key": b"<Contents><Key>main/a</Key><Key>main/b</Key></Contents>",
    "deeper key": b"<Contents><Key>main/a</Key><x><Key>main/b</Key></x></Contents>",
    "empty text": b"<Contents><Key>main/</Key></Contents>",
}


@pytest.mark.parametrize("odd", ODD_ROWS.values(), ids=ODD_ROWS)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_rows_that_are_written_otherwise_get_what_the_reader_gives(
    odd: bytes, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [ROW, ROW]
    rows.insert(at, odd)
    inner = b"<Name>lakefs-new</Name><Prefix>main/</Prefix>" + b"".join(rows)
    document = b"<ListBucketResult>" + inner + b"</ListBucketResult>"
    fast = rename(document, "ListObjectsV2", names_of())
    slow = by_reader(document, names_of(), monkeypatch)
    assert fast == slow
    assert b"<Name>old-bucket</Name><Prefix></Prefix>" in fast
    assert (
        b"ain/" not in fast.replace(b"<x><Key>main/b</Key></x>", b"")[: fast.find(b"<NextMarker>")]
    )


@given(st.lists(st.sampled_from([ROW, ROW, ROW, *ODD_ROWS.values()]), max_size=6))
def test_rows_by_their_bytes_are_what_the_reader_gives(rows: list[bytes]) -> None:
    document = b"<ListBucketResult>" + b"".join(rows) + b"</ListBucketResult>"
    fast = rename(document, "ListObjectsV2", names_of())
    with pytest.MonkeyPatch.context() as patch:
        assert fast == by_reader(document, names_of(), patch)


def test_common_rows_are_renamed_by_their_bytes() -> None:
    """Otherwise a list of 1,000 keys costs 10 times as much."""
    document = list_objects_v2(target_side(REWRITE), ["a", "b&", "Key"])
    cut = cut_rows(document, 0)
    assert cut is not None
    assert cut.raw.count(b"<Key>") == 3
    assert cut.rest.count(b"<Key>") == 0
    renamed = renamed_rows(cut.raw, b"main/", b"")
    assert renamed == cut.raw.replace(b"<Key>main/", b"<Key>")
    assert renamed_rows(cut.raw, b"other/", b"") is None


def test_a_section_that_looks_like_rows_is_text() -> None:
    document = (
        b"<ListBucketResult><x><![CDATA[<Contents><Key>main/a</Key></Contents>]]></x>"
        b"<Name>lakefs-new</Name></ListBucketResult>"
    )
    renamed = rename(document, "ListObjectsV2", names_of())
    assert renamed == document.replace(b"lakefs-new", b"old-bucket")


@pytest.mark.parametrize(
    ("before", "after"), [("<x>", "</x>"), ("<?x ", "?>"), ("<?x?><x>", "</x>")]
)
def test_rows_that_are_not_below_the_root_are_no_rows(before: str, after: str) -> None:
    inner = f"{before}<Contents><Key>main/a</Key></Contents>{after}".encode()
    document = b"<ListBucketResult>" + inner + b"</ListBucketResult>"
    assert rename(document, "ListObjectsV2", names_of()) == document


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("operation", LIST_WRITERS)
@pytest.mark.parametrize("alien", ["other/a", "mai", "", "Main/a"])
def test_a_key_outside_the_prefix_is_never_shown(operation: str, encoded: bool, alien: str) -> None:
    target = target_side(Rewrite(b"lakefs-new"), encoded=encoded)
    write = LIST_WRITERS[operation]
    for keys, prefixes in (
        (["main/a", alien, "main/b"], []),
        ([alien, "main/b"], []),
        (["main/a"], [alien]),
    ):
        with pytest.raises(S3Error) as caught:
            rename(write(target, keys, prefixes), operation, names_of())
        assert caught.value.kind.status == 503
        assert "key_prefix" in caught.value.note
        assert alien not in caught.value.note or not alien


def test_an_empty_marker_of_the_next_page_stays_empty() -> None:
    for operation in ("ListObjectVersions", "ListMultipartUploads"):
        document = LIST_WRITERS[operation](target_side(REWRITE), [], [])
        renamed = LIST_WRITERS[operation](client_side(), [], [])
        assert rename(document, operation, names_of()) == renamed


@pytest.mark.parametrize("written", ["main%2Fa%20b", "%6Dain/a+b", "main/a+b", "main/a b"])
def test_names_are_read_as_any_store_encodes_them(written: str) -> None:
    document = (
        "<ListBucketResult><EncodingType>url</EncodingType>"
        f"<Contents><Key>{written}</Key></Contents></ListBucketResult>"
    )
    renamed = rename(document.encode(), "ListObjectsV2", names_of()).decode()
    assert renamed.count("<Key>a") == 1
    assert "ain" not in renamed


def test_the_encoding_may_be_said_after_the_names() -> None:
    keys = ["100%", "a b"]
    document = list_objects(target_side(MOVED, encoded=True), [f"home/{key}" for key in keys])
    said = b"<EncodingType>url</EncodingType>"
    document = document.replace(said, b"").replace(b"</ListB", said + b"</ListB")
    renamed = rename(document, "ListObjects", names_of(rewrite=MOVED))
    assert b"<Key>home/100%25</Key>" in renamed
    assert b"<Key>home/a+b</Key>" in renamed


def test_an_encoding_that_was_asked_for_and_is_not_said_is_none() -> None:
    """A client decodes what the document says is encoded."""
    document = list_objects(target_side(REWRITE), ["100%25"])
    query = [(b"encoding-type", b"url")]
    assert b"<Key>100%25</Key>" in rename(document, "ListObjects", names_of(), query)


def test_an_empty_element_gets_the_clients_value() -> None:
    document = b'<ListBucketResult><Marker a="/>"/><Prefix /></ListBucketResult>'
    query = [(b"marker", b"a&")]
    renamed = rename(document, "ListObjects", names_of(), query)
    assert renamed == (
        b'<ListBucketResult><Marker a="/>">a&amp;</Marker><Prefix /></ListBucketResult>'
    )


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b"<html></html>",
        b"<ListBucketResult><Name>x</Name>",
        b"<!DOCTYPE x><ListBucketResult/>",
        b"<ListBucketResult><Contents> <Key>main/<b/>a</Key></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>main/&#1;</Key><x/></Contents><a></ListBucketResult>",
        b"<Listing/>",
        "<?xml version='1.0' encoding='utf-16'?><ListBucketResult/>".encode("utf-16"),
    ],
)
def test_what_cannot_be_read_is_refused(document: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        rename(document, "ListObjectsV2", names_of())
    assert caught.value.kind.status == 503
    assert "cannot be renamed" in caught.value.note


def test_a_document_without_bytes_stays_so() -> None:
    assert rename(b"", "ListObjectsV2", names_of()) == b""


def test_a_document_that_never_ends_is_refused() -> None:
    step = rewriter("ListObjectsV2", names_of())
    assert step is not None
    assert step.feed(b" " * MAX_DOCUMENT) == b""
    with pytest.raises(S3Error) as caught:
        step.feed(b" ")
    assert "too large" in caught.value.note


def test_an_upload_without_its_key_is_refused() -> None:
    """Its id could not be sealed for anyone."""
    for inner in (
        "<Upload><UploadId>u</UploadId></Upload>",
        "<NextUploadIdMarker>u</NextUploadIdMarker>",
    ):
        document = f"<ListMultipartUploadsResult>{inner}</ListMultipartUploadsResult>".encode()
        with pytest.raises(S3Error):
            rename(document, "ListMultipartUploads", names_of())


def test_upload_ids_are_sealed_where_no_name_is_rewritten() -> None:
    """And nothing else of the list changes."""
    client, target = client_side(query={"key-marker": "m"}), target_side(Rewrite())
    target.query = {"key-marker": "normalised by the store"}
    client.query = target.query
    client.bucket = target.bucket = "b"
    names = names_of(rewrite=Rewrite())
    write = LIST_WRITERS["ListMultipartUploads"]
    document = write(target, ["k", "a&"], ["c/"])
    query = [(b"key-marker", b"m")]
    renamed = rename(document, "ListMultipartUploads", names, query)
    assert renamed == write(client, ["k", "a&"], ["c/"])
    assert rewriter("ListObjectsV2", names) is None


@pytest.mark.parametrize("last", ["a+b", "100%2F", "grüße", "a b", "plain"])
@pytest.mark.parametrize("key_prefix", ["main/", "of a part+é/"])
@pytest.mark.parametrize("listed_as", ["key", "prefix"])
def test_a_marker_may_be_plain_where_keys_are_encoded(
    last: str, key_prefix: str, listed_as: str
) -> None:
    """SeaweedFS writes keys and prefixes encoded, and NextMarker as it is."""
    rewrite = Rewrite(b"lakefs-new", key_prefix.encode())
    client, target = sides(rewrite, {}, encoded=True)
    target.query["prefix"] = key_prefix
    rows = (["0", last], []) if listed_as == "key" else (["0"], [last])
    document = list_objects(target, *rows)
    encoded = target.key("NextMarker", rows[0][-1]).encode()
    assert encoded in document
    plain = f"<NextMarker>{key_prefix}{last}</NextMarker>".encode()
    wanted = list_objects(client, *rows).replace(
        client.key("NextMarker", rows[0][-1]).encode(), client.key("NextMarker", last).encode()
    )
    renamed = rename(document.replace(encoded, plain), "ListObjects", names_of(rewrite=rewrite))
    assert renamed == wanted
