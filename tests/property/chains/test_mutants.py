"""The plays find what they are for: a gateway that breaks a rule of chains is found soon.

Each mutant breaks one rule (`mutants`). The plays of the first numbers must find it within 1,000
steps, or as many as its row says, and find nothing wrong with the gateway itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.property.chains import layouts
from tests.property.chains.clients import Fault
from tests.property.chains.mutants import MUTANTS
from tests.property.chains.play import CALM, STEPS, Chances, Play

HARSH = Chances(fails=300)


@dataclass(frozen=True, slots=True)
class Case:
    """Where a mutant shows, and in how many steps."""

    mutant: str
    journey: str
    work: str
    chances: Chances
    within: int = 1000


CASES = (
    Case("hides", "by_size", "put get delete", CALM),
    Case("hides", "by_type", "put get delete", CALM),
    Case("forward", "fallback", "put get delete", HARSH, within=2000),
    Case("stops_nowhere", "fallback", "put get delete", HARSH, within=2000),
    Case("forbidden", "fallback", "put get", HARSH, within=2000),
    Case("omits", "fallback", "put list", HARSH),
    Case("passes_failures", "fallback", "put get", HARSH, within=2000),
)


def plays(case: Case) -> Iterator[Play]:
    """The plays of the first numbers that take so many steps."""
    steps = number = 0
    while steps < case.within:
        number += 1
        places = random.Random(number).choice(layouts.PLACES)
        play = Play(getattr(layouts, case.journey)(*places), number, case.chances, case.work)
        yield play
        steps += play.now


def faults(case: Case) -> list[str]:
    """What the plays find, to the first fault."""
    for play in plays(case):
        try:
            play.run(STEPS)
        except Fault as fault:
            return [str(fault)]
    return []


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.mutant}-{case.journey}")
def test_a_mutant_is_found(case: Case) -> None:
    with MUTANTS[case.mutant]():
        found = faults(case)
    assert found
    assert "no order explains" in found[0]


@pytest.mark.slow
def test_replicas_that_move_in_one_step_lose_a_write() -> None:
    """docs/operations.md, "Several replicas": another order and another place of writes at once."""
    case = Case("", "hasty_move_of_replicas", "put get delete", Chances(reloads=60), within=8000)
    assert faults(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.mutant}-{case.journey}")
def test_the_gateway_itself_passes_where_its_mutant_does_not(case: Case) -> None:
    assert faults(case) == []
