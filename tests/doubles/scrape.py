"""A scrape of a gateway's metrics, and the selectors of PromQL that pick series from it."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

# A name with or without matchers; words of PromQL that look like one are none of ours.
_SELECTOR = re.compile(r"\b(s3gateway_\w+)\s*(\{[^}]*\})?")
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a scrape."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> list[Sample]:
    """The samples of a text."""
    return [
        Sample(sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


class Scrape:
    """What a gateway's admin plane says at one moment."""

    def __init__(self, admin_url: str) -> None:
        with urllib.request.urlopen(f"{admin_url}/metrics", timeout=10) as answer:
            self.samples = parse(answer.read().decode())

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all series of this name with these labels."""
        name = f"s3gateway_{name}"
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    @property
    def accounted(self) -> float:
        """Requests that ended, by all series, those that run, and those that were lost."""
        ended = self.sum("requests_total") + self.sum("requests_of_removed_targets")
        return ended + self.sum("requests_in_flight") + self.sum("requests_lost_total")


def selectors(expression: str) -> Iterator[str]:
    """The selectors in an expression of PromQL."""
    return (match.group(0) for match in _SELECTOR.finditer(expression))


def matches(selector: str, samples: list[Sample]) -> bool:
    """Whether a selector picks a series. A variable of Grafana stands for anything."""
    found = _SELECTOR.fullmatch(selector)
    assert found is not None, selector
    matchers, rest = [], (found[2] or "{}")[1:-1]
    while rest.strip():
        matcher = _MATCHER.match(rest)
        assert matcher is not None, selector
        matchers.append((matcher[1], matcher[2], matcher[3]))
        rest = rest[matcher.end() :]
    return any(
        sample.name == found[1] and all(_fits(sample.labels, *matcher) for matcher in matchers)
        for sample in samples
    )


def _fits(labels: Mapping[str, str], name: str, how: str, wanted: str) -> bool:
    value = {"job": "a-job", "instance": "a:9090", **labels}.get(name, "")
    if wanted.startswith("$"):
        wanted = ".+"
    is_equal = value == wanted if how in ("=", "!=") else re.fullmatch(wanted, value) is not None
    return is_equal == (how in ("=", "=~"))
