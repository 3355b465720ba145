"""Generations never go back, are never used twice, and an identical snapshot is none."""

from __future__ import annotations

from fastpath.ipc.frames import Frame, FrameReader, FrameType
from gateway.supervisor.generations import Generations


def _sent(generations: Generations) -> Frame:
    return FrameReader().feed(generations.frame)[0]


def test_the_first_snapshot_is_generation_1() -> None:
    generations = Generations()
    assert generations.publish(b"one", 10.0)
    assert _sent(generations) == (FrameType.SNAPSHOT, 1, b"one")
    assert generations.pending


def test_an_identical_snapshot_changes_nothing() -> None:
    generations = Generations()
    generations.publish(b"one", 10.0)
    generations.settle()
    assert not generations.publish(b"one", 20.0)
    assert generations.current == 1
    assert not generations.pending


def test_settling_answers_the_reloads() -> None:
    generations = Generations()
    generations.publish(b"one", 10.0)
    generations.tickets |= {3, 4}
    assert generations.settle() == {3, 4}
    assert generations.settle() == set()


def test_rolling_back_is_a_new_generation_of_the_old_snapshot() -> None:
    generations = Generations()
    generations.publish(b"good", 10.0)
    generations.settle()
    generations.publish(b"bad", 20.0)
    assert generations.roll_back(30.0)
    assert _sent(generations) == (FrameType.SNAPSHOT, 3, b"good")


def test_rolling_back_skips_what_was_never_served() -> None:
    generations = Generations()
    generations.publish(b"good", 10.0)
    generations.settle()
    generations.publish(b"bad", 20.0)
    generations.publish(b"worse", 30.0)
    assert generations.roll_back(40.0)
    assert _sent(generations).payload == b"good"
    assert not generations.roll_back(50.0)


def test_there_is_nothing_before_the_first() -> None:
    generations = Generations()
    generations.publish(b"bad", 10.0)
    assert not generations.roll_back(20.0)
    assert generations.current == 1


def test_after_a_rollback_the_same_bad_snapshot_is_tried_again() -> None:
    generations = Generations()
    generations.publish(b"good", 10.0)
    generations.settle()
    generations.publish(b"bad", 20.0)
    generations.roll_back(30.0)
    generations.settle()
    assert generations.publish(b"bad", 40.0)
    assert generations.current == 4


def test_the_text_goes_with_the_snapshot_and_back_with_it() -> None:
    """A9: a comment is text as well; what workers reject was not accepted."""
    generations = Generations()
    generations.publish(b"one", 10.0, b"first")
    generations.settle()
    generations.publish(b"one", 20.0, b"first  # comment")
    assert generations.text == b"first  # comment"
    generations.publish(b"bad", 30.0, b"second")
    assert generations.text == b"second"
    assert generations.roll_back(40.0)
    assert generations.text == b"first  # comment"
