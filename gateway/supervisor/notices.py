"""Messages to the operator: one line each on standard error, one write each.

Rules: nothing here raises, a full or closed standard error loses the line; no secret is ever
passed in; a line is one `write`, shorter than PIPE_BUF where possible, so that lines of several
processes do not mix.

Not here: access and event lines of the workers (`gateway.control.logs`).
"""

from __future__ import annotations

import json
import os
import time
from typing import Final

LEVELS: Final = ("debug", "info", "warning", "error")

_STANDARD_ERROR: Final = 2


class Notices:
    """Where a process says what happens to it."""

    __slots__ = ("_form", "_threshold")

    def __init__(self, level: str = "info", form: str = "text") -> None:
        self.configure(level, form)

    def configure(self, level: str, form: str) -> None:
        """Takes over the settings of the configuration; unknown words mean info and text."""
        self._threshold = LEVELS.index(level) if level in LEVELS else LEVELS.index("info")
        self._form = form

    def wants(self, level: str) -> bool:
        """Whether a message of this level is written."""
        return LEVELS.index(level) >= self._threshold

    def debug(self, message: str) -> None:
        self.say("debug", message)

    def info(self, message: str) -> None:
        self.say("info", message)

    def warning(self, message: str) -> None:
        self.say("warning", message)

    def error(self, message: str) -> None:
        self.say("error", message)

    def say(self, level: str, message: str) -> None:
        """Writes one message unless its level is below the threshold."""
        if not self.wants(level):
            return
        flat = message.replace("\n", "; ")
        if self._form == "json":
            entry = {"time": round(time.time(), 3), "level": level, "message": flat}
            self.line(json.dumps(entry))
        else:
            self.line(f"s3gateway: {level}: {flat}")

    def line(self, text: str) -> None:
        """Writes one line as it is."""
        try:
            os.write(_STANDARD_ERROR, text.encode("utf-8", "replace") + b"\n")
        except OSError:
            return  # nobody reads standard error; there is no better place to say so


def plural(count: int, noun: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
