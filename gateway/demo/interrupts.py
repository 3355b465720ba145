"""Ends the demo on Ctrl-C, SIGTERM, and when the terminal is closed.

Rules: the first signal sets a flag, which `check` and `pause` turn into `Interrupted` at points
where everything that was started is known; a second one interrupts at once; signals are ignored
while the demo removes what it made.
"""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked the demo to end; the examples' `except Exception` must not hide that."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupts:
    """Handles signals in a `with` block, and restores the handlers after it."""

    def __init__(self) -> None:
        self._received = 0
        self._ignoring = False
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def __enter__(self) -> Interrupts:
        for number in SIGNALS:
            signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._reader)
        os.close(self._writer)

    def check(self) -> None:
        """Raise Interrupted if a signal came."""
        if self._received and not self._ignoring:
            raise Interrupted(self._received)

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until a signal comes; then raise Interrupted."""
        self.check()
        select.select([self._reader], [], [], seconds)
        self.check()

    def ignore(self) -> None:
        """Ignores signals from now on, because the clean-up is short and must be completed."""
        self._ignoring = True

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._ignoring:
            return
        again, self._received = self._received, number
        if again:
            raise Interrupted(number)
        os.write(self._writer, b"!")
