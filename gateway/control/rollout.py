"""Keeps what became of each snapshot that control published, as the supervisor reports it.

    PUBLISH -> NUMBERED -> ACKNOWLEDGED by worker after worker -> PUBLISHED: all serve it
                       \\-> REJECTION: a worker cannot use it; the one before is served again
                       \\-> a later generation: this one is superseded

Rules: an outcome does not change any more; a later generation supersedes one without an outcome,
because workers that serve the later one will never acknowledge it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from fastpath.ipc.frames import Frame, FrameType

T = TypeVar("T")

_REMEMBERED: Final = 16  # outcomes; a caller asks for one within seconds


class Result(Enum):
    """How the publication of a snapshot ends."""

    SERVED = "served"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one generation."""

    generation: int
    result: Result
    workers: tuple[int, ...] = ()  # that acknowledged it until then
    reason: str = ""  # of a refusal, with the worker's name

    def __str__(self) -> str:
        names = ", ".join(map(str, self.workers))
        by = f", acknowledged by workers {names}" if names else ""
        return f"generation {self.generation}: {self.result.value}{by}" + (
            f": {self.reason}" if self.reason else ""
        )


class Rollout:
    """The last published generation and the outcomes of those before it."""

    def __init__(self) -> None:
        self.generation = 0
        self.acknowledged: set[int] = set()  # workers that serve `generation`
        self._outcomes: dict[int, Outcome] = {}  # oldest first
        self._waiting: dict[int, set[asyncio.Future[Outcome]]] = {}  # by generation
        self._unnumbered: deque[asyncio.Future[int]] = deque()

    def sent(self) -> asyncio.Future[int]:
        """Notes a PUBLISH frame; returns the number that the supervisor will give it.

        A snapshot that is served already keeps its number.
        """
        number: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._unnumbered.append(number)
        return number

    async def becomes(self, number: asyncio.Future[int], seconds: float) -> Outcome:
        """Waits for the number of a snapshot that was `sent`, and for its outcome."""
        return await self.served(await number, seconds)

    async def served(self, generation: int, seconds: float) -> Outcome:
        """Waits for the outcome of a generation, for so many seconds at most."""
        if known := self.outcome(generation):
            return known
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(generation, set())
        waiting.add(future)
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return Outcome(generation, Result.TIMED_OUT, self._workers(generation))
        finally:
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(generation, None)

    def outcome(self, generation: int) -> Outcome | None:
        """Returns what became of a generation; None if that is not known yet."""
        known = self._outcomes.get(generation)
        if known is None and generation < self.generation:
            return Outcome(generation, Result.SUPERSEDED)  # longer ago than is remembered
        return known

    def take(self, frame: Frame) -> list[Outcome]:
        """Handles a frame of the supervisor; returns the outcomes that it decides."""
        before = set(self._outcomes)
        match frame.type:
            case FrameType.NUMBERED:
                self._advance(frame.generation)
                if self._unnumbered:
                    _resolve(self._unnumbered.popleft(), frame.generation)
            case FrameType.ACKNOWLEDGED:
                self._advance(frame.generation)
                if frame.generation == self.generation:
                    self.acknowledged.add(json.loads(frame.payload)["worker"])
            case FrameType.REJECTION:
                self._advance(frame.generation)
                rejected = json.loads(frame.payload)
                reason = f"worker {rejected['worker']}: {rejected['reason']}"
                self._end(frame.generation, Result.REFUSED, reason)
            case FrameType.PUBLISHED:
                self._advance(frame.generation)
                self._end(frame.generation, Result.SERVED)
        return [known for number, known in self._outcomes.items() if number not in before]

    def _advance(self, generation: int) -> None:
        if generation > self.generation:
            if self.generation:
                self._end(self.generation, Result.SUPERSEDED)
            self.generation = generation
            self.acknowledged = set()

    def _end(self, generation: int, result: Result, reason: str = "") -> None:
        if generation != self.generation or generation in self._outcomes:
            return
        found = Outcome(generation, result, self._workers(generation), reason)
        self._outcomes[generation] = found
        if len(self._outcomes) > _REMEMBERED:
            del self._outcomes[next(iter(self._outcomes))]
        for future in self._waiting.get(generation, ()):
            _resolve(future, found)

    def _workers(self, generation: int) -> tuple[int, ...]:
        return tuple(sorted(self.acknowledged)) if generation == self.generation else ()


def _resolve(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
