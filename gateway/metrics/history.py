"""Keeps the last ten minutes of traffic, by target, for the plots of the dashboard.

    a reading   what the page of counters says of each target at one time: totals since the start
    a sample    what was done between two readings: rates of a second; the quantiles of latencies
                are of the last ten seconds, because two seconds have few requests

Rules: memory is bounded, whatever traffic and however many targets; a target is in a sample only if
it had requests, and beyond the busiest ones they are summed under OTHERS; nothing here is told the
workers. The samples end with the process, the totals do not, so that a control which is replaced
begins again with an empty history and right numbers.
"""

from __future__ import annotations

import asyncio
import functools
import math
import secrets
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Final, NamedTuple

SECONDS: Final = 2.0  # between two samples
KEPT: Final = 300  # samples: ten minutes
LISTED: Final = 64  # targets in a sample: 300 samples of 64 targets take 3 MB
NO_TARGET: Final = ""  # what was refused before it had a target
OTHERS: Final = "*"  # no name of a target

RATES: Final = ("requests", "errors_4xx", "errors_5xx", "bytes_in", "bytes_out")
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
COLUMNS: Final = (*RATES, *QUANTILES)

_LATENCY_READINGS: Final = 5  # readings that quantiles look back: ten seconds


class Counts(NamedTuple):
    """Totals of one target: in the order of RATES, and its latencies by bucket."""

    rates: tuple[int, ...]
    buckets: tuple[int, ...]  # one for each bound, and one for what is above the last

    def since(self, before: Counts) -> Counts:
        """What came in addition; totals of a target do not fall."""
        return Counts(
            tuple(max(a - b, 0) for a, b in zip(self.rates, before.rates, strict=True)),
            tuple(max(a - b, 0) for a, b in zip(self.buckets, before.buckets, strict=True)),
        )

    def plus(self, other: Counts) -> Counts:
        """The sum of two."""
        return Counts(
            tuple(a + b for a, b in zip(self.rates, other.rates, strict=True)),
            tuple(a + b for a, b in zip(self.buckets, other.buckets, strict=True)),
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float  # epoch seconds
    moment: float  # monotonic
    targets: Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class _Sample:
    number: int
    at: float
    seconds: float
    total: array[float]  # in the order of COLUMNS; a quantile of nothing is NaN
    targets: Mapping[str, array[float]]


class History:
    """Samples of what `read` says; it says None as long as there is nothing to read."""

    def __init__(
        self, read: Callable[[], Mapping[str, Counts] | None], bounds: Sequence[float]
    ) -> None:
        self._read = read
        self._bounds = tuple(bounds)
        self._nothing = Counts((0,) * len(RATES), (0,) * (len(bounds) + 1))
        self._boot = secrets.token_hex(8)  # tells a page that the numbers began again
        self._number = 0
        self._readings: deque[_Reading] = deque(maxlen=_LATENCY_READINGS)
        self._samples: deque[_Sample] = deque(maxlen=KEPT)

    async def run(self) -> None:
        """Takes a sample every two seconds, for ever."""
        while True:
            # In a thread: with a thousand targets the reading takes 0.1 s.
            self.take(await asyncio.to_thread(self._read))
            await asyncio.sleep(SECONDS)

    def take(
        self,
        targets: Mapping[str, Counts] | None,
        at: float | None = None,
        moment: float | None = None,
    ) -> None:
        """Takes one reading, and makes the sample since the one before."""
        if targets is None:
            return
        reading = _Reading(
            time.time() if at is None else at,
            time.monotonic() if moment is None else moment,
            targets,
        )
        if self._readings:
            self._samples.append(self._sample(reading))
        self._readings.append(reading)

    def answer(self, since: int = 0) -> dict[str, object]:
        """Returns the samples with a higher number than `since`, in plain JSON types."""
        return {
            "interval": SECONDS,
            "boot": self._boot,
            "columns": list(COLUMNS),
            "samples": [
                {
                    "number": sample.number,
                    "at": round(sample.at, 3),
                    "seconds": round(sample.seconds, 3),
                    "all": _plain(sample.total),
                    "targets": {name: _plain(row) for name, row in sample.targets.items()},
                }
                for sample in self._samples
                if sample.number > since
            ],
        }

    def _sample(self, reading: _Reading) -> _Sample:
        before, earliest = self._readings[-1], self._readings[0]
        seconds = max(reading.moment - before.moment, 1e-3)
        fresh: dict[str, Counts] = {}
        for name, counts in reading.targets.items():
            since = counts.since(before.targets.get(name, self._nothing))
            long = counts.since(earliest.targets.get(name, self._nothing))
            if any(since.rates) or any(long.buckets):
                fresh[name] = Counts(since.rates, long.buckets)
        self._number += 1
        return _Sample(
            self._number,
            reading.at,
            seconds,
            self._row(self._sum(fresh.values()), seconds),
            {name: self._row(counts, seconds) for name, counts in self._listed(fresh).items()},
        )

    def _listed(self, fresh: dict[str, Counts]) -> dict[str, Counts]:
        """Returns the busiest targets, and the others as one."""
        if len(fresh) <= LISTED:
            return fresh
        busiest = nlargest(LISTED, fresh, key=lambda name: (fresh[name].rates[0], name))
        listed = {name: fresh[name] for name in busiest}
        others = (counts for name, counts in fresh.items() if name not in listed)
        return {**listed, OTHERS: self._sum(others)}

    def _sum(self, counts: Iterable[Counts]) -> Counts:
        return functools.reduce(Counts.plus, counts, self._nothing)

    def _row(self, counts: Counts, seconds: float) -> array[float]:
        rates = (count / seconds for count in counts.rates)
        quantiles = (quantile(counts.buckets, self._bounds, q) for q in QUANTILES.values())
        return array("d", (*rates, *quantiles))


def quantile(buckets: Sequence[int], bounds: Sequence[float], q: float) -> float:
    """Returns a quantile of a histogram, as Prometheus estimates it; NaN of an empty one.

    Values are taken to be spread evenly in their bucket; above the last bound, it is the answer.
    """
    rank, below, low = q * sum(buckets), 0, 0.0
    if not rank:
        return math.nan
    for count, high in zip(buckets, bounds, strict=False):  # the last has no bound
        if count and below + count >= rank:
            return low + (high - low) * (rank - below) / count
        below, low = below + count, high
    return low


def _plain(row: array[float]) -> list[float | None]:
    """Returns numbers as JSON has them."""
    return [None if math.isnan(value) else round(value, 6) for value in row]
