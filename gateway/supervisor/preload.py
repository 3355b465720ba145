"""Imports the part of the standard library that all children need, once, before they are forked.

Rules: the standard library only; a child imports everything else itself, with the garbage collector
off (`without_collector`), because modules stay for life.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# They import most of what a worker uses of the standard library: a quarter of its time to start.
MODULES: Final = ("asyncio", "ssl", "urllib.request", "xml.parsers.expat", "xml.sax.saxutils")


def standard_library() -> None:
    """Imports what all children need."""
    with without_collector():
        for name in MODULES:
            importlib.import_module(name)


@contextmanager
def without_collector() -> Iterator[None]:
    """Turns the garbage collector off for imports, which it makes a sixth slower for nothing."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
