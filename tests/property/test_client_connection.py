"""A client's connection, whatever happens when: its state, its reading and its deadlines agree.

Random clients and targets play on the rig. After each event: every move was one of the table, the
state says what the connection holds, reading is paused for a reason that is true, and whoever is
waited for has a deadline. In the end, when everybody falls silent, no connection is left.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.client.connection import ClientConnection
from fastpath.client.reading import AHEAD, DISCARDED, OF_EXCHANGE
from fastpath.client.states import MOVES, State
from tests.doubles.http1 import get, ok, put
from tests.doubles.wire import Peer, Rig
from tests.property.depth import DEPTH

KEEP = "Connection: keep-alive"
BODY = bytes(range(200)) * 4
LIMITS = {
    "write_buffer_bytes": 2000,
    "pipeline_bytes": 600,
    "discard_bytes": 900,
    "idle_seconds": 20,
    "head_seconds": 10,
    "body_idle_seconds": 8,
    "send_idle_seconds": 12,
    "minimum_rate_grace_seconds": 10,
}
TIMEOUTS = {"response_seconds": 9, "idle_seconds": 9}
SILENCE = 600  # seconds, in which the longest queue of requests times out

SENT: dict[str, bytes] = {
    "read": get("/b-b/k", KEEP),
    "reads": get("/b-b/k", KEEP) * 8,
    "last read": get("/b-b/k", "Connection: close"),
    "upload": put("/b-b/k", BODY, KEEP),
    "hashed upload": put("/g-b/k", BODY, KEEP, f"x-amz-content-sha256: {'0' * 64}"),
    "upload that waits": put("/b-b/k", BODY, KEEP, "Expect: 100-continue"),
    "refused": get("/b-b/k?uploads&acl", KEEP),
    "refused upload": put("/b-b/k?uploads&acl", BODY, KEEP),
    "health": get("/-/healthz", KEEP) * 3,
    "empty line": b"\r\n",
    "no request": b"what is this\r\n\r\n",
}
SAID: dict[str, bytes] = {
    "answer": ok(b"whole", KEEP),
    "long answer": ok(bytes(5000), KEEP),
    "half an answer": ok(b"whole", KEEP)[:-3],
    "half a long answer": ok(bytes(5000), KEEP)[:-1000],
    "failure": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    "refusal": b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
    "garbage": b"SSH-2.0-OpenSSH\r\n",
}
WHO = st.integers(0, 1)
PEERS = ("stalls", "stalls", "takes", "takes", "leaves", "resets")


def event(kind: str, *which: str) -> st.SearchStrategy[tuple[str, int, str]]:
    return st.tuples(st.just(kind), WHO, st.sampled_from(which or ("",)))


PLAY = st.lists(
    st.one_of(
        event("begins", *SENT, "upload"),
        event("begins half", *SENT, *["upload"] * 10),
        event("goes on", "some"),
        event("goes on", "all"),
        event("answers", *SAID),
        event("answers", "answer", "long answer", "half a long answer"),
        event("client", *PEERS),
        event("client", "takes"),
        event("target", *PEERS),
        st.tuples(st.just("passes"), st.sampled_from([1, 1, 5, 5, 13, 30]), st.just("")),
        event("connects", "wait", "are made", "are made", "fail"),
        event("begins and waits", "health", "reads"),
    ),
    min_size=10,
    max_size=60,
)
BEGINNINGS = ["all well", "connects wait", "clients stall", "targets stall"]


class Watched(ClientConnection):
    """A connection that notes moves which are not in the table."""

    forbidden: list[tuple[State, State]]
    _state: State

    @property
    def state(self) -> State:
        return self._state

    @state.setter
    def state(self, to: State) -> None:
        if "_state" not in self.__dict__:
            self.forbidden = [] if to is State.IDLE else [(to, to)]
        elif to not in MOVES[self._state].values():
            self.forbidden.append((self._state, to))
        self._state = to


class Client:
    """One client: what it has not sent yet of what it began to send."""

    def __init__(self, rig: Rig) -> None:
        self.peer = Peer(rig, lambda: Watched(rig.worker))
        self.rest = b""
        self.silent = False  # it has sent the end of its stream
        rig.settle()

    @property
    def connection(self) -> Watched:
        assert isinstance(self.peer.protocol, Watched)
        return self.peer.protocol

    def sends(self, count: int, *, settle: bool = True) -> None:
        data, self.rest = self.rest[:count], self.rest[count:]
        if not self.silent:
            self.peer.says(data, settle=settle)


class Play:
    """Two clients, their targets, and what happens to them."""

    def __init__(self, beginning: str) -> None:
        self.beginning = beginning
        self.rig = Rig(buffer=300, limits=LIMITS, timeouts=TIMEOUTS, pool={"max_connections": 2})
        self.clients = [Client(self.rig) for _ in range(2)]
        if beginning == "connects wait":
            self.rig.hold_connects()
        if beginning == "clients stall":
            for client in self.clients:
                client.peer.stalls()

    def step(self, kind: str, which: int, what: str) -> None:
        actions: dict[str, Callable[[int, str], None]] = {
            "begins": lambda which, what: self.begins(which, SENT[what]),
            "begins half": lambda which, what: self.begins(which, SENT[what], share=0.5),
            "begins and waits": lambda which, what: self.begins(which, SENT[what], settle=False),
            "goes on": self.goes_on,
            "client": lambda which, what: self.client_does(self.clients[which], what),
            "answers": self.target_answers,
            "target": self.target_does,
            "passes": lambda seconds, _: self.rig.pass_time(seconds),
            "connects": lambda _, what: self.connects(what),
        }
        opened = len(self.rig.targets)
        actions[kind](which, what)
        if self.beginning == "targets stall":
            for target in self.rig.targets[opened:]:
                target.stalls()
        self.check()

    def begins(self, which: int, data: bytes, *, share: float = 1.0, settle: bool = True) -> None:
        """On a new connection if the old one is over; the rest comes when it goes on."""
        if self.clients[which].peer.transport.ended:
            self.clients[which] = Client(self.rig)
        client = self.clients[which]
        client.rest += data
        client.sends(int(len(client.rest) * share), settle=settle)

    def goes_on(self, which: int, what: str) -> None:
        client = self.clients[which]
        client.sends(350 if what == "some" else len(client.rest))

    def client_does(self, client: Client, what: str) -> None:
        client.silent = client.silent or what in ("leaves", "resets")
        self.does(client.peer, what)

    def target_does(self, which: int, what: str) -> None:
        open_ones = [target for target in self.rig.targets if not target.transport.ended]
        for target in open_ones[which : which + 1]:
            self.does(target, what)

    def target_answers(self, which: int, what: str) -> None:
        asked = [one for one in self.rig.targets if one.heard and not one.transport.ended]
        for target in asked[which : which + 1]:
            target.take()
            target.says(SAID[what])

    def does(self, peer: Peer, what: str) -> None:
        if what == "takes" and not peer.transport.ended:
            peer.reads(on=True)
        elif what != "takes":
            getattr(peer, what)()

    def connects(self, what: str) -> None:
        if what == "wait":
            self.rig.hold_connects()
        while what != "wait" and self.rig.held_connects:
            if self.rig.held_connects[0].done():  # given up
                self.rig.held_connects.popleft()
            else:
                self.rig.open_held(ConnectionRefusedError(111, "no") if what == "fail" else None)
        if what == "are made":
            self.rig.held_connects = None

    # --- what holds after each event ---

    def check(self) -> None:
        for client in self.clients:
            connection = client.connection
            assert connection.forbidden == []
            check_state(connection)
            if not client.peer.transport.is_closing():
                check_reading(connection, reading=client.peer.transport.reading)
                check_deadlines(connection)
        assert self.rig.defects == []


def check_state(connection: ClientConnection) -> None:
    """The state says what the connection holds."""
    state, exchange, closing = (
        connection.state,
        connection.exchange,
        connection.transport.is_closing(),
    )
    assert (exchange is not None) is (state is State.SERVING) or closing
    if state is State.IDLE:
        assert not connection.unread
        assert not connection._heads.begun
    if state is State.HEAD:
        assert connection._heads.begun
    if state is State.QUEUED:
        assert connection._ahead
        assert connection in connection._worker.turns._waiting
    if state is State.DISCARDING:
        assert connection.unread
    if state is State.CLOSED:
        assert closing


def check_reading(connection: ClientConnection, *, reading: bool) -> None:
    """Reading is paused if and only if there is a reason, and the reason is true."""
    reasons = connection.reading.reasons
    assert reading is (not reasons)
    assert bool(reasons & AHEAD) is (len(connection._ahead) >= LIMITS["pipeline_bytes"])
    if reasons & OF_EXCHANGE:
        assert connection.exchange is not None
        assert connection.unread
    assert not reasons & DISCARDED or connection.state is State.ENDING


def check_deadlines(connection: ClientConnection) -> None:
    """Whoever is waited for has a deadline."""
    deadlines, exchange = connection.deadlines, connection.exchange
    if connection.state < State.ENDING:
        assert isfinite(deadlines.to_take) is connection._write_paused
    if exchange is None:
        assert isfinite(deadlines.to_send) or connection.state is State.QUEUED
    elif not isfinite(deadlines.to_send):  # then the target has one: see the end of the play
        assert not (exchange.wants_body and connection.unread and not connection.reading.reasons)


@settings(max_examples=100 * DEPTH, deadline=None)
@given(st.sampled_from(BEGINNINGS), PLAY, PLAY)
def test_state_reading_and_deadlines_agree(
    beginning: str, steps: list[tuple[str, int, str]], while_draining: list[tuple[str, int, str]]
) -> None:
    play = Play(beginning)
    for step in steps:
        play.step(*step)
    play.rig.worker.drain()
    for step in while_draining[:10]:
        play.step(*step)
    play.connects("are made")
    play.rig.pass_time(SILENCE)
    play.check()
    assert not play.rig.worker.connections
