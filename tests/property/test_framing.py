"""Chunked bodies under arbitrary chunking and arbitrary cuts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fastpath.http.framing import ChunkedReader
from fastpath.http.head import ResponseFault

extensions = st.sampled_from([b"", b";a", b";a=b", b';a="b c"'])
trailers = st.sampled_from([b"", b"X: 1\r\n", b"X: 1\r\nY: 2\r\n"])
chunks = st.lists(st.tuples(st.binary(min_size=1, max_size=40), extensions), max_size=6)
places_in = st.lists(st.integers(0, 10_000), max_size=12)
fragments = st.sampled_from([b"5", b"0", b"\r\n", b"hello", b"\n", b";x", b"HTTP/1.1 200 OK\r\n"])
arbitrary = st.lists(fragments | st.binary(max_size=3), max_size=12).map(b"".join)


def render(parts: list[tuple[bytes, bytes]], trailer: bytes) -> bytes:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(data), more, data) for data, more in parts)
    return body + b"0\r\n" + trailer + b"\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def read(pieces: list[bytes]) -> tuple[bytes, bytes | None] | None:
    """The payload, and what follows the end if that has come."""
    reader = ChunkedReader()
    payload = b""
    try:
        for piece in pieces:
            payload += b"".join(reader.feed(piece))
    except ResponseFault:
        return None
    return payload, reader.rest if reader.complete else None


@given(parts=chunks, trailer=trailers, places=places_in)
def test_the_payload_is_byte_identical(
    parts: list[tuple[bytes, bytes]], trailer: bytes, places: list[int]
) -> None:
    pieces = cut(render(parts, trailer), places)
    assert read(pieces) == (b"".join(data for data, _ in parts), b"")


@given(parts=chunks, trailer=trailers, rest=st.binary(min_size=1, max_size=40), places=places_in)
def test_what_follows_the_end_is_told_apart(
    parts: list[tuple[bytes, bytes]], trailer: bytes, rest: bytes, places: list[int]
) -> None:
    """A10: the end of one message is not judged by the next, however the bytes come."""
    assert read(cut(render(parts, trailer) + rest, places)) == (
        b"".join(data for data, _ in parts),
        rest,
    )


@given(parts=chunks, trailer=trailers, at=st.integers(0, 10_000))
def test_what_is_cut_short_is_not_complete(
    parts: list[tuple[bytes, bytes]], trailer: bytes, at: int
) -> None:
    body = render(parts, trailer)
    result = read([body[: at % len(body)]])
    assert result is not None
    assert result[1] is None


@given(data=arbitrary, places=places_in)
def test_cuts_change_nothing(data: bytes, places: list[int]) -> None:
    assert read(cut(data, places)) == read([data])
