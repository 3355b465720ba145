"""Numbers the snapshots, and keeps the last one with the configuration's text it was made of.

The text is what the operator accepted last: it is served until the next reload, whatever was saved
to the file meanwhile.

Rules: no number is used twice or goes back, whatever control does; the last snapshot stays in the
supervisor, because a worker must be able to start while control is down; a snapshot that is
identical to the last one gets no new number.
"""

from __future__ import annotations

from fastpath.ipc.frames import FrameType, encode


class Generations:
    """The last snapshot: workers serve it, or are about to."""

    __slots__ = (
        "_previous",
        "current",
        "deadline_monotonic",
        "frame",
        "payload",
        "text",
        "tickets",
    )

    def __init__(self) -> None:
        self.payload = b""  # the last snapshot
        self._previous = (b"", b"")  # and its text
        self.text = b""  # of the configuration; empty without a file
        self.current = 0
        self.frame = b""  # the SNAPSHOT frame of `current`
        self.tickets: set[int] = set()  # numbers of the reloads that end when `current` is served
        self.deadline_monotonic: float | None = None  # for all workers to serve it; None = they do

    @property
    def pending(self) -> bool:
        """Whether some worker does not serve the last snapshot yet."""
        return self.deadline_monotonic is not None

    def publish(self, payload: bytes, deadline_monotonic: float, text: bytes = b"") -> bool:
        """Keeps a snapshot from control, with its text; returns whether it is a new one."""
        if payload == self.payload:
            self.text = text
            return False
        if not self.pending:  # every worker served it, so it is safe to go back to
            self._previous = self.payload, self.text
        self.text = text
        self._number(payload, deadline_monotonic)
        return True

    def roll_back(self, deadline_monotonic: float) -> bool:
        """Publishes the last snapshot that every worker served; False if there is none.

        It gets a new number, because some workers may serve the one that others rejected.
        """
        payload, text = self._previous
        if not payload:
            return False
        self.text = text
        self._number(payload, deadline_monotonic)
        self._previous = (b"", b"")  # if workers reject this as well, there is no other
        return True

    def settle(self) -> set[int]:
        """Notes that every worker serves `current`; returns the reloads that this ends."""
        self.deadline_monotonic = None
        answered, self.tickets = self.tickets, set()
        return answered

    def _number(self, payload: bytes, deadline_monotonic: float) -> None:
        self.payload = payload
        self.current += 1
        self.frame = encode(FrameType.SNAPSHOT, self.current, payload)
        self.deadline_monotonic = deadline_monotonic
