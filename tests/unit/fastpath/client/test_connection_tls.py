"""A client's connection over TLS: its transport has no half to close, and a close waits."""

from __future__ import annotations

from typing import Any

from fastpath.limits import Limits
from tests.doubles.http1 import get
from tests.doubles.wire import Peer, Rig, WireTransport
from tests.unit.fastpath.clients import one, started

LIMITS = Limits()


class Whole(WireTransport):
    """As a TLS transport: a close says goodbye and waits for the client to do so too."""

    def can_write_eof(self) -> bool:
        return False

    def write_eof(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._closing = True


class Bereft(Whole):
    """The same, whose TCP transport is gone: the protocol is told in the loop's next turn."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return None if name == "socket" else super().get_extra_info(name, default)


def connected() -> tuple[Rig, Peer]:
    rig, client = started()
    client.transport.__class__ = Whole
    return rig, client


def test_a_refused_client_has_the_time_to_close_first() -> None:
    rig, client = connected()
    client.says(b"garbage\r\n")
    assert one(client).status == 400
    client.says(b"what was on its way")
    assert not client.transport.is_closing()
    rig.pass_time(LIMITS.discard_seconds)
    assert client.transport.is_closing()
    assert not rig.defects


def test_more_than_a_client_may_send_after_a_refusal_ends_it() -> None:
    rig, client = connected()
    client.says(b"garbage\r\n")
    client.says(b"x" * (LIMITS.discard_bytes + 1))
    assert client.transport.is_closing()
    rig.pass_time(LIMITS.discard_seconds + 2)
    assert client.aborted
    assert not rig.worker.connections


def test_a_client_that_says_no_goodbye_is_left() -> None:
    rig, client = connected()
    rig.pass_time(LIMITS.idle_seconds)
    assert client.transport.is_closing()
    assert not client.aborted
    rig.pass_time(2)
    assert client.aborted
    assert not client.reset
    assert not rig.worker.connections


def test_a_slow_reader_is_not_left_while_it_reads() -> None:
    rig, client = connected()
    client.stalls()
    client.says(b"garbage\r\n")
    for _ in range(3):
        rig.pass_time(LIMITS.send_idle_seconds - 1)
        assert not client.aborted
        client.reads(10)
    rig.pass_time(2 * LIMITS.send_idle_seconds)
    assert client.aborted


def test_a_connection_that_is_gone_already_is_no_defect() -> None:
    rig, client = connected()
    client.transport.__class__ = Bereft
    rig.pass_time(LIMITS.idle_seconds + 2)
    assert client.aborted
    other = rig.connect()
    other.transport.__class__ = Bereft
    rig.worker.cut()
    assert other.aborted
    assert not rig.defects


def test_an_answer_that_ends_with_the_stream_is_ended_at_once() -> None:
    _, client = connected()
    client.says(get().replace(b"HTTP/1.1", b"HTTP/1.0"))
    (target,) = client.rig.targets
    target.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    assert not client.transport.is_closing()
    target.says(b"0\r\n\r\n")
    assert client.heard.endswith(b"\r\n\r\nabc")
    assert client.transport.is_closing()
    assert not client.aborted


def test_draining_waits_for_handshakes() -> None:
    rig, client = connected()
    assert rig.worker.begin_handshake()
    rig.worker.drain()
    client.resets()
    assert not rig.worker.empty.is_set()
    late = rig.connect()
    rig.worker.end_handshake()
    assert not rig.worker.empty.is_set()
    rig.pass_time(2)  # the grace of an idle connection in a drain, not `idle_seconds`
    assert late.ended
    assert rig.worker.empty.is_set()


def test_as_many_handshakes_as_connections() -> None:
    rig = Rig(limits={"connections": 2})
    assert [rig.worker.begin_handshake() for _ in range(3)] == [True, True, False]
    rig.worker.end_handshake()
    assert rig.worker.begin_handshake()
