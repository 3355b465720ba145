"""The calls that the user of an upstream connection gets from it and its pool, as a Protocol.

Rules: a lessee is called exactly once at the end of its lease, unless it gave the lease up before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastpath.http.framing import BodyKind
    from fastpath.http.head import ResponseHead
    from fastpath.sockets.splice import Sink
    from fastpath.upstream.connection import UpstreamConnection


class Lessee(Protocol):
    """The user of a connection for one request."""

    def leased(self, connection: UpstreamConnection) -> None:
        """Write the request: the lessee has this connection now."""

    def lease_failed(self, reason: str, *, overload: bool) -> None:
        """Give up: the target cannot be reached, or too many wait for it (`overload`)."""

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """Take the answer's head; `more`: bytes of its body come next."""

    def answer_bytes(self, data: bytes) -> None:
        """Take a piece of the answer's body, without chunk framing."""

    def answer_sink(self) -> Sink | None:
        """The sink that the rest of the body may be spliced into; None if it must be copied."""

    def answer_complete(self) -> None:
        """Finish: the answer ended where its framing says."""

    def upstream_lost(self, reason: str, *, stale: bool) -> None:
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
