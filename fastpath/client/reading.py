"""Decides whether a client's socket is read: it is, unless somebody has a reason against it.

Rules: nobody else pauses or resumes the reading of the transport. Who resumes names its own
reasons, so that it never overrides the reason of another.
"""

from __future__ import annotations

import asyncio
from enum import IntFlag


class Reason(IntFlag):
    """A reason not to read the socket."""

    NO_TARGET = 1  # a body waits until there is a connection to the target
    TARGET_SLOW = 2  # the target takes no more bytes of the body
    SPLICED = 4  # a flow reads the socket
    AHEAD = 8  # enough bytes of later requests are buffered
    DISCARDED = 16  # a connection that ends has discarded as much as it may


# As numbers, because Python 3.11 calculates with members of a flag in Python.
NO_TARGET, TARGET_SLOW, SPLICED, AHEAD, DISCARDED = (reason.value for reason in Reason)
OF_EXCHANGE = NO_TARGET | TARGET_SLOW | SPLICED
ALL = OF_EXCHANGE | AHEAD | DISCARDED


class Reading:
    """The reading of one client's socket."""

    __slots__ = ("_transport", "reasons")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.reasons = 0  # why it is paused; 0: it is not

    def __repr__(self) -> str:
        names = [reason.name or "" for reason in Reason if reason & self.reasons]
        return f"<Reading paused {' '.join(names)}>" if names else "<Reading on>"

    def pause(self, reason: int) -> None:
        """Stop reading for this reason."""
        if not self.reasons and not self._transport.is_closing():
            self._transport.pause_reading()
        self.reasons |= reason

    def resume(self, reasons: int) -> None:
        """Read on if there was no other reason not to."""
        before, self.reasons = self.reasons, self.reasons & ~reasons
        if before and not self.reasons and not self._transport.is_closing():
            self._transport.resume_reading()
