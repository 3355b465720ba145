"""Makes the families about clients' requests: by target and class, by identity, and their account.

    requests_started = Σ requests + requests_of_removed_targets + requests_in_flight + requests_lost

Rules: a class of operations of which a target had no request has no series; an operation that no
request named is `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from fastpath.ipc.cells import (
    BUCKETS,
    CLASSES,
    STATUSES,
    WHOLE_CELLS,
    IdentityCell,
    RecordCell,
)
from fastpath.ipc.counters import Slot
from gateway.metrics.families import Family, counter, gauge, histogram, total
from gateway.metrics.reading import Reading

CODES: Final = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")  # of the hundreds of a status
# Of what is used at all, all of these from the start: a rate can begin at 0.
TOLD: Final = frozenset(CODES) - {"1xx"}
_OF: Final = ("target", "operation")


def by_target(reading: Reading) -> Iterator[Family]:
    """Yields the families with the labels `target` and `operation`."""
    used = [
        ((name, action), record.tolist())
        for name, block in reading.targets.items()
        for action, record in zip(CLASSES, block.records, strict=True)
        if any(record)
    ]
    yield counter(
        "requests",
        "Requests that ended, by the class of their status; none: the client got none.",
        (*_OF, "code"),
        (
            ((*of, code), count)
            for of, record in used
            for code, count in zip(CODES, by_code(record), strict=True)
            if code in TOLD
        ),
    )
    bodies = (
        ("request_bytes", "Bytes of bodies that clients sent.", RecordCell.BYTES_IN),
        ("response_bytes", "Bytes of bodies that clients got.", RecordCell.BYTES_OUT),
        (
            "composed_operations",
            "Requests that the gateway answered by several requests to targets.",
            RecordCell.COMPOSED,
        ),
    )
    for name, text, cell in bodies:
        yield counter(name, text, _OF, ((of, record[cell]) for of, record in used))
    yield histogram(
        "request_duration_seconds",
        "From the head of a request to the end of its answer.",
        _OF,
        ((of, by_time(record), record[RecordCell.WHOLE_SUM]) for of, record in used),
    )
    first, behind = RecordCell.FIRST, RecordCell.FIRST + BUCKETS
    yield histogram(
        "time_to_first_byte_seconds",
        "From the head of a request to the first byte of its answer.",
        _OF,
        ((of, record[first:behind], record[RecordCell.FIRST_SUM]) for of, record in used),
    )


def by_code(record: list[int]) -> list[int]:
    """Requests by hundreds of their status."""
    borders = range(0, WHOLE_CELLS + 1, BUCKETS)
    return [sum(record[start:end]) for start, end in pairwise(borders)]


def by_time(record: list[int]) -> list[int]:
    """Requests by the bucket of their whole time."""
    return [sum(record[bucket:WHOLE_CELLS:BUCKETS]) for bucket in range(BUCKETS)]


def account(reading: Reading) -> Iterator[Family]:
    """Yields the families without labels that say where every request is."""
    totals = reading.totals
    running = totals[Slot.STARTED] - totals[Slot.REQUESTS] - totals[Slot.CUT] - totals[Slot.LOST]
    yield total("requests_started", "Requests whose head was read.", totals[Slot.STARTED])
    yield total("requests_lost", "Requests that ended with their worker.", totals[Slot.LOST])
    yield gauge("requests_in_flight", "Requests that run.", (), [((), max(running, 0))])
    yield gauge(
        "requests_of_removed_targets",
        "Requests that ended, to targets that are in no series any more.",
        (),
        [((), sum(block.requests for block in reading.removed))],
    )
    yield counter(
        "requests_interrupted",
        "Requests that did not end well, of those in requests_total.",
        ("reason",),
        [
            (("client_gone",), totals[Slot.ABORTED]),
            (("broken_off",), totals[Slot.BROKEN_OFF]),
            (("cut",), totals[Slot.CUT]),
        ],
    )
    yield total("spliced_bytes", "Bytes of bodies that the kernel moved.", totals[Slot.SPLICED])
    yield gauge(
        "downstream_connections", "Connections of clients.", (), [((), totals[Slot.CONNECTIONS])]
    )
    yield total(
        "downstream_connections_accepted", "Connections of clients, ever.", totals[Slot.ACCEPTED]
    )


def by_identity(reading: Reading) -> Iterator[Family]:
    """Yields the families with the label `identity`."""
    known = [(name, cells) for name, cells in reading.identities.items() if any(cells)]
    yield counter(
        "identity_requests",
        "Requests that ended, by who signed them.",
        ("identity", "code"),
        (
            ((name, code), count)
            for name, cells in known
            for code, count in zip(CODES, cells[:STATUSES], strict=True)
            if code in TOLD
        ),
    )
    for name, text, cell in (
        ("identity_request_bytes", "Bytes of bodies, from clients.", IdentityCell.BYTES_IN),
        ("identity_response_bytes", "Bytes of bodies, to clients.", IdentityCell.BYTES_OUT),
    ):
        yield counter(name, text, ("identity",), (((one,), cells[cell]) for one, cells in known))
