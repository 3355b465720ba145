"""Limits the pipelined requests that one iteration of the loop serves, in turns of connections.

Rules: a request that was read first is served at once. A connection that has read more requests
waits here for its turn, and one iteration of the loop serves a bounded number of turns, so that a
client that pipelines thousands of requests delays itself and not others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class Pipelined(Protocol):
    """A connection with complete requests that wait."""

    def take_turn(self) -> None:
        """Serve one request, and wait again if there are more."""


class Turns:
    """The turns of one worker's connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop, at_once: int) -> None:
        """`at_once`: requests served in one iteration of the loop."""
        self._loop = loop
        self.at_once = at_once
        self._waiting: deque[Pipelined] = deque()
        self._scheduled = False

    def wait(self, connection: Pipelined) -> None:
        """Give this connection one turn."""
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
