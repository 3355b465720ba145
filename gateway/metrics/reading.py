"""Reads the page of counters once for a scrape: sums by target and identity, and what workers show.

Rules: the names are those of the configuration in force, so that the series of a target which left
it vanish; what such targets counted stays in the page, and is one number here, so that the account
still holds. Until a configuration was read, every name of the page counts as one of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from fastpath.ipc.counters import SHARED_BLOCK, Page, Slot, TargetBlock
from gateway.control.status import Known

# Names of series that are no name of the configuration: it allows no parentheses.
OTHER = "(other)"  # targets, or identities, for which the page had no room
NO_TARGET = "(none)"  # requests that were refused before they had a target
REMOVED = "(removed)"  # all targets that have left the configuration, where they are one number
ANONYMOUS = "(anonymous)"
UNVERIFIED = "(unverified)"  # whoever claimed to be somebody, and was not


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """What one living worker shows."""

    number: int  # of its row
    index: int
    row: list[int]  # by `Slot`


class Reading:
    """The page at one moment, more or less: counters go on while it is read."""

    def __init__(self, known: Known, page: Page) -> None:
        self.known = known
        self.page = page
        self.totals = page.totals()
        self.control = page.control_row.tolist()

    @cached_property
    def targets(self) -> dict[str, TargetBlock]:
        """What is counted of each target, of those without a block, and of none."""
        present = self.known.present
        names = self.page.names() if present is None else list(present.model.targets)
        own = [name for name in names if self.page.block(name)]
        found = {name: self.page.target_totals(self.page.block(name)) for name in own}
        found[OTHER] = self.page.target_totals(SHARED_BLOCK)
        found[NO_TARGET] = self.page.target_totals(self.page.layout.no_target)
        return found

    @cached_property
    def removed(self) -> list[TargetBlock]:
        """What is counted of targets that have left the configuration."""
        gone = [name for name in self.page.names() if name not in self.targets]
        return [self.page.target_totals(self.page.block(name)) for name in gone]

    @property
    def records(self) -> Iterator[memoryview]:
        """The records of every target there was, and of none: their sums never fall."""
        for block in (*self.targets.values(), *self.removed):
            yield from block.records

    def errors_after(self) -> memoryview:
        """The errors of the gateway's own, read now.

        A request's error is counted before the request: whoever has read the records before this
        finds the errors of all requests in them.
        """
        return self.page.error_totals()

    @cached_property
    def identities(self) -> dict[str, memoryview]:
        """What is counted of each identity, of those without a block, and of the others."""
        present, layout = self.known.present, self.page.layout
        names: Iterable[str] = self.page.identities()
        if present is not None:
            names = [identity.name for identity in present.model.auth.identities]
        blocks = {name: self.page.identity_block(name) for name in names}
        blocks = {name: block for name, block in blocks.items() if block}
        blocks |= {OTHER: SHARED_BLOCK, ANONYMOUS: layout.anonymous, UNVERIFIED: layout.unverified}
        return {name: self.page.identity_totals(block) for name, block in blocks.items()}

    @cached_property
    def workers(self) -> list[WorkerRow]:
        """The living workers, by their index."""
        rows = [(number, self.page.row(number).tolist()) for number in self.page.live()]
        found = [
            WorkerRow(number, row[Slot.WORKER], row)
            for number, row in rows
            if row[Slot.PID]  # not in the middle of its fork
        ]
        return sorted(found, key=lambda worker: worker.index)

    def gauges(self, target: str) -> list[memoryview]:
        """The gauges of a target in the row of each living worker."""
        block = self.page.block(target)
        return [self.page.target(worker.number, block).gauges for worker in self.workers]

    def words(self, target: str) -> memoryview:
        """The gauges of a target that control writes."""
        return self.page.control_target(self.page.block(target)).gauges
