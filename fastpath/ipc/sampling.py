"""Chooses which access lines are left out when only a share of them is wanted.

Rules: only what went well is left out: no line with an error, a code or a status of 400 and above,
and none of a request that took long. The choice is by the request's id, so that a request and its
calls stay together; nobody outside can tell which ids are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fastpath.ipc.access_log import AccessLine

_BITS: Final = (1 << 32) - 1


class Sampling:
    """A share of the lines, from 0 to 1, and how long a request takes that is always written."""

    __slots__ = ("_chosen_below", "_slow_seconds")

    def __init__(self, share: float, slow_seconds: float) -> None:
        self._chosen_below = round(share * (_BITS + 1))
        self._slow_seconds = slow_seconds

    def leaves_out(self, line: AccessLine) -> bool:
        """Whether a line is not written."""
        if line.code or not 100 <= line.status < 400:
            return False
        if line.seconds is None or line.seconds >= self._slow_seconds:
            return False
        # Python's own hash of a text is keyed anew for each process that was not forked.
        return hash(line.request_id) & _BITS >= self._chosen_below
