"""A copy from one target to another (`tests.doubles.copying`), whatever happens to whom."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.composed.operation import DEADLINE_SECONDS
from fastpath.upstream.call import WINDOW
from tests.doubles.copying import COPIES
from tests.doubles.http1 import ok, put, read_requests
from tests.doubles.wire import Peer
from tests.unit.fastpath.composed.bench import Bench

OBJECT = bytes(range(256)) * 8
COPY = put("/b-b/k", b"", "x-amz-copy-source: b-b/source")


class Copy(Bench):
    """A copy that has begun: the source was asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.rig.worker.composed = COPIES
        self.client.says(COPY)

    @property
    def source(self) -> Peer:
        return self.rig.targets[0]

    @property
    def destination(self) -> Peer:
        return self.rig.targets[1]

    def copied(self) -> bytes:
        """What the destination has of the object."""
        ((head, body),) = read_requests(self.destination.heard)
        assert head.startswith(b"PUT /b-b/k HTTP/1.1\r\nhost: generic.test:9000\r\n")
        return body

    def ends(self, status: int, code: str, *calls: tuple[str, int, str]) -> None:
        """Checks how it has ended: with these calls, and with nothing left."""
        assert self.line() == (status, code)
        assert sorted(self.calls()) == sorted(calls)
        assert self.is_at_rest
        assert not self.rig.defects


def test_a_copy_is_byte_identical() -> None:
    copy = Copy()
    said = ok(OBJECT)
    copy.source.says(said[:500], said[500:1200])
    assert len(copy.copied()) < len(OBJECT)
    copy.source.says(said[1200:])
    assert copy.copied() == OBJECT
    assert copy.client.heard == b""
    copy.destination.says(ok(b"", 'ETag: "1"'))
    answer = copy.answer(b"PUT")
    assert (answer.status, answer.body.count(b"<ETag>&quot;1&quot;</ETag>")) == (200, 1)
    copy.ends(200, "", ("GetObject", 200, ""), ("PutObject", 200, ""))
    assert not copy.source.ended
    assert not copy.destination.ended
    assert not copy.client.ended


def test_an_empty_object() -> None:
    copy = Copy()
    copy.source.says(ok(b""))
    assert b"content-length: 0\r\n" in copy.destination.heard
    copy.destination.says(ok(b""))
    copy.ends(200, "", ("GetObject", 200, ""), ("PutObject", 200, ""))


def test_a_slow_source_lets_white_space_go_out() -> None:
    copy = Copy()
    said = ok(OBJECT)
    for at in range(0, len(said), 300):
        copy.source.says(said[at : at + 300])
        copy.rig.pass_time(1)
    copy.destination.says(ok(b""))
    assert copy.copied() == OBJECT
    assert copy.answer(b"PUT").body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n <Copy')
    copy.ends(200, "", ("GetObject", 200, ""), ("PutObject", 200, ""))


def test_a_slow_destination_bounds_what_waits() -> None:
    size = 10 * WINDOW
    copy = Copy()
    copy.source.says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % size)
    copy.destination.stalls()
    said = 1
    while copy.source.transport.is_reading() and said < size:
        copy.source.says(b"x" * 65536)
        said += 65536
    # The window and a read; what the transport has taken, and the piece that made it too much.
    assert said <= WINDOW + 65536 + 2 * 65536 + 1
    copy.destination.reads(on=True)
    copy.source.says(b"x" * (size - said))
    assert copy.copied() == b"x" * size
    copy.destination.says(ok(b""))
    copy.ends(200, "", ("GetObject", 200, ""), ("PutObject", 200, ""))


@pytest.mark.parametrize("seconds", [0, 6])
@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_side_that_is_killed_midway(side: str, seconds: float) -> None:
    """The copy is no success; white space does not make it one."""
    copy = Copy()
    copy.source.says(ok(OBJECT)[:-100])
    copy.rig.pass_time(seconds)
    peer: Peer = getattr(copy, side)
    peer.resets()
    copy.source.says(OBJECT[-100:-50])  # who sends notices that a side is gone
    answer = copy.answer(b"PUT")
    assert (answer.status, answer.code) == (200 if seconds else 503, "ServiceUnavailable")
    assert answer.whole
    assert copy.source.ended
    assert copy.destination.ended
    failed = {
        "source": (("GetObject", 200, "Failed"), ("PutObject", 0, "Aborted")),
        "destination": (("GetObject", 200, "Aborted"), ("PutObject", 0, "Failed")),
    }
    copy.ends(answer.status, "ServiceUnavailable", *failed[side])


def test_a_client_that_leaves_midway() -> None:
    copy = Copy()
    copy.source.says(ok(OBJECT)[:-100])
    copy.client.resets()
    assert copy.source.reset
    assert copy.destination.reset
    copy.ends(0, "ClientGone", ("GetObject", 200, "Aborted"), ("PutObject", 0, "Aborted"))


def test_a_copy_that_is_late() -> None:
    copy = Copy(timeouts={"idle_seconds": 10 * DEADLINE_SECONDS})
    copy.source.says(ok(OBJECT)[:-100])
    copy.rig.loop.now += DEADLINE_SECONDS
    copy.rig.settle()
    answer = copy.answer(b"PUT")
    assert (answer.code, answer.whole) == ("ServiceUnavailable", True)
    assert copy.destination.reset
    copy.ends(
        answer.status,
        "ServiceUnavailable",
        ("GetObject", 200, "Aborted"),
        ("PutObject", 0, "Aborted"),
    )


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden"])
def test_a_destination_that_answers_early(status: str) -> None:
    """It has not got every byte, whatever it says."""
    copy = Copy()
    copy.source.says(ok(OBJECT)[:-100])
    copy.destination.says(ok(b"no", status=status))
    copy.source.says(OBJECT[-100:])
    assert copy.answer(b"PUT").code == "ServiceUnavailable"
    assert copy.destination.ended
    assert copy.is_at_rest


def test_a_source_that_has_no_such_object() -> None:
    copy = Copy()
    copy.source.says(ok(b"<Error><Code>NoSuchKey</Code></Error>", status="404 Not Found"))
    assert (copy.answer(b"PUT").status, copy.answer(b"PUT").code) == (404, "NoSuchKey")
    assert len(copy.rig.targets) == 1
