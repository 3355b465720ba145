"""A worker that is busy, one that hangs, and one that gets no processor."""

from __future__ import annotations

import os

import pytest

from fastpath.ipc.counters import SLOTS, Slot
from gateway.supervisor.heartbeat import Heartbeat, Reading
from gateway.supervisor.timeouts import BUSY_BEATS

LIMIT = 5.0


def first_fault(
    seconds: float, *, beats: bool = False, works: bool = False, runs: bool = False, load: float = 0
) -> float | None:
    """After how many seconds it is taken for hung; `load` is its share of a processor."""
    heartbeat = Heartbeat()
    for half in range(int(seconds * 2)):
        now = half / 2
        reading = Reading(1 + half * beats, 1 + half * works, now * load, runs)
        if heartbeat.fault(reading, 100 + now, 0.0, LIMIT) is not None:
            return now
    return None


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"beats": True}, None),
        ({}, LIMIT),  # blocked, or stopped
        ({"runs": True, "load": 1.0}, LIMIT),  # an endless loop
        ({"runs": True, "load": 0.5}, 2 * LIMIT),  # the same on half a processor
        ({"runs": True, "load": 0.01}, BUSY_BEATS * LIMIT),  # it gets no processor
        ({"works": True, "runs": True, "load": 1.0}, BUSY_BEATS * LIMIT),  # a flood in one turn
        ({"works": True}, BUSY_BEATS * LIMIT),
    ],
)
def test_who_is_taken_for_hung_and_when(seen: dict[str, object], expected: float | None) -> None:
    """A2: the watchdog tells a busy worker from a hung one, and ends each in bounded time."""
    found = first_fault(200, **seen)  # type: ignore[arg-type]  # a table of keywords
    assert found == (None if expected is None else expected + 0.5)


def test_silence_before_a_pause_does_not_count() -> None:
    """A2: after Ctrl-Z and fg every sign is old."""
    heartbeat = Heartbeat()
    reading = Reading(1, 1, 0.0, False)
    assert heartbeat.fault(reading, 100.0, 0.0, LIMIT) is None
    assert heartbeat.fault(reading, 200.0, 199.0, LIMIT) is None
    assert heartbeat.fault(reading, 205.0, 199.0, LIMIT) is not None


def test_a_look_at_a_process() -> None:
    row = memoryview(bytearray(SLOTS * 8)).cast("Q")
    row[Slot.HEARTBEAT], row[Slot.REQUESTS], row[Slot.ACCEPTED] = 7, 2, 3
    row[Slot.CONNECTIONS] = 9  # no counter
    reading = Reading.take(os.getpid(), row)
    assert (reading.beat, reading.work, reading.runs) == (7, 5, True)
    assert 0 < reading.cpu < 3600
    assert Reading.take(2**22 + 1, row) == Reading(7, 5, 0.0, False)
