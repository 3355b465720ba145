"""Prints what the demo does to standard error, and its results to standard output."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

# Wide enough for the tables; a terminal narrower than this wraps by itself.
PLAIN_WIDTH = 120


class Voice:
    """Prints progress with the seconds since the start, and results without."""

    def __init__(self) -> None:
        self.progress = Console(stderr=True, highlight=False)
        self.result = Console(highlight=False, soft_wrap=True)
        if not self.result.is_terminal:
            self.result.width = PLAIN_WIDTH
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        seconds = time.monotonic() - self._began
        self.progress.print(f"[dim]{seconds:5.1f} s[/dim]  {text}")

    @contextlib.contextmanager
    def retelling(self) -> Iterator[None]:
        """Tell what a program prints, line by line."""
        with contextlib.redirect_stdout(_Lines(self)):
            yield


class _Lines(io.TextIOBase):
    """A standard output whose lines are told."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._begun = ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._voice.tell(f"[dim]>[/dim] {escape(line)}")
        return len(text)
