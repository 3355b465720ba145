"""All chapters of a run, in the order of the page."""

from __future__ import annotations

from loadtest.bench import (
    congestion,
    copies,
    counts,
    dead_target,
    idle,
    lists,
    plans,
    readers,
    routing,
    start,
    width,
)
from loadtest.bench.chapters import Chapter

ALL: tuple[Chapter, ...] = (
    congestion.CHAPTER,
    width.CHAPTER,
    plans.CHAPTER,
    counts.CHAPTER,
    routing.CHAPTER,
    copies.CHAPTER,
    lists.CHAPTER,
    dead_target.CHAPTER,
    start.CHAPTER,
    idle.CHAPTER,
    readers.CHAPTER,
)
