"""The cells of a target's block and of an identity's: what each of them counts, and where it is.

    a target's block    counters (`TargetCounter`), gauges (`counters.TargetGauge`), the histogram
                        of connects, then one record for each class of operation (CLASSES)
    a record            requests by hundreds of their status (0: none; 2..5), and of each the
                        histogram of the whole time: one cell says both (heads: to count in a cell
                        costs 900 instructions); then `RecordCell`
    an identity's       requests by hundreds of their status, bytes of bodies in and out

Rules: a time is counted in microseconds; a histogram has a cell for each bound and one for what is
above the last; its count is the sum of its cells. The bounds never change: the histograms of a
fleet are added up.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

# Classes of operations, in the order of their records; the last is for requests whose operation is
# not known (a head that was not understood, a preflight).
CLASSES: Final = ("read", "write", "list", "delete", "admin", "unknown")

# Seconds, upper bounds: from an answer out of memory to the longest wait for a target.
BOUNDS: Final = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    30.0,
    60.0,
)
BUCKETS: Final = len(BOUNDS) + 1
MICROSECONDS: Final = 1_000_000  # in a second


class TargetCounter(IntEnum):
    """The counters of a target's block. New ones go at the end."""

    RETRIES_STALE = 0  # sent again: a kept connection broke
    RETRIES_REGION = 1  # the bucket is in another region
    RETRIES_CREDENTIALS = 2  # the target refused the gateway's signature
    RETRIES_TRANSLATION = 3  # the target wants it translated in another way
    CONNECTS = 4
    CONNECT_ERRORS = 5
    REUSES = 6  # requests sent on a kept connection
    POOL_WAITS = 7  # requests that found all connections busy
    CALLS = 8  # requests of the gateway's own that ended
    CALLS_FAILED = 9  # those of them that got no whole answer
    CALL_BYTES_SENT = 10  # of bodies
    CALL_BYTES_RECEIVED = 11
    FAILURES_OVERLOAD = 12  # requests that got no whole answer: as `upstream.lessee.Failure`
    FAILURES_REFUSED = 13
    FAILURES_TIMEOUT = 14
    FAILURES_BROKEN = 15
    FAILURES_UNUSABLE = 16
    CHECKS_GOOD = 17  # of health, by control
    CHECKS_FAILED = 18


STATUSES: Final = 6  # hundreds of a status: 0, if there is none, to 5
WHOLE_CELLS: Final = STATUSES * BUCKETS


class RecordCell(IntEnum):
    """What stands in a record behind the cells of requests."""

    BYTES_IN = WHOLE_CELLS  # of bodies, from clients
    BYTES_OUT = WHOLE_CELLS + 1  # to clients
    WHOLE_SUM = WHOLE_CELLS + 2
    FIRST_SUM = WHOLE_CELLS + 3
    FIRST = WHOLE_CELLS + 4  # the histogram of the time to the first byte begins here
    COMPOSED = WHOLE_CELLS + 4 + BUCKETS  # requests that composed operations answered


class IdentityCell(IntEnum):
    """What stands in an identity's block behind the cells of requests."""

    BYTES_IN = STATUSES
    BYTES_OUT = STATUSES + 1


# All of them are multiples of 8 cells, a cache line.
TARGET_COUNTERS: Final = 24
TARGET_GAUGES: Final = 16  # a gauge ends with its worker: it is no part of the totals
CONNECT_CELLS: Final = 24  # the histogram of connects, and its sum
RECORD_CELLS: Final = 128
IDENTITY_CELLS: Final = 8

# Where they begin in a block.
GAUGES_AT: Final = TARGET_COUNTERS
CONNECTS_AT: Final = GAUGES_AT + TARGET_GAUGES
RECORDS_AT: Final = CONNECTS_AT + CONNECT_CELLS
BLOCK_CELLS: Final = RECORDS_AT + len(CLASSES) * RECORD_CELLS
