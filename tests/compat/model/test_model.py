"""The gateway agrees with a dictionary, whatever clients do and however it is reloaded meanwhile.

A failure prints the steps that lead to it; with TEST_DEPTH=2, `--hypothesis-seed=N` repeats a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.compat.model.machine import Machine
from tests.compat.model.world import world
from tests.compat.shared import Store
from tests.property.depth import DEPTH

ENOUGH = 3000


def play(stores: Mapping[str, Store], directory: Path, plays: int, steps: int) -> tuple[int, int]:
    """Return how many steps agreed with the model, and how many of them were refused."""
    with world(stores, directory) as at:
        run_state_machine_as_test(
            lambda: Machine(at),  # type: ignore[arg-type]  # whatever makes one will do
            settings=settings(
                max_examples=plays,
                stateful_step_count=steps,
                deadline=None,
                # The same plays each time: stores fail in ways of their own, and a run of all tests
                # must not depend on which. Deeper runs try others.
                derandomize=DEPTH == 1,
                # A play takes seconds, and what it draws depends on what it has written.
                suppress_health_check=list(HealthCheck),
                # A failure prints its steps: nothing is to be kept of it.
                database=None,
                phases=(Phase.generate, Phase.shrink),
                report_multiple_bugs=False,
            ),
        )
        return at.steps, at.refused


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Writes a line that is seen whether the test passes or not."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(text)  # noqa: T201  # how much was tried is a result of the run

    return line


def test_a_short_play_agrees_with_the_model(stores: Mapping[str, Store], tmp_path: Path) -> None:
    steps, refused = play(stores, tmp_path, 2 * DEPTH, 40)
    assert steps > 40
    assert refused


@pytest.mark.slow
@pytest.mark.timeout(900)  # it takes 3 minutes; the rest is for making the story of a failure short
def test_thousands_of_steps_agree_with_the_model(
    stores: Mapping[str, Store], tmp_path: Path, say: Callable[[str], None]
) -> None:
    steps, refused = play(stores, tmp_path, 60, 80)
    say(f"{steps} steps agree with the model; {refused} were refused, as it says")
    assert steps >= ENOUGH
