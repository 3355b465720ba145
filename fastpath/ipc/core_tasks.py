"""Runs the tasks that a process cannot work without: when one ends by itself, the process exits.

Rules: it makes no difference whether such a task raises, returns or is cancelled by other code; the
process first reports what happened, and ends even if that fails.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine


class CoreTasks:
    """The core tasks of one process."""

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        """`report` says why the process ends, and writes out what must not be lost."""
        self._report = report
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving = False

    def start(self, core: Coroutine[object, object, None]) -> None:
        """Runs a core task from now on."""
        task = asyncio.get_running_loop().create_task(
            core, name=getattr(core, "__qualname__", None)
        )
        task.add_done_callback(self._end)
        self._tasks.append(task)

    def cancel(self) -> None:
        """Cancels them because the process leaves: from now on they may end."""
        self._leaving = True
        for task in self._tasks:
            task.cancel()

    def _end(self, task: asyncio.Task[None]) -> None:
        if self._leaving:
            return
        try:
            fault = None if task.cancelled() else task.exception()
            self._report(fault or RuntimeError(f"{task.get_name()} ended"))
        finally:
            os._exit(os.EX_SOFTWARE)
