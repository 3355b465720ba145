"""The knobs of `make load`, and what they may say.

Rules: what means nothing is refused by its name in the Makefile, before anything is installed or
started; a plan has whole rounds, and every way of every scenario has a turn in each.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.load import scenarios, shapes
from loadtest.load.scenarios import Scenario

SECONDS, QUICK_SECONDS = 50.0, 14.0  # of load; the servers need ten more to start and to end
ROUNDS = 3  # medians need three
SHORTEST_SECONDS = 0.5  # of a turn
# Of one user's upload that takes as long as a turn, a turn would count one or none.
FEWEST_REQUESTS = 4
LONGER_SECONDS = 10.0  # at most, for that many: a gateway that answers nothing ends its turn too
MAX_SECONDS, MAX_USERS, MAX_MS = 24 * 3600.0, 1000, 600_000.0


class Refused(Exception):
    """A knob that means nothing; the text names it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run: `turn_seconds` for each way of each scenario in each of `rounds`."""

    scenarios: tuple[Scenario, ...]
    shape: shapes.Shape
    users: int | None  # None: as many as the scenario has
    rounds: int
    turn_seconds: float

    @property
    def most_seconds(self) -> float:
        """Which no run's turns exceed, each with a second for users to start and to end."""
        turns = 2 * self.rounds * len(self.scenarios)
        return turns * (self.turn_seconds + LONGER_SECONDS + 1)

    def users_of(self, scenario: Scenario) -> int:
        return scenario.users if self.users is None else self.users


def parse(words: Sequence[str]) -> tuple[Plan, bool]:
    """The plan, and whether arguments are to be checked only. Raises Refused."""
    parser = argparse.ArgumentParser(prog="make load")
    parser.add_argument("--check", action="store_true", help="look at the arguments alone")
    parser.add_argument(
        "--quick", action="store_true", help="four scenarios, a quarter of the time"
    )
    parser.add_argument("--scenario", default="", help="one of " + ", ".join(scenarios.NAMES))
    parser.add_argument("--shape", default="", help="one of " + ", ".join(shapes.NAMES))
    parser.add_argument("--users", default="", help="users at once")
    parser.add_argument("--seconds", help="seconds of load, all turns together")
    chosen = parser.parse_args(words)
    names = scenarios.QUICK if chosen.quick else scenarios.NAMES
    if chosen.scenario:
        names = (_known("SCENARIO", chosen.scenario, scenarios.NAMES, "scenario"),)
    shape = shapes.named(_known("SHAPE", chosen.shape or "constant", shapes.NAMES, "shape"))
    users = None
    if chosen.users:
        users = int(_number("USERS", chosen.users, MAX_USERS, "users", whole=True))
    seconds = QUICK_SECONDS if chosen.quick else SECONDS
    if chosen.seconds is not None:
        seconds = _number("SECONDS", chosen.seconds, MAX_SECONDS, "seconds")
    rounds, turn_seconds = _rounds(seconds, 2 * len(names), shape)
    found = tuple(scenarios.named(name) for name in names)
    return Plan(found, shape, users, rounds, turn_seconds), chosen.check


def is_over(second: float, turn_seconds: float, requests: int) -> bool:
    """Whether a turn ends: at its time, or later if there were too few requests to compare."""
    if requests < FEWEST_REQUESTS:
        turn_seconds += LONGER_SECONDS
    return second >= turn_seconds


def shape_seconds(environ: Mapping[str, str]) -> tuple[shapes.Shape, float, int]:
    """The shape, seconds and users that the environment names. Raises Refused."""
    name = environ.get("LOAD_SHAPE", "constant")
    shape = shapes.named(_known("LOAD_SHAPE", name, shapes.NAMES, "shape"))
    seconds = _number("LOAD_SECONDS", environ.get("LOAD_SECONDS", "60"), MAX_SECONDS, "seconds")
    users = _number("LOAD_USERS", environ.get("LOAD_USERS", "20"), MAX_USERS, "users", whole=True)
    return shape, seconds, int(users)


def most(environ: Mapping[str, str]) -> tuple[float, float]:
    """The share of failures and the p99 in ms that the environment allows. Raises Refused."""
    errors = environ.get("LOAD_MAX_ERRORS", "0.001")
    p99_ms = environ.get("LOAD_MAX_P99_MS")
    return (
        0.0 if errors == "0" else _number("LOAD_MAX_ERRORS", errors, 1, "failures in a request"),
        math.inf if p99_ms is None else _number("LOAD_MAX_P99_MS", p99_ms, MAX_MS, "milliseconds"),
    )


def _rounds(seconds: float, turns: int, shape: shapes.Shape) -> tuple[int, float]:
    """How many rounds fit, up to three, and how long a turn is then."""
    constant = shape.name == "constant"
    shortest = SHORTEST_SECONDS if constant else shapes.SHORTEST_SECONDS
    for rounds in range(ROUNDS, 0, -1):
        turn_seconds = seconds / (turns * rounds)
        if turn_seconds >= shortest:
            return rounds, turn_seconds
    name = "" if constant else f" SHAPE={shape.name}"
    raise Refused(
        f"SECONDS={seconds:g} is too short: {turns} turns{name} of {shortest:g} s need "
        f"SECONDS={turns * shortest:g}; SCENARIO=name runs one scenario, of 2 turns"
    )


def _known(knob: str, value: str, known: Sequence[str], what: str) -> str:
    if value not in known:
        raise Refused(f"{knob}={value} is no {what}; known: {', '.join(known)}")
    return value


def _number(knob: str, value: str, most: float, what: str, whole: bool = False) -> float:
    digits = value if whole else value.replace(".", "", 1)
    # As int() and float() take more than digits: `1_0`, `nan`, other scripts' digits.
    if not (digits.isascii() and digits.isdigit()) or not 0 < float(value) <= most:
        raise Refused(f"{knob}={value} is no number of {what} up to {most:g}")
    return float(value)
