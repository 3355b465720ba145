"""`fastpath.http.framing`: the table of bodies, chunks."""

from __future__ import annotations

import pytest

from fastpath.errors import S3Error
from fastpath.http.framing import (
    BodyKind,
    ChunkedReader,
    request_body,
    response_body,
)
from fastpath.http.head import ResponseFault, parse_request_head, parse_response_head
from fastpath.limits import Limits


def request(method: bytes, fields: bytes = b"") -> tuple[BodyKind, int]:
    raw = method + b" /b/k HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n"
    return request_body(parse_request_head(raw, Limits()))


def answer(status: bytes, fields: bytes, method: bytes = b"GET") -> tuple[BodyKind, int]:
    raw = b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n"
    return response_body(parse_response_head(raw), method)


LENGTH_5 = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"DELETE", b"OPTIONS"])
def test_requests_without_a_length_have_no_body(method: bytes) -> None:
    assert request(method) == (BodyKind.NONE, 0)
    assert request(method, LENGTH_5) == (BodyKind.LENGTH, 5)


def test_a_body_of_nothing_is_none() -> None:
    assert request(b"PUT", b"Content-Length: 0\r\n") == (BodyKind.NONE, 0)
    assert answer(b"200", b"Content-Length: 0\r\n") == (BodyKind.NONE, 0)


def test_put_needs_a_length() -> None:
    with pytest.raises(S3Error) as caught:
        request(b"PUT")
    assert (caught.value.kind.status, caught.value.kind.code) == (411, "MissingContentLength")


def test_a_copy_needs_no_length() -> None:
    assert request(b"PUT", b"x-amz-copy-source: /b/other\r\n") == (BodyKind.NONE, 0)


@pytest.mark.parametrize("method", [b"PUT", b"POST", b"GET"])
def test_chunked_requests_are_not_implemented(method: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        request(method, CHUNKED)
    assert (caught.value.kind.status, caught.value.kind.code) == (501, "NotImplemented")
    assert caught.value.extras == (("Header", "Transfer-Encoding"),)


@pytest.mark.parametrize(
    ("status", "fields", "method", "expected"),
    [
        (b"200", LENGTH_5, b"GET", (BodyKind.LENGTH, 5)),
        (b"200", LENGTH_5, b"HEAD", (BodyKind.NONE, 0)),
        (b"200", CHUNKED, b"GET", (BodyKind.CHUNKED, 0)),
        (b"200", CHUNKED, b"HEAD", (BodyKind.NONE, 0)),
        (b"200", b"", b"GET", (BodyKind.CLOSE, 0)),
        (b"200", b"", b"HEAD", (BodyKind.NONE, 0)),
        (b"404", b"", b"DELETE", (BodyKind.CLOSE, 0)),
        (b"204", b"", b"DELETE", (BodyKind.NONE, 0)),
        (b"204", b"Content-Length: 0\r\n", b"DELETE", (BodyKind.NONE, 0)),
        (b"304", LENGTH_5, b"GET", (BodyKind.NONE, 0)),
        (b"304", CHUNKED, b"GET", (BodyKind.NONE, 0)),
        (b"100", b"", b"PUT", (BodyKind.NONE, 0)),
        (b"103", b"", b"PUT", (BodyKind.NONE, 0)),
        (b"206", LENGTH_5, b"GET", (BodyKind.LENGTH, 5)),
        (b"503", CHUNKED, b"PUT", (BodyKind.CHUNKED, 0)),
    ],
)
def test_answers(status: bytes, fields: bytes, method: bytes, expected: object) -> None:
    assert answer(status, fields, method) == expected


def read(*pieces: bytes) -> tuple[bytes, bool]:
    reader = ChunkedReader()
    return b"".join(part for piece in pieces for part in reader.feed(piece)), reader.complete


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (b"0\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n", b"a0123456789"),
        (b'3;name=value;q="x"\r\nabc\r\n0;last\r\n\r\n', b"abc"),
        (b"3\r\nabc\r\n0\r\nX-Trailer: 1\r\nY: 2\r\n\r\n", b"abc"),
        (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
        (b"00005\r\nhello\r\n000\r\n\r\n", b"hello"),
    ],
)
def test_chunks(data: bytes, payload: bytes) -> None:
    assert read(data) == (payload, True)
    assert read(*one_by_one(data)) == (payload, True)


@pytest.mark.parametrize("data", [b"", b"5\r\nhel", b"5\r\nhello\r\n", b"0\r\n", b"0\r\nX: 1\r\n"])
def test_incomplete_chunks(data: bytes) -> None:
    assert read(data)[1] is False


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"\r\n",
        b"g\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\r\n\r\n0\r\n\r\n",
        b"0\r\n\n",
        b"5;\0\r\nhello\r\n0\r\n\r\n",
        b"5;a\rb\r\nhello\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\n",
        b"0\r\nX : 1\r\n\r\n",
        b"0\r\n X: 1\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_bad_chunks_are_faults(data: bytes) -> None:
    with pytest.raises(ResponseFault):
        read(data)
    with pytest.raises(ResponseFault):
        read(*one_by_one(data))


@pytest.mark.parametrize("trailer", [b"", b"X: 1\r\n"])
@pytest.mark.parametrize(
    "rest", [b"x", b"\r\n", b"\n", b"\r", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 20_000]
)
def test_what_follows_the_end_is_told_apart(trailer: bytes, rest: bytes) -> None:
    """A10: the end of one message is not judged by the next."""
    data = b"1\r\na\r\n0\r\n" + trailer + b"\r\n" + rest
    for pieces in ([data], one_by_one(data)):
        reader = ChunkedReader()
        assert b"".join(part for piece in pieces for part in reader.feed(piece)) == b"a"
        assert (reader.complete, reader.rest) == (True, rest)


@pytest.mark.parametrize("flood", [b"1;" + b"a" * 40000, b"0\r\n" + b"X: 1\r\n" * 8000])
def test_extensions_and_trailers_are_bounded(flood: bytes) -> None:
    with pytest.raises(ResponseFault):
        read(*(flood[at : at + 100] for at in range(0, len(flood), 100)))
