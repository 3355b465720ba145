"""Which pipes a worker makes, keeps and throws away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import cast

import pytest

from fastpath.sockets import splice
from fastpath.sockets.splice import (
    MAX_PIPES,
    MAX_WIDE,
    PIPE_BYTES,
    WIDE_BYTES,
    Flow,
    Owner,
    Splicer,
)


@pytest.fixture
def splicer() -> Iterator[Splicer]:
    loop = asyncio.new_event_loop()
    splicer = Splicer(loop)
    yield splicer
    splicer.close()
    loop.close()


def begin(splicer: Splicer, count: int) -> list[Flow]:
    """Flows that hold a pipe and move nothing."""
    flows = [splicer.begin(-1, -1, 1, cast("Owner", None)) for _ in range(count)]
    return [flow for flow in flows if flow is not None]


def sizes(flows: list[Flow]) -> list[int]:
    return [flow._pipe.size for flow in flows]


def stop(flows: list[Flow]) -> None:
    for flow in flows:
        flow.stop()


def test_the_first_pipes_are_wide_and_there_is_an_end_of_all(splicer: Splicer) -> None:
    flows = begin(splicer, MAX_PIPES + 1)
    assert sizes(flows) == [WIDE_BYTES] * MAX_WIDE + [PIPE_BYTES] * (MAX_PIPES - MAX_WIDE)
    stop(flows)


def test_all_pipes_together_are_half_of_what_a_user_may_have() -> None:
    assert MAX_WIDE * WIDE_BYTES + (MAX_PIPES - MAX_WIDE) * PIPE_BYTES == 32 << 20


def test_one_flow_after_the_other_has_the_same_wide_pipe(splicer: Splicer) -> None:
    stop(begin(splicer, MAX_WIDE + 3))
    first = begin(splicer, 1)
    pipe = first[0]._pipe
    stop(first)
    second = begin(splicer, 1)
    assert second[0]._pipe is pipe
    assert pipe.wide
    stop(second)


def test_a_wide_pipe_that_is_lost_is_replaced_by_a_wide_one(splicer: Splicer) -> None:
    flows = begin(splicer, MAX_WIDE + 2)
    flows[0]._in_pipe = 1  # something is left in it: it is closed
    stop(flows)
    again = begin(splicer, MAX_WIDE)
    assert sizes(again) == [WIDE_BYTES] * MAX_WIDE
    stop(again)


def test_where_no_pipe_may_be_wide_narrow_ones_are_kept(
    splicer: Splicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splice, "WIDE_BYTES", 3 << 30)
    first = begin(splicer, 2)
    pipes = {flow._pipe for flow in first}
    assert sizes(first) == [PIPE_BYTES] * 2
    stop(first)
    second = begin(splicer, 2)
    assert {flow._pipe for flow in second} == pipes
    stop(second)
