"""`fastpath.composed.copies.native`: copies within one target, and who makes them."""

from __future__ import annotations

import re

import pytest

from tests.doubles.http1 import ok, put, read_answers
from tests.doubles.wire import Peer, Rig

COPY = put("/b-b/k", b"", "x-amz-copy-source: /b-b/s", "x-amz-meta-a: b")
REFUSED = ok(b"<Error><Code>NotImplemented</Code></Error>", status="501 Not Implemented")
ETAG = 'ETag: "1"'


def begun(request: bytes = COPY) -> tuple[Rig, Peer]:
    rig = Rig()
    client = rig.connect()
    client.says(request)
    return rig, client


def requests(rig: Rig) -> list[bytes]:
    """The request lines that the target has heard, in order."""
    heard = b"".join(target.heard for target in rig.targets)
    return re.findall(rb"([A-Z]+ \S+) HTTP/1.1\r\n", heard)


def test_a_target_copies_within_itself() -> None:
    rig, client = begun()
    rig.target.says(ok(b"<CopyObjectResult/>"))
    assert client.heard.endswith(b"<CopyObjectResult/>")
    assert requests(rig) == [b"PUT /b-b/k"]
    assert b"x-amz-copy-source: /b-b/s\r\n" in rig.target.heard


def test_what_a_target_has_not_is_read_and_written() -> None:
    rig, client = begun()
    rig.target.says(REFUSED)
    rig.target.says(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 3\r\n\r\n')
    rig.target.says(ok(b"abc", ETAG))
    rig.target.says(ok(b"", ETAG))
    rig.target.says(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 3\r\n\r\n')
    assert requests(rig) == [
        b"PUT /b-b/k",
        b"HEAD /b-b/s",
        b"GET /b-b/s",
        b"PUT /b-b/k",
        b"HEAD /b-b/k",
    ]
    (answer,) = read_answers(client.heard, [b"PUT"])
    assert answer.status == 200
    assert b"<ETag>&quot;1&quot;</ETag></CopyObjectResult>" in answer.body
    assert not rig.defects
    assert not rig.lines("event")


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Slow Down", "400 Bad"])
def test_another_answer_is_the_clients(status: str) -> None:
    """The target may have made the copy, or may make it the next time."""
    rig, client = begun()
    rig.target.says(ok(b"<Error><Code>X</Code></Error>", status=status))
    assert client.heard.endswith(b"<Error><Code>X</Code></Error>")
    assert requests(rig) == [b"PUT /b-b/k"]


def test_a_body_that_a_copy_does_not_have_is_read_once() -> None:
    rig, client = begun(put("/b-b/k", b"body", "x-amz-copy-source: /b-b/s"))
    rig.target.says(REFUSED)
    assert requests(rig) == [b"PUT /b-b/k", b"HEAD /b-b/s"]
    rig.target.says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    rig.target.says(ok(b"<Error><Code>NoSuchKey</Code></Error>", status="404 Not Found"))
    (answer,) = read_answers(client.heard, [b"PUT"])
    assert answer.status == 404
    assert not rig.defects
