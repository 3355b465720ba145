"""Answers one question by calling the operator's `route_request`.

Rules: whatever it raises is an answer that says so; what it returns must be JSON and short; only
MemoryError ends the process.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.router.confinement import end_for_memory
from gateway.router.loading import Router, describe

MAX_ANSWER: Final = 65536  # characters; a list of every target has fewer

Reply = Callable[[list[object]], None]

_PATIENCE: Final = 3600.0  # of somebody who asks once, and ends the process when it is too late


class Answering:
    """Calls `route_request`; those that are coroutines run as tasks of their own."""

    def __init__(self, route_request: Callable[..., object]) -> None:
        self._route_request = route_request
        self._tasks: set[asyncio.Task[None]] = set()

    async def finish(self, seconds: float) -> None:
        """Waits so long for the coroutines that run."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def ask(self, question: list[object], reply: Reply) -> None:
        """Answers now, or when the coroutine of the answer ends."""
        number, until, bucket, method, metadata = question
        assert isinstance(until, float)
        if until < time.monotonic():
            return  # nobody waits any more
        try:
            value = self._route_request(bucket, method, metadata)
            if not inspect.isawaitable(value):
                reply(_answer(number, value))
                return
        except MemoryError:
            end_for_memory()
        except (Exception, SystemExit) as error:
            reply([number, False, f"it raised {describe(error)}"])
            return
        task = asyncio.get_running_loop().create_task(self._wait(number, until, value, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wait(
        self, number: object, until: float, value: Awaitable[object], reply: Reply
    ) -> None:
        deadline = asyncio.timeout(until - time.monotonic())
        try:
            async with deadline:
                reply(_answer(number, await value))
        except MemoryError:
            end_for_memory()
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if not deadline.expired():  # nobody waits any more
                reply([number, False, f"it raised {describe(error)}"])


def answer_once(router: Router, arguments: list[object]) -> dict[str, object]:
    """Returns the answer to one question: a `value` or a `reason`, and how many milliseconds."""

    async def ask() -> tuple[list[object], float]:
        replies: asyncio.Queue[list[object]] = asyncio.Queue()
        began = time.perf_counter()
        question = [0, time.monotonic() + _PATIENCE, *arguments]
        answering.ask(question, replies.put_nowait)
        reply = await replies.get()
        return reply, time.perf_counter() - began

    answering = Answering(router.route_request)
    (_, answered, value), seconds = asyncio.run(ask())
    said = {"value": value} if answered else {"reason": value}
    return {**said, "milliseconds": seconds * 1000}


def _answer(number: object, value: object) -> list[object]:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        kind = type(value).__name__
        expected = "return a target's name, a list of names, a mapping or None"
        return [number, False, f"it returned a {kind} that is no plain value: {expected}"]
    if len(text) > MAX_ANSWER:
        return [number, False, f"it returned more than {MAX_ANSWER} characters"]
    return [number, True, value]
