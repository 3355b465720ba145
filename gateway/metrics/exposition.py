"""Writes the counters in the formats of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from fastpath.ipc.counters import Slot
from gateway.control.status import Known


class Exposition(Collector):
    """The metrics of one control process."""

    def __init__(self, known: Callable[[], Known]) -> None:
        self._known = known
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        page = self._known().page
        if page is not None:
            finished = page.totals()[Slot.REQUESTS]
            yield CounterMetricFamily("s3gateway_requests", "Finished requests.", value=finished)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Returns the text that the Accept header asks for, and its media type."""
        encoder, media_type = choose_encoder(accept)
        return encoder(self._registry), media_type
