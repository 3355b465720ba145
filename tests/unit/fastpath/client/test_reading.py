"""Who may pause the reading of a client's socket: nobody resumes it for another."""

from __future__ import annotations

import itertools
from typing import cast

import pytest

from fastpath.client import reading
from fastpath.client.connection import ClientConnection
from fastpath.client.reading import AHEAD, ALL, DISCARDED, NO_TARGET, SPLICED, Reading, Reason
from tests.doubles.http1 import get, ok, put
from tests.doubles.wire import Peer
from tests.unit.fastpath.clients import started

REASONS = [reason.value for reason in Reason]


def made() -> tuple[Peer, Reading]:
    _, client = started()
    return client, cast("ClientConnection", client.protocol).reading


def test_the_masks_name_the_reasons() -> None:
    assert sum(REASONS) == ALL
    assert [getattr(reading, reason.name or "") for reason in Reason] == REASONS


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(REASONS, 2)])
def test_nobody_resumes_for_another(one: int, other: int) -> None:
    client, reads = made()
    reads.pause(one)
    reads.pause(other)
    reads.resume(ALL & ~other)
    assert not client.transport.reading
    assert reads.reasons == other
    reads.resume(other)
    assert client.transport.reading
    assert not reads.reasons


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_counts_once(reason: int) -> None:
    client, reads = made()
    reads.pause(reason)
    reads.pause(reason)
    assert not client.transport.reading
    reads.resume(reason)
    assert client.transport.reading
    reads.resume(reason)
    assert client.transport.reading


def test_the_transport_is_told_of_changes_only() -> None:
    """A transport of uvloop makes a system call of each."""
    client, reads = made()
    told: list[str] = []
    client.transport.pause_reading = lambda: told.append("pause")  # type: ignore[method-assign]
    client.transport.resume_reading = lambda: told.append("resume")  # type: ignore[method-assign]
    for mask in (AHEAD, AHEAD, SPLICED):
        reads.pause(mask)
    reads.resume(NO_TARGET)
    reads.resume(AHEAD)
    reads.resume(SPLICED)
    reads.resume(ALL)
    assert told == ["pause", "resume"]


def test_a_transport_that_closes_is_left_alone() -> None:
    client, reads = made()
    client.transport.close()
    reads.pause(DISCARDED)
    assert client.transport.reading
    reads.resume(ALL)
    assert not reads.reasons


def test_it_shows_why_it_is_paused() -> None:
    _, reads = made()
    assert repr(reads) == "<Reading on>"
    reads.pause(AHEAD)
    reads.pause(SPLICED)
    assert repr(reads) == "<Reading paused SPLICED AHEAD>"


# --- of a connection ---


def test_a_slow_target_pauses_a_connection_whose_buffer_is_full_too() -> None:
    """What was received ahead of a body's end is no reason any more once the body took it."""
    rig, client = started(limits={"pipeline_bytes": 1000})
    rig.hold_connects()
    client.says(put("/b-b/k", bytes(200_000))[:-190_000])
    reads = cast("ClientConnection", client.protocol).reading
    assert reads.reasons == NO_TARGET | AHEAD
    rig.open_held()
    assert reads.reasons == 0
    rig.target.stalls()
    client.says(bytes(100_000))
    assert reads.reasons == reading.TARGET_SLOW
    client.says(bytes(1000))
    assert len(client._waiting) == 1
    rig.target.reads(on=True)
    assert reads.reasons == 0
    assert client.transport.reading


def test_a_full_buffer_pauses_until_enough_of_its_requests_were_served() -> None:
    rig, client = started(limits={"pipeline_bytes": 5 * len(get())})
    client.says(get(), get() * 10)
    reads = cast("ClientConnection", client.protocol).reading
    for left in range(10, 0, -1):
        assert reads.reasons == (AHEAD if left >= 5 else 0)
        assert client.transport.reading is (left < 5)
        rig.target.says(ok())


def test_a_connection_that_ends_reads_on_whatever_paused_it() -> None:
    """It discards what comes: closing with bytes unread would reset the answer away."""
    rig, client = started(limits={"pipeline_bytes": 300})
    client.says(get("/b-b/k", "Connection: close"), get() * 10)
    reads = cast("ClientConnection", client.protocol).reading
    assert reads.reasons == AHEAD
    rig.target.says(ok())
    assert reads.reasons == 0
    assert client.transport.reading


def test_a_body_that_is_refused_while_it_waits_for_its_target_is_read_on() -> None:
    rig, client = started()
    rig.hold_connects()
    client.says(put("/b-b/k", bytes(1000))[:-500])
    reads = cast("ClientConnection", client.protocol).reading
    assert reads.reasons == NO_TARGET
    rig.open_held(ConnectionRefusedError(111, "Connection refused"))
    assert reads.reasons == 0
    assert client.transport.reading


def test_a_connection_that_has_discarded_enough_reads_no_more() -> None:
    _, client = started(limits={"discard_bytes": 100})
    client.stalls()
    client.says(b"what is this\r\n")
    reads = cast("ClientConnection", client.protocol).reading
    assert reads.reasons == 0
    client.says(bytes(101))
    assert reads.reasons == DISCARDED
    assert not client.transport.reading
