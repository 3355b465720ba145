"""The table of an exchange's states against random events: only its moves, one end, one line.

The model is the table itself and who has what in which state; the play is that of the account.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random
from unittest.mock import patch

from fastpath.exchange.exchange import Exchange
from fastpath.exchange.states import MOVES, WITH_TASK, WITH_UPSTREAM, State
from tests.doubles.play import ENDS, SAID, SCENES, SENT, Play, worlds
from tests.property.depth import DEPTH

Move = tuple[State, State]

# Moves that only an operation of several requests makes (tests/unit/fastpath/composed).
COMPOSED = {(State.RUNNING, State.REPLYING), (State.RUNNING, State.AWAITING)}
COMPOSED |= {(State.REPLYING, State.ENDED)}
# No filter passes an early answer on after a question: those of lakeFS become other errors.
UNUSED = {(State.ASKING_EARLY, State.EARLY)}
ALL = {(state, to) for state, moves in MOVES.items() for to in moves.values()}


class Watched(Exchange):
    """An exchange that remembers its states."""

    __slots__ = ("passed",)

    def __init__(self, *arguments: object) -> None:
        self.passed: list[State] = []
        Watched.all.append(self)
        super().__init__(*arguments)  # type: ignore[arg-type]  # as the connection gives them

    all: list[Watched] = []  # noqa: RUF012  # emptied by each example

    @property
    def state(self) -> State:
        return self.passed[-1]

    @state.setter
    def state(self, state: State) -> None:
        self.passed.append(state)

    def check(self) -> None:
        assert self.passed[0] is State.NEW
        assert set(pairwise(self.passed)) <= ALL, self.passed
        assert self.passed.count(State.ENDED) <= 1
        assert (self._task is not None) == (self.state in WITH_TASK), self
        assert (self._upstream is not None) == (self.state in WITH_UPSTREAM), self


def play(world: str, steps: list[tuple[str, object, str]]) -> set[Move]:
    """Play, and check all exchanges after each step; returns the moves that were made."""
    Watched.all.clear()
    with patch("fastpath.client.connection.Exchange", Watched):
        played = Play(world)
        for step in steps:
            played.step(*step)
            for exchange in Watched.all:
                exchange.check()
        played.rig.pass_time(400)
        for client in played.clients:
            client.ends("leaves")
        played.rig.settle()
    for exchange in Watched.all:
        exchange.check()
        assert exchange.state is State.ENDED
    played.check(at_rest=True)
    told = [line["request_id"] for line in played.rig.lines("access")]
    assert all(told.count(exchange.request_id) == 1 for exchange in Watched.all)
    assert not played.rig.defects
    return {move for exchange in Watched.all for move in pairwise(exchange.passed)}


def step(chance: Random) -> tuple[str, object, str]:
    """One step of a play: most are requests with answers."""
    client, flag = chance.randrange(3), chance.random() < 0.3
    sent, said = chance.choice([*SENT]), "/".join(chance.choices([*SAID], k=2))
    ends = chance.choice(ENDS)
    choices: list[tuple[str, object, str]] = [
        *[("asks", sent, said)] * 10,
        *[("asks", *scene) for scene in SCENES],
        *[("target", ends, chance.choice([*SAID]))] * 3,
        ("sends", client, sent),
        ("goes on", client, ""),
        ("ends", client, ends or "leaves"),
        ("stalls", client, ""),
        ("a kept one", ends or "leaves", ""),
        ("passes", chance.choice([0.5, 6, 40]), ""),
        ("reloads", flag, ""),
        ("connects fail", flag, ""),
    ]
    return chance.choice(choices)


def test_random_events_make_every_move_and_no_other() -> None:
    chance, made = Random(DEPTH), set[Move]()
    for _ in range(250 * DEPTH):
        made |= play(chance.choice([*worlds()]), [step(chance) for _ in range(40)])
    missing = ALL - COMPOSED - UNUSED - made
    assert " ".join(sorted(f"{state.name}->{to.name}" for state, to in missing)) == ""
