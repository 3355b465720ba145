"""Makes the families about targets: connections, calls, retries, breakers, health.

Rules: each target of the configuration has its series from the start, so that a rate begins at 0;
gauges of targets without a block of their own are nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fastpath.ipc.cells import BUCKETS, TargetCounter
from fastpath.ipc.counters import BreakerState, Health, Slot, TargetGauge
from gateway.metrics.families import Family, counter, gauge, histogram, total
from gateway.metrics.reading import NO_TARGET, OTHER, Reading

_OF: Final = ("target",)

# Name, text, second label, and its values.
_COUNTERS: Final[tuple[tuple[str, str, str, dict[str, TargetCounter]], ...]] = (
    (
        "upstream_connects",
        "Connections to targets that were opened, or could not be.",
        "result",
        {"ok": TargetCounter.CONNECTS, "error": TargetCounter.CONNECT_ERRORS},
    ),
    (
        "retries",
        "Requests that were sent a second time, and why.",
        "reason",
        {
            "stale_connection": TargetCounter.RETRIES_STALE,
            "region": TargetCounter.RETRIES_REGION,
            "credentials": TargetCounter.RETRIES_CREDENTIALS,
            "translation": TargetCounter.RETRIES_TRANSLATION,
        },
    ),
    (
        "target_failures",
        "Requests and calls that got no whole answer of their target, and why.",
        "reason",
        {
            "overload": TargetCounter.FAILURES_OVERLOAD,
            "refused": TargetCounter.FAILURES_REFUSED,
            "timeout": TargetCounter.FAILURES_TIMEOUT,
            "broken": TargetCounter.FAILURES_BROKEN,
            "unusable": TargetCounter.FAILURES_UNUSABLE,
        },
    ),
    (
        "health_checks",
        "Active checks of targets.",
        "result",
        {"good": TargetCounter.CHECKS_GOOD, "failed": TargetCounter.CHECKS_FAILED},
    ),
)
_PLAIN: Final = (
    ("upstream_reuses", "Requests sent on a kept connection.", TargetCounter.REUSES),
    ("pool_waits", "Requests that found every connection busy.", TargetCounter.POOL_WAITS),
    ("call_request_bytes", "Bytes that calls sent.", TargetCounter.CALL_BYTES_SENT),
    ("call_response_bytes", "Bytes that calls received.", TargetCounter.CALL_BYTES_RECEIVED),
)


def counted(reading: Reading) -> Iterator[Family]:
    """Yields the counters with the label `target`."""
    blocks = {name: block for name, block in reading.targets.items() if name != NO_TARGET}
    for name, text, label, cells in _COUNTERS:
        yield counter(
            name,
            text,
            (*_OF, label),
            (
                ((target, value), block.counters[cell])
                for target, block in blocks.items()
                for value, cell in cells.items()
            ),
        )
    for name, text, cell in _PLAIN:
        values = (((target,), block.counters[cell]) for target, block in blocks.items())
        yield counter(name, text, _OF, values)
    yield counter(
        "calls",
        "Requests of the gateway's own to targets, that ended.",
        (*_OF, "result"),
        (
            ((target, result), count)
            for target, block in blocks.items()
            for result, count in _calls(block.counters).items()
        ),
    )
    yield histogram(
        "upstream_connect_seconds",
        "Until a connection to a target stood, with TLS.",
        _OF,
        (
            ((target,), block.connects[:BUCKETS], block.connects[BUCKETS])
            for target, block in blocks.items()
        ),
    )
    totals = reading.totals
    yield total(
        "signatures_refused",
        "Answers of targets that refused the gateway's signature.",
        totals[Slot.SIGNATURES_REFUSED],
    )
    yield total(
        "bucket_redirects",
        "Answers of targets that named another region.",
        totals[Slot.REDIRECTED],
    )


def _calls(counters: memoryview) -> dict[str, int]:
    failed = counters[TargetCounter.CALLS_FAILED]
    return {"ok": max(counters[TargetCounter.CALLS] - failed, 0), "failed": failed}


def shown(reading: Reading) -> Iterator[Family]:
    """Yields the gauges with the label `target`."""
    names = [name for name in reading.targets if name not in (NO_TARGET, OTHER)]
    states = {
        "idle": TargetGauge.IDLE,
        "busy": TargetGauge.BUSY,
        "connecting": TargetGauge.CONNECTING,
    }
    gauges = {name: reading.gauges(name) for name in names}
    yield gauge(
        "upstream_connections",
        "Connections to targets, as of half a second ago.",
        (*_OF, "state"),
        (
            ((name, state), sum(cells[cell] for cells in gauges[name]))
            for name in names
            for state, cell in states.items()
        ),
    )
    waiting = (
        ((name,), sum(cells[TargetGauge.WAITING] for cells in gauges[name])) for name in names
    )
    yield gauge("pool_waiting", "Requests that wait for a connection.", _OF, waiting)
    breakers = {name: [cells[TargetGauge.BREAKER] for cells in gauges[name]] for name in names}
    yield gauge(
        "breaker_workers",
        "Workers by the state of their breaker of the target.",
        (*_OF, "state"),
        (
            ((name, state.name.lower()), breakers[name].count(state))
            for name in names
            for state in BreakerState
        ),
    )
    words = {name: reading.words(name) for name in names}
    yield gauge(
        "target_up",
        "1 if active checks find the target healthy, 0 if not; absent if it is not checked.",
        _OF,
        (
            ((name,), cells[TargetGauge.HEALTH] == Health.HEALTHY)
            for name, cells in words.items()
            if cells[TargetGauge.HEALTH] != Health.UNKNOWN
        ),
    )
    disabled = (((name,), cells[TargetGauge.DISABLED]) for name, cells in words.items())
    yield gauge("target_disabled", "1 while an operator has it disabled.", _OF, disabled)
