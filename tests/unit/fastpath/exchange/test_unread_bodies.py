"""What of a request a target may not have read is never taken for the next client's request."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import get, ok, put, read_answers
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import Rig

COMPLETION = (
    b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
    b"</CompleteMultipartUpload>"
)

# What goes up with a body and cannot be answered so before the body was read.
READ = [
    (put("/b-b/k", b"body"), "200 OK"),
    (put("/b-b/k", b"body"), "201 Created"),
    (put(with_sealed_id("/b-b/k?partNumber=1&uploadId=u"), b"body"), "200 OK"),
    (put(with_sealed_id("/b-b/k?uploadId=u"), COMPLETION, method="POST"), "200 OK"),
]
# A refusal says nothing of the body, nor does the success of what the target may ignore.
PERHAPS_UNREAD = [
    *[
        (put("/b-b/k", b"body"), status)
        for status in ("304 Not Modified", "403 Forbidden", "412 Precondition Failed", "500 Oops")
    ],
    (put(with_sealed_id("/b-b/k?partNumber=1&uploadId=u"), b"body"), "404 Not Found"),
    (put(with_sealed_id("/b-b/k?uploadId=u"), COMPLETION, method="POST"), "400 Bad Request"),
    (put("/b-b", b"<CreateBucketConfiguration/>"), "200 OK"),
    (put("/b-b?tagging", b"<Tagging/>"), "200 OK"),
    (put("/b-b/k?tagging", b"<Tagging/>"), "204 No Content"),
    (put("/b-b?unknown", b"body"), "200 OK"),
]


def kept(rig: Rig) -> bool:
    return "idle=1" in repr(rig.worker.pool(rig.worker.snapshot.targets["first"].route, "first"))


@pytest.mark.parametrize(("request_", "status"), READ, ids=lambda value: repr(value)[:60])
def test_a_body_that_was_read_leaves_the_connection_to_the_next(
    request_: bytes, status: str
) -> None:
    """A1: success of what must have been read whole."""
    rig = Rig()
    client = rig.connect()
    client.says(request_)
    rig.target.says(ok(b"", status=status))
    assert kept(rig)
    assert not client.ended


@pytest.mark.parametrize(("request_", "status"), PERHAPS_UNREAD, ids=lambda value: repr(value)[:60])
def test_a_body_that_may_be_unread_ends_the_connection(request_: bytes, status: str) -> None:
    """A1: the next client gets another connection, this one keeps its own."""
    rig = Rig()
    client = rig.connect()
    client.says(request_)
    target = rig.target
    target.says(ok(b"", status=status))
    (answer,) = read_answers(client.heard, [request_.split(b" ")[0]])
    assert answer.status == int(status[:3])
    assert not client.ended
    assert target.aborted
    client.take()
    client.says(get())
    assert rig.target is not target
    rig.target.says(ok(b"mine"))
    assert read_answers(client.heard, [b"GET"])[0].body == b"mine"


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "412 Precondition Failed"])
@pytest.mark.parametrize(
    "request_",
    [get(), get(method="HEAD"), get(method="DELETE"), put("/b-b/k", b""), get("/b-b")],
    ids=lambda raw: repr(raw[:12]),
)
def test_without_a_body_every_answer_leaves_it(request_: bytes, status: str) -> None:
    """A1: nothing can be unread."""
    rig = Rig()
    client = rig.connect()
    client.says(request_)
    rig.target.says(ok(b"", status=status))
    assert kept(rig)


def test_an_answer_that_was_there_before_the_last_byte_ends_the_connection() -> None:
    """A1: answered early, though the loop sees the answer after the whole request was sent."""
    rig = Rig()
    client = rig.connect()
    whole = put("/b-b/k", bytes(2000))
    client.says(whole[:-1])
    rig.target.whispers(ok())  # the kernel has it, the loop has not
    client.says(whole[-1:])
    rig.target.says(ok())
    assert read_answers(client.heard, [b"PUT"])[0].status == 200
    assert not client.ended
    assert rig.target.aborted


def test_an_answer_to_a_head_that_was_not_sent_ends_the_connection() -> None:
    """The next answer on it would be that of this request."""
    rig = Rig()
    client = rig.connect()
    client.says(put("/b-b/k", b"body")[:-4])
    assert rig.target.heard == b""  # the head goes up with the first byte
    rig.target.says(ok(b"stray"))
    assert b"stray" in client.heard
    assert not kept(rig)
    assert rig.target.ended
