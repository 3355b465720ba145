"""Answers that say too much, too slowly, or what they cannot mean."""

from __future__ import annotations

import pytest

from fastpath.upstream.connection import MANY_CHUNKS, MAX_INTERIM
from tests.doubles.http1 import get, ok, read_answers
from tests.doubles.wire import Rig
from tests.unit.fastpath.upstream.test_connection import asked, kept, splits, the_answer


@pytest.mark.parametrize(
    ("method", "raw"),
    [
        ("DELETE", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
        ("DELETE", b"HTTP/1.0 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (
            "DELETE",
            b"HTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"HTTP/1.1 204 No Content\r\n\r\n",
        ),
    ],
    ids=repr,
)
@pytest.mark.parametrize("behind", [b"", b"0\r\n\r\n"])
def test_an_answer_without_a_body_that_announces_one(
    method: str, raw: bytes, behind: bytes
) -> None:
    """C14: the client has the answer, nobody has what may follow."""
    for pieces in [[raw + behind], [raw, behind], *splits(raw)]:
        _, client, target = asked(get(method=method))
        target.says(*pieces)
        (answer,) = read_answers(client.heard, [method.encode()])
        assert answer.status == int(raw[raw.rindex(b"HTTP") + 9 :][:3])
        assert not {"transfer-encoding", "content-length"} & set(answer.fields)
        assert not client.ended
        assert target.aborted


def test_a_head_that_trickles_has_the_time_of_an_answer() -> None:
    """A3: each byte does not renew the deadline."""
    rig = Rig(timeouts={"response_seconds": 30})
    client = rig.connect()
    client.says(get())
    for byte in ok(b"hello"):
        rig.target.says(bytes([byte]))
        rig.pass_time(1)
    assert rig.target.aborted
    assert the_answer(client).status == 503


@pytest.mark.parametrize("extra", [0, 1, 100_000])
def test_a_few_answers_of_1xx_and_no_more(extra: int) -> None:
    """A3: a flood of them ends the connection, however it is cut."""
    one = b"HTTP/1.1 102 Processing\r\n\r\n"
    for pieces in ([one * (MAX_INTERIM + extra)], [one] * (MAX_INTERIM + min(extra, 5))):
        _, client, target = asked()
        target.says(*pieces, ok(b"hello"))
        answer = the_answer(client)
        assert answer.status == (503 if extra else 200)
        assert target.aborted is bool(extra)


def test_answers_of_1xx_are_counted_for_each_request() -> None:
    """A3: a kept connection begins anew."""
    rig, client, target = asked()
    for _ in range(3):
        target.says(b"HTTP/1.1 102 Processing\r\n\r\n" * MAX_INTERIM + ok(b"hello"))
        assert the_answer(client).status == 200
        assert kept(rig)
        client.take()
        client.says(get())


def test_chunks_of_one_byte_are_handed_on_together() -> None:
    """A3: what costs the target 6 bytes costs no write and no chunk of ours."""
    rig, client, target = asked()
    target.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    client.take()
    target.says(b"1\r\nx\r\n" * 1000)
    assert client.heard == b"3e8\r\n" + b"x" * 1000 + b"\r\n"
    assert not rig.defects


def test_a_read_of_very_many_chunks_gives_way_to_others() -> None:
    """A3: the next read is another turn of the loop's, and none is lost."""
    rig, client, target = asked()
    target.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    flood = b"1\r\nx\r\n" * (MANY_CHUNKS + 1)
    target.says(flood, b"1\r\ny\r\n0\r\n\r\n", settle=False)
    assert not target.transport.reading
    rig.settle()
    answer = the_answer(client)
    assert answer.body == b"x" * (MANY_CHUNKS + 1) + b"y"
    assert kept(rig)


def test_a_client_that_is_slower_holds_a_target_that_gave_way() -> None:
    """A3: reading goes on when the client reads, not before."""
    _rig, client, target = asked()
    client.stalls()
    target.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    target.says(b"1\r\nx\r\n" * 100_000)
    assert not target.transport.reading
    client.reads(on=True)
    assert target.transport.reading
