"""A task without which a process is of no use never ends alone."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fastpath.ipc.core_tasks import CoreTasks
from fastpath.worker import process
from gateway.control import control


async def fails() -> None:
    raise ValueError("a defect")


async def returns() -> None:
    return


async def is_cancelled() -> None:
    raise asyncio.CancelledError


async def goes_on() -> None:
    await asyncio.Event().wait()


def said_by(
    core: Callable[[], Coroutine[Any, Any, None]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    report_fails: bool = False,
) -> list[object]:
    """What is reported and the exit status, until the process leaves by itself."""
    said: list[object] = []

    def report(fault: BaseException) -> None:
        said.append(str(fault))
        if report_fails:
            raise OSError("no log")

    async def live() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        tasks = CoreTasks(report)
        tasks.start(core())
        tasks.start(goes_on())
        for _ in range(3):
            await asyncio.sleep(0)
        tasks.cancel()
        await asyncio.sleep(0)

    monkeypatch.setattr(os, "_exit", said.append)
    asyncio.run(live())
    return said


@pytest.mark.parametrize(
    ("core", "told"), [(fails, "a defect"), (returns, "returns"), (is_cancelled, "is_cancelled")]
)
@pytest.mark.parametrize("report_fails", [False, True])
def test_its_end_is_told_and_ends_the_process(
    core: Any, told: str, report_fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A12: an exception in sweep, beat or listen."""
    fault, status = said_by(core, monkeypatch, report_fails=report_fails)
    assert told in str(fault)
    assert status == 70


def test_a_process_that_leaves_may_end_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said_by(goes_on, monkeypatch) == []


@pytest.mark.parametrize(("module", "cores"), [(process, 3), (control, 3)])
def test_a_process_starts_no_other_tasks(module: Any, cores: int) -> None:
    """A12: every long-lived task is watched."""
    source = inspect.getsource(module)
    assert source.count("create_task(") == 0
    assert source.count(".start(self._") == cores
