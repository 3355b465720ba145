"""A copy between two targets is byte-identical, or its client did not get a success.

Random events play on the rig (`tests.doubles.copying` is the operation): pieces, stalls, kills of
each side, a client that leaves, time. Truth is what the destination has heard and said. Whatever
happens, one line tells of the client's request and one of each call, no task is left, and both
pools have their connections back, or closed.
"""

from __future__ import annotations

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.composed.operation import DEADLINE_SECONDS
from fastpath.ipc.counters import Slot
from tests.doubles.copying import COPIES
from tests.doubles.http1 import Answer, ok, put, read_answers, read_requests
from tests.doubles.wire import Peer, Rig
from tests.property.depth import DEPTH

COPY = put("/b-b/k", b"", "x-amz-copy-source: b-b/source")
STORED = ok(b"", 'ETag: "1"')
# What happens, but for the pieces.
HARMLESS = [
    "client stalls",
    "client reads",
    "destination stalls",
    "destination reads",
    "destination reads a little",
    "pass 1",
    "pass 6",
]
PAUSES = ("stalls", "reads", "reads a little")
MISCHIEF = [
    "source dies",
    "source ends",
    "source has none",
    "destination dies",
    "destination ends",
    "destination refuses",
    # What would be a success if nobody looked comes more often than what ends the copy anyway.
    *["destination says it has it"] * 4,
    *["destination fills up"] * 4,
    "client leaves",
    "pass 70",
    "pass the deadline",
    "cut",
    "connects fail",
]


def play(*kinds: list[str]) -> st.SearchStrategy[list[str]]:
    """What happens one after the other, a third or a half of it pieces."""
    others = [st.sampled_from(kind) for kind in kinds]
    return st.lists(st.one_of(st.just("piece"), *others), min_size=8, max_size=30)


class Play:
    """One client that asks for one copy, and two targets."""

    def __init__(self, size: int, seed: int) -> None:
        self.dice = random.Random(seed)
        self.truth = self.dice.randbytes(size)
        self.rig = Rig(buffer=1500, limits={"write_buffer_bytes": 100})
        self.rig.worker.composed = COPIES
        self.rest = ok(self.truth)  # what the source has not said yet
        self.is_full = False  # the destination refuses what it has read
        self.answered = False  # by the destination, after every byte
        self.stored = False
        self.client = self.rig.connect()
        self.client.says(COPY)

    def _asked(self, method: bytes) -> Peer | None:
        """The last connection that has heard such a request, and is there."""
        heard = [one for one in self.rig.targets if one.heard.startswith(method)]
        return heard[-1] if heard and not heard[-1].transport.ended else None

    def happens(self, what: str) -> None:
        source, destination = self._asked(b"GET"), self._asked(b"PUT")
        verb, _, rest = what.partition(" ")
        if what == "piece":
            self.piece(source)
        elif verb == "pass":
            self.passes(rest)
        elif rest in PAUSES:
            self.pauses(destination if verb == "destination" else self.client, rest)
        elif verb == "source" and source is not None:
            none = rest == "has none" and len(self.rest) == len(ok(self.truth))
            said = ok(b"<Error/>", status="404 No") if none else b""
            self.target_ends(source, rest, said)
        elif verb == "destination" and destination is not None:
            answers = {"refuses": ok(b"<Error/>", status="403 No"), "says it has it": STORED}
            self.is_full = self.is_full or rest == "fills up"
            self.target_ends(destination, rest, answers.get(rest, b""))
        elif what == "client leaves":
            self.client.resets()
        elif what == "cut":
            self.rig.worker.cut()
            self.rig.settle()
        elif what == "connects fail":
            self.rig.connect_fault = ConnectionRefusedError(111, "refused")
        self.destination_answers()
        if self.rig.count(Slot.REQUESTS) + self.rig.count(Slot.CUT):
            self.check_rest()

    def piece(self, source: Peer | None) -> None:
        if source is not None:
            count = self.dice.choice([1, 1000, 5000, 5000])
            piece, self.rest = self.rest[:count], self.rest[count:]
            source.says(piece)

    def passes(self, how_long: str) -> None:
        if how_long == "the deadline":
            self.rig.loop.now += DEADLINE_SECONDS
            self.rig.settle()
        else:
            self.rig.pass_time(float(how_long))

    def pauses(self, peer: Peer | None, what: str) -> None:
        if peer is None:
            return
        if what == "stalls":
            peer.stalls()
        elif what == "reads":
            peer.reads(on=True)
        else:
            peer.reads(700)

    def target_ends(self, target: Peer, how: str, said: bytes) -> None:
        if said:
            target.says(said)
        elif how == "dies":
            target.resets()
        elif how == "ends":
            target.leaves()

    def destination_answers(self) -> None:
        """Once, when it has every byte that it was promised."""
        destination = self._asked(b"PUT")
        if destination is None or self.answered:
            return
        ((_, body),) = read_requests(destination.heard) or ((b"", None),)
        if body is not None and len(body) == len(self.truth):
            assert body == self.truth
            self.answered, self.stored = True, not self.is_full
            destination.says(STORED if self.stored else ok(b"<Error/>", status="507 No"))

    def answer(self) -> Answer | None:
        ended = self.client.ended and not self.client.reset
        answers = read_answers(self.client.heard, [b"PUT"], ended=ended)
        return answers[0] if answers else None

    def comes_to_an_end(self) -> None:
        for peer in [self.client, *self.rig.targets]:
            peer.reads(on=True)
        while self.rest and self._asked(b"GET") is not None:
            self.happens("piece")
        self.destination_answers()

    def is_success(self) -> bool:
        answer = self.answer()
        return answer is not None and answer.whole and b"<CopyObjectResult>" in answer.body

    def check_rest(self) -> None:
        """Nothing runs, or waits, once the exchange has ended."""
        assert not asyncio.all_tasks(self.rig.loop)
        for pool in self.rig.worker._pools.values():
            assert not pool._busy
            assert not pool._waiting
            assert not pool._connecting

    def check(self) -> None:
        rig = self.rig
        assert rig.defects == []
        lines = rig.lines("access")
        assert len(lines) == rig.count(Slot.STARTED) == 1
        assert rig.count(Slot.REQUESTS) + rig.count(Slot.CUT) == 1
        calls = [line["operation"] for line in rig.lines("call")]
        assert rig.count(Slot.CALLS) == len(calls)
        heard = {"PutObject" for one in rig.targets if one.heard.startswith(b"PUT")}
        assert {"GetObject"} | heard <= set(calls)
        assert len(set(calls)) == len(calls)
        self.check_rest()
        pools = rig.worker._pools.values()
        kept = sum(len(pool._idle) for pool in pools)
        assert kept == sum(not one.transport.ended for one in rig.targets)
        for one in rig.targets:
            for head, body in read_requests(one.heard):
                assert self.truth.startswith(body) or head.startswith(b"GET")
        if self.is_success():
            assert self.stored
            assert lines[0]["code"] in ("", "ClientGone")  # it left after its last byte
        elif not self.client.transport.ended or not self.client.reset:
            answer = self.answer()
            assert answer is None or not answer.whole or answer.code != ""


SIZES = st.sampled_from([0, 1, 3000, 20000, 20000])
PLAYS = settings(max_examples=150 * DEPTH, deadline=None)


@PLAYS
@given(play(HARMLESS), SIZES, st.integers())
def test_a_copy_is_byte_identical(happens: list[str], size: int, seed: int) -> None:
    one = Play(size, seed)
    for what in happens:
        one.happens(what)
    one.comes_to_an_end()
    assert one.is_success()
    assert one.rig.lines("access")[0]["code"] == ""
    one.check()


@PLAYS
@given(play(HARMLESS, MISCHIEF), SIZES, st.integers())
def test_what_is_no_copy_is_no_success(happens: list[str], size: int, seed: int) -> None:
    one = Play(size, seed)
    for what in happens:
        one.happens(what)
    one.comes_to_an_end()
    if one.rig.lines("access"):
        one.check()
    one.rig.pass_time(130)  # until every target that is silent has missed its deadline
    one.check()
