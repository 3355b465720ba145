"""Byte identity of the relay, both ways, whatever the framing, the cuts, the pauses and the ends.

Random clients and targets play on the rig; truth is what each of them set out to say. What the
other side got is a prefix of the truth, and looks whole only if it is.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from functools import cached_property

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastpath.ipc.counters import Slot
from tests.doubles.http1 import get, put, read_answers, read_requests
from tests.doubles.wire import Peer, Rig
from tests.property.depth import DEPTH

SMALL = {"write_buffer_bytes": 2000, "pipeline_bytes": 600, "discard_bytes": 500}


@dataclass
class Exchange:
    """One request and the answer it is to get."""

    method: str
    bucket: str
    framing: str
    body_size: int
    reply_size: int
    salt: int
    expects: bool
    hashes: bool

    @cached_property
    def body(self) -> bytes:
        return random.Random(self.salt).randbytes(self.body_size)

    @cached_property
    def reply(self) -> bytes:
        return random.Random(self.salt + 5000).randbytes(self.reply_size)

    def request(self, number: int) -> bytes:
        lines = ["Expect: 100-continue"] if self.expects else []
        if self.hashes:
            lines.append(f"x-amz-content-sha256: {hashlib.sha256(self.body).hexdigest()}")
        path = f"/{self.bucket}/{number}"
        if self.method == "PUT":
            return put(path, self.body, *lines)
        return get(path, *lines, method=self.method)

    def answer(self, dice: random.Random) -> bytes:
        head = f"HTTP/1.1 200 OK\r\nx-method: {self.method}\r\n".encode()
        if self.method == "HEAD":
            return head + b"Content-Length: %d\r\n\r\n" % len(self.reply)
        if self.framing == "length":
            return head + b"Content-Length: %d\r\n\r\n" % len(self.reply) + self.reply
        if self.framing == "close":
            return head + b"\r\n" + self.reply
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in cut(self.reply, dice)]
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n\r\n"

    @property
    def truth(self) -> bytes:
        return b"" if self.method == "HEAD" else self.reply


def cut(data: bytes, dice: random.Random) -> list[bytes]:
    pieces = []
    while data:
        size = min(len(data), dice.choice([1, 7, 100, 1000, 3000]))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@dataclass
class Target:
    """What one connection of a target has still to say."""

    peer: Peer
    begun: int = 0  # requests it began to answer
    pieces: list[bytes] = field(default_factory=list)
    closes: bool = False  # when the pieces are out


class Play:
    """One client with pipelined requests, targets that answer them, and dice."""

    def __init__(self, exchanges: list[Exchange], dice: random.Random, *, mischief: bool) -> None:
        self.exchanges = exchanges
        self.dice = dice
        self.mischief = mischief
        self.rig = Rig(buffer=1500, limits=SMALL, pool={"idle_seconds": 5})
        self.client = self.rig.connect()
        said = b"".join(one.request(number) for number, one in enumerate(exchanges))
        self.pieces = cut(said, dice)
        self.targets: list[Target] = []

    def run(self) -> None:
        steps = 0
        while self.step(stall=steps < 300) and steps < 3000:
            steps += 1
        assert steps < 3000
        self.rig.pass_time(200)

    def step(self, *, stall: bool) -> bool:
        """Do one thing of those that can be done; False when there is none."""
        self.see_targets()
        actions = []
        if self.pieces and not self.client.transport.ended:
            actions.append(self.client_says)
        if self.client.transport.stuck:
            actions.append(lambda: self.reads(self.client))
        for target in self.targets:
            if target.peer.transport.stuck:
                actions.append(lambda peer=target.peer: self.reads(peer))
            if target.pieces or target.closes:
                actions.append(lambda target=target: self.target_says(target))
        if not actions:
            return False
        if stall and self.dice.random() < 0.1:
            self.dice.choice([self.client, *(target.peer for target in self.targets)]).stalls()
        if self.mischief and self.dice.random() < 0.02:
            actions = [self.somebody_dies]
        self.dice.choice(actions)()
        return True

    def client_says(self) -> None:
        self.client.says(self.pieces.pop(0))

    def reads(self, peer: Peer) -> None:
        if self.dice.random() < 0.3:
            peer.reads(on=True)
        else:
            peer.reads(self.dice.choice([1, 500, 5000]))

    def target_says(self, target: Target) -> None:
        if target.pieces:
            target.peer.says(target.pieces.pop(0))
        elif target.closes:
            target.closes = False
            target.peer.leaves()

    def somebody_dies(self) -> None:
        peers = [target.peer for target in self.targets] + [self.client]
        self.dice.choice(peers).resets()

    def see_targets(self) -> None:
        known = [target.peer for target in self.targets]
        self.targets += [Target(peer) for peer in self.rig.targets if peer not in known]
        for target in self.targets:
            if target.peer.transport.ended:
                target.pieces, target.closes = [], False
            elif not target.pieces and not target.closes:
                self.answer(target)

    def answer(self, target: Target) -> None:
        requests = read_requests(target.peer.heard)
        if len(requests) <= target.begun:
            return
        one = self.which(requests[target.begun][0])
        whole = one.method != "PUT" or requests[target.begun][1] == one.body
        if whole or (self.mischief and self.dice.random() < 0.05):
            target.begun += 1
            target.pieces = cut(one.answer(self.dice), self.dice)
            target.closes = one.framing == "close" and one.method != "HEAD"

    def which(self, head: bytes) -> Exchange:
        return self.exchanges[int(head.split(b" ")[1].rpartition(b"/")[2])]

    def check_uploads(self) -> None:
        for peer in self.rig.targets:
            for head, body in read_requests(peer.heard):
                assert self.which(head).body.startswith(body)

    def check_nothing_is_left(self) -> None:
        assert not self.rig.defects
        assert self.rig.count(Slot.STARTED) == self.rig.count(Slot.REQUESTS)
        for slot in (Slot.CONNECTIONS, Slot.UPSTREAM):
            assert self.rig.count(slot) == 0, slot.name
        assert all(peer.transport.ended for peer in [self.client, *self.rig.targets])


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    method = draw(st.sampled_from(["GET", "PUT", "HEAD", "PUT", "GET", "DELETE"]))
    size = st.sampled_from([0, 1, 2, 100, 1500, 6000])
    return Exchange(
        method=method,
        bucket=draw(st.sampled_from(["b-b", "g-b"])),
        framing=draw(st.sampled_from(["length", "chunked", "close"])),
        body_size=draw(size) if method == "PUT" else 0,
        reply_size=draw(size),
        salt=draw(st.integers(1, 1000)),
        expects=method == "PUT" and draw(st.booleans()),
        hashes=draw(st.booleans()),
    )


PLAYS = settings(
    max_examples=40 * DEPTH, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@PLAYS
@given(st.lists(exchanges(), min_size=1, max_size=5), st.integers())
def test_everything_arrives_unchanged_and_in_order(made: list[Exchange], seed: int) -> None:
    play = Play(made, random.Random(seed), mischief=False)
    play.run()
    answers = read_answers(play.client.heard, [one.method.encode() for one in made])
    assert [answer.body for answer in answers] == [one.truth for one in made]
    assert all(answer.whole and answer.status == 200 for answer in answers)
    uploads = [body for peer in play.rig.targets for _, body in read_requests(peer.heard) if body]
    assert sorted(uploads) == sorted(one.body for one in made if one.body)
    play.check_uploads()
    play.check_nothing_is_left()


@PLAYS
@given(st.lists(exchanges(), min_size=1, max_size=5), st.integers())
def test_nothing_cut_looks_whole(made: list[Exchange], seed: int) -> None:
    play = Play(made, random.Random(seed), mischief=True)
    play.run()
    client = play.client
    methods = [one.method.encode() for one in made]
    ended = client.ended and not client.reset
    answers = read_answers(client.heard, methods, ended=ended)
    for answer, one in zip(answers, made, strict=False):
        if answer.status == 503:
            assert one.method == "HEAD" or answer.code == "ServiceUnavailable"
            continue
        assert answer.status == 200
        assert one.truth.startswith(answer.body)
        assert answer.whole is (answer.body == one.truth) or not answer.whole
    assert all(answer.whole for answer in answers[:-1])
    play.check_uploads()
    play.check_nothing_is_left()
