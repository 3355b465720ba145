"""A client's connection: every deadline, and the clock that holds them."""

from __future__ import annotations

import pytest

from tests.doubles.http1 import get, ok, put
from tests.unit.fastpath.clients import PUT, one, started

# --- deadlines ---


def test_a_head_has_a_time_from_its_first_byte() -> None:
    rig, client = started(limits={"head_seconds": 20, "idle_seconds": 75})
    rig.pass_time(60)
    client.says(b"GET / HT")
    rig.pass_time(10)
    client.says(b"TP/1.1\r\n")
    rig.pass_time(9)
    assert client.heard == b""
    rig.pass_time(2)
    answer = one(client)
    assert (answer.status, answer.code) == (400, "RequestTimeout")
    assert client.ended


def test_an_idle_connection_is_closed_without_a_word() -> None:
    rig, client = started(limits={"idle_seconds": 75})
    rig.pass_time(74)
    assert not client.transport.ended
    rig.pass_time(2)
    assert client.transport.ended
    assert client.heard == b""


def test_the_time_of_an_idle_connection_begins_anew_after_each_answer() -> None:
    rig, client = started(limits={"idle_seconds": 75})
    rig.pass_time(70)
    client.says(get())
    rig.target.says(ok())
    rig.pass_time(74)
    assert not client.transport.ended
    rig.pass_time(2)
    assert client.transport.ended


def test_a_body_that_stops() -> None:
    rig, client = started(limits={"body_idle_seconds": 20})
    client.says(PUT[:-5])
    rig.pass_time(19)
    client.says(PUT[-5:-4])
    rig.pass_time(19)
    assert client.heard == b""
    rig.pass_time(2)
    answer = one(client, b"PUT")
    assert (answer.status, answer.code) == (400, "RequestTimeout")
    assert rig.target.aborted
    assert client.ended


def test_a_body_that_trickles() -> None:
    rig, client = started(limits={"minimum_rate_bytes": 2, "minimum_rate_grace_seconds": 60})
    client.says(put("/b-b/k", bytes(1000))[:-1000])
    for _ in range(60):
        rig.pass_time(1)
        client.says(b"x")
    assert client.heard == b""
    rig.pass_time(1)
    assert one(client, b"PUT").code == "RequestTimeout"


def test_a_body_that_is_just_fast_enough() -> None:
    rig, client = started(limits={"minimum_rate_bytes": 2, "minimum_rate_grace_seconds": 60})
    client.says(put("/b-b/k", bytes(1000))[:-1000])
    for _ in range(200):
        client.says(b"xx")
        rig.pass_time(1)
    assert client.heard == b""


def test_the_time_of_a_body_does_not_run_while_the_target_is_slow() -> None:
    rig, client = started(timeouts={"idle_seconds": 1000})
    client.says(put("/b-b/k", bytes(200_000))[:-200_000])
    rig.target.stalls()
    client.says(bytes(100_000))
    rig.pass_time(500)
    assert not client.ended
    rig.target.reads(on=True)
    rig.pass_time(19)
    assert not client.ended
    rig.pass_time(2)
    assert one(client, b"PUT").code == "RequestTimeout"


@pytest.mark.parametrize("rate", [256, 200, 0])  # bytes a second; 256 is the least
def test_a_reader_below_the_minimum_rate_is_dropped(rate: int) -> None:
    rig, client = started(limits={"send_idle_seconds": 60})
    client.says(get())
    client.stalls()
    rig.target.says(ok(bytes(400_000)))
    for _ in range(5):
        client.reads(rate * 61)
        rig.pass_time(61)
    assert client.aborted is (rate < 256)


def test_a_reader_that_takes_nothing_is_dropped_however_little_is_left() -> None:
    rig, client = started(limits={"send_idle_seconds": 60, "idle_seconds": 75})
    client.stalls()
    client.says(get())
    rig.target.says(ok(b"hello"))
    rig.pass_time(75 + 61)
    assert client.transport.ended
    rig, client = started(limits={"send_idle_seconds": 60})
    client.stalls()
    client.says(get("/b-b/k", "Connection: close"))
    rig.target.says(ok(b"hello"))
    client._waiting.append(b"")
    client.deliver()
    rig.pass_time(61)
    assert client.transport.ended


def test_a_slow_reader_of_a_last_answer_gets_it_whole() -> None:
    rig, client = started(limits={"send_idle_seconds": 60})
    client.says(get("/b-b/k", "Connection: close"))
    client.stalls()
    rig.target.says(ok(bytes(5000)))
    for _ in range(5):
        rig.pass_time(50)
        client.reads(1000)
    client.reads()
    assert one(client).whole
    assert not client.aborted


def test_waiting_for_a_target_is_not_the_clients_time() -> None:
    rig, client = started(timeouts={"response_seconds": 500})
    client.says(get())
    rig.pass_time(499)
    assert not client.ended
    rig.target.says(ok())
    assert one(client).status == 200


def test_one_sweep_that_fails_stops_no_other() -> None:
    rig, client = started()

    class Broken(type(client.protocol)):  # type: ignore[misc]
        def sweep(self, now: float) -> None:
            raise ValueError("a defect")

    broken = Broken(rig.worker)
    broken.transport = client.transport
    rig.worker.connections.add(broken)
    others = [rig.connect() for _ in range(5)]
    rig.pass_time(76)
    assert all(other.transport.ended for other in others)
    assert "ValueError: a defect" in rig.defects[0]
