"""Keeps the last requests that workers told of, and the last that failed.

Rules: bounded in number; a worker tells of so many in a second at most (`fastpath.ipc.log`), and
how many it leaves out; those are in the counters all the same. The reader of the log adds, in a
thread of its own, the admin plane reads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Final

KEPT: Final = 200

Entry = Mapping[str, object]


class RecentRequests:
    """The last requests and errors, newest last."""

    def __init__(self) -> None:
        self._all: deque[Entry] = deque(maxlen=KEPT)
        self._errors: deque[Entry] = deque(maxlen=KEPT)
        self._left_out = 0
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        """Takes a request that has ended."""
        shown = {name: value for name, value in entry.items() if name not in ("kind", "left_out")}
        status, left_out = entry.get("status"), entry.get("left_out")
        with self._lock:
            self._left_out += left_out if isinstance(left_out, int) else 0
            if isinstance(status, int) and (status >= 400 or not status):
                self._errors.append(shown)
            self._all.append(shown)

    def requests(self, limit: int) -> list[Entry]:
        """Returns the last ones, newest first."""
        with self._lock:
            return list(reversed(self._all))[:limit]

    def errors(self, limit: int) -> list[Entry]:
        """Returns the last that failed, newest first."""
        with self._lock:
            return list(reversed(self._errors))[:limit]

    @property
    def left_out(self) -> int:
        """How many requests workers did not tell of, among those that they told of."""
        return self._left_out
