"""The form reader: any cut of the bytes leads to the same end; nothing but S3Error is raised."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fastpath.errors import S3Error
from fastpath.forms.file import BufferedFile, StreamedFile
from fastpath.forms.policy import check_policy
from fastpath.forms.put import tags_header
from fastpath.forms.reader import FormReader
from tests.doubles import forms

BOUNDARY = b"B-b"
EDGE = b"\r\n--" + BOUNDARY
NAMES = st.sampled_from(["key", "policy", "x-amz-meta-a", "acl", "Content-Type", "a", "b"])
TEXTS = st.text("ab-\r\n\x00é", max_size=30)
FIELDS = st.dictionaries(NAMES, TEXTS, max_size=5)
# Data that is nearly a boundary, again and again.
DATA = st.lists(
    st.sampled_from([b"\r", b"\n", b"-", b"--", EDGE[:-1], EDGE[1:], b"x", b"\r\n", b"\x00" * 70]),
    max_size=30,
).map(b"".join)
PIECES = [b"--B-b", b"\r\n", b"\r\n\r\n", b"Content-Disposition: form-data; name=", b'"key"', b"--"]
PIECES += [b'"file"', b'; filename="a\\"', b"; filename*=UTF-8''%20", b"x", b": ", b"\xff", b"\\"]


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in pieces, none of them empty."""
    places = draw(st.lists(st.integers(1, max(len(data) - 1, 1)), max_size=12, unique=True))
    bounds = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]


def outcome(pieces: Iterable[bytes], total: int) -> object:
    """What becomes of a form that comes in these pieces."""
    reader = FormReader(BOUNDARY)
    rest = b""
    seen = 0
    try:
        for piece in pieces:
            seen += len(piece)
            if reader.begun:
                rest += piece
            else:
                rest += reader.feed(piece, seen == total) or b""
    except S3Error as error:
        return str(error), error.extras
    return reader.fields, reader.filename, reader.start, rest


@given(st.data(), FIELDS, DATA)
def test_a_form_is_read_whole_however_it_is_cut(
    data: st.DataObject, fields: dict[str, str], content: bytes
) -> None:
    whole = forms.body(fields, content, boundary="B-b")
    clean = not any("\r\n--B-b" in "\r\n" + value for value in fields.values())
    found = outcome(data.draw(cuts(whole)), len(whole))
    assert found == outcome([whole], len(whole))
    if clean:
        read, filename, start, rest = found  # type: ignore[misc]
        assert read == {name.lower().encode(): value.encode() for name, value in fields.items()}
        assert (filename, whole[start:]) == (b"a.txt", rest)


@given(st.data(), st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join))
def test_garbage_is_refused_alike_however_it_is_cut(data: st.DataObject, tail: bytes) -> None:
    whole = b"--B-b\r\n" + tail + b"."
    assert outcome(data.draw(cuts(whole)), len(whole)) == outcome([whole], len(whole))


@given(st.data(), st.integers(20300, 20700), st.booleans())
def test_the_bound_of_the_fields_does_not_depend_on_the_cut(
    data: st.DataObject, size: int, name: bool
) -> None:
    whole = forms.body({"a" if name else "key": "x" * (size - 180)}, b"data" * 99, boundary="B-b")
    assert outcome(data.draw(cuts(whole)), len(whole)) == outcome([whole], len(whole))


def streamed(pieces: list[bytes], total: int) -> bytes | str:
    """What goes up of a file that streams; at most all but one byte of it before the last piece."""
    file = StreamedFile(b"", total, BOUNDARY)
    out = b""
    try:
        for number, piece in enumerate(pieces, 1):
            last = number == len(pieces)
            assert last or len(out) < max(file.length, 1)
            out += file.feed(piece, last)
    except S3Error as error:
        assert len(out) < file.length
        return error.kind.code
    assert len(out) == file.length
    return out


@given(st.data(), DATA)
def test_a_streamed_file_is_itself_or_never_complete(data: st.DataObject, content: bytes) -> None:
    content += b"end"
    whole = content + EDGE + b"--\r\n"
    found = streamed(data.draw(cuts(whole)), len(whole))
    assert found == ("MalformedPOSTRequest" if EDGE in content else content)


@given(
    st.data(),
    DATA,
    st.sampled_from([b"", b"--", b"\r\n", b"--\r\n\r\n", b"-", b"--\r", b"x--\r\n"]),
)
def test_a_streamed_file_with_another_end_never_completes(
    data: st.DataObject, content: bytes, end: bytes
) -> None:
    whole = content + b"x" * 20 + EDGE + end
    assert streamed(data.draw(cuts(whole)), len(whole)) == "MalformedPOSTRequest"


@given(DATA, st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join))
def test_a_gathered_file_is_what_stands_before_the_boundary(content: bytes, tail: bytes) -> None:
    rest = content + EDGE + tail
    try:
        file = BufferedFile(rest, BOUNDARY)
    except S3Error:
        return
    data = file.feed(b"", True)
    assert rest.startswith(data + EDGE)
    assert EDGE not in data


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("eq"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(VALUES, VALUES, st.text(max_size=10))
def test_a_policy_is_judged_or_refused(expiration: object, conditions: object, raw: str) -> None:
    document = json.dumps({"expiration": expiration, "conditions": conditions}).encode()
    for encoded in (base64.b64encode(document), base64.b64encode(raw.encode()), raw.encode()):
        try:
            check_policy(encoded, {b"key": b"k"}, b"b-b", 0)
        except S3Error:
            continue
        raise AssertionError("no such policy covers bucket and key")


TAGS = [b"<Tagging>", b"</Tagging>", b"<TagSet>", b"</TagSet>", b"<Tag>", b"</Tag>", b"<Key>"]
TAGS += [b"</Key>", b"<Value>", b"</Value>", b"x", b"&amp;", b"&b;", b"<!DOCTYPE a>", b"<?xml?>"]


@given(st.lists(st.sampled_from(TAGS), max_size=20).map(b"".join))
def test_tags_are_read_or_refused(document: bytes) -> None:
    try:
        header = tags_header(document)
    except S3Error:
        return
    assert header.isascii()
