"""A rig whose worker answers with a composed operation of a test's own."""

from __future__ import annotations

import asyncio
from typing import Any

from fastpath.composed.operation import Composed, ComposedRequest, Operation
from tests.doubles.http1 import Answer, get, read_answers
from tests.doubles.wire import Peer, Rig

KEEP = "Connection: keep-alive"


class Bench:
    """One client, one operation instead of GetObject and PutObject, and what became of it."""

    def __init__(self, operation: Operation | None = None, **options: Any) -> None:
        self.rig = Rig(**options)
        if operation is not None:
            names = ("GetObject", "HeadObject", "PutObject", "CompleteMultipartUpload")
            self.rig.worker.composed = dict.fromkeys(names, Composed(operation, is_always=True))
        self.client: Peer = self.rig.connect()

    def asks(self, *lines: str, method: str = "GET", version: str = "1.1") -> None:
        self.client.says(get("/b-b/k", *lines, method=method, version=version))

    def answer(self, method: bytes = b"GET") -> Answer:
        """The only answer, which may lack its end."""
        (answer,) = read_answers(self.client.heard, [method], ended=self.client.ended)
        return answer

    def line(self) -> tuple[int, str]:
        """Status and code of the only line about a client's request."""
        (line,) = self.rig.lines("access")
        return line["status"], line["code"]

    def calls(self) -> list[tuple[str, int, str]]:
        """Operation, status and code of each call, in the order in which they ended."""
        return [(one["operation"], one["status"], one["code"]) for one in self.rig.lines("call")]

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing runs: neither a task, nor a connection that is leased."""
        pools = self.rig.worker._pools.values()
        return not asyncio.all_tasks(self.rig.loop) and not any(pool._busy for pool in pools)


async def forever(_: ComposedRequest) -> None:
    """An operation that comes to no end by itself."""
    await asyncio.get_running_loop().create_future()
