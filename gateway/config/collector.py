"""Python's collector of garbage, kept away from a load.

A load of 100,000 rules makes millions of objects, none of them in a circle. Looking through them
again and again took two thirds of its time, and found nothing; they go when nobody refers to them.

Rules: what was read should be gone before the block ends, or it is looked through once after all.

Not here: the workers' collector (`fastpath.worker.process`).
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collector() -> Iterator[None]:
    """Switches it off for the time of the block, in every thread of the process."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
