"""What an exchange asks of its client's connection.

Not here: the connection itself (`downstream`).

Rules: an exchange knows nothing else of its client.
"""

from __future__ import annotations

from typing import Protocol


class Client(Protocol):
    """The client's side of one exchange."""

    remote: str
    secure: bool  # it speaks TLS

    def send(self, data: bytes) -> None:
        """Write answer bytes."""

    def finish(self, *, keep: bool) -> None:
        """The answer is complete; serve the next request, or close once this one is read."""

    def abort(self) -> None:
        """Break off, so that the client notices."""

    def pause_body(self) -> None:
        """Read no more of the request for now."""

    def resume_body(self) -> None:
        """Read on."""
