"""Cuts what a process prints into lines for the log: bounded in length and number.

Rules: what has no end of line is shown when it is as long as a line may be; lines beyond the rate
are counted, and the count is shown as a line of its own.
"""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 512  # of a line; a message of the log stays shorter than PIPE_BUF
MAX_LINES: Final = 20  # a second


class PrintedLines:
    """The lines of one process."""

    __slots__ = ("_left", "_second", "_shown", "_untold")

    def __init__(self) -> None:
        self._left = b""  # without its end
        self._second = 0.0  # monotonic; the second that is counted
        self._shown = 0  # lines in it
        self._untold = 0

    def feed(self, data: bytes, now: float) -> list[str]:
        """Returns the lines that `data` completes, as far as they are to be shown."""
        told: list[str] = []
        if now >= self._second + 1.0:
            told = self._tell()
            self._second, self._shown = now, 0
        *lines, self._left = (self._left + data).split(b"\n")
        if len(self._left) > MAX_BYTES:
            lines.append(self._left)
            self._left = b""
        for line in lines:
            if not line.strip():
                continue
            if self._shown >= MAX_LINES:
                self._untold += 1
                continue
            self._shown += 1
            told.append(_readable(line))
        return told

    def finish(self) -> list[str]:
        """Returns what has no end of line, and how many lines were not shown."""
        left, self._left = self._left, b""
        return ([_readable(left)] if left.strip() else []) + self._tell()

    def _tell(self) -> list[str]:
        untold, self._untold = self._untold, 0
        return [f"({untold} more lines were not shown)"] if untold else []


def _readable(line: bytes) -> str:
    text = line[:MAX_BYTES].decode("utf-8", "replace").rstrip()
    return "".join(letter if letter.isprintable() else "?" for letter in text)
