"""What an exchange asks of its client's connection.

Not here: the connection itself (`downstream`).

Rules: an exchange knows nothing else of its client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fastpath.client.lifetime import Lifetime


class Client(Protocol):
    """The client's side of one exchange."""

    remote: str
    secure: bool  # it speaks TLS
    lifetime: Lifetime  # how many exchanges are still to come
    descriptor: int  # to splice from and to; -1 under TLS

    def send(self, data: bytes, more: bytes = b"") -> None:
        """Write answer bytes, `more` after `data`."""

    def finish(self, *, keep: bool) -> None:
        """The answer is complete; serve the next request, or close once this one is read."""

    def ends_by_closing(self) -> None:
        """The answer that comes has no end but the connection's."""

    def abort(self) -> None:
        """Break off, so that the client notices."""

    def flushed(self) -> bool:
        """Whether its socket may be spliced into: nothing that was written waits."""

    def sink_stuck(self, *, stuck: bool) -> None:
        """It takes nothing of what is spliced into it, or does again."""

    def pause_body(self) -> None:
        """Read no more of the request for now."""

    def resume_body(self) -> None:
        """Read on."""
