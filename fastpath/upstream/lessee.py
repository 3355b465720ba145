"""What a connection to a target, and the pool it is of, tell whoever it works for.

Rules: a lessee is told of the end of its lease exactly once, unless it gave up before.

Not here: the connection itself (`upstream`), who gets one (`pool`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastpath.exchange.splice_ends import AnswerSink
    from fastpath.http.framing import BodyKind
    from fastpath.http.head import ResponseHead
    from fastpath.upstream.connection import UpstreamConnection


class Lessee(Protocol):
    """Who a connection works for."""

    def leased(self, connection: UpstreamConnection) -> None:
        """The connection is yours: write your request."""

    def lease_failed(self, reason: str, *, overload: bool) -> None:
        """There will be none: the target cannot be reached, or too many wait for it."""

    def answer_head(self, raw: bytes, head: ResponseHead, kind: BodyKind, *, more: bool) -> None:
        """The answer's head; `more`: bytes of its body are here and come next."""

    def answer_bytes(self, data: bytes) -> None:
        """A piece of the answer's body, without chunk framing."""

    def answer_sink(self) -> AnswerSink | None:
        """Where the rest of the body may be spliced to; None: it is to be copied."""

    def answer_complete(self) -> None:
        """The answer ended where its framing says it ends."""

    def upstream_lost(self, reason: str, *, stale: bool) -> None:
        """The connection is gone and the answer is not complete.

        `stale`: it had served before and closed without a byte for this lessee, so it may have been
        closed in the moment of reuse.
        """

    def crash(self, fault: Exception) -> None:
        """A defect showed while the lessee was told something."""

    def upstream_paused(self) -> None:
        """The target does not take the request's bytes as fast as they come."""

    def upstream_resumed(self) -> None:
        """It does again."""
