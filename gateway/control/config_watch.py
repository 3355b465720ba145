"""Sees that the file of the configuration has changed, for `router.watch`.

It looks at what the path leads to, so that it sees a file that is written in place, one that is
renamed over it, and a Kubernetes ConfigMap, whose directory is a symbolic link that is replaced.

Rules: a change counts once it has stayed the same for SETTLED_SECONDS, because a file may be looked
at in the middle of a write; it is told once, be it good or bad; after a refusal the files that the
configuration names count too: a secret may arrive after the configuration that needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.config.secrets import Stamp, stamp

# Editors and copies write for milliseconds, a large file on a slow disk for tenths of a second.
SETTLED_SECONDS: Final = 1.5

Seen = dict[Path, Stamp | None]


class ConfigWatch:
    """The watch of one file."""

    def __init__(self, file: Path | None) -> None:
        """Without a file nothing ever changes."""
        self._file = file
        self._read: Seen = {}  # as it was read last; empty: nobody knows what is in force
        self._last: Seen = {}
        self._since = 0.0  # monotonic; since when `_last` is what is seen

    def look(self) -> Seen:
        """Returns what is there now: take it before the file is read."""
        files = {*self._read, *([self._file] if self._file is not None else ())}
        return {file: stamp(file) for file in files}

    def note(self, seen: Seen, refused: Seen | None = None) -> None:
        """Notes that the file was read as it was `seen`.

        `refused`: the files that a refused configuration names, as they were read.
        """
        own = {file: found for file, found in seen.items() if file == self._file}
        self._read = {**(refused or {}), **own}

    def has_changed(self, now: float) -> bool:
        """Whether there is something else than what was read; `now` is monotonic."""
        seen = self.look()
        if seen != self._last:
            self._last, self._since = seen, now
        if seen == self._read or now - self._since < SETTLED_SECONDS:
            return False
        self._read = seen
        return True


__all__ = ["SETTLED_SECONDS", "ConfigWatch", "Seen"]
