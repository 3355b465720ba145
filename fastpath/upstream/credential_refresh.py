"""Asks control for fresh credentials of a target, and keeps who waits for them.

Rules: control is asked at most once per target in ASK_SECONDS, however many requests are refused;
only temporary credentials are waited for (others change when somebody writes a file), for at most
WAIT_SECONDS, by at most MAX_WAITING; who waits hears once of either end.

Not here: whether a refusal is one of the signature (`verdict`), getting credentials (control).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastpath.signing.sigv4.sign import Signer

if TYPE_CHECKING:
    from fastpath.exchange.exchange import Exchange
    from fastpath.ipc.log import Journal
    from fastpath.routing.snapshot import Snapshot

# A chain answers in milliseconds, STS in a second or two; clients time out after 60.
WAIT_SECONDS = 5.0
# Fresh credentials that are refused as well are not replaced by asking faster.
ASK_SECONDS = 30.0
MAX_WAITING = 1024  # as many as may wait for a connection


class Renewals:
    """One worker's."""

    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal = journal
        self._clock = clock
        self._asked: dict[str, float] = {}  # by target name
        self._trusted: dict[str, float] = {}  # when a target last took the gateway's signature
        self._waiting: dict[Exchange, float] = {}  # until when

    def ask(self, target: str) -> None:
        """Tell control, unless it was told a moment ago."""
        now = self._clock()
        if now - self._asked.get(target, -math.inf) >= ASK_SECONDS:
            self._asked[target] = now
            self._journal.refresh_wanted(target)

    def doubts(self, target: str) -> bool:
        """Whether it is time to ask if a target still takes the gateway's signature."""
        return self._clock() - self._trusted.get(target, -math.inf) >= ASK_SECONDS

    def trust(self, target: str) -> None:
        """It does."""
        self._trusted[target] = self._clock()

    def wait(self, exchange: Exchange, snapshot: Snapshot) -> None:
        """Other credentials than the refused ones, now or soon; or none, which is told as well."""
        refused, signer = _refused(exchange), _signer_now(exchange, snapshot)
        if not signer.equals(refused):
            exchange.renewed(signer)
            return
        assert exchange.admission.target is not None  # admitted
        until = self._asked.get(exchange.admission.target.name, -math.inf) + WAIT_SECONDS
        if until > self._clock() and refused.temporary and len(self._waiting) < MAX_WAITING:
            self._waiting[exchange] = until
        else:
            exchange.not_renewed()

    def give_up(self, exchange: Exchange) -> None:
        """It waits no more."""
        self._waiting.pop(exchange, None)

    def look(self, snapshot: Snapshot) -> None:
        """A snapshot came: serve those whose credentials changed."""
        self._trusted.clear()
        self._asked = {n: when for n, when in self._asked.items() if n in snapshot.targets}
        for exchange in list(self._waiting):
            signer = _signer_now(exchange, snapshot)
            if exchange in self._waiting and not signer.equals(_refused(exchange)):
                del self._waiting[exchange]
                exchange.renewed(signer)

    def sweep(self, now: float) -> None:
        """End the waiting of those whose time is over."""
        for exchange in [exchange for exchange, until in self._waiting.items() if until <= now]:
            del self._waiting[exchange]
            exchange.not_renewed()


def _refused(exchange: Exchange) -> Signer:
    signer = exchange.admission.signer
    assert isinstance(signer, Signer)  # admitted; what was not signed is not refused as such
    return signer


def _signer_now(exchange: Exchange, snapshot: Snapshot) -> Signer:
    """What `snapshot` signs such a request with; the refused one if it would go elsewhere."""
    decision, caller = exchange.admission.decision, exchange.admission.caller
    assert decision is not None  # admitted
    ours, theirs = exchange.snapshot.targets[decision.target], snapshot.targets.get(decision.target)
    if theirs is None or theirs.route.key != ours.route.key:
        return _refused(exchange)
    caller = snapshot.callers.get(caller.access_key_id, caller)
    return snapshot.signer(theirs, caller) or _refused(exchange)
