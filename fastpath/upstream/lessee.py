"""What an upstream connection and its user call on each other, as two Protocols.

Rules: a lessee is called exactly once at the end of its lease, unless it gave the lease up before.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from fastpath.ipc.cells import TargetCounter

if TYPE_CHECKING:
    from fastpath.http.framing import BodyKind
    from fastpath.http.head import ResponseHead
    from fastpath.limits import Timeouts
    from fastpath.sockets.splice import Sink


class Failure(IntEnum):
    """Why a target gave no whole answer."""

    OVERLOAD = 0  # too many requests wait for it
    REFUSED = 1  # no connection: refused, no address, TLS; or shut off, or disabled
    TIMEOUT = 2  # no connection or no answer in time
    BROKEN = 3  # the connection broke before or in the answer
    UNUSABLE = 4  # it answered, and the gateway cannot use that: another place would be no remedy

    @property
    def counter(self) -> TargetCounter:
        """As what it is counted."""
        return TargetCounter(TargetCounter.FAILURES_OVERLOAD + self)


class Connection(Protocol):
    """A connection to a target, as its lessee uses it (`upstream.connection` implements it)."""

    timeouts: Timeouts
    descriptor: int  # to splice from and to; -1 under TLS
    lessee: Lessee | None

    def send_head(self, data: bytes, method: bytes, body: bytes = b"") -> None:
        """Write a request head and body bytes; the method decides how the answer is delimited."""

    def send_body(self, data: bytes) -> None:
        """Write body bytes of the request."""

    def look_for_answer(self) -> None:
        """Note whether the answer began before the request was complete."""

    def flushed(self) -> bool:
        """Whether the socket may be spliced into: no byte written before still waits."""

    def read_less(self) -> None:
        """Read this answer in smaller pieces, so that less of it waits for a slow client."""

    def read_whole(self) -> None:
        """Read as much of this answer as is here at once: none of it is left to splice(2)."""

    def expect_answer_within(self, seconds: float) -> None:
        """Set the deadline by which the next byte of the answer must be here."""

    def expect_taking(self, *, paused: bool) -> None:
        """Start the target's deadline while it takes no bytes of the request, or stop it."""

    def pause_reading(self) -> None:
        """Stop reading, and stop the target's deadline: the reader is slower."""

    def resume_reading(self) -> None:
        """Read on."""

    def close_after(self) -> None:
        """Keep the connection in no case: the target may not have read all of the request."""

    def has_read(self, operation: str) -> bool:
        """Whether the target has certainly read the body of this operation, which it answered."""

    def release(self, *, request_read: bool) -> None:
        """End the lease; keep the connection if both sides ended cleanly."""

    def abort(self) -> None:
        """Drop the connection at once, without a call to the lessee."""


class Lessee(Protocol):
    """The user of a connection for one request."""

    def leased(self, connection: Connection) -> None:
        """Write the request: the lessee has this connection now."""

    def lease_failed(self, reason: str, *, how: Failure) -> None:
        """Give up: the target cannot be reached, or too many wait for it."""

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """Take the answer's head; `more`: bytes of its body come next."""

    def answer_bytes(self, data: bytes) -> None:
        """Take a piece of the answer's body, without chunk framing."""

    def answer_sink(self) -> Sink | None:
        """The sink that the rest of the body may be spliced into; None if it must be copied."""

    def answer_complete(self) -> None:
        """Finish: the answer ended where its framing says."""

    def upstream_lost(self, reason: str, *, stale: bool, how: Failure) -> None:
        """Resend or give up: the connection is gone and the answer is not complete.

        `stale`: the connection had served before and closed without a byte for this lessee, so the
        target may have closed it in the moment of reuse.
        """

    def crash(self, fault: Exception) -> None:
        """Handle a defect of the gateway that showed in a call to the lessee."""

    def upstream_paused(self) -> None:
        """Stop sending: the target is slower than the client."""

    def upstream_resumed(self) -> None:
        """Send on."""
