"""Translated lists, however the answer is cut and whatever the keys are."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import unquote_plus
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpath.dialects.lakefs.list_answers import ListAnswer
from fastpath.dialects.lakefs.list_requests import Listing, read_listing
from fastpath.dialects.lakefs.part_answers import CopiedPartAnswer, PartsAnswer
from fastpath.errors import S3Error
from fastpath.http.query import parse_query
from fastpath.s3.continuation_tokens import make_token, read_token
from fastpath.s3.xml_writer import url_encoded
from tests.doubles.lakefs.xml import DECLARATION, element

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
# What lakeFS can tell: it writes U+FFFD for the rest.
tellable = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=30,
)
queries = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"prefix",
                b"delimiter",
                b"start-after",
                b"marker",
                b"max-keys",
                b"encoding-type",
                b"continuation-token",
                b"list-type",
                b"fetch-owner",
            ]
        ),
        st.one_of(st.binary(max_size=12), st.sampled_from([b"main/", b"url", b"0", b"2", b"-1"])),
    ),
    max_size=5,
)


def listed(keys: list[str], prefixes: list[str]) -> bytes:
    return DECLARATION + element(
        "ListBucketResult",
        element("IsTruncated", "false"),
        element("KeyCount", str(len(keys) + len(prefixes))),
        *(element("CommonPrefixes", element("Prefix", name)) for name in prefixes),
        *(element("Contents", element("Key", key), element("Size", "1")) for key in keys),
    )


def translated(rewriter: ListAnswer | PartsAnswer | CopiedPartAnswer, pieces: list[bytes]) -> bytes:
    out = b"".join([rewriter.feed(piece) for piece in pieces])
    return out + rewriter.finish()


def cut(document: bytes, at: list[int]) -> list[bytes]:
    ends = sorted({min(end, len(document)) for end in at} | {0, len(document)})
    return [document[one:other] for one, other in pairwise(ends)]


def asked(encoded: bool) -> Listing:
    query = [(b"prefix", b"main/")] + ([(b"encoding-type", b"url")] if encoded else [])
    return read_listing(query, b"repo", is_v2=True)


@given(st.lists(tellable, max_size=5), st.lists(tellable, max_size=3), st.booleans())
def test_every_key_comes_back_as_it_was(
    keys: list[str], prefixes: list[str], encoded: bool
) -> None:
    document = translated(ListAnswer(asked(encoded)), [listed(keys, prefixes)])
    tree = ElementTree.fromstring(document)
    read = unquote_plus if encoded else str
    found = [
        read(node.findtext(f"{NAMESPACE}Key") or "") for node in tree.iter(f"{NAMESPACE}Contents")
    ]
    assert found == keys
    rows = tree.iter(f"{NAMESPACE}CommonPrefixes")
    assert [read(node.findtext(f"{NAMESPACE}Prefix") or "") for node in rows] == prefixes


@given(st.lists(names, max_size=4), st.booleans(), st.lists(st.integers(0, 2000), max_size=20))
def test_any_cut_of_the_answer_gives_the_same(
    keys: list[str], encoded: bool, ends: list[int]
) -> None:
    document = listed(keys, keys)
    whole = translated(ListAnswer(asked(encoded)), [document])
    assert translated(ListAnswer(asked(encoded)), cut(document, ends)) == whole


@given(names)
def test_an_encoded_name_is_printable_and_is_read_back(name: str) -> None:
    encoded = url_encoded(name)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert not set("&<> ~") & set(encoded)
    assert unquote_plus(encoded) == name


@given(names, st.binary(min_size=1, max_size=20), st.binary(min_size=1, max_size=20))
def test_a_token_is_of_its_bucket(mark: str, bucket: bytes, other: bytes) -> None:
    token = make_token(bucket, mark).encode()
    assert read_token(bucket, token) == mark
    assert bucket == other or read_token(other, token) is None


@given(queries, st.booleans())
def test_any_query_is_a_list_or_an_error_of_s3(
    query: list[tuple[bytes, bytes]], is_v2: bool
) -> None:
    codes: list[int] = []
    try:
        listing = read_listing(query, b"repo", is_v2=is_v2)
    except S3Error as error:
        codes.append(error.kind.status)
    if codes:
        assert codes[0] in (400, 501)
        return
    sent = dict(parse_query(listing.query))
    assert int(sent[b"max-keys"]) <= 1000
    mark = sent.get(b"start-after", sent.get(b"marker", sent.get(b"continuation-token", b"")))
    assert not mark or mark.startswith(sent.get(b"prefix", b""))
    assert b"\n" not in mark
    assert listing.is_v2 == (b"list-type" in sent)


@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.sampled_from(listed(["a"], []).split(b">"))),
        max_size=6,
    )
)
def test_any_answer_is_translated_or_broken_off(pieces: list[bytes]) -> None:
    for rewriter in (ListAnswer(asked(True)), PartsAnswer("b", "k", "u"), CopiedPartAnswer()):
        with pytest.raises(S3Error) as caught:
            translated(rewriter, pieces)
        assert caught.value.kind.status == 503
