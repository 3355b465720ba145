"""Counts what becomes of a worker's requests, in the cells of their target and their identity.

Rules: a request is counted once, when it ends, in the block of its target: that says, when a killed
worker's row is read, which requests had ended. Bytes, times and what identities do are gathered in
the worker's own memory, and reach the page when the worker sweeps: one that is killed takes those
of its last half second with it (heads: to count in the page costs 900 instructions, in a list 360).
Who only claims to be an identity counts apart, so that names that clients choose make no series.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from fastpath.ipc.cells import (
    BOUNDS,
    BUCKETS,
    CLASSES,
    CONNECTS_AT,
    IDENTITY_CELLS,
    MICROSECONDS,
    RECORD_CELLS,
    RECORDS_AT,
    STATUSES,
    IdentityCell,
    RecordCell,
    TargetCounter,
)
from fastpath.ipc.counters import ERROR_CELLS, Slot, TargetGauge, WorkerCells

if TYPE_CHECKING:
    from fastpath.errors import Kind

# Where the record of a class begins; an empty name is that of an operation which is not known.
_RECORDS: Final = {
    "" if name == CLASSES[-1] else name: RECORDS_AT + number * RECORD_CELLS
    for number, name in enumerate(CLASSES)
}
# Hundreds of a status; nobody should send more than 599, and there is no cell for it.
_HUNDREDS: Final = [min(status // 100, STATUSES - 1) for status in range(1000)]
_FIRST_CELLS: Final = [hundreds * BUCKETS for hundreds in _HUNDREDS]  # of a status in a record
# What is gathered of a record, in the order of its cells.
_BYTES_IN, _BYTES_OUT, _SUM, _FIRST_SUM, _FIRST = range(5)
_GATHERED: Final = _FIRST + BUCKETS
_SUMS: Final = (_SUM, _FIRST_SUM)  # in seconds
_OWN_IN, _OWN_OUT = int(IdentityCell.BYTES_IN), int(IdentityCell.BYTES_OUT)
# Most requests take less than the last of these: comparing is cheaper than a search.
_BOUND_0, _BOUND_1, _BOUND_2, _BOUND_3 = BOUNDS[:4]
UNVERIFIED: Final = "?"  # begins the name of a caller that is not verified
_POOL_GAUGES: Final = (
    TargetGauge.IDLE,
    TargetGauge.BUSY,
    TargetGauge.CONNECTING,
    TargetGauge.WAITING,
)


# Of a class of operations of a target: its cells in the page, and what is gathered of it.
_Record: TypeAlias = tuple[memoryview, list[float]]


class PoolGauges(Protocol):
    """A pool of connections, as the meter shows it."""

    target: str

    @property
    def connections(self) -> tuple[int, int, int, int]:
        """How many are idle, busy and being opened, and how many requests wait for one."""


def observe_connect(cells: memoryview, seconds: float) -> None:
    """Count a connection that was made, and how long that took."""
    cells[TargetCounter.CONNECTS] += 1
    cells[CONNECTS_AT + bisect_left(BOUNDS, seconds)] += 1
    cells[CONNECTS_AT + BUCKETS] += int(seconds * MICROSECONDS)


class Meter:
    """What one worker counts by target and identity."""

    __slots__ = ("_cells", "_identities", "_records", "_targets")

    def __init__(self, cells: WorkerCells) -> None:
        self._cells = cells
        self._targets: dict[str, memoryview] = {}
        self._records: dict[str, dict[str, _Record]] = {}  # by target and class
        self._identities: dict[str, list[int]] = {}  # what is gathered of each
        self.install((), ())

    def install(self, targets: Iterable[str], identities: Iterable[str]) -> None:
        """Know the names of a snapshot."""
        self.flush()
        self._targets = {name: self._cells.target(name) for name in ("", *targets)}
        self._records = {name: {} for name in self._targets}
        self._identities = {name: [0] * IDENTITY_CELLS for name in ("", UNVERIFIED, *identities)}

    def target(self, name: str) -> memoryview:
        """The cells of a target's block."""
        found = self._targets.get(name)
        if found is None:  # a request ends on the snapshot that it began with
            found = self._targets[name] = self._cells.target(name)
        return found

    def request_ended(  # noqa: PLR0913 (a record would be made for every request)
        self,
        target: str,
        action: str,
        identity: str,
        status: int,
        bytes_in: int,
        bytes_out: int,
        started: float,
        answered: float,
        ended: float,
    ) -> None:
        """Count a request of a client; `answered`: when its answer began, or 0.0.

        An empty `target`, `action` or `identity` is one that is not known.
        """
        try:
            cells, gathered = self._records[target][action]
            own = self._identities[identity]
        except KeyError:
            cells, gathered = self._record(target, action)
            own = self._other(identity)
        whole = ended - started
        if whole <= _BOUND_0:
            bucket = 0
        elif whole <= _BOUND_1:
            bucket = 1
        elif whole <= _BOUND_2:
            bucket = 2
        elif whole <= _BOUND_3:
            bucket = 3
        else:
            bucket = bisect_left(BOUNDS, whole)
        cells[_FIRST_CELLS[status] + bucket] += 1
        gathered[_SUM] += whole
        if status:
            first = answered - started if answered else whole
            while bucket and first <= BOUNDS[bucket - 1]:
                bucket -= 1
            gathered[_FIRST + bucket] += 1
            gathered[_FIRST_SUM] += first
        own[_HUNDREDS[status]] += 1
        if bytes_in:
            gathered[_BYTES_IN] += bytes_in
            own[_OWN_IN] += bytes_in
        if bytes_out:
            gathered[_BYTES_OUT] += bytes_out
            own[_OWN_OUT] += bytes_out

    def _record(self, target: str, action: str) -> _Record:
        """Return the record of a class of operations, made when it is first needed."""
        known = self._records.setdefault(target, {})
        if action not in known:
            start = _RECORDS[action]
            cells = self.target(target)[start : start + RECORD_CELLS]
            known[action] = cells, [0.0] * _GATHERED
        return known[action]

    def _other(self, identity: str) -> list[int]:
        """What is gathered of an identity that this snapshot does not have."""
        if identity.startswith(UNVERIFIED):
            return self._identities[UNVERIFIED]
        return self._identities.setdefault(identity, [0] * IDENTITY_CELLS)

    def flush(self) -> None:
        """Write what was gathered into the page."""
        for records in self._records.values():
            for cells, gathered in records.values():
                if gathered[_SUM] or any(gathered):
                    _write(cells, gathered)
        for name, own in self._identities.items():
            if any(own):
                cells = self._identity(name)
                for place, value in enumerate(own):
                    cells[place] += value
                own[:] = [0] * IDENTITY_CELLS

    def _identity(self, name: str) -> memoryview:
        if name == UNVERIFIED:
            return self._cells.unverified
        return self._cells.identity(name) if name else self._cells.anonymous

    def head_refused(self, kind: Kind) -> None:
        """Count a head that was not understood, or not read: nothing else is known of it."""
        code = kind.status // 100
        self.target("")[_RECORDS[""] + code * BUCKETS] += 1
        self._identities[""][code] += 1
        self.refused(kind)

    def refused(self, kind: Kind) -> None:
        """Count an error of the gateway's own that a client gets."""
        self._cells.errors[min(kind.number, ERROR_CELLS - 1)] += 1

    def composed(self, target: str, action: str) -> None:
        """Count a request that a composed operation answers."""
        self.target(target)[_RECORDS[action] + RecordCell.COMPOSED] += 1

    def call_ended(self, target: str, sent: int, received: int, *, failed: bool) -> None:
        """Count a request of the gateway's own to a target."""
        cells = self.target(target)
        cells[TargetCounter.CALLS] += 1
        cells[TargetCounter.CALL_BYTES_SENT] += sent
        cells[TargetCounter.CALL_BYTES_RECEIVED] += received
        if failed:
            cells[TargetCounter.CALLS_FAILED] += 1

    def retried(self, target: str, reason: TargetCounter) -> None:
        """Count a request that goes up a second time."""
        self._cells.row[Slot.RETRIES] += 1
        self.target(target)[reason] += 1

    def failed(self, target: str, reason: TargetCounter) -> None:
        """Count a request, or a call, that got no whole answer of its target."""
        self.target(target)[reason] += 1

    def show_pools(self, pools: Iterable[PoolGauges]) -> None:
        """Show the connections of the worker's pools, of which several may be of one target."""
        shown = dict.fromkeys(self._targets, (0, 0, 0, 0))
        for pool in pools:
            before = shown.get(pool.target, (0, 0, 0, 0))
            idle, busy, connecting, waiting = map(sum, zip(before, pool.connections, strict=True))
            shown[pool.target] = idle, busy, connecting, waiting
        for name, values in shown.items():
            words = self._cells.words(name)
            if words is not None:
                for gauge, value in zip(_POOL_GAUGES, values, strict=True):
                    words.own[gauge] = value


def _write(cells: memoryview, gathered: list[float]) -> None:
    """Add what was gathered of a record to its cells, but for parts of a microsecond."""
    for place, value in enumerate(gathered):
        if value:
            whole = int(value * MICROSECONDS) if place in _SUMS else int(value)
            cells[RecordCell.BYTES_IN + place] += whole
            gathered[place] = value - whole / MICROSECONDS if place in _SUMS else 0
