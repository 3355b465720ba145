"""Chains are one store for their clients, in whatever order requests go on and however they fail.

A failure prints the number and the story of its play, and `python -m tests.property.chains NUMBER`
plays it again. The same plays each time; TEST_DEPTH=2 plays others, and `--hypothesis-seed=N`
repeats such a run.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.property.chains.play import STEPS, Played, play_of
from tests.property.depth import DEPTH

ENOUGH = 10_000  # steps of the slow run
SOME = 50  # requests that failed, reloads


def plays(count: int) -> Played:
    """Play so many plays, each of another number."""
    played = Played()

    def each(number: int) -> None:
        one = play_of(number)
        one.run(STEPS)
        played.add(one)

    deeper = settings(
        max_examples=count,
        deadline=None,
        database=None,
        # A number says nothing of the play: there is nothing to make smaller.
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    run = deeper(given(st.integers(0, 2**32))(each))
    (seed(0)(run) if DEPTH == 1 else run)()
    return played


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Writes a line that is seen whether the test passes or not."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(text)  # noqa: T201  # how much was tried is a result of the run

    return line


def test_a_short_run_of_plays_agrees_with_one_store() -> None:
    played = plays(20 * DEPTH)
    assert played.steps > 20 * STEPS
    assert played.failed
    assert played.reloads


@pytest.mark.slow
@pytest.mark.timeout(600)  # it takes a minute
def test_thousands_of_steps_agree_with_one_store(say: Callable[[str], None]) -> None:
    played = plays(400)
    say(played.told())
    assert played.steps >= ENOUGH
    assert played.failed >= SOME
    assert played.reloads >= SOME
