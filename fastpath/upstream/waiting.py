"""Who waits for a connection to a target: a line for each holder, served in turn.

Rules: within a line, who came first is served first; between lines, each has its turn, but for
those whose holder has its share already; a holder may have a share of the waiters too, so that
there is a place for others.

Not here: connections (`pool`), what a share is (`shares`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fastpath.upstream.shares import Shares

if TYPE_CHECKING:
    from fastpath.upstream.lessee import Lessee


class Line:
    """The waiters of one holder for connections to one TLS name, each with its deadline."""

    __slots__ = ("connects", "holder", "name", "waiters")

    def __init__(self, holder: str, name: str | None) -> None:
        self.holder = holder
        self.name = name
        self.waiters: OrderedDict[Lessee, float] = OrderedDict()
        self.connects = 0  # under way for it


class Waiting:
    """All waiters of one pool."""

    def __init__(self, limit: int, percent: int) -> None:
        self._limit = limit
        self._shares = Shares(limit, percent)
        self.lines: OrderedDict[tuple[str, str | None], Line] = OrderedDict()  # in turn
        self._line_of: dict[Lessee, Line] = {}

    def __len__(self) -> int:
        return len(self._line_of)

    def has_room(self, holder: str) -> bool:
        """Whether one more of this holder's may wait."""
        return len(self) < self._limit and self._shares.may_take(holder)

    def add(self, lessee: Lessee, holder: str, name: str | None, deadline: float) -> Line:
        """Wait; the line it waits in."""
        key = (holder, name)
        line = self.lines.get(key)
        if line is None:
            line = self.lines[key] = Line(holder, name)
        line.waiters[lessee] = deadline
        self._line_of[lessee] = line
        self._shares.take(holder)
        return line

    def remove(self, lessee: object) -> None:
        """Wait no more; nothing if it does not."""
        line = self._line_of.pop(lessee, None)  # type: ignore[call-overload]  # any object may ask
        if line is not None:
            del line.waiters[lessee]
            self._shares.give_back(line.holder)
            self.tidy(line)

    def tidy(self, line: Line) -> None:
        """Forget a line in which nobody waits and for which nothing is under way."""
        key = (line.holder, line.name)
        if not line.waiters and not line.connects and self.lines.get(key) is line:
            del self.lines[key]

    def first(self, line: Line) -> Lessee | None:
        """Take out who waited longest in this line; its next turn is after the others'."""
        if not line.waiters:
            return None
        lessee = next(iter(line.waiters))
        self.lines.move_to_end((line.holder, line.name))
        self.remove(lessee)
        return lessee

    def next_for(self, name: str | None, shares: Shares) -> Line | None:
        """The line whose turn it is for a connection to this name."""
        for line in self.lines.values():
            if line.waiters and line.name == name and shares.may_take(line.holder):
                return line
        return None

    def next_to_connect(self, shares: Shares) -> Line | None:
        """The line whose turn it is, and that has waiters for whom no connect is under way."""
        for line in self.lines.values():
            if len(line.waiters) > line.connects and shares.may_take(line.holder):
                return line
        return None

    def expired(self, now: float) -> Iterator[Lessee]:
        """Take out who waited too long."""
        for line in list(self.lines.values()):
            while line.waiters:
                lessee, deadline = next(iter(line.waiters.items()))
                if deadline > now:
                    break
                self.remove(lessee)
                yield lessee
