"""The gateway agrees with a dictionary, whatever clients do and however it is reloaded meanwhile.

A failure prints the steps that lead to it; with TEST_DEPTH=2, `--hypothesis-seed=N` repeats a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.compat.model.across import Across
from tests.compat.model.world import World, world
from tests.compat.shared import Store
from tests.property.depth import DEPTH

ENOUGH = 3000
SOME = 25  # steps whose store failed: of each kind


def play(stores: Mapping[str, Store], directory: Path, plays: int, steps: int) -> World:
    """Return what has counted the steps that agreed with the model."""
    with world(stores, directory) as at:
        for number in range(plays):
            run_state_machine_as_test(
                _machine(at, number),  # type: ignore[arg-type]  # whatever makes one will do
                settings=settings(
                    # One besides the simplest. What becomes of an object whose store has failed
                    # decides what is drawn next, so that no play can be told from the one before.
                    max_examples=2,
                    stateful_step_count=steps,
                    deadline=None,
                    # A play takes seconds, and what it draws depends on what it has written.
                    suppress_health_check=list(HealthCheck),
                    # A failure prints its steps: nothing is to be kept of it.
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    report_multiple_bugs=False,
                ),
            )
        return at


def _machine(at: World, number: int) -> Callable[[], Across]:
    """Return what makes the machine of a play.

    The same plays each time: stores fail in ways of their own, and a run of all tests must not
    depend on which. Deeper runs try others.
    """

    def make() -> Across:
        return Across(at)

    return seed(number)(make) if DEPTH == 1 else make


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Writes a line that is seen whether the test passes or not."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(text)  # noqa: T201  # how much was tried is a result of the run

    return line


def test_a_short_play_agrees_with_the_model(stores: Mapping[str, Store], tmp_path: Path) -> None:
    played = play(stores, tmp_path, DEPTH, 40)
    assert played.steps > 40
    assert played.refused


@pytest.mark.slow
@pytest.mark.timeout(900)  # it takes 3 minutes; the rest is for making the story of a failure short
def test_thousands_of_steps_agree_with_the_model(
    stores: Mapping[str, Store], tmp_path: Path, say: Callable[[str], None]
) -> None:
    played = play(stores, tmp_path, 48, 80)
    say(
        f"{played.steps} steps agree with the model; {played.refused} were refused, as it says; "
        f"{played.failed} failed because a store did, {played.withstood} succeeded though one did"
    )
    assert played.steps >= ENOUGH
    assert played.failed >= SOME
    assert played.withstood >= SOME
