"""`fastpath.http.head`: what the corpus of raw requests does not say."""

from __future__ import annotations

import pytest

from fastpath.errors import BAD_REQUEST, HEADER_SECTION_TOO_LARGE, HeadFault
from fastpath.http.head import HeadBuffer, ResponseFault, parse_request_head, parse_response_head
from fastpath.limits import Limits

LIMITS = Limits()
SMALL = Limits(request_line_bytes=40, header_section_bytes=60, header_count=3)
GET = b"GET /bucket/key?a=b HTTP/1.1\r\nHost: h\r\n\r\n"


def test_every_part_of_a_request_head() -> None:
    head = parse_request_head(
        b"PUT /b/k%20?x=1&y HTTP/1.1\r\nHost: h:1\r\nX-A: 1\r\nContent-Length: 7\r\nx-a: 2\r\n\r\n",
        LIMITS,
    )
    assert head.method == b"PUT"
    assert head.target == b"/b/k%20?x=1&y"
    assert (head.path, head.query) == (b"/b/k%20", b"x=1&y")
    assert head.http_minor == 1
    assert head.headers == [
        (b"host", b"h:1"),
        (b"x-a", b"1"),
        (b"content-length", b"7"),
        (b"x-a", b"2"),
    ]
    assert head.fields == {b"host": b"h:1", b"x-a": b"1,2", b"content-length": b"7"}
    assert head.content_length == 7
    assert (head.chunked, head.keep_alive, head.expect_continue) == (False, True, False)


def test_what_is_not_one_whole_head_is_refused() -> None:
    for raw in (b"", GET[:-2], GET[:-1], GET + b"x", GET + GET, b"\r\n" + GET):
        with pytest.raises(HeadFault) as caught:
            parse_request_head(raw, LIMITS)
        assert caught.value.kind is BAD_REQUEST


def test_the_limits_hold_without_a_buffer_too() -> None:
    fits = b"GET /" + b"k" * 26 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    assert parse_request_head(fits, SMALL).path == b"/" + b"k" * 26
    large = [
        (fits.replace(b"/k", b"/kk"), "40"),
        (GET[:-2] + b"X: " + b"x" * 60 + b"\r\n\r\n", "60"),
        (GET[:-2] + b"X: 1\r\nY: 1\r\nZ: 1\r\n\r\n", "60"),
    ]
    for raw, limit in large:
        with pytest.raises(HeadFault) as caught:
            parse_request_head(raw, SMALL)
        assert caught.value.kind is HEADER_SECTION_TOO_LARGE
        assert caught.value.extras == (("MaxSizeAllowed", limit),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"100-continue", True), (b"100-Continue", True), (b"", False), (b"gold", False)],
)
def test_expectations(value: bytes, expected: bool) -> None:
    raw = GET[:-2] + b"Expect: " + value + b"\r\n\r\n"
    assert parse_request_head(raw, LIMITS).expect_continue is expected


class TestHeadBuffer:
    def test_keeps_what_follows(self) -> None:
        buffer = HeadBuffer(LIMITS)
        assert buffer.feed(GET + b"body") == GET
        assert buffer.take_rest() == b"body"
        assert buffer.take_rest() == b""

    def test_serves_again(self) -> None:
        buffer = HeadBuffer(LIMITS)
        assert buffer.feed(GET + GET[:5]) == GET
        assert buffer.feed(GET[5:]) == GET
        assert buffer.feed(b"") is None

    def test_rest_that_is_fed_again(self) -> None:
        buffer = HeadBuffer(LIMITS)
        assert buffer.feed(GET + b"\r\n" + GET) == GET
        assert buffer.feed(buffer.take_rest()) == GET

    def test_waits_for_the_last_byte(self) -> None:
        buffer = HeadBuffer(LIMITS)
        for at in range(len(GET) - 1):
            assert buffer.feed(GET[at : at + 1]) is None
        assert buffer.feed(GET[-1:]) == GET

    @pytest.mark.parametrize("start", [b"\x16", b"\0", b"\n", b"\r\r", b" ", b"\x80", b"\r\n\r"])
    def test_refuses_at_the_first_byte(self, start: bytes) -> None:
        with pytest.raises(HeadFault):
            HeadBuffer(LIMITS).feed(start)

    @pytest.mark.parametrize(
        "early", [b"GET /\0", b"GET / HTTP/1.1\r\nA\0", b"GET / HTTP/1.1\r\nA: \x01"]
    )
    def test_does_not_wait_for_the_end_of_garbage(self, early: bytes) -> None:
        with pytest.raises(HeadFault):
            HeadBuffer(LIMITS).feed(early)

    def test_refuses_http09_without_waiting_for_fields(self) -> None:
        with pytest.raises(HeadFault):
            HeadBuffer(LIMITS).feed(b"GET /bucket/key\r\n")

    def test_is_bounded(self) -> None:
        buffer = HeadBuffer(SMALL)
        assert buffer.feed(b"GET /" + b"k" * 36) is None
        with pytest.raises(HeadFault) as caught:
            buffer.feed(b"k")
        assert caught.value.extras == (("MaxSizeAllowed", "40"),)
        buffer = HeadBuffer(SMALL)
        assert buffer.feed(b"GET / HTTP/1.1\r\n" + b"X: 3\r\n" * 9 + b"X: 3\r") is None
        with pytest.raises(HeadFault) as caught:
            buffer.feed(b"\n")
        assert caught.value.extras == (("MaxSizeAllowed", "60"),)

    def test_a_section_that_just_fits(self) -> None:
        raw = b"GET / HTTP/1.1\r\nX: " + b"x" * 53 + b"\r\n\r\n"
        assert HeadBuffer(SMALL).feed(raw) == raw
        with pytest.raises(HeadFault):
            HeadBuffer(SMALL).feed(raw.replace(b"X", b"XX"))


class TestResponseHead:
    def test_every_part(self) -> None:
        head = parse_response_head(
            b'HTTP/1.1 503 Slow Down\r\nETag: "e"\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 7\r\n\r\n'
        )
        assert head.status == 503
        assert head.headers[0] == (b"etag", b'"e"')
        assert head.fields[b"x-a"] == b"1,2"
        assert (head.content_length, head.chunked, head.keep_alive) == (7, False, True)

    @pytest.mark.parametrize("reason", [b"", b" ", b" Tr\xc3\xa8s bien"])
    def test_any_reason_phrase_is_good(self, reason: bytes) -> None:
        assert parse_response_head(b"HTTP/1.1 200%b\r\n\r\n" % reason).status == 200

    @pytest.mark.parametrize(
        ("line", "keep"),
        [
            (b"HTTP/1.1 200 OK\r\n", True),
            (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", False),
            (b"HTTP/1.0 200 OK\r\n", False),
            (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
            (b"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n", False),
        ],
    )
    def test_keep_alive(self, line: bytes, keep: bool) -> None:
        assert parse_response_head(line + b"\r\n").keep_alive is keep

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\n\n",
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/1.2 200 OK\r\n\r\n",
            b"HTTP/0.9 200 OK\r\n\r\n",
            b"ICY 200 OK\r\n\r\n",
            b"<html>not http</html>\r\n\r\n",
            b"HTTP/1.1  200 OK\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 099 OK\r\n\r\n",
            b"HTTP/1.1 600 OK\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 101 \r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            b"HTTP/1.1 200 O\0K\r\n\r\n",
            b"HTTP/1.1 200 O\rK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\rB: c\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nbody",
        ],
    )
    def test_doubtful_answers_are_faults(self, raw: bytes) -> None:
        with pytest.raises(ResponseFault):
            parse_response_head(raw)

    @pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints", "204 No Content"])
    @pytest.mark.parametrize(
        ("line", "keeps"),
        [
            ("A: b", True),
            ("Content-Length: 0", True),
            ("Content-Length: 5", False),
            ("Transfer-Encoding: chunked", False),
            ("Transfer-Encoding: gzip, chunked", False),
        ],
    )
    def test_what_cannot_have_a_body_ends_with_its_head(
        self, status: str, line: str, keeps: bool
    ) -> None:
        """C14: understood whatever it says of a body; what may follow ends the connection."""
        head = parse_response_head(f"HTTP/1.1 {status}\r\n{line}\r\n\r\n".encode())
        assert head.status == int(status[:3])
        assert head.content_length is None
        assert head.keep_alive is keeps


@pytest.mark.parametrize(("options", "refused"), [(100, False), (101, True), (2500, True)])
def test_a_connection_field_of_very_many_options(options: int, refused: bool) -> None:
    """A4: nobody sends more than a few."""
    listed = ",".join(f"x{at}" for at in range(options)).encode()
    raw = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: " + listed + b"\r\n\r\n"
    if refused:
        with pytest.raises(HeadFault):
            parse_request_head(raw, Limits())
    else:
        assert parse_request_head(raw, Limits()).keep_alive
