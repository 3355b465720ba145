"""Heads under arbitrary bytes and arbitrary cuts."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from fastpath.errors import HeadFault
from fastpath.http.head import (
    HeadBuffer,
    ResponseFault,
    _length,
    parse_request_head,
    parse_response_head,
)
from fastpath.limits import Limits

LIMITS = Limits(request_line_bytes=200, header_section_bytes=300, header_count=8)

TOKEN = "!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz"
tokens = st.text(TOKEN, min_size=1, max_size=12).map(str.encode)
targets = st.text("/%?&=+~.aZ0\"'<>", max_size=30).map(lambda text: b"/" + text.encode())
values = st.text("\t !~:,aZ0\x80\xff", max_size=20).map(lambda text: text.encode("latin-1"))
methods = st.sampled_from([b"GET", b"PUT", b"HEAD", b"POST", b"DELETE", b"OPTIONS"])
SPECIAL = {b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect"}
headers = st.lists(
    st.tuples(tokens.filter(lambda name: name.lower() not in SPECIAL), values), max_size=6
)
# Bytes that are close to a head, so that cuts and faults fall where they matter.
fragments = st.sampled_from(
    [
        b"GET ",
        b"/bucket/key",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"Host: a\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X: ",
        b"\r\n",
        b"\r",
        b"\n",
        b" ",
        b"\0",
        b":",
        b"x" * 90,
    ]
)
almost = st.lists(fragments | st.binary(max_size=4), max_size=14).map(b"".join)
arbitrary = almost | st.binary(max_size=600)


def render(method: bytes, target: bytes, fields: list[tuple[bytes, bytes]]) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method, target), b"Host: h"]
    return b"\r\n".join([*lines, *(n + b":" + v for n, v in fields)]) + b"\r\n\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def gather(pieces: list[bytes]) -> tuple[list[bytes], str, bytes]:
    """Heads, the code of the fault if there was one, and what is left otherwise."""
    buffer = HeadBuffer(LIMITS)
    heads: list[bytes] = []
    for piece in pieces:
        try:
            head = buffer.feed(piece)
            while head is not None:
                heads.append(head)
                head = buffer.feed(b"")
        except HeadFault as fault:
            return heads, fault.kind.code, b""
    return heads, "", buffer.take_rest().removeprefix(b"\r\n")


@given(method=methods, target=targets, fields=headers)
def test_what_was_sent_is_what_is_read(
    method: bytes, target: bytes, fields: list[tuple[bytes, bytes]]
) -> None:
    head = parse_request_head(render(method, target, fields), Limits())
    assert (head.method, head.target) == (method, target)
    sent = [(b"host", b"h"), *((name.lower(), value.strip(b" \t")) for name, value in fields)]
    assert head.headers == sent
    assert (head.path, head.query) == target.partition(b"?")[::2]
    for name in head.fields:
        assert head.fields[name] == b",".join(value for known, value in sent if known == name)


@given(data=arbitrary, places=st.lists(st.integers(0, 10_000), max_size=12))
@example(data=b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", places=[1])
@example(data=b"GET / HTTP/1.1\r\n" + b"x" * 299 + b"\r\n\0", places=[315])
@example(data=b"\n" * 3, places=[1])
def test_cuts_change_nothing(data: bytes, places: list[int]) -> None:
    assert gather(cut(data, places)) == gather([data])


@given(method=methods, target=targets, fields=headers, rest=st.binary(max_size=20))
def test_a_head_ends_where_it_ends(
    method: bytes, target: bytes, fields: list[tuple[bytes, bytes]], rest: bytes
) -> None:
    raw = render(method, target, fields)
    buffer = HeadBuffer(Limits())
    assert buffer.feed(raw + rest) == raw
    assert buffer.take_rest() == rest


@given(data=arbitrary | almost.map(lambda data: data + b"\r\n\r\n"))
def test_only_faults_come_out_of_requests(data: bytes) -> None:
    try:
        head = parse_request_head(data, LIMITS)
    except HeadFault:
        return
    assert data.endswith(b"\r\n\r\n")
    assert head.path.startswith(b"/")
    assert not (head.chunked and head.content_length is not None)


@given(
    data=arbitrary
    | st.tuples(
        st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 304\r\n", b"HTTP/1.1 204 \r\n"]), almost
    ).map(lambda pair: pair[0] + pair[1] + b"\r\n\r\n")
)
def test_only_faults_come_out_of_answers(data: bytes) -> None:
    try:
        head = parse_response_head(data)
    except ResponseFault:
        return
    assert 100 <= head.status <= 599
    assert not (head.chunked and head.content_length is not None)


# Heads of every length beside the limits.
sized = st.builds(
    lambda line, field: b"GET /%b HTTP/1.0\r\nA:%b\r\n\r\nrest" % (b"x" * line, b"y" * field),
    st.integers(0, 30),
    st.integers(0, 30),
)


@given(data=arbitrary | sized, size=st.integers(20, 40))
@example(data=b"GET / HTTP/1.1\r\n\r\n", size=40)
@example(data=b"GET / HTTP/1.1\r\nA: 1\r\n\r\nrest", size=20)
@example(data=b"\r\nGET / HTTP/1.1\r\n\r\n", size=40)
@example(data=b"G / HTTP/1.0\r\n\0\r\n\r\n", size=40)
@example(data=b"\x00ET / HTTP/1.1\r\n\r\n", size=40)
def test_a_head_in_one_piece_is_found_as_one_in_bytes(data: bytes, size: int) -> None:
    limits = Limits(request_line_bytes=size, header_section_bytes=size)

    def found(pieces: list[bytes]) -> tuple[bytes | None, str]:
        buffer = HeadBuffer(limits)
        try:
            for place, piece in enumerate(pieces):
                head = buffer.feed(piece)
                if head is not None:
                    parse_request_head(head, limits)  # garbage is refused by one or the other
                    rest = buffer.take_rest() + b"".join(pieces[place + 1 :])
                    return head, rest.decode("latin-1")
        except HeadFault as fault:
            return None, fault.kind.code
        return None, ""

    assert found([data]) == found([data[at : at + 1] for at in range(len(data))])


@given(value=st.text("0123456789 ,+-_", max_size=22).map(str.encode) | st.binary(max_size=4))
@example(value=b"9223372036854775807")
@example(value=b"9223372036854775808")
@example(value=b"00000000000000000000")
@example(value="\u0661".encode())
def test_a_length_is_digits_that_can_be_counted(value: bytes) -> None:
    plain = re.fullmatch(rb"[0-9]{1,19}", value) is not None and int(value) < 2**63
    assert _length(value) == (int(value) if plain else None)
