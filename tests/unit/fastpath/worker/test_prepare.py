"""A worker finishes a snapshot in steps, and does what is due between them."""

from __future__ import annotations

import asyncio

from fastpath.routing.snapshot import load_snapshot
from fastpath.worker import process
from tests.doubles.rules import Rule, asked
from tests.doubles.wire import document


def test_other_work_is_done_between_two_steps() -> None:
    rules = [Rule(number, number, f"log?-{number}", "first") for number in range(1, 321)]
    snapshot = load_snapshot(1, document(rules=rules))
    turns = 0

    async def serve() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def live() -> None:
        serving = asyncio.ensure_future(serve())
        await process._prepare(snapshot)
        serving.cancel()

    asyncio.run(live())
    assert turns >= 10
    assert snapshot.routing.plan(b"logs-320").decide(asked(b"logs-320")).rule == 320
