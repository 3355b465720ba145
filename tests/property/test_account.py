"""Requests sent by all clients = lines in the access log = counters, whatever goes wrong and when.

Random clients, targets and reloads play on the rig. A client asks again when it has its answer, so
that every request it sent was begun. Health checks are no requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpath.ipc.counters import Slot
from tests.doubles.http1 import get, ok, put, read_answers
from tests.doubles.wire import Peer, Rig, document
from tests.property.depth import DEPTH

BODY = b"0123456789" * 20
KEEP = "Connection: keep-alive"
ERROR = "<Error><Code>%s</Code>%s</Error>"


def error(status: int, code: str, more: str = "") -> bytes:
    body = (ERROR % (code, more)).encode()
    return b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


# What a client sends, and how many requests that is.
SENT: dict[str, tuple[bytes, int]] = {
    "read": (get("/b-b/k", KEEP), 1),
    "read elsewhere": (get("/g-b/k", KEEP), 1),
    "head": (get("/b-b/k", KEEP, method="HEAD"), 1),
    "upload": (put("/b-b/k", BODY, KEEP), 1),
    "half an upload": (put("/b-b/k", BODY, KEEP)[:-100], 1),
    "upload that waits": (put("/b-b/k", BODY, KEEP, "Expect: 100-continue")[: -len(BODY)], 1),
    "wrong digest": (put("/b-b/k", BODY, KEEP, f"x-amz-content-sha256: {'0' * 64}"), 1),
    "refused": (get("/b-b/k?uploads&acl", KEEP), 1),
    "refused head": (get("/b-b/k", "x: \x00"), 1),
    "no request": (b"what is this\r\n\r\n", 1),
    "health": (get("/-/healthz", KEEP), 0),
}
# What a target says to the oldest request that it has heard.
SAID: dict[str, bytes] = {
    "answers": ok(b"whole", KEEP),
    "half": ok(b"whole", KEEP)[:-3],
    "half a head": b"HTTP/1.1 200 OK\r\nContent-",
    "garbage": b"SSH-2.0-OpenSSH\r\n",
    "until its end": b"HTTP/1.1 200 OK\r\n\r\nas long as it takes",
    "fails": error(500, "InternalError"),
    "slow down": error(503, "SlowDown"),
    "not found": error(404, "NoSuchKey"),
    "refuses": error(403, "InvalidAccessKeyId"),
    "refuses the client": error(403, "AccessDenied"),
    "redirects": error(301, "PermanentRedirect", "<Region>eu-west-1</Region>"),
    "nothing": b"",
}
ENDS = ("", "leaves", "resets")
PLAY = st.lists(
    st.one_of(
        st.tuples(st.just("sends"), st.integers(0, 2), st.sampled_from([*SENT])),
        st.tuples(st.just("goes on"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("ends"), st.integers(0, 2), st.sampled_from(["leaves", "resets"])),
        st.tuples(st.just("stalls"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("target"), st.sampled_from(ENDS), st.sampled_from([*SAID])),
        st.tuples(st.just("target"), st.just(""), st.just("answers")),
        st.tuples(st.just("passes"), st.sampled_from([0.5, 6, 40]), st.just("")),
        st.tuples(st.just("reloads"), st.booleans(), st.just("")),
        st.tuples(st.just("connects fail"), st.booleans(), st.just("")),
    ),
    min_size=1,
    max_size=40,
)


@dataclass
class Client:
    """One client; `rest` is what it has not sent yet of a body."""

    rig: Rig
    sent: int = 0  # requests
    rest: bytes = b""
    asked: bytes = b""  # the method of the request whose answer it has not had

    def __post_init__(self) -> None:
        self.peer: Peer = self.rig.connect()

    def sends(self, kind: str) -> None:
        """Asks, unless it waits for an answer; on a new connection if the old one is no good."""
        if self.asked and not self.has_its_answer():
            return
        if self.rest or self.peer.ended or not self.peer.transport.is_reading():
            self.ends("leaves")
        data, requests = SENT[kind]
        self.peer.take()
        self.sent += requests
        self.asked = data.partition(b" ")[0]
        self.rest = {"half an upload": BODY[-100:], "upload that waits": BODY}.get(kind, b"")
        self.peer.says(data)

    def has_its_answer(self) -> bool:
        answers = read_answers(self.peer.heard, [self.asked], ended=self.peer.ended)
        return self.peer.ended or [answer.whole for answer in answers] == [True]

    def goes_on(self) -> None:
        if self.rest and not self.peer.ended:
            rest, self.rest = self.rest, b""
            self.peer.says(rest)

    def ends(self, how: str) -> None:
        getattr(self.peer, how)()
        self.peer = self.rig.connect()
        self.rest = self.asked = b""


class Play:
    """Three clients, the targets, and what happens to them."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.clients = [Client(self.rig) for _ in range(3)]

    def step(self, kind: str, which: object, what: str) -> None:
        actions: dict[str, Callable[[], None]] = {
            "sends": lambda: self.clients[int(str(which))].sends(what),
            "goes on": lambda: self.clients[int(str(which))].goes_on(),
            "ends": lambda: self.clients[int(str(which))].ends(what),
            "stalls": lambda: self.clients[int(str(which))].peer.stalls(),
            "target": lambda: self.target(str(which), what),
            "passes": lambda: self.rig.pass_time(float(str(which))),
            "reloads": lambda: self.reloads(renewed=bool(which)),
            "connects fail": lambda: self.connects_fail(on=bool(which)),
        }
        actions[kind]()

    def reloads(self, *, renewed: bool) -> None:
        """Perhaps with other credentials, with which a refused request goes up again."""
        key = {"access_key_id": "AKIDNEW", "secret_access_key": "new"} if renewed else {}
        old = document()["credentials"]
        self.rig.install(credentials={name: {**old[name], **key} for name in old})

    def connects_fail(self, *, on: bool) -> None:
        self.rig.connect_fault = ConnectionRefusedError(111, "refused") if on else None

    def target(self, end: str, what: str) -> None:
        """The oldest connection that has heard something, and is there, says something of it."""
        for target in self.rig.targets:
            if target.heard and not target.transport.ended:
                target.take()
                target.says(SAID[what])
                if end and not target.transport.ended:
                    getattr(target, end)()
                return

    def check(self, *, at_rest: bool) -> None:
        count, lines = self.rig.count, self.rig.lines("access")
        sent = sum(client.sent for client in self.clients)
        assert count(Slot.STARTED) == sent
        ended = count(Slot.REQUESTS) + count(Slot.CUT)
        assert ended == len(lines) == len({line["request_id"] for line in lines})
        assert ended == sent if at_rest else ended <= sent
        assert count(Slot.CUT) == sum(line["code"] == "Cut" for line in lines)
        for slot, of in ((Slot.ERRORS_4XX, 4), (Slot.ERRORS_5XX, 5)):
            assert count(slot) == sum(line["status"] // 100 == of for line in lines)
        for slot, name in ((Slot.BYTES_IN, "bytes_in"), (Slot.BYTES_OUT, "bytes_out")):
            assert count(slot) == sum(line[name] or 0 for line in lines)
        assert count(Slot.LOG_DROPPED) == 0
        assert self.rig.defects == []


@settings(max_examples=60 * DEPTH, deadline=None)
@given(PLAY, st.sampled_from(["waits", "leaves", "cut"]))
def test_every_request_is_counted_once_and_told_once(
    steps: list[tuple[str, object, str]], end: str
) -> None:
    """A7: started = finished + cut = lines, at any time but for those in flight."""
    play = Play()
    for step in steps:
        play.step(*step)
        play.check(at_rest=False)
    if end == "waits":
        play.rig.pass_time(400)
    if end == "leaves":
        for client in play.clients:
            client.ends("leaves")
    play.rig.worker.drain()
    play.rig.worker.cut()
    play.rig.settle()
    play.check(at_rest=True)
    assert play.rig.count(Slot.CONNECTIONS) == 0
