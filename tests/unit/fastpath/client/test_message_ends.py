"""The end of a client's message is where its framing says, whatever comes behind it."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import get, ok
from tests.doubles.wire import Rig
from tests.unit.fastpath.clients import BODY, PUT, answers, one, started

FRAMED = b"a\r\n" + BODY + b"\r\n0\r\n\r\n"
EMPTY = b"0\r\n\r\n"
STREAMING = (
    b"PUT /b-b/k HTTP/1.1\r\nHost: gateway.test\r\n%b"
    b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n"
    b"x-amz-decoded-content-length: %d\r\nTransfer-Encoding: chunked\r\n\r\n"
)


def in_chunks(body: bytes, decoded: int, line: bytes = b"", trailer: bytes = b"") -> bytes:
    """An upload in aws-chunks in HTTP chunks."""
    chunks = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailer)
    return STREAMING % (line, decoded) + chunks


UPLOADS = {
    "in chunks": in_chunks(FRAMED, len(BODY)),
    "with a trailer": in_chunks(FRAMED, len(BODY), trailer=b"X-Trailer: 1\r\n"),
    "empty": in_chunks(EMPTY, 0),
    "that expects": in_chunks(FRAMED, len(BODY), b"Expect: 100-continue\r\n"),
    "by length": PUT,
    "by length, that expects": PUT.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
}
BEHIND = {"health": get("/-/healthz"), "a get": get(), "an upload": in_chunks(FRAMED, len(BODY))}


def answer_all(rig: Rig) -> None:
    """Answer whatever target was asked, until none is."""
    while True:
        asked = [target for target in rig.targets if target.heard and not target.transport.ended]
        if not asked:
            return
        for target in asked:
            target.take()
            target.says(ok())


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("upload", UPLOADS)
@pytest.mark.parametrize("by_byte", [False, True], ids=["one segment", "byte by byte"])
def test_a_message_and_another_behind_it(upload: str, behind: str, by_byte: bool) -> None:
    """A10: both are served."""
    rig, client = started()
    data = UPLOADS[upload] + BEHIND[behind] + get("/-/healthz")
    client.says(*([data[at : at + 1] for at in range(len(data))] if by_byte else [data]))
    answer_all(rig)
    method = BEHIND[behind][:3]
    got = answers(client, b"PUT", method, b"GET")
    assert [answer.status for answer in got] == [200, 200, 200]
    assert not client.ended


def test_garbage_behind_a_good_upload_is_another_request() -> None:
    """A10: the upload is stored, what follows it is refused by itself."""
    rig, client = started()
    client.says(UPLOADS["in chunks"] + b"\0garbage")
    answer_all(rig)
    got = answers(client, b"PUT", b"GET")
    assert [answer.status for answer in got] == [200, 400]
    assert client.ended


@pytest.mark.parametrize("bad", [b"x\r\n", b"1\r\nab\r\n"])
def test_a_bad_chunk_is_the_uploads_own_fault(bad: bytes) -> None:
    """A10: what follows a message whose end is unknown is never read as a request."""
    rig, client = started()
    client.says(STREAMING % (b"", len(BODY)) + bad + get("/-/healthz"))
    answer = one(client, b"PUT")
    assert (answer.status, answer.fields["connection"]) == (400, "close")
    assert client.ended
    assert rig.targets[0].heard == b""


@pytest.mark.parametrize("upload", UPLOADS)
def test_an_early_refusal_ends_with_its_own_message_or_the_connection(upload: str) -> None:
    """A10: refused before its body was read; its body is never read as a request."""
    rig, client = started(mode="sigv4")
    client.says(UPLOADS[upload] + get("/-/healthz"))
    assert client.heard.startswith(b"HTTP/1.1 403 ")
    kept = not client.ended
    assert kept is (upload == "by length")
    assert client.heard.count(b"\r\n\r\nok\n") == kept
    assert rig.targets == []
