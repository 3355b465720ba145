"""The deadlines of a client's connection: for bytes that it must send, and for bytes it must take.

Rules: each deadline has one setter for each thing that is waited for, and is infinite while the
connection waits for somebody else. A body and an answer must also move at the minimum rate, but for
the time in which the client waited for the target.
"""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastpath.limits import Limits

_GRACE = 1.0  # seconds for a request that is on its way, of a worker that drains or is full
_CLOSE_SECONDS = 1.0  # for a client that has got the whole answer and the end of the stream


class Late(IntEnum):
    """What a client is late with."""

    NOTHING = 0
    TAKING = 1
    SENDING = 2


NOTHING, TAKING, SENDING = Late  # as globals: see `exchange.states`


class Deadlines:
    """Both deadlines of one connection. All times are the loop's, in seconds."""

    __slots__ = (
        "_body_age",
        "_body_bytes",
        "_body_since",
        "_limits",
        "_unsent",
        "to_send",
        "to_take",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.to_send = inf
        self.to_take = inf
        self._body_since = inf  # the body is measured from then on; inf: none is awaited
        self._body_bytes = 0  # that came since then
        self._body_age: float = 0  # for so long a body that is held was awaited
        self._unsent = 0  # bytes that had not reached the client when `to_take` was set

    def __repr__(self) -> str:
        return f"<Deadlines send={self.to_send} take={self.to_take}>"

    # --- bytes that the client must send ---

    def await_request(self, now: float, *, brief: bool) -> None:
        """Wait for the next request."""
        self.to_send = now + (_GRACE if brief else self._limits.idle_seconds)
        self._body_since = inf
        self._body_age = self._body_bytes = 0

    def await_head(self, now: float) -> None:
        """Wait for the rest of a head, from its first byte."""
        self.to_send = now + self._limits.head_seconds
        self._body_since = inf

    def await_body(self, now: float) -> None:
        """Wait for the body, which is taken from now on."""
        self.to_send = now + self._limits.body_idle_seconds
        self._body_since = now
        self._body_bytes = 0

    def hold_body(self, now: float) -> None:
        """Wait for the coroutine that takes the body piece by piece."""
        self.to_send = inf
        self._body_age, self._body_since = max(now - self._body_since, 0), inf

    def await_piece(self, now: float) -> None:
        """Wait for the next piece of such a body."""
        self.to_send = now + self._limits.body_idle_seconds
        self._body_since = now - self._body_age

    def body_came(self, now: float, count: int) -> None:
        """Wait for more of the body."""
        self.to_send = now + self._limits.body_idle_seconds
        self._body_bytes += count

    def await_others(self) -> None:
        """Wait for somebody else than the client."""
        self.to_send = self._body_since = inf

    def await_end(self, now: float, *, more: bool) -> None:
        """Wait for the client to end its stream, too; `more`: it may still send something."""
        self.to_send = now + self._limits.discard_seconds if more else now
        self._body_since = inf

    def await_close(self, now: float) -> None:
        """Wait for the client to close: it has been sent everything."""
        self.to_send = now + _CLOSE_SECONDS
        self._body_since = inf

    # --- bytes that the client must take ---

    def await_reader(self, now: float, unsent: int) -> None:
        """Wait for the client to take the bytes that have not reached it."""
        self._unsent = unsent
        self.to_take = now + self._limits.send_idle_seconds

    def reader_done(self) -> None:
        """Note that the client has taken enough."""
        self.to_take = inf

    def took_enough(self, unsent: int) -> bool:
        """Whether the client took bytes at the minimum rate, or is about to have taken all."""
        taken = self._unsent - unsent
        enough = self._limits.send_idle_seconds * self._limits.minimum_rate_bytes
        return taken >= enough or (taken > 0 and self._unsent <= enough)

    # --- the decision ---

    def late(self, now: float) -> Late:
        """What the client is late with."""
        if now >= self.to_take:
            return TAKING
        if now >= self.to_send or self._body_is_slow(now):
            return SENDING
        return NOTHING

    def _body_is_slow(self, now: float) -> bool:
        seconds = now - self._body_since
        return (
            seconds > self._limits.minimum_rate_grace_seconds
            and self._body_bytes < seconds * self._limits.minimum_rate_bytes
        )
