"""Makes the page of counters once the configuration says how large it must be.

Control is forked before that, so that it cannot inherit the page: it inherits an empty file of
memory, is told the layout when the supervisor has given the file its size, and maps it then.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict

from fastpath.ipc.counters import Layout, Page
from fastpath.ipc.frames import FrameType, encode


class CountersError(Exception):
    """A TARGETS frame cannot be read, or there is no memory for the page."""


class CountersPage:
    """The page of counters and the file of memory that it is in."""

    __slots__ = ("descriptor", "page")

    def __init__(self) -> None:
        """Raises OSError."""
        self.descriptor = _open_memory()
        self.page: Page | None = None

    @property
    def layout(self) -> Layout | None:
        """None while there is no page."""
        return self.page.layout if self.page is not None else None

    def take_targets(self, payload: bytes, workers: int) -> Page:
        """Assigns blocks to the names of a TARGETS frame; makes the page if there is none yet.

        Raises CountersError.
        """
        targets, identities = _parse(payload)
        if self.page is None:
            self.page = self._make(Layout.for_start(workers, len(targets), len(identities)))
        self.page.assign(targets)
        self.page.assign_identities(identities)
        return self.page

    def _make(self, layout: Layout) -> Page:
        try:
            os.ftruncate(self.descriptor, layout.size)
            return Page(layout, self.descriptor)
        except (OSError, ValueError) as error:
            raise CountersError(f"no memory for the counters: {error}") from error


def frame(layout: Layout) -> bytes:
    """Returns the COUNTERS frame, which tells control the layout."""
    return encode(FrameType.COUNTERS, 0, json.dumps(asdict(layout)).encode())


def _parse(payload: bytes) -> tuple[list[str], list[str]]:
    """Returns the names of targets and of identities. Raises CountersError."""
    try:
        found = json.loads(payload)
    except ValueError:
        found = None
    lists = (found.get("targets"), found.get("identities")) if isinstance(found, dict) else ()
    names = [entry for entry in lists if isinstance(entry, list)]
    if len(names) != 2 or not all(isinstance(name, str) for entry in names for name in entry):
        raise CountersError("targets from control: no lists of names")
    return names[0], names[1]


def _open_memory() -> int:
    try:
        return os.memfd_create("counters")
    except OSError:  # a sandbox without it
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
