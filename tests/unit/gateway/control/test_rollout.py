"""A published snapshot ends in one outcome, which does not change, and which can be waited for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from fastpath.ipc.frames import Frame, FrameType
from gateway.control.rollout import Outcome, Result, Rollout


def numbered(generation: int) -> Frame:
    return Frame(FrameType.NUMBERED, generation, b"")


def acknowledged(generation: int, worker: int) -> Frame:
    return Frame(FrameType.ACKNOWLEDGED, generation, json.dumps({"worker": worker}).encode())


def rejection(generation: int, worker: int = 1) -> Frame:
    told = {"worker": worker, "reason": "ValueError: seventy-seven"}
    return Frame(FrameType.REJECTION, generation, json.dumps(told).encode())


def published(generation: int) -> Frame:
    return Frame(FrameType.PUBLISHED, generation, b"")


def told(*frames: Frame) -> tuple[Rollout, list[Outcome]]:
    rollout = Rollout()
    return rollout, [outcome for frame in frames for outcome in rollout.take(frame)]


def test_a_snapshot_is_served_when_the_supervisor_says_so() -> None:
    rollout, outcomes = told(numbered(1), acknowledged(1, 1), acknowledged(1, 0))
    assert (rollout.generation, rollout.acknowledged, outcomes) == (1, {0, 1}, [])
    assert rollout.outcome(1) is None
    assert rollout.take(published(1)) == [Outcome(1, Result.SERVED, (0, 1))]
    assert rollout.outcome(1) == Outcome(1, Result.SERVED, (0, 1))
    assert rollout.take(published(1)) == []  # told again: no news


def test_a_refusal_has_its_reason_and_the_one_before_follows_it() -> None:
    rollout, outcomes = told(
        numbered(1), published(1), numbered(2), acknowledged(2, 0), rejection(2), rejection(2, 0)
    )
    refused = Outcome(2, Result.REFUSED, (0,), "worker 1: ValueError: seventy-seven")
    assert outcomes == [Outcome(1, Result.SERVED), refused]
    # The supervisor goes back under a number of its own, which control did not publish.
    assert rollout.take(acknowledged(3, 0)) == []
    assert rollout.take(published(3)) == [Outcome(3, Result.SERVED, (0,))]
    assert rollout.outcome(2) == refused


def test_a_later_generation_supersedes_one_that_is_on_its_way() -> None:
    rollout, outcomes = told(numbered(1), acknowledged(1, 0), numbered(2), acknowledged(1, 1))
    assert outcomes == [Outcome(1, Result.SUPERSEDED, (0,))]
    assert rollout.acknowledged == set()  # the last one is about generation 1
    assert rollout.take(published(1)) == []
    assert rollout.outcome(1) == Outcome(1, Result.SUPERSEDED, (0,))


def test_old_outcomes_are_forgotten() -> None:
    rollout, _ = told(
        *(frame(number) for number in range(1, 100) for frame in (numbered, published))
    )
    assert rollout.outcome(99) == Outcome(99, Result.SERVED)
    assert rollout.outcome(1) == Outcome(1, Result.SUPERSEDED)
    assert len(rollout._outcomes) < 20
    assert rollout.take(published(1)) == []


def test_an_outcome_is_a_line() -> None:
    reason = "worker 1: no"
    assert str(Outcome(2, Result.SERVED, (0, 1))) == (
        "generation 2: served, acknowledged by workers 0, 1"
    )
    assert str(Outcome(2, Result.REFUSED, reason=reason)) == "generation 2: refused: worker 1: no"


async def _waited(rollout: Rollout, generation: int, *frames: Frame) -> Outcome:
    waiting = [asyncio.create_task(rollout.served(generation, 30)) for _ in range(2)]
    await asyncio.sleep(0)
    for frame in frames:
        rollout.take(frame)
    first, second = await asyncio.gather(*waiting)
    assert first == second == await rollout.served(generation, 0.001)  # known by now
    assert not rollout._waiting
    return first


@pytest.mark.parametrize(
    ("frames", "result"),
    [
        ((numbered(5), acknowledged(5, 0), published(5)), Result.SERVED),
        ((published(5),), Result.SERVED),
        ((numbered(5), rejection(5), published(6)), Result.REFUSED),
        ((numbered(5), numbered(6)), Result.SUPERSEDED),
    ],
)
def test_an_outcome_can_be_waited_for(frames: tuple[Frame, ...], result: Result) -> None:
    outcome = _run(_waited(Rollout(), 5, *frames))
    assert (outcome.generation, outcome.result) == (5, result)


def test_waiting_ends_with_its_time() -> None:
    rollout, _ = told(numbered(5), acknowledged(5, 3))
    outcome = _run(rollout.served(5, 0.01))
    assert outcome == Outcome(5, Result.TIMED_OUT, (3,))
    assert not rollout._waiting
    assert rollout.outcome(5) is None
    assert rollout.take(published(5)) == [Outcome(5, Result.SERVED, (3,))]


def test_each_snapshot_that_was_sent_has_a_number() -> None:
    """Also one that is served already, under the number that it has."""

    async def numbers() -> list[int]:
        rollout = Rollout()
        sent = [rollout.sent() for _ in range(3)]
        sent[1].cancel()  # whoever waited is gone
        for generation in (1, 2, 2):
            rollout.take(numbered(generation))
        return [await sent[0], await sent[2]]

    assert _run(numbers()) == [1, 2]


def _run(what: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(what, 10))
