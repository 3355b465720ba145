"""Keeps the reloads that operators asked for: who waits for one, and what became of the last ones.

Rules: a reload answers those who asked before it began to read, whoever they are (SIGHUP, the
command, the admin plane, the watch), because what was saved after that it may not have seen; each
caller gets exactly one answer; the history is bounded.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Final

from fastpath.ipc.counters import Slot
from gateway.control.rollout import Outcome, Result

REMEMBERED: Final = 32


@dataclass(frozen=True, slots=True)
class Reload:
    """What became of one reload. `began` is in epoch seconds."""

    began: float
    seconds: float
    ok: bool
    generation: int = 0  # that is served then; 0 if none was made
    digest: str = ""
    workers: tuple[int, ...] = ()  # that acknowledged it
    problems: tuple[str, ...] = ()  # located, why it was refused
    warnings: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()  # settings that changed, and are read once at the start

    def as_dict(self) -> dict[str, object]:
        """Returns it in plain JSON types (docs/operations.md)."""
        found: dict[str, object] = {
            "ok": self.ok,
            "began": self.began,
            "seconds": round(self.seconds, 3),
            "warnings": list(self.warnings),
        }
        if not self.ok:
            return {**found, "error": self.error, "problems": list(self.problems)}
        return {
            **found,
            "generation": self.generation,
            "digest": self.digest,
            "acknowledged": list(self.workers),
            "needs_restart": list(self.needs_restart),
        }

    @property
    def error(self) -> str:
        """Why the configuration is unchanged, in a sentence."""
        count = len(self.problems)
        return f"the configuration is unchanged: {count} problem{'s' * (count != 1)}"


@dataclass(frozen=True, slots=True)
class Read:
    """A configuration that a reload has read, before its workers have it."""

    began: float
    digest: str
    warnings: tuple[str, ...]
    needs_restart: tuple[str, ...]

    def ended(self, outcome: Outcome, now: float) -> Reload:
        """Returns the reload with what became of its snapshot."""
        problems: tuple[str, ...] = ()
        if outcome.result is Result.REFUSED:
            problems = (outcome.reason,)
        elif outcome.result is Result.TIMED_OUT:
            problems = ("the workers have not acknowledged it in time: see the log",)
        elif outcome.result is Result.SUPERSEDED:
            # Workers serve a later one, which was made of the same file or of a newer one.
            problems = ()
        return Reload(
            began=self.began,
            seconds=now - self.began,
            ok=not problems,
            generation=outcome.generation,
            digest=self.digest,
            workers=outcome.workers,
            problems=problems,
            warnings=self.warnings,
            needs_restart=self.needs_restart,
        )


Waiting = Sequence["asyncio.Future[Reload]"]


class Reloads:
    """The reloads of one control process."""

    def __init__(self) -> None:
        self.recent: deque[Reload] = deque(maxlen=REMEMBERED)  # oldest first
        self._waiting: list[asyncio.Future[Reload]] = []
        self._row: memoryview | None = None  # control's counters; None: there are none yet
        self._following: set[asyncio.Task[None]] = set()

    def count_in(self, row: memoryview) -> None:
        """Counts in this row, from now on."""
        self._row = row

    def wait(self) -> asyncio.Future[Reload]:
        """Returns what the next reload that begins will answer."""
        future: asyncio.Future[Reload] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    def begin(self) -> Waiting:
        """Returns those who wait for the reload that begins now."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def follow(self, read: Read, outcome: Coroutine[None, None, Outcome], waiting: Waiting) -> None:
        """Ends the reload once it is known what became of its snapshot."""

        async def wait() -> None:
            self.end(read.ended(await outcome, time.time()), waiting)

        task = asyncio.get_running_loop().create_task(wait())
        self._following.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._following.discard)

    def end(self, found: Reload, waiting: Waiting) -> None:
        """Remembers what became of a reload, and answers those who wait for it."""
        self.recent.append(found)
        if self._row is not None:
            self._row[Slot.RELOADS if found.ok else Slot.RELOADS_REFUSED] += 1
            if found.ok:
                self._row[Slot.RELOADED_AT] = int(time.time())
        for future in waiting:
            if not future.done():  # its caller may have left
                future.set_result(found)
