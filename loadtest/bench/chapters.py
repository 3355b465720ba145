"""What a run measures beside the peers: each chapter a section of the result and of the page.

Rules: a chapter measures the gateway alone and says how; its section of the result is plain data,
its table is made of that section and nothing else, so a page can be held against its result.

Not here: the workloads played against peers (`rounds`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtest.bench import counts, idle, readers, start

Section = Mapping[str, Any]  # as `measure` made it, or read from the result's file


@dataclass(frozen=True, slots=True)
class Chapter:
    """`name` is the section's key in the result, and its mark in the page."""

    name: str
    measure: Callable[[], Section]
    table: Callable[[Section], str]
    programs: tuple[str, ...] = ()  # what it cannot do without (`machine.PACKAGES`)


ALL: tuple[Chapter, ...] = (
    Chapter("start", start.measure, start.table, ("nginx",)),
    Chapter("idle", idle.measure, idle.table, ("nginx",)),
    Chapter("readers", readers.measure, readers.table, ("nginx",)),
    Chapter("counts", counts.measure, counts.table, ("nginx", "strace", "valgrind")),
)
