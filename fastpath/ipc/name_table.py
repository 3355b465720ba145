"""A table of names in shared memory: each has a number, and keeps it for the life of the table.

Rules: the supervisor alone assigns numbers, from 1; any process reads them; a name is NAME_BYTES
long at most, and is written before anybody is told of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NAME_BYTES: Final = 64  # the configuration allows no longer name of a target or an identity


class NameTable:
    """The names in one region of memory, which is `NAME_BYTES` times as long as it has room."""

    __slots__ = ("_memory", "_numbers", "_room")

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._room = len(memory) // NAME_BYTES
        self._numbers: dict[str, int] = {}  # as far as the names have been read

    def assign(self, names: Iterable[str]) -> list[str]:
        """Gives each of these names a number; returns those for which no room is left."""
        without = []
        for name in names:
            if self.number(name):
                continue
            number, text = len(self._numbers) + 1, name.encode()
            if number > self._room or len(text) > NAME_BYTES:
                without.append(name)
                continue
            start = (number - 1) * NAME_BYTES
            self._memory[start : start + len(text)] = text
            self._numbers[name] = number
        return without

    def number(self, name: str) -> int:
        """The number of a name; 0 if it has none."""
        found = self._numbers.get(name)
        if found is None:
            self._read()
            found = self._numbers.get(name, 0)
        return found

    def names(self) -> list[str]:
        """Returns all names, in the order of their numbers."""
        self._read()
        return list(self._numbers)

    def _read(self) -> None:
        """Reads the names that were assigned since the last time, maybe by another process."""
        for number in range(len(self._numbers) + 1, self._room + 1):
            start = (number - 1) * NAME_BYTES
            text = bytes(self._memory[start : start + NAME_BYTES]).rstrip(b"\0")
            if not text:
                return
            self._numbers[text.decode()] = number
