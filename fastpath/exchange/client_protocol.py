"""What an exchange uses of its client, as a Protocol: `client.connection` implements it."""

from __future__ import annotations

from typing import Protocol


class Lifetime(Protocol):
    """How long the client's connection is still served."""

    end: float  # on the loop's clock: an answer given from then on is the last

    def refuse(self) -> None:
        """Count a refused request of an unknown sender."""


class Client(Protocol):
    """The client's side of one exchange."""

    remote: str  # address and port
    secure: bool  # the connection uses TLS
    descriptor: int  # to splice from and to; -1 under TLS

    @property
    def lifetime(self) -> Lifetime:
        """The lifetime of the connection."""

    def send(self, data: bytes, more: bytes = b"") -> None:
        """Write answer bytes, `more` after `data`."""

    def finish(self, *, keep: bool) -> None:
        """Serve the next request after this complete answer, or close the connection."""

    def ends_by_closing(self) -> None:
        """Note that the end of the connection is the end of this answer."""

    def abort(self) -> None:
        """Reset the connection, so that the client sees the answer broken."""

    def flushed(self) -> bool:
        """Whether the socket may be spliced into: no byte written before still waits."""

    def sink_paused(self, *, paused: bool) -> None:
        """Note that the client has stopped to take spliced bytes, or takes them again."""

    @property
    def is_paused(self) -> bool:
        """Whether the client takes no bytes at the moment."""

    def hold_body(self) -> None:
        """Stop reading the body until its next piece is wanted."""

    def read_piece(self) -> None:
        """Read the next piece of the body."""

    def pause_body(self) -> None:
        """Stop reading the request's body."""

    def resume_body(self) -> None:
        """Read the request's body on."""
