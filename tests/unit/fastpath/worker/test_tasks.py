"""A task without which a worker is of no use never ends alone."""

from __future__ import annotations

import asyncio
import inspect
import os
from typing import Any, cast

import pytest

from fastpath.worker import process
from fastpath.worker.process import EXIT_CRASHED, Worker


class Told:
    """The log: what it was told, in order."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def crash(self, fault: BaseException) -> None:
        self.said.append(str(fault))

    def flush(self) -> None:
        self.said.append("flush")


async def fails() -> None:
    raise ValueError("a defect")


async def returns() -> None:
    return


async def goes_on() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(("core", "ends"), [(fails, True), (returns, True), (goes_on, False)])
def test_its_end_is_logged_and_ends_the_process(
    core: Any, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A12: an exception in sweep, beat or listen."""
    told = Told()
    monkeypatch.setattr(os, "_exit", told.said.append)
    mine = Worker(cast("Any", None))
    mine._log = cast("Any", told)

    async def live() -> None:
        task = mine._keep(core())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)

    asyncio.run(live())
    assert told.said[1:] == (["flush", EXIT_CRASHED] if ends else [])
    assert ("defect" in str(told.said)) is (core is fails)


def test_a_worker_starts_no_other_tasks() -> None:
    """A12: every long-lived task is watched."""
    assert inspect.getsource(process).count("create_task(") == 1
