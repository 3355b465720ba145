"""Random clients, targets and reloads on the rig, and what must hold of the account at any time.

A client asks again when it has its answer, so that every request it sent was begun. Health checks
are no requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from fastpath.ipc.counters import Slot
from tests.doubles import forms
from tests.doubles.http1 import get, ok, put, read_answers
from tests.doubles.uploads import with_sealed_id
from tests.doubles.wire import Peer, Rig, document

BODY = b"0123456789" * 20
KEEP = "Connection: keep-alive"
FORM = {"key": "main/k", "success_action_status": "201"}
REGIONAL = "s3.us-east-1.store.example"
PART = with_sealed_id("/b-b/main/k?partNumber=1&uploadId=u")
ERROR = "<Error><Code>%s</Code>%s</Error>"


def error(status: int, code: str, more: str = "") -> bytes:
    body = (ERROR % (code, more)).encode()
    return b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def worlds() -> dict[str, dict[str, Any]]:
    """Configurations: what the default target is."""
    regional = document()
    regional["targets"][0] |= {"host": REGIONAL, "authority": f"{REGIONAL}:9000"}
    return {
        "S3": {},
        "lakeFS": {"profile": "lakefs"},
        "S3 with regions": {"targets": regional["targets"]},
    }


def long_form() -> bytes:
    """A form that is too long to be gathered."""
    return forms.request(forms.body(FORM, b"x" * 300_000), lines="Connection: keep-alive\r\n")


# What a client sends, and how many requests that is.
SENT: dict[str, tuple[bytes, int]] = {
    "read": (get("/b-b/main/k", KEEP), 1),
    "read elsewhere": (get("/g-b/main/k", KEEP), 1),
    "head": (get("/b-b/main/k", KEEP, method="HEAD"), 1),
    "upload": (put("/b-b/main/k", BODY, KEEP), 1),
    "half an upload": (put("/b-b/main/k", BODY, KEEP)[:-100], 1),
    "upload that waits": (put("/b-b/main/k", BODY, KEEP, "Expect: 100-continue")[: -len(BODY)], 1),
    "wrong digest": (put("/b-b/main/k", BODY, KEEP, f"x-amz-content-sha256: {'0' * 64}"), 1),
    "refused": (get("/b-b/main/k?uploads&acl", KEEP), 1),
    "refused head": (get("/b-b/main/k", "x: \x00"), 1),
    "no request": (b"what is this\r\n\r\n", 1),
    "form": (forms.request(forms.body(FORM, BODY), lines="Connection: keep-alive\r\n"), 1),
    "long form": (long_form(), 1),
    "half a form": (long_form()[:-200_000], 1),
    "form that is none": (forms.request(b"what is this"), 1),
    "read with a body": (get("/b-b/main/k", KEEP, "Content-Length: 3") + b"abc", 1),
    "directory": (put("/b-b/main/", b"", KEEP), 1),
    "directory with a body": (put("/b-b/main/", BODY, KEEP), 1),
    "part": (put(PART, BODY, KEEP), 1),
    "half a part": (put(PART, BODY, KEEP)[:-100], 1),
    "bucket": (put("/b-b", b"", KEEP), 1),
    "tags": (get("/b-b/main/k?tagging", KEEP), 1),
    "copy": (put("/b-b/main/k", b"", KEEP, "x-amz-copy-source: b-b/main/other"), 1),
    "conditional": (get("/b-b/main/k", KEEP, "Range: bytes=0-1", 'If-Range: "old"'), 1),
    "out of range": (get("/b-b/main/k", KEEP, "Range: bytes=99-"), 1),
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
    "out of range": error(416, "InvalidRange"),
    "a part": ok(b"wh", KEEP, 'ETag: "new"', status="206 Partial Content"),
    "nothing": b"",
}
ENDS = ("", "leaves", "resets")
# What a question about an answer leads to, which chance rarely finds.
SCENES = (
    ("head", "refuses/refuses"),
    ("part", "fails/not found"),
    ("half a part", "fails/not found"),
    ("half a part", "fails/answers"),
    ("half a part", "fails/half"),
    ("half a part", "fails/fails/not found"),
    ("part", "fails/fails/not found"),
    ("copy", "answers/refuses"),
)
# To a request, and to the question about its answer.
_SAID_TWICE = st.tuples(st.sampled_from([*SAID]), st.sampled_from([*SAID])).map("/".join)
PLAY = st.lists(
    st.one_of(
        st.tuples(st.just("sends"), st.integers(0, 2), st.sampled_from([*SENT])),
        *[st.tuples(st.just("asks"), st.sampled_from([*SENT]), _SAID_TWICE)] * 8,
        st.tuples(st.just("goes on"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("ends"), st.integers(0, 2), st.sampled_from(["leaves", "resets"])),
        st.tuples(st.just("stalls"), st.integers(0, 2), st.just("")),
        st.tuples(st.just("target"), st.sampled_from(ENDS), st.sampled_from([*SAID])),
        st.tuples(st.just("target"), st.just(""), st.just("answers")),
        st.tuples(st.just("a kept one"), st.sampled_from(ENDS[1:]), st.just("")),
        st.tuples(st.just("passes"), st.sampled_from([0.5, 6, 40]), st.just("")),
        st.tuples(st.just("reloads"), st.booleans(), st.just("")),
        st.tuples(st.just("connects fail"), st.booleans(), st.just("")),
    ),
    min_size=5,
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
        self.rest = {
            "half an upload": BODY[-100:],
            "half a part": BODY[-100:],
            "upload that waits": BODY,
            "half a form": long_form()[-200_000:],
        }.get(kind, b"")
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

    def __init__(self, world: str = "S3") -> None:
        self.options = worlds()[world]
        self.rig = Rig(**self.options)
        self.clients = [Client(self.rig) for _ in range(3)]

    def step(self, kind: str, which: object, what: str) -> None:
        actions: dict[str, Callable[[], None]] = {
            "sends": lambda: self.clients[int(str(which))].sends(what),
            "asks": lambda: self.asks(str(which), what),
            "a kept one": lambda: self.a_kept_one(str(which)),
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
        renewed_keys = {name: {**old[name], **key} for name in old}
        self.rig.install(**{**self.options, "credentials": renewed_keys})

    def connects_fail(self, *, on: bool) -> None:
        self.rig.connect_fault = ConnectionRefusedError(111, "refused") if on else None

    def asks(self, kind: str, what: str) -> None:
        """The first client asks, and the target says something of each of two things it hears."""
        self.clients[0].sends(kind)
        for said in what.split("/"):
            self.target("", said)

    def a_kept_one(self, end: str) -> None:
        """The newest connection that has answered once ends."""
        for target in reversed(self.rig.targets):
            if not target.transport.ended:
                getattr(target, end)()
                return

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
        for count_of, name in zip(self.rig.bodies(), ("bytes_in", "bytes_out"), strict=True):
            assert count_of == sum(line[name] or 0 for line in lines)
        calls = self.rig.lines("call")
        assert count(Slot.CALLS) == len(calls)
        assert count(Slot.CALLS_FAILED) == sum(line["code"] != "" for line in calls)
        assert count(Slot.LOG_DROPPED) == 0
        assert self.rig.defects == []
