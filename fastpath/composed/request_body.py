"""The body of a client's request, piece by piece, for a coroutine.

Rules: the client's connection is read only while the coroutine waits for a piece, so that at most
one piece is in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable


class RequestBody:
    """The body as it comes in; `ended` once its last piece was read."""

    __slots__ = ("_ask", "_waiter", "ended")

    def __init__(self, ask: Callable[[], None], *, ended: bool) -> None:
        """`ask` has the next piece given to `feed`, perhaps at once; `ended`: there is no body."""
        self._ask = ask
        self._waiter: asyncio.Future[bytes]
        self.ended = ended

    async def read(self) -> bytes:
        """The next piece; it may be empty."""
        if self.ended:
            return b""
        self._waiter = asyncio.get_running_loop().create_future()
        self._ask()
        return await self._waiter

    def feed(self, data: bytes, *, last: bool) -> None:
        """Hand the piece over that was asked for."""
        self.ended = last
        self._waiter.set_result(data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.ended:
            if piece := await self.read():
                yield piece
