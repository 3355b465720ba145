"""Keeps families of samples, and writes them: as `prometheus_client` does, several times faster.

    Family.metric()    for a registry of `prometheus_client`, which can write it in any format
    text(families)     what its encoders would write, byte for byte (a test compares them)

Rules: a value of a label needs no escaping: it is a word of a closed list, or a name that the
configuration allows. (With 100 busy targets, which are 18,000 samples, `prometheus_client` takes 95
ms, or 178 ms for OpenMetrics; this takes 26 ms.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from prometheus_client import exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from fastpath.ipc.cells import BOUNDS, MICROSECONDS

PREFIX: Final = "s3gateway_"
_LE: Final = (*map(str, BOUNDS), "+Inf")
_in_go: Final = vars(exposition)["floatToGoString"]  # numbers as all clients of Prometheus do
_PLAIN_NUMBERS: Final = 1_000_000  # from here on numbers are written with an exponent

Values = Iterable[tuple[Sequence[str], float]]  # of labels, and a value
Times = Iterable[tuple[Sequence[str], Sequence[int], int]]  # of labels, cells, microseconds


@dataclass(slots=True)
class Family:
    """Samples of one name: either values or, of a histogram, times."""

    name: str
    text: str
    kind: str  # counter, gauge, info or histogram
    labels: tuple[str, ...]
    values: list[tuple[Sequence[str], float]]
    times: list[tuple[Sequence[str], Sequence[int], int]]

    def metric(self) -> Metric:
        """Returns it as a family of `prometheus_client`."""
        if self.kind == "info":
            facts = dict(zip(self.labels, self.values[0][0], strict=True))
            return InfoMetricFamily(self.name, self.text, value=facts)
        if self.kind == "histogram":
            family = HistogramMetricFamily(self.name, self.text, labels=self.labels)
            for of, cells, microseconds in self.times:
                buckets = list(zip(_LE, accumulate(cells), strict=True))
                family.add_metric(of, buckets, sum_value=microseconds / MICROSECONDS)
            return family
        maker = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        plain = maker(self.name, self.text, labels=self.labels)
        for of, value in self.values:
            plain.add_metric(of, value)
        return plain

    def lines(self) -> Iterator[str]:
        """Yields a line for each sample."""
        order = sorted(range(len(self.labels)), key=self.labels.__getitem__)
        parts = [(f'{self.labels[place]}="', place) for place in order]
        suffix = {"counter": "_total", "info": "_info"}.get(self.kind, "")
        for of, value in self.values:
            told = ",".join([f'{start}{of[place]}"' for start, place in parts])
            yield f"{self.name}{suffix}{f'{{{told}}}' if told else ''} {_number(value)}\n"
        before = [(start, place) for start, place in parts if start < "le"]
        after = [(start, place) for start, place in parts if start > "le"]
        for of, cells, microseconds in self.times:
            head = "".join([f'{start}{of[place]}",' for start, place in before])
            tail = "".join([f',{start}{of[place]}"' for start, place in after])
            told = ",".join([f'{start}{of[place]}"' for start, place in parts])
            count = 0
            for bound, cell in zip(_LE, cells, strict=True):
                count += cell
                yield f'{self.name}_bucket{{{head}le="{bound}"{tail}}} {_number(count)}\n'
            yield f"{self.name}_count{{{told}}} {_number(count)}\n"
            yield f"{self.name}_sum{{{told}}} {_number(microseconds / MICROSECONDS)}\n"


def _number(value: float) -> str:
    if type(value) is int and value < _PLAIN_NUMBERS:
        return f"{value}.0"
    return str(_in_go(value))


def text(families: Iterable[Family], *, openmetrics: bool) -> bytes:
    """Returns the families in the text format of Prometheus, or in that of OpenMetrics."""
    lines: list[str] = []
    for family in families:
        name, kind = family.name, family.kind
        if not openmetrics:
            name += {"counter": "_total", "info": "_info"}.get(kind, "")
            kind = "gauge" if kind == "info" else kind
        lines.append(f"# HELP {name} {family.text}\n# TYPE {name} {kind}\n")
        lines += family.lines()
    if openmetrics:
        lines.append("# EOF\n")
    return "".join(lines).encode()


def counter(name: str, about: str, labels: tuple[str, ...], values: Values) -> Family:
    """Returns a counter with these labels; its samples end in `_total`."""
    return Family(PREFIX + name, about, "counter", labels, list(values), [])


def total(name: str, about: str, value: float) -> Family:
    """Returns a counter without labels."""
    return counter(name, about, (), [((), value)])


def gauge(name: str, about: str, labels: tuple[str, ...], values: Values) -> Family:
    """Returns a gauge with these labels."""
    return Family(PREFIX + name, about, "gauge", labels, list(values), [])


def info(name: str, about: str, **facts: str) -> Family:
    """Returns a fact; its sample ends in `_info`."""
    return Family(PREFIX + name, about, "info", tuple(facts), [(tuple(facts.values()), 1)], [])


def histogram(name: str, about: str, labels: tuple[str, ...], values: Times) -> Family:
    """Returns a histogram of times, in seconds."""
    return Family(PREFIX + name, about, "histogram", labels, [], list(values))
