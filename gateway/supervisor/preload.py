"""What the children import, and the supervisor may have as well: imported once, before the forks.

Rules: the standard library only; what else a child needs it imports itself, with the collector of
garbage off (`uncollected`): modules are made to stay.

Not here: those imports (`crew`, `control_place`).
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# They draw in most of what a worker has of the standard library: a quarter of its time to start.
MODULES: Final = ("asyncio", "ssl", "urllib.request", "xml.parsers.expat", "xml.sax.saxutils")


def standard_library() -> None:
    """Imports what all children need."""
    with uncollected():
        for name in MODULES:
            importlib.import_module(name)


@contextmanager
def uncollected() -> Iterator[None]:
    """For imports: a sixth of their time goes into looking for garbage that is none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
