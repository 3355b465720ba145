"""Answers: the target's own, less its hop; the gateway's."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from fastpath.errors import ACCESS_DENIED, SLOW_DOWN, S3Error
from fastpath.http.framing import response_body
from fastpath.http.head import RequestHead, parse_request_head, parse_response_head
from fastpath.limits import Limits
from fastpath.response.heads import error_response, health_response, relayed_head
from tests.doubles.http1 import get, read_answers

IDS = ("REQUESTID", "HOSTID")


def request(version: str = "1.1", method: str = "GET") -> RequestHead:
    return parse_request_head(get("/-/healthz", method=method, version=version), Limits())


def relayed(
    *lines: str, first: str = "HTTP/1.1 200 OK", version: str = "1.1", close: bool = False
) -> bytes:
    raw = "\r\n".join([first, *lines, "", ""]).encode("latin-1")
    answer = parse_response_head(raw)
    asked = request(version)
    kind, _ = response_body(answer, asked.method)
    return relayed_head(raw, answer, kind, asked, (b"REQUESTID", close))


def test_lines_stay_byte_for_byte() -> None:
    mine = ['eTAG:  "x" ', "Content-Length: 5", "x-amz-meta-a: \xe9", "Date: now", "Server: s"]
    expected = "\r\n".join(
        ["HTTP/1.1 200 OK", *mine, "x-amz-request-id: REQUESTID", "", ""]
    ).encode("latin-1")
    assert relayed(*mine) == expected


@pytest.mark.parametrize(
    ("first", "relays"),
    [
        ("HTTP/1.1 206 Partial Content", b"HTTP/1.1 206 Partial Content"),
        ("HTTP/1.0 404 Nope  nope", b"HTTP/1.1 404 Nope  nope"),
        ("HTTP/1.1 299 ", b"HTTP/1.1 299 "),
        ("HTTP/1.1 500", b"HTTP/1.1 500"),
    ],
)
def test_status_and_reason_stay(first: str, relays: bytes) -> None:
    assert relayed("Content-Length: 0", first=first).startswith(
        relays + b"\r\nContent-Length: 0\r\n"
    )


def test_a_head_without_lines() -> None:
    assert relayed(first="HTTP/1.1 204 No Content") == (
        b"HTTP/1.1 204 No Content\r\nx-amz-request-id: REQUESTID\r\n\r\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "Connection: close",
        "Keep-Alive: timeout=5",
        "Proxy-Authenticate: Basic",
        "TE: trailers",
        "Trailer: x",
        "Upgrade: h2c",
        "Transfer-Encoding: chunked",
    ],
)
def test_hop_lines_stay_behind(line: str) -> None:
    name = line.partition(":")[0].lower().encode()
    head = relayed("A: 1", line, "B: 2").lower()
    assert b"\r\na: 1\r\nb: 2\r\n" in head
    if name != b"transfer-encoding":  # the gateway's own
        assert name not in head
    assert head.count(b"transfer-encoding: chunked") == 1


def test_what_connection_lists_stays_behind() -> None:
    head = relayed("Connection: close, X-Hop", "x-hop: 1", "X-Stay: 2", "Content-Length: 0")
    assert b"hop" not in head
    assert b"X-Stay: 2" in head


def test_a_request_id_of_the_target_stays_the_only_one() -> None:
    head = relayed("X-Amz-Request-Id: theirs", "Content-Length: 0")
    assert head.lower().count(b"x-amz-request-id") == 1
    assert b"theirs" in head


@pytest.mark.parametrize(
    ("version", "close", "length", "ends"),
    [
        ("1.1", False, True, b"x-amz-request-id: REQUESTID"),
        ("1.1", True, True, b"Connection: close"),
        ("1.0", False, True, b"Connection: keep-alive"),
        ("1.0", True, True, b"Connection: close"),
        ("1.1", False, False, b"Transfer-Encoding: chunked"),
        ("1.0", True, False, b"Connection: close"),
    ],
)
def test_how_it_ends(version: str, close: bool, length: bool, ends: bytes) -> None:
    lines = ["Content-Length: 5"] if length else []
    assert relayed(*lines, version=version, close=close).endswith(b"\r\n%b\r\n\r\n" % ends)


def error(**options: bool) -> bytes:
    chosen = {"to_head": False, "keep": True, **options}
    return error_response(S3Error(ACCESS_DENIED, ("Name", "<&>")), IDS, **chosen)


def test_an_error_is_s3_xml() -> None:
    (answer,) = read_answers(error(), [b"GET"])
    assert (answer.status, answer.code) == (403, "AccessDenied")
    assert answer.fields["content-type"] == "application/xml"
    assert answer.fields["x-amz-request-id"] == "REQUESTID"
    assert answer.fields["x-amz-id-2"] == "HOSTID"
    assert answer.fields["server"] == "s3gateway"
    assert answer.fields["date"].endswith("GMT")
    assert "connection" not in answer.fields
    document = ElementTree.fromstring(answer.body)
    told = {child.tag: child.text for child in document}
    assert told == {
        "Code": "AccessDenied",
        "Message": "Access Denied",
        "Name": "<&>",
        "RequestId": "REQUESTID",
        "HostId": "HOSTID",
    }


def test_an_error_to_head_has_no_body() -> None:
    raw = error(to_head=True)
    (answer,) = read_answers(raw, [b"HEAD"])
    assert (answer.status, answer.body) == (403, b"")
    assert raw.endswith(b"\r\n\r\n")
    assert "content-length" not in answer.fields


def test_how_an_error_ends() -> None:
    assert read_answers(error(keep=False), [b"GET"])[0].fields["connection"] == "close"
    assert read_answers(error(is_http10=True), [b"GET"])[0].fields["connection"] == "keep-alive"
    assert (
        read_answers(error(is_http10=True, keep=False), [b"GET"])[0].fields["connection"] == "close"
    )


def test_slow_down() -> None:
    raw = error_response(S3Error(SLOW_DOWN, retry_after=3), IDS, to_head=False, keep=True)
    assert raw.startswith(b"HTTP/1.1 503 Slow Down\r\n")
    assert read_answers(raw, [b"GET"])[0].fields["retry-after"] == "3"


@pytest.mark.parametrize("draining", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health(draining: bool, method: str) -> None:
    raw = health_response(
        request(method=method), refuses=b"draining" if draining else b"", keep=True
    )
    (answer,) = read_answers(raw, [method.encode()])
    assert answer.status == (503 if draining else 200)
    assert answer.body == (b"" if method == "HEAD" else b"draining\n" if draining else b"ok\n")
    assert answer.fields["cache-control"] == "no-store"
