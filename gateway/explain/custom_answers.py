"""The answers of the custom router to the questions of one explained request.

Rules: each question is asked once, in a process of its own; an answer is understood as a worker
understands it; how long it took is told, and decides nothing, as a router that was just started is
slower than one that runs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from dataclasses import dataclass

from fastpath.custom.answer import Answer, Question, RouterFailed, read_answer
from fastpath.custom.client import MISSING, Missing
from gateway.router.ask import Said, ask
from gateway.router.definition import Definition


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard: an answer, None for the rules to decide, or a failure."""

    said: Said
    answer: Answer | None
    failure: str = ""


class CustomAnswers:
    """Asks a router and keeps what it says: `finding_targets.Router`."""

    def __init__(self, definition: Definition | None, targets: Collection[str]) -> None:
        self._definition = definition
        self._targets = targets
        self.heard: dict[Question, Heard] = {}

    def cached(self, question: Question) -> Answer | Missing | None:
        """Return nothing: every question is asked."""
        return MISSING

    async def route(self, question: Question) -> Answer | None:
        """Ask the router. Raises RouterFailed."""
        if question not in self.heard:
            self.heard[question] = await asyncio.to_thread(self._hear, question)
        heard = self.heard[question]
        if heard.failure:
            raise RouterFailed(heard.failure)
        return heard.answer

    def _hear(self, question: Question) -> Heard:
        assert self._definition is not None  # a snapshot with a custom router has one
        said = ask(self._definition, question.as_arguments(), os.environ)
        if said.reason:
            return Heard(said, None, said.reason)
        try:
            return Heard(said, read_answer(said.value, self._targets))
        except RouterFailed as failure:
            return Heard(said, None, str(failure))
