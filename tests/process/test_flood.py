"""A pipelining flood takes no worker, and from nobody else more than a moment."""

from __future__ import annotations

import statistics

import pytest

from tests.doubles.target import Target
from tests.process import flood

SECONDS = 10.0


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_others_are_served_beside_a_flood(target: Target) -> None:
    """A2: 100 connections that pipeline tiny requests; `python -m tests.process.flood` compares."""
    target.objects["/bucket/key"] = bytes(1024)
    with flood.gateway(target.url) as (port, gateway):
        workers = gateway.worker_pids()
        found, answers = flood.beside_a_flood(port, 100, SECONDS)
        assert gateway.worker_pids() == workers
        assert not gateway.log_contains("gave no sign")
        assert answers > 0
        assert len(found) > flood.OTHERS * 10
        assert statistics.median(found) < 1.0  # a second, where all at once took four
