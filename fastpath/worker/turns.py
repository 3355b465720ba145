"""Whose pipelined requests are next: connections take turns, and a turn of the loop has an end.

Rules: a request that its connection did not queue behind others is served when it is read; those
that were read behind it wait here, a connection at a time, and of all that wait a bounded number
is served in one turn of the loop, so that whoever sends thousands at once waits for himself and
not others for him.

Not here: cutting requests out (`downstream`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class Waiting(Protocol):
    """A connection with whole requests that wait."""

    def take_turn(self) -> None:
        """Serve one, and wait again if there are more."""


class Turns:
    """The turns of one worker's connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop, at_once: int) -> None:
        """`at_once`: requests served in one turn of the loop."""
        self._loop = loop
        self.at_once = at_once
        self._waiting: deque[Waiting] = deque()
        self._scheduled = False

    def wait(self, connection: Waiting) -> None:
        """Let this connection have its turn, once."""
        self._waiting.append(connection)
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        waiting = self._waiting
        try:
            for _ in range(min(self.at_once, len(waiting))):
                waiting.popleft().take_turn()
        finally:
            self._scheduled = False
            if waiting:
                self._schedule()
