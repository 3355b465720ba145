"""All chapters of a run, in the order of the page.

Not here: what a chapter is (`chapters`).
"""

from __future__ import annotations

from loadtest.bench import congestion, counts, idle, readers, start, width
from loadtest.bench.chapters import Chapter

ALL: tuple[Chapter, ...] = (
    congestion.CHAPTER,
    width.CHAPTER,
    Chapter("counts", counts.measure, counts.table, ("nginx", "strace", "valgrind")),
    Chapter("start", start.measure, start.table, ("nginx",)),
    Chapter("idle", idle.measure, idle.table, ("nginx",)),
    Chapter("readers", readers.measure, readers.table, ("nginx",)),
)
