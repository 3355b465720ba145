"""What a turn measured, and what the turns of one way say together.

Rules: latencies are pooled over a way's turns, since a turn is too short for a p99 of its own;
throughput is compared turn by turn with the turn of the other way beside it, and of those ratios
the median counts.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

KEPT_FAILURES = 5


@dataclass(slots=True)
class Turn:
    """One way of one scenario, once."""

    scenario: str
    way: str
    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    received: int = 0  # bytes
    failed: int = 0
    failures: list[str] = field(default_factory=list)  # the first different ones
    cpu: dict[str, float] = field(default_factory=dict)  # seconds: locust, gateway, stores
    asked: int = 0  # decisions
    wrong: list[str] = field(default_factory=list)
    reloads: int = 0
    answered: int | None = None  # within its seconds, without failures; None: all were

    @property
    def per_second(self) -> float:
        """Requests that did not fail."""
        answered = len(self.latencies_ms) - self.failed if self.answered is None else self.answered
        return answered / self.seconds if self.seconds else 0.0

    def end(self, seconds: float) -> None:
        """What ends later counts too, as slow or as failed, but for no throughput."""
        self.seconds = seconds
        self.answered = len(self.latencies_ms) - self.failed

    def stopped(self, seconds: float, most: float) -> None:
        """Notes how long its last requests took: one without any end is seen nowhere else."""
        if seconds >= most:
            self.fail(f"a request did not end within {most:g} s")

    def fail(self, said: str) -> None:
        self.failed += 1
        if said not in self.failures and len(self.failures) < KEPT_FAILURES:
            self.failures.append(said)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def from_dict(found: Mapping[str, Any]) -> Turn:
    """What `as_dict` made."""
    return Turn(**found)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so many are not above; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Way:
    """All turns of one way."""

    name: str
    requests: int
    failed: int
    per_second: float  # median of turns
    p50_ms: float
    p99_ms: float
    cpu: Mapping[str, float]  # cores in use
    failures: tuple[str, ...]


def way(name: str, turns: Sequence[Turn]) -> Way:
    latencies = [value for turn in turns for value in turn.latencies_ms]
    seconds = sum(turn.seconds for turn in turns) or 1.0
    names = sorted({name for turn in turns for name in turn.cpu})
    return Way(
        name,
        len(latencies),
        sum(turn.failed for turn in turns),
        statistics.median(turn.per_second for turn in turns),
        percentile(latencies, 0.5),
        percentile(latencies, 0.99),
        {name: sum(turn.cpu.get(name, 0.0) for turn in turns) / seconds for name in names},
        tuple(said for turn in turns for said in turn.failures)[:KEPT_FAILURES],
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """One scenario: its two ways, and what the second is of the first."""

    scenario: str
    first: Way
    second: Way
    throughput: float  # median of the ratios of neighbouring turns
    asked: int
    wrong: tuple[str, ...]
    reloads: int

    @property
    def p99(self) -> float:
        return self.second.p99_ms / self.first.p99_ms if self.first.p99_ms else math.inf

    @property
    def errors(self) -> float:
        return self.second.failed / self.second.requests if self.second.requests else 1.0


def compare(scenario: str, ways: tuple[str, str], turns: Sequence[Turn]) -> Compared:
    """The turns of one scenario, in the order in which they were taken."""
    first, second = (
        [turn for turn in turns if (turn.scenario, turn.way) == (scenario, name)] for name in ways
    )
    ratios = [
        two.per_second / one.per_second if one.per_second else 0.0
        for one, two in zip(first, second, strict=True)
    ]
    return Compared(
        scenario,
        way(ways[0], first),
        way(ways[1], second),
        statistics.median(ratios),
        sum(turn.asked for turn in first + second),
        tuple(said for turn in first + second for said in turn.wrong),
        sum(turn.reloads for turn in second),
    )
