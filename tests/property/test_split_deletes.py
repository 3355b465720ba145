"""Each key of a split DeleteObjects goes once where it is, and is once in the answer.

Random keys in three places (`tests.doubles.deleting`), targets that fail in random ways, in a
random order. A key is told to be deleted if its target has said so in a whole answer, and else not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.composed.operations import OPERATIONS
from tests.doubles.deleting import RULES, Received, codes, document, received, request, result
from tests.doubles.http1 import ok, read_answers
from tests.doubles.wire import Peer, Rig
from tests.property.depth import DEPTH

NAMES = ("1", "2", "3", "é &<", "a/../b")
# What a target does with a request; what it does not say, it may have done.
FAULTS = [
    *["deletes"] * 4,
    "deletes half",
    "deletes and is silent on half",
    "refuses",
    "refuses in a 200",
    "dies",
    "deletes and dies",
    "deletes and says half of it",
    "says nothing",
]


def place_of(key: str) -> tuple[str, str, str]:
    """Target, bucket and key there: what the rules of the doubles say."""
    if key.startswith("raw/"):
        return "generic", "b-b", key
    if key.startswith("old/"):
        return "first", "lake", "main/" + key.removeprefix("old/")
    return "first", "b-b", key


class Play:
    """One client that deletes `keys`, and targets of which some fail."""

    def __init__(self, keys: Sequence[str], faults: Sequence[str], seed: int) -> None:
        self.keys = keys
        self.faults = list(faults)
        self.dice = random.Random(seed)
        self.sent: list[tuple[str, str, str]] = []
        self.said: set[tuple[str, str, str]] = set()  # to be deleted, in a whole answer
        self.rig = Rig(rules=RULES)
        self.rig.worker.composed = OPERATIONS
        self.client = self.rig.connect()
        self.client.says(request(document(*keys)))

    def plays(self) -> None:
        while waiting := [peer for peer in self.rig.targets if peer.heard]:
            peer = self.dice.choice(waiting)
            fault = self.faults.pop() if self.faults else "deletes"
            self.answers(peer, received(peer), fault)
        self.rig.pass_time(130)  # until who is silent has missed its deadline

    def answers(self, peer: Peer, got: Received, fault: str) -> None:
        names = [(got.host, got.bucket, key) for key in got.keys]
        self.sent += names
        half = names[: len(names) // 2] if fault.endswith(" half") else names
        refused = [("Error", {"Key": key, "Code": "AccessDenied"}) for _, _, key in names]
        done = [("Deleted", {"Key": key}) for _, _, key in half]
        whole = result(*done).partition(b"\r\n\r\n")[2]
        answers = {
            "deletes": result(*done),
            "deletes half": result(*done, *refused[len(half) :]),
            "deletes and is silent on half": result(*done),
            "refuses": ok(b"<Error><Code>AccessDenied</Code></Error>", status="403 No"),
            "refuses in a 200": ok(b"<Error><Code>AccessDenied</Code></Error>"),
            "deletes and says half of it": ok(whole.removesuffix(b"</DeleteResult>")),
        }
        if fault in answers:
            if fault.startswith("deletes") and "half of it" not in fault:
                self.said |= set(half)
            peer.says(answers[fault])
        elif "dies" in fault:
            peer.resets()

    def checks(self) -> None:
        rig = self.rig
        assert rig.defects == []
        (answer,) = read_answers(self.client.heard, [b"POST"], ended=self.client.ended)
        assert (answer.status, answer.whole) == (200, True)
        told = codes(answer.body)
        assert [key for key, _ in told] == list(self.keys)
        for key, code in told:
            assert (code == "") == (place_of(key) in self.said)
        assert sorted(self.sent) == sorted(place_of(key) for key in self.keys)
        (line,) = rig.lines("access")
        assert line["status"] == 200
        for pool in rig.worker._pools.values():
            assert not pool._busy
            assert not pool._waiting


KEYS = st.builds(str.__add__, st.sampled_from(["raw/", "old/", ""]), st.sampled_from(NAMES))


@settings(max_examples=100 * DEPTH, deadline=None)
@given(
    st.lists(KEYS, unique=True, max_size=12),
    st.lists(st.sampled_from(FAULTS), max_size=3),
    st.integers(),
)
def test_each_key_is_answered_once_and_deleted_where_it_is(
    keys: list[str], faults: list[str], seed: int
) -> None:
    one = Play(["raw/split", "split", *keys], faults, seed)
    one.plays()
    one.checks()
