"""Generations: numbering snapshots, keeping the last one, and who serves which.

With the snapshot stays the text of the configuration that it was made of: what the operator
accepted is served until he says otherwise, whatever was saved to the file meanwhile.

Rules: a generation is never used twice and never goes back, whatever control does; the last
snapshot stays here, because a worker must be able to start while control is down; an identical
snapshot is no new generation.

Not here: the workers that take it (`crew`), compiling it (control).
"""

from __future__ import annotations

from fastpath.ipc.frames import FrameType, encode


class Generations:
    """The snapshot that is served, or on its way to be."""

    __slots__ = (
        "_payload",
        "_previous",
        "current",
        "deadline_monotonic",
        "frame",
        "text",
        "tickets",
    )

    def __init__(self) -> None:
        self._payload = b""
        self._previous = (b"", b"")  # and its text
        self.text = b""  # of the configuration; empty without a file
        self.current = 0
        self.frame = b""  # the SNAPSHOT frame of `current`
        self.tickets: set[int] = set()  # reloads that `current` answers
        self.deadline_monotonic: float | None = None  # by when workers serve it; None = they do

    @property
    def pending(self) -> bool:
        """Whether a snapshot is on its way."""
        return self.deadline_monotonic is not None

    def publish(self, payload: bytes, deadline_monotonic: float, text: bytes = b"") -> bool:
        """Takes a snapshot of control and its text; whether it is a new one."""
        if payload == self._payload:
            self.text = text
            return False
        if not self.pending:  # served by every worker, so safe to return to
            self._previous = self._payload, self.text
        self.text = text
        self._number(payload, deadline_monotonic)
        return True

    def roll_back(self, deadline_monotonic: float) -> bool:
        """Publishes the last snapshot that every worker served; False if there is none.

        Under a new number: workers that took the bad one must not think they have this already.
        """
        payload, text = self._previous
        if not payload:
            return False
        self.text = text
        self._number(payload, deadline_monotonic)
        self._previous = (b"", b"")  # if they reject this as well, there is nothing left to try
        return True

    def settle(self) -> set[int]:
        """Every worker serves `current`; returns the reloads that are answered by that."""
        self.deadline_monotonic = None
        answered, self.tickets = self.tickets, set()
        return answered

    def _number(self, payload: bytes, deadline_monotonic: float) -> None:
        self._payload = payload
        self.current += 1
        self.frame = encode(FrameType.SNAPSHOT, self.current, payload)
        self.deadline_monotonic = deadline_monotonic
