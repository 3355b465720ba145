"""A body that was read before its target was known."""

from __future__ import annotations

from fastpath.payload.filters import BodyFilter
from fastpath.signing.sigv4.chain import Chain


class HeldBody:
    """A BodyFilter that puts what was read before what comes, and has another filter check it."""

    __slots__ = ("_filter", "_held")

    def __init__(self, held: bytes, body_filter: BodyFilter) -> None:
        self._held = held
        self._filter = body_filter

    def begin(self, chain: Chain) -> None:
        self._filter.begin(chain)

    def feed(self, data: bytes, last: bool) -> bytes:
        held, self._held = self._held, b""
        return self._filter.feed(held + data, last)
