"""A circuit breaker: after failures in a row, requests to a target are refused at once for a while.

    CLOSED      every request goes
      | FAILURES failures in a row
    OPEN        none goes, for 1 s, and twice as long after each failed probe, up to 30 s
      | the time is over: the next request gets the lease
    HALF_OPEN   that one request, the probe, goes
      | it is answered: CLOSED; it fails: OPEN

Rules: an answer is a success whatever it says, except 502, 503 and 504: 4xx never counts, nor do
500 and 501, because a client can provoke those, and must not shut a target for others. For the same
reason a 503 "Slow Down" of AWS is a success: it is about one prefix of keys. A request that is
refused here is neither; nor is a probe whose client leaves: it gives the lease back, and one that
never reports loses it after PROBE_SECONDS. A failure of a request that was sent before the breaker
opened says nothing new. While no target of the worker can be asked, nothing is refused (`Group`).
"""

from __future__ import annotations

from typing import Protocol

from fastpath.ipc.counters import BreakerState

CLOSED, HALF_OPEN, OPEN = BreakerState  # as globals: see `exchange.states`

# Envoy's default for errors in a row is 5, and so is that of most libraries: one lost connection,
# or a target's restart that a retry hides, opens nothing.
FAILURES = 5
# A restarted process is back within a second or two; 30 s is what a person still waits for.
FIRST_SECONDS = 1.0
MOST_SECONDS = 30.0
# For an answer to a usual request. A slow upload that became the probe keeps others out no longer.
PROBE_SECONDS = 10.0

FAILED_STATUSES = (502, 503, 504)


class Group(Protocol):
    """The breakers of one worker, as each of them knows them."""

    escapes: bool  # none refuses, because no target is left

    def changed(self, breaker: Breaker, before: BreakerState) -> None:
        """Note that a breaker has another state than `before`."""


class Breaker:
    """The breaker of one route. `who` is the user of a connection, known by its identity.

    name: host and port.
    failures: in a row; 0 means that it is closed, so that whoever finds 0 need not ask.
    reason: of the last failure.
    opened_at: when it left CLOSED; unset before.
    """

    __slots__ = (
        "_group",
        "_probe",
        "_seconds",
        "_until",
        "failures",
        "name",
        "opened_at",
        "reason",
        "state",
    )

    def __init__(self, name: str, group: Group) -> None:
        self.name = name
        self.state = CLOSED
        self.failures = 0
        self.reason = ""
        self.opened_at = 0.0
        self._group = group
        self._seconds = FIRST_SECONDS
        self._until = 0.0  # of OPEN, or of the lease
        self._probe: object | None = None  # who has the lease

    def __repr__(self) -> str:
        return f"<Breaker {self.name} {self.state.name} failures={self.failures}>"

    def admits(self, now: float, who: object) -> bool:
        """Whether this request may go; gives it the lease if it is to be the probe."""
        return self.state is CLOSED or self._lends(now, who) or self._group.escapes

    @property
    def admits_none(self) -> bool:
        """Whether no request may go now, the probe included."""
        return self.state is OPEN and not self._group.escapes

    def is_idle(self, now: float) -> bool:
        """Whether the next request may be the probe, and none has come yet."""
        return self.state is OPEN and now >= self._until

    def _lends(self, now: float, who: object) -> bool:
        if now < self._until:
            return self._probe is who  # it may ask again, on another connection
        self._probe, self._until = who, now + PROBE_SECONDS
        self._move(HALF_OPEN)
        return True

    def give_back(self, who: object) -> None:
        """Free the lease, if it is this one's: it ended without a word about the target."""
        if self._probe is who:
            self._probe, self._until = None, 0.0

    def answered(self, now: float, who: object, status: int, reason: str) -> None:
        """Count an answer; `reason`: the phrase beside its status."""
        if status in FAILED_STATUSES and reason.lower() != "slow down":
            self.failed(now, who, f"answered {status}")
        elif self.failures:
            self.failures = 0
            self._probe = None
            self._move(CLOSED)

    def failed(self, now: float, who: object | None, reason: str) -> None:
        """Count a failure; `who` is None if nobody waited for the connection any more."""
        if self.state is CLOSED:
            self.failures += 1
            self.reason = reason
            if self.failures >= FAILURES:
                self.opened_at = now
                self._open(now, FIRST_SECONDS)
        elif who is not None and who is self._probe:
            self.reason = reason
            self._open(now, min(2 * self._seconds, MOST_SECONDS))

    def _open(self, now: float, seconds: float) -> None:
        self._probe, self._seconds, self._until = None, seconds, now + seconds
        self._move(OPEN)

    def _move(self, state: BreakerState) -> None:
        before, self.state = self.state, state
        if state is not before:
            self._group.changed(self, before)
