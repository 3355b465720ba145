"""All chapters of a run, in the order of the page.

Not here: what a chapter is (`chapters`).
"""

from __future__ import annotations

from loadtest.bench import congestion, width
from loadtest.bench.chapters import Chapter

ALL: tuple[Chapter, ...] = (congestion.CHAPTER, width.CHAPTER)
