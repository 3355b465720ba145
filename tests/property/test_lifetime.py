"""No request is lost to a connection's end, whatever is pipelined and however time goes by.

A client asks on, pipelining as it likes, and opens another connection when one has ended, as RFC
9112 section 9.6 tells it: what was answered is done, what comes behind an answer with
`Connection: close` was not begun and may be asked again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doubles.http1 import get, ok, put, read_answers
from tests.doubles.wire import Peer, Rig
from tests.property.depth import DEPTH

BODY = b"0123456789" * 20
SAID = st.tuples(st.just("says"), st.integers(1, 5))
PASSES = st.tuples(st.just("passes"), st.sampled_from([1, 20, 90]))
ANSWERS = st.tuples(st.just("answers"), st.sampled_from([1, 20, 60]))
UPLOADS, HEALTH, REFUSED = (frozenset(range(begin, 500, 7)) for begin in (2, 4, 5))
PLAY = st.lists(SAID | PASSES | ANSWERS, min_size=1, max_size=40)


@dataclass
class Client:
    """One client; `asked` are the numbers on its connection that are not answered."""

    rig: Rig
    minor: int
    next: int = 0
    asked: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    ends: int = 0

    def __post_init__(self) -> None:
        self.peer: Peer = self.rig.connect()

    def says(self, count: int) -> None:
        """Asks for some more in one piece."""
        numbers = list(range(self.next, self.next + count))
        self.next += count
        self.asked += numbers
        self.peer.says(b"".join(map(self.request, numbers)))

    def request(self, number: int) -> bytes:
        keep = "Connection: keep-alive"
        if number in UPLOADS:
            return put(f"/b-b/{number}", BODY, keep)
        if number in HEALTH:
            return get("/-/healthz", keep)
        if number in REFUSED:
            return get(f"/b-b/{number}?uploads&acl", keep, version=f"1.{self.minor}")
        return get(f"/b-b/{number}", keep, version=f"1.{self.minor}")

    def hears(self) -> None:
        """Takes whole answers; asks anew on another connection if one says that it was the last."""
        ended = self.peer.ended
        methods = [b"PUT" if number in UPLOADS else b"GET" for number in self.asked]
        answers = read_answers(self.peer.heard, methods, ended=ended)
        assert not self.peer.aborted
        if answers and not answers[-1].whole:
            assert not ended
            return
        last = [answer.fields.get("connection") == "close" for answer in answers]
        assert True not in last[:-1]
        assert ended is (last[-1:] == [True])  # never unsaid, always when it was said
        self.peer.take()
        self.done += self.asked[: len(answers)]
        del self.asked[: len(answers)]
        if ended:
            self.ends += 1
            again, self.asked = self.asked, []
            self.peer = self.rig.connect()
            self.next = again[0] if again else self.next
            if again:
                self.says(len(again))


def answer(rig: Rig, pause: int) -> bool:
    """A target answers the oldest request, and pauses within; whether there was one."""
    for target in rig.targets:
        head, end, _ = target.heard.partition(b"\r\n\r\n")
        if not end or target.transport.ended:
            continue
        number = int(head.split(b" ")[1].rpartition(b"/")[2])
        if head.startswith(b"PUT") and not target.heard.endswith(BODY):
            continue
        target.take()
        target.says(ok(b"%d" % number)[:-1])
        rig.pass_time(pause)
        target.says((b"%d" % number)[-1:])
        return True
    return False


@settings(max_examples=50 * DEPTH, deadline=None)
@given(PLAY, st.integers(0, 4), st.sampled_from([0, 30, 200]), st.sampled_from([0, 1]))
def test_every_request_is_done_once_and_in_order(
    play: list[tuple[str, int]], requests: int, age: int, minor: int
) -> None:
    limits = {"connection_requests": requests, "connection_seconds": age, "idle_seconds": 1e6}
    rig = Rig(limits=limits, timeouts={"response_seconds": 1e6, "idle_seconds": 1e6})
    client = Client(rig, minor)
    begun = 0
    for step, size in play:
        if step == "says":
            client.says(size)
        elif step == "passes":
            rig.pass_time(size)
        else:
            begun += answer(rig, size)
        client.hears()
    while client.asked:
        begun += answer(rig, 1)
        client.hears()
    assert client.done == list(range(client.next))
    assert begun == len(set(client.done) - HEALTH - REFUSED)
    by_count = client.next // requests if requests else 0
    assert client.ends >= by_count if age else client.ends == by_count
    assert not rig.defects
