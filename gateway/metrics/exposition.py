"""Writes the counters in the formats of Prometheus.

Rules: every label has a closed list of values, or is a name of the configuration; no key, bucket,
access key id or address is one. docs/operations.md says what each family means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway.control.status import Known
from gateway.metrics import processes, requests, upstream
from gateway.metrics.errors import Errors
from gateway.metrics.families import Family, text
from gateway.metrics.reading import Reading

_PARTS = (
    requests.by_target,
    requests.account,
    requests.by_identity,
    upstream.counted,
    upstream.shown,
    processes.workers,
    processes.processes,
    processes.configuration,
    processes.logs_and_caches,
)


class Exposition(Collector):
    """The metrics of one control process."""

    def __init__(self, known: Callable[[], Known]) -> None:
        self._known = known
        self._errors = Errors()

    def families(self) -> Iterator[Family]:
        """Yields all families; none before there is a page."""
        known = self._known()
        if known.page is not None:
            reading = Reading(known, known.page)
            for part in (*_PARTS, self._errors.by_source):
                yield from part(reading)

    def collect(self) -> Iterator[Metric]:
        """Yields them as a registry of `prometheus_client` takes them."""
        return (family.metric() for family in self.families())

    def render(self, accept: str) -> tuple[bytes, str]:
        """Returns the text that the Accept header asks for, and its media type."""
        _, media_type = choose_encoder(accept)
        openmetrics = media_type.startswith("application/openmetrics-text")
        return text(self.families(), openmetrics=openmetrics), media_type
