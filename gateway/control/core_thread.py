"""Threads that control cannot work without: one that ends by itself ends the process.

An exception of any thread does so already (`threading.excepthook`, set by `control.run`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class CoreThread(threading.Thread):
    """Raises an exception if `work` returns before `leaving` was set."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self.leaving = False

    def run(self) -> None:
        self._work()
        if not self.leaving:
            raise RuntimeError("it returned")
