"""Who waits for a reload, and what they are told of it."""

from __future__ import annotations

import asyncio

from gateway.control.reloads import REMEMBERED, Read, Reload, Reloads
from gateway.control.rollout import Outcome, Result

DONE = Reload(began=1.0, seconds=0.5, ok=True, generation=2)


def test_a_reload_answers_those_who_asked_before_it_began() -> None:
    async def play() -> tuple[bool, bool]:
        reloads = Reloads()
        early = reloads.wait()
        waiting = reloads.begin()
        late = reloads.wait()
        reloads.end(DONE, waiting)
        assert await early is DONE
        was_late = late.done()
        reloads.end(DONE, reloads.begin())
        return was_late, late.done()

    assert asyncio.run(play()) == (False, True)


def test_a_caller_that_left_holds_nobody_up() -> None:
    async def play() -> Reload:
        reloads = Reloads()
        left, stays = reloads.wait(), reloads.wait()
        left.cancel()
        reloads.end(DONE, reloads.begin())
        return await stays

    assert asyncio.run(play()) is DONE


def test_the_history_is_bounded() -> None:
    reloads = Reloads()
    for _ in range(2 * REMEMBERED):
        reloads.end(DONE, ())
    assert len(reloads.recent) == REMEMBERED


def told(result: Result, reason: str = "") -> dict[str, object]:
    read = Read(began=10.0, digest="d", warnings=("w",), needs_restart=("workers",))
    return read.ended(Outcome(7, result, (0, 1), reason), 12.5).as_dict()


def test_what_became_of_it() -> None:
    assert told(Result.SERVED) == {
        "ok": True,
        "began": 10.0,
        "seconds": 2.5,
        "warnings": ["w"],
        "generation": 7,
        "digest": "d",
        "acknowledged": [0, 1],
        "needs_restart": ["workers"],
    }
    assert told(Result.SUPERSEDED)["ok"] is True
    refused = told(Result.REFUSED, "worker 1: no such target")
    assert (refused["ok"], refused["problems"]) == (False, ["worker 1: no such target"])
    late = told(Result.TIMED_OUT)
    assert late["ok"] is False
    assert "in time" in str(late["problems"])
