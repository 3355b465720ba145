"""Into what connections are read: less where a side speaks TLS, so that less waits for the slow."""

from __future__ import annotations

from typing import Any

import pytest

from fastpath.sockets.read_buffers import FIRST_READ, LESS_READ, NEXT_READ, room_of
from tests.doubles.http1 import get
from tests.doubles.wire import Peer
from tests.unit.fastpath.clients import started

RECORD = 2**14 + 256 + 5  # the longest of TLS 1.3 and 1.2, RFC 8446 section 5.2, with its header
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


class Transport:
    def __init__(self, ssl_object: object) -> None:
        self._ssl_object = ssl_object
        self.limits: tuple[int, int] | None = None

    def get_extra_info(self, name: str) -> Any:
        assert name == "ssl_object"
        return self._ssl_object

    def set_read_buffer_limits(self, high: int, low: int) -> None:
        self.limits = (high, low)


def test_a_plain_connection_is_read_in_the_largest_pieces() -> None:
    plain: Any = Transport(None)
    assert room_of(plain) is NEXT_READ
    assert plain.limits is None
    assert len(NEXT_READ) > len(LESS_READ) > len(FIRST_READ)


def test_tls_keeps_little_and_always_completes_a_record() -> None:
    """It stops reading at the first mark, and reads on below the second.

    A record of which a part has come must not keep it above that one: nothing would take it away.
    """
    secure: Any = Transport(object())
    assert room_of(secure) is LESS_READ
    high, low = secure.limits
    assert RECORD <= low < high < 2 * RECORD


@pytest.mark.parametrize(("secure", "room"), [(False, NEXT_READ), (True, LESS_READ)])
def test_an_answer_to_a_client_under_tls_is_read_in_smaller_pieces(
    secure: bool, room: memoryview
) -> None:
    rig, client = started()
    protocol: Any = client.protocol
    protocol.secure = secure
    client.says(get("/b-b/k"))
    assert len(room_for(rig.target)) == len(FIRST_READ)
    rig.target.says(HEAD + b"x")
    assert len(room_for(rig.target)) == len(room)


def test_the_next_client_of_a_kept_connection_is_not_concerned() -> None:
    rig, secure = started()
    protocol: Any = secure.protocol
    protocol.secure = True
    secure.says(get("/b-b/k"))
    rig.target.says(HEAD.replace(b"1000000", b"1") + b"x")
    plain = rig.connect()
    plain.says(get("/b-b/k"))
    assert len(rig.targets) == 1
    rig.target.says(HEAD + b"x")
    assert len(room_for(rig.target)) == len(NEXT_READ)


def room_for(peer: Peer) -> memoryview:
    """Where the gateway would put what comes next from there."""
    protocol: Any = peer.protocol
    room: memoryview = protocol.get_buffer(-1)
    return room
