"""What one worker knows of its targets: the breakers of their routes, and the words of control.

    barred      targets that get no request: disabled by an operator, or found unhealthy
    escapes     no target can be asked: then no breaker refuses, and no unhealthy target is barred

Rules: a target that an operator has disabled gets nothing in any case, and does not count among
those that could be asked. So a gateway with a single target never refuses by itself: a mistake of
its own could not end otherwise. Words are read once in a sweep; one of health counts until its
date, so that a control which has died shuts off nothing for good. The state of each breaker is in
the worker's row, where `status` reads it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from fastpath.ipc.counters import BreakerState, Health, TargetGauge
from fastpath.upstream.breaker import Breaker

if TYPE_CHECKING:
    from fastpath.ipc.counters import TargetCells
    from fastpath.ipc.log import WorkerLog
    from fastpath.routing.snapshot import Route, Snapshot

# A breaker that opens and closes all the time is told of once in so many seconds.
LINE_SECONDS = 5.0
STILL_OPEN_SECONDS = 60.0  # between two lines about a breaker that stays open

_PROBED = "one request at a time tries it again"
_IDLE = "no request has come to try it again, the next one does"
_ESCAPED = "its requests go on, because no other target can be asked"


class _Target(NamedTuple):
    name: str
    route: str  # its key
    cells: TargetCells | None  # None: it has no block of its own


class _Told:
    """What status and log say of a breaker that has opened."""

    __slots__ = ("at", "is_open", "next", "second")

    def __init__(self) -> None:
        self.second = 0  # of the epoch, when it opened
        self.at = float("-inf")  # when it was last said that it opened
        self.is_open = False  # that was said, and not yet that it closed
        self.next = 0.0  # when to say that it still is


class Breakers:
    """The breakers of one worker (`breaker.Group`)."""

    def __init__(
        self,
        log: WorkerLog,
        clock: Callable[[], float],
        cells: Callable[[str], TargetCells | None] = lambda _: None,
    ) -> None:
        """`cells`: those of a target by its name, in control's row and in the worker's."""
        self.barred: dict[str, str] = {}  # by target: why; always the same object
        self.escapes = False
        self._log = log
        self._clock = clock
        self._cells = cells
        self._targets: list[_Target] = []
        self._disabled: frozenset[str] = frozenset()
        self._unhealthy: frozenset[str] = frozenset()
        self._breakers: dict[str, Breaker] = {}  # by the key of a route, as pools need them
        self._told: dict[Breaker, _Told] = {}

    def install(self, snapshot: Snapshot) -> None:
        """Know the targets of this snapshot."""
        self._targets = [
            _Target(target.name, target.route.key, self._cells(target.name))
            for target in snapshot.targets.values()
        ]
        self._read_words()
        self._settle()

    def of(self, route: Route) -> Breaker:
        """The breaker of a route."""
        breaker = self._breakers.get(route.key)
        if breaker is None:
            breaker = self._breakers[route.key] = Breaker(f"{route.host}:{route.port}", self)
        return breaker

    def forget(self, key: str) -> None:
        """Drop the breaker of a route that has no pool any more."""
        breaker = self._breakers.pop(key, None)
        if breaker is not None:
            self._told.pop(breaker, None)

    def changed(self, breaker: Breaker, before: BreakerState) -> None:
        """Note that a breaker has another state than `before`."""
        if before is BreakerState.CLOSED:
            self._told.setdefault(breaker, _Told()).second = int(time.time())
        self._settle()
        if before is BreakerState.HALF_OPEN and breaker.state is BreakerState.OPEN:
            told = self._told[breaker]
            told.next = min(told.next, self._clock() + STILL_OPEN_SECONDS)
        if breaker.state is BreakerState.CLOSED:
            self._tell_closed(breaker)
        elif before is BreakerState.CLOSED:
            self._tell_opened(breaker)

    def sweep(self, now: float) -> None:
        """Read the words of control, and say which breakers stay open."""
        if self._read_words():
            self._settle()
        for breaker, told in self._told.items():
            if breaker.state is BreakerState.CLOSED:
                continue
            if not told.is_open:
                self._tell_opened(breaker)
            elif now >= told.next:
                # Of one that nobody asks there is nothing new to say until somebody does.
                told.next = now + (math.inf if breaker.is_idle(now) else STILL_OPEN_SECONDS)
                self._tell_still_open(breaker, now)

    # --- words and states ---

    def _read_words(self) -> bool:
        """Read which targets are disabled or unhealthy; whether that has changed."""
        second = time.time()
        known = [target for target in self._targets if target.cells is not None]
        disabled = frozenset(target.name for target in known if _is_disabled(target))
        unhealthy = frozenset(target.name for target in known if _is_unhealthy(target, second))
        if (disabled, unhealthy) == (self._disabled, self._unhealthy):
            return False
        self._disabled, self._unhealthy = disabled, unhealthy
        return True

    def _settle(self) -> None:
        """Work out what follows from words and states."""
        shut = [self._is_shut(one) for one in self._targets if one.name not in self._disabled]
        self.escapes = all(shut)
        self.barred.clear()
        if not self.escapes:
            for name in self._unhealthy:
                self.barred[name] = "not asked: active checks find it unhealthy (s3gateway status)"
        for name in self._disabled:
            self.barred[name] = f"not asked: it is disabled (s3gateway enable {name})"
        for target in self._targets:
            self._show(target)

    def _is_shut(self, target: _Target) -> bool:
        breaker = self._breakers.get(target.route)
        is_open = breaker is not None and breaker.state is not BreakerState.CLOSED
        return is_open or target.name in self._unhealthy

    def _show(self, target: _Target) -> None:
        """Write the state of a target's breaker into the worker's row."""
        if target.cells is None:
            return
        breaker = self._breakers.get(target.route)
        state = BreakerState.CLOSED if breaker is None else breaker.state
        since = 0
        if breaker is not None and state is not BreakerState.CLOSED:
            since = self._told[breaker].second
        target.cells.own[TargetGauge.BREAKER] = state
        target.cells.own[TargetGauge.BREAKER_SINCE] = since

    # --- the log ---

    def _names(self, breaker: Breaker) -> str:
        """The targets of a breaker; of another region's, which no target has, host and port."""
        keys = {key for key, known in self._breakers.items() if known is breaker}
        return ",".join(one.name for one in self._targets if one.route in keys) or breaker.name

    def _tell_opened(self, breaker: Breaker) -> None:
        now, told = self._clock(), self._told[breaker]
        if now < told.at + LINE_SECONDS:
            return  # a sweep says it, if it is still open then
        told.at, told.is_open = now, True
        told.next = breaker.opened_at + STILL_OPEN_SECONDS
        self._log.event(
            "warning",
            f"shut off after {breaker.failures} failures in a row, the last: {breaker.reason}; "
            f"{_ESCAPED if self.escapes else _PROBED}",
            target=self._names(breaker),
        )

    def _tell_closed(self, breaker: Breaker) -> None:
        told = self._told[breaker]
        if told.is_open:
            told.is_open = False
            seconds = self._clock() - breaker.opened_at
            self._log.event(
                "info", f"answers again, after {seconds:.1f} s", target=self._names(breaker)
            )

    def _tell_still_open(self, breaker: Breaker, now: float) -> None:
        minutes = round((now - breaker.opened_at) / 60)
        then = _ESCAPED if self.escapes else _IDLE if breaker.is_idle(now) else _PROBED
        self._log.event(
            "warning",
            f"shut off for {minutes} min now, the last failure: {breaker.reason}; {then}",
            target=self._names(breaker),
        )


def _is_disabled(target: _Target) -> bool:
    assert target.cells is not None  # it was looked for
    return bool(target.cells.words[TargetGauge.DISABLED])


def _is_unhealthy(target: _Target, second: float) -> bool:
    assert target.cells is not None  # it was looked for
    words = target.cells.words
    until = words[TargetGauge.HEALTH_UNTIL]
    return words[TargetGauge.HEALTH] == Health.UNHEALTHY and (not until or second < until)
