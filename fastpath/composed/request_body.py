"""The body of a client's request, piece by piece, for a coroutine.

Rules: the client's connection is read only while the coroutine waits for a piece, so that at most
one piece is in memory, and what the body's filter keeps back. A coroutine waits for a piece without
a timeout of its own: a piece that came too late would be lost. With a filter, a piece is what it
has let through: verified as far as it can be, without the framing of its transfer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from fastpath.payload.filters import BodyFilter


class RequestBody:
    """The body as it comes in; `ended` once its last piece was read.

    An asynchronous iterator that is no generator, so that a loop over it can be left: a generator
    would be closed by a task of its own.
    """

    __slots__ = ("_ask", "_filter", "_held", "_waiter", "ended")

    def __init__(
        self, ask: Callable[[], None], *, ended: bool, body_filter: BodyFilter | None = None
    ) -> None:
        """`ask` has the next piece given to `feed`, perhaps at once; `ended`: there is no body."""
        self._ask = ask
        self._filter = body_filter
        self._held = b""
        self._waiter: asyncio.Future[bytes]
        self.ended = ended

    def set_filter(self, body_filter: BodyFilter | None) -> None:
        """Have what comes from now on pass through a filter."""
        self._filter = body_filter

    def put_back(self, whole: bytes) -> None:
        """Have a body that was read to its end be read once more, through the filter."""
        self._held, self.ended = whole, False

    async def read(self) -> bytes:
        """The next piece; it may be empty. Raises S3Error: the body is not what it should be."""
        if self.ended:
            return b""
        if self._held:
            data, self._held, self.ended = self._held, b"", True
            return data if self._filter is None else self._filter.feed(data, True)
        self._waiter = asyncio.get_running_loop().create_future()
        self._ask()
        data = await self._waiter
        return data if self._filter is None else self._filter.feed(data, self.ended)

    def feed(self, data: bytes, *, last: bool) -> None:
        """Hand the piece over that was asked for."""
        self.ended = last
        self._waiter.set_result(data)

    async def skip(self) -> None:
        """Read the rest, and drop it. Raises S3Error."""
        while not self.ended:
            await self.read()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self.ended:
            if piece := await self.read():
                return piece
        raise StopAsyncIteration
