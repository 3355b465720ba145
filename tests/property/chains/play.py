"""One play: clients that work at once, and a seed that says which request goes on next, and how.

A real worker's data plane on the rig without sockets (`tests.doubles.wire`) has clients on one side
and on the other the stores. Each request that it sends upstream is held. A step is one of: a client
begins something; a held request is done and answered; one fails in one of the ways of `ENDS`; the
configuration is reloaded; time passes. Between two steps everything runs that can.

Rules: the same seed gives the same play; within a step nothing waits for a clock; what the stores
hold is looked at when the play is over.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from fastpath.composed.operations import OPERATIONS
from tests.doubles.http1 import Answer, read_answers
from tests.doubles.wire import Peer, Rig
from tests.property.chains.clients import KEYS, Asked, Fault, Known, Work, Worker
from tests.property.chains.history import State, shortest, told
from tests.property.chains.layouts import JOURNEYS, PLACES, Journey, Layout
from tests.property.chains.stores import MOTO, Store, stores
from tests.property.chains.windows import explained

CLIENTS = 4
STEPS = 50  # of a play, in which clients begin something
TIME = "time passes"
PATIENCE = 400.0  # seconds of the loop in which a worker has to do something
_PASSES = 2.0  # seconds, of a step in which time passes

SILENCE = "silence"
# How a request ends that fails: whether the store has done it, and what the gateway hears.
ENDS: Mapping[str, tuple[bool, str]] = {
    "refused": (False, "reset"),
    "lost": (True, "reset"),
    "cut": (True, "half"),
    "503": (False, "503"),
    "500": (False, "500"),
    "503, but done": (True, "503"),
    "forbidden": (False, "403"),
    "silent": (False, SILENCE),
    "silent, but done": (True, SILENCE),
}
_ERRORS = {
    "503": ("503 Slow", "SlowDown"),
    "500": ("500 Bad", "InternalError"),
    "403": ("403 No", "AccessDenied"),
}


@dataclass(slots=True)
class Held:
    """A request that waits at a target."""

    number: int
    peer: Peer
    target: str
    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.target} {self.head.partition(b' HTTP/')[0].decode('latin-1')}"


@dataclass(slots=True)
class Client:
    """A client, its connection and what it is at."""

    worker: Worker
    peer: Peer
    rig: Rig
    work: Work | None = None
    asked: Asked | None = None


@dataclass
class Chances:
    """How often what happens, of 1,000 steps."""

    fails: int = 0
    reloads: int = 20
    passes: int = 0
    leaves: int = 0


CALM = Chances()
STORMY = Chances(fails=120, passes=20, leaves=15)


@dataclass
class Played:
    """What plays have come to, all together."""

    plays: int = 0
    steps: int = 0
    events: int = 0
    failed: int = 0
    reloads: int = 0
    windows: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)

    def add(self, play: Play) -> None:
        """Count one."""
        self.plays += 1
        self.steps += play.now
        self.events += sum(map(len, play.known.events.values()))
        self.failed += sum(what != TIME for _, what in play.wrong)
        self.reloads += play.reloads
        self.windows.update(play.windows)
        self.answers.update(play.known.answers)

    def told(self) -> str:
        """One line about them all."""
        windows = ", ".join(f"{name}: {count}" for name, count in self.windows.items())
        answers = ", ".join(f"{status}: {count}" for status, count in sorted(self.answers.items()))
        return (
            f"{self.steps} steps of {self.plays} plays; {self.failed} requests failed, "
            f"{self.reloads} reloads; {self.events} events in order, but for windows ({windows}); "
            f"answers: {answers}"
        )


class Play:
    """The play of one seed."""

    def __init__(self, journey: Journey, seed: int, chances: Chances, work: str = "") -> None:
        self.dice = random.Random(seed)
        self.journey, self.chances = journey, chances
        self.stores: dict[str, Store] = stores()
        self.story: list[str] = []
        self.seed = seed
        self.now = 0
        self.wrong: list[tuple[int, str]] = []  # step, what went wrong there
        self.reloads = 0
        self.windows: list[str] = []  # that it takes to explain what clients saw
        self._only = work.split()
        self._at = [0] * journey.replicas
        self._keys = {name: (f"KEY{name.upper()}", "secret") for name in self.stores}
        lake: Any = self.stores["lake"]
        self._keys["lake"] = (lake.key_id, lake.secret)
        self.rigs = [Rig(**self.layout.options(self._keys)) for _ in range(journey.replicas)]
        for rig in self.rigs:
            rig.worker.composed = OPERATIONS
        self.known = Known(
            self.dice, lambda: self.now, self.went_wrong, self.fault, self.has_turned
        )
        self.first = self._stock()
        self.clients = [
            Client(Worker(self.known, f"c{number}"), rig.connect(), rig)
            for number, rig in zip(range(1, CLIENTS + 1), cycle(self.rigs), strict=False)
        ]
        self._held: dict[Peer, Held] = {}
        self._count = 0

    @property
    def layout(self) -> Layout:
        """Of the first gateway."""
        return self.journey.layouts[self._at[0]]

    def _stock(self) -> dict[str, State]:
        """Put old objects into the stores that have some; what clients see at first."""
        seen: dict[str, State] = dict.fromkeys(KEYS)
        for target in self.journey.stocked:
            for key in KEYS:
                if self.dice.random() < 0.6:
                    self.stores[target].put(key, self.known.new(key))
        for key in KEYS:
            order = self.layout.orders.get(key, self.layout.order)
            found = (self.stores[target].sizes().get(key) for target in order)
            seen[key] = next((size for size in found if size is not None), None)
        self.say(f"{self.layout.name}; at first: {seen}")
        return seen

    def say(self, text: str) -> None:
        self.story.append(f"{self.now:4} {text}")

    def fault(self, text: str) -> Fault:
        """What is wrong, and how it came to that."""
        story = "\n".join(self.story)
        name = f"{self.journey.name}: {', '.join(layout.name for layout in self.journey.layouts)}"
        return Fault(f"{text}\n\nplay {self.seed} of {name}\n{story}")

    def went_wrong(self, since: int) -> frozenset[str]:
        return frozenset(what for step, what in self.wrong if step >= since)

    def has_turned(self) -> bool:
        """Whether the bucket was on one target first, and is not any more."""
        layouts = [self.journey.layouts[at] for at in (0, max(self._at))]
        return len({len(layout.order) == 1 for layout in layouts}) == 2

    # Steps

    def run(self, steps: int) -> None:
        """Play, let everything come to its end, and look at what came of it."""
        while self.now < steps:
            self.step()
        while any(client.work for client in self.clients):
            self.advance()
        self._look()
        self.check()

    def step(self) -> None:
        self.now += 1
        chances = self.chances
        steps = (self.reload, self.pass_time, self.leave)
        weights = (chances.reloads, chances.passes, chances.leaves)
        usual = 1000 - sum(weights)
        self.dice.choices([*steps, self.begin_or_go_on], [*weights, usual])[0]()

    def begin_or_go_on(self) -> None:
        idle = [client for client in self.clients if client.work is None]
        held = self.held()
        if idle and (not held or self.dice.random() < 0.35):
            self.begin(self.dice.choice(idle))
        else:
            self.go_on(held)

    def pass_time(self) -> None:
        self.say(f"{_PASSES:g} s pass")
        self.wrong.append((self.now, TIME))
        self._pass_time(_PASSES)
        self.hear()

    def _pass_time(self, seconds: float) -> None:
        for rig in self.rigs:
            rig.pass_time(seconds)

    def leave(self) -> None:
        """A client breaks its connection, and nobody tells it what becomes of its request."""
        busy = [client for client in self.clients if client.work is not None]
        if not busy:
            return
        client = self.dice.choice(busy)
        self.say(f"{client.worker.name} leaves")
        self.wrong.append((self.now, "a client left"))
        client.peer.resets()
        client.worker.has_left = True
        self.hear()
        client.worker.has_left = False

    def advance(self) -> None:
        """A step in which nobody begins anything."""
        self.now += 1
        self.go_on(self.held())

    def reload(self) -> None:
        layouts = self.journey.layouts
        if len(layouts) == 1:
            return
        number = self.dice.randrange(len(self.rigs))
        if self.journey.in_order:
            # None goes on before all have come to where it is.
            number = self._at.index(min(self._at))
            self._at[number] = min(self._at[number] + 1, len(layouts) - 1)
        else:
            self._at[number] = self.dice.randrange(len(layouts))
        layout, rig = layouts[self._at[number]], self.rigs[number]
        self.reloads += 1
        self.say(f"reload{f' of gateway {number + 1}' if number else ''}: {layout.name}")
        rig.install(**layout.options(self._keys))
        rig.settle()
        self.hear()

    def begin(self, client: Client) -> None:
        worker, dice = client.worker, self.dice
        key, other = dice.sample(KEYS[:3] if dice.random() < 0.8 else KEYS, 2)
        choices: dict[str, tuple[int, Callable[[], Work]]] = {
            "put": (9, lambda: worker.put(key)),
            "get": (8, lambda: worker.get(key)),
            "head": (2, lambda: worker.get(key, "HEAD")),
            "range": (2, lambda: worker.get(key, part=True)),
            "delete": (6, lambda: worker.delete(key)),
            "batch": (2, lambda: worker.delete_batch([key, other])),
            "list": (2, lambda: worker.list(dice.choice([1, 2]), 1000)),
            "pages": (2, lambda: worker.list(dice.choice([1, 2]), dice.choice([1, 2]))),
            "groups": (1, lambda: self._groups(worker)),
            "create": (2, lambda: worker.put_if(key, is_new=True)),
            "match": (2, lambda: worker.put_if(key, is_new=False)),
            "upload": (2, lambda: worker.upload(key)),
            "copy": (2, lambda: worker.copy(key, other)),
            "tag": (1, lambda: worker.tag(key)),
            "tags": (1, lambda: worker.tags(key)),
            "bucket": (1, worker.head_bucket),
        }
        names = self._only or list(choices)
        name = dice.choices(names, [choices[one][0] for one in names])[0]
        client.work = choices[name][1]()
        self.asks(client, None)

    def _groups(self, worker: Worker) -> Work:
        version, size = self.dice.choice([1, 2]), self.dice.choice([1, 1000])
        # moto cuts no list of version 1 that has groups.
        is_moto = self.layout.order == (MOTO,)
        return worker.list(version, 1000 if is_moto else size, "/")

    def asks(self, client: Client, answer: Answer | None) -> None:
        """The client goes on with what it is at."""
        work = client.work
        assert work is not None
        try:
            client.asked = work.send(answer) if client.asked is not None else next(work)
        except StopIteration:
            client.work = client.asked = None
            return
        self.say(f"{client.worker.name} asks: {client.worker.what}")
        if client.peer.ended:
            client.peer = client.rig.connect()
        client.peer.take()
        client.peer.says(client.asked.wire())
        self.hear()

    def go_on(self, held: list[Held]) -> None:
        """One of the requests that are held ends."""
        if not held:
            self._wait()
            return
        one = self.dice.choice(held)
        del self._held[one.peer]
        one.peer.take()
        if self.dice.randrange(1000) < self.chances.fails:
            # Others would be too late as well, while it is waited for.
            ends = [end for end, (_, way) in ENDS.items() if len(held) == 1 or way != SILENCE]
            self._fail(one, self.dice.choice(ends))
        else:
            answer = self.stores[one.target].answer(one.head, one.body)
            self.say(f"  {one.line} -> {answer.partition(b' ')[2][:3].decode()}")
            one.peer.says(answer)
        self.hear()

    def _fail(self, one: Held, end: str) -> None:
        is_done, way = ENDS[end]
        self.say(f"  {one.line} fails: {end}")
        self.wrong.append((self.now, f"{end} at {one.target}"))
        answer = self.stores[one.target].answer(one.head, one.body) if is_done else b""
        if way == SILENCE:
            self._wait()
            return
        if way == "half":
            one.peer.says(answer[: len(answer) // 2])
        if way in _ERRORS:
            status, code = _ERRORS[way]
            body = b"" if one.head.startswith(b"HEAD") else f"<Error><Code>{code}</Code></Error>"
            head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n"
            one.peer.says(head.encode() + (body if isinstance(body, bytes) else body.encode()))
        else:
            one.peer.resets()

    def _wait(self) -> None:
        """Time passes until the worker does something."""
        waiting = [client.worker.what for client in self.clients if client.work is not None]
        if not waiting:
            return
        end = self.rigs[0].loop.now + PATIENCE
        self.wrong.append((self.now, TIME))
        while self.rigs[0].loop.now < end:
            self._pass_time(0.5)
            if self.held() or self.hear():
                self.say("time passes until something happens")
                return
        raise self.fault(f"nothing happens any more: {waiting}")

    # What is to be heard

    def held(self) -> list[Held]:
        """The requests that wait at targets, in an order that the seed alone decides."""
        for peer in (peer for rig in self.rigs for peer in rig.targets):
            if peer.ended or peer in self._held or not peer.heard:
                continue
            found = _whole_request(peer.heard)
            if found is not None:
                self._count += 1
                head, body = found
                host = head.lower().partition(b"\r\nhost: ")[2].partition(b".test")[0].decode()
                self._held[peer] = Held(self._count, peer, host, head, body)
        self._held = {peer: held for peer, held in self._held.items() if not peer.ended}
        for rig in self.rigs:
            rig.targets[:] = [peer for peer in rig.targets if not peer.ended]
        return sorted(self._held.values(), key=lambda held: (held.line, held.number))

    def hear(self) -> bool:
        """Clients go on that have got their answer; whether any has."""
        has_heard = False
        for client in self.clients:
            while client.work is not None and client.asked is not None:
                peer = client.peer
                answers = self._read(client, client.asked)
                if not (answers and answers[0].whole) and not peer.ended:
                    break
                answer = answers[0] if answers and answers[0].whole else None
                shown = "breaks off" if answer is None else f"{answer.status} {answer.code}"
                self.say(f"{client.worker.name} gets: {shown}")
                self.now += 1
                has_heard = True
                self.asks(client, answer)
        return has_heard

    def _read(self, client: Client, asked: Asked) -> list[Answer]:
        peer = client.peer
        try:
            return read_answers(peer.heard, [asked.method.encode()], ended=peer.ended)
        except AssertionError as error:
            raise self.fault(f"{client.worker.what}: no HTTP: {error}") from error

    # The end

    def _look(self) -> None:
        """Read everything once more, when nothing is under way."""
        client = self.clients[0]
        worker = client.worker
        works = [worker.get(key) for key in KEYS]
        if not self._only or "list" in self._only:
            works += [worker.list(version, 1000) for version in (1, 2)]
        for work in works:
            self.now += 1
            client.work = work
            self.asks(client, None)
            while client.work is not None:
                self.now += 1
                held = self.held()
                if not held:
                    self._wait()
                    continue
                one = held[0]
                del self._held[one.peer]
                one.peer.take()
                answer = self.stores[one.target].answer(one.head, one.body)
                self.say(f"  {one.line} -> {answer.partition(b' ')[2][:3].decode()}")
                one.peer.says(answer)
                self.hear()

    def check(self) -> None:
        """Raise what is wrong."""
        if defects := [defect for rig in self.rigs for defect in rig.defects]:
            raise self.fault(f"defects: {defects}")
        for key, events in self.known.events.items():
            names = explained(
                events,
                self.first[key],
                has_conditions=self.journey.has_conditions,
                passes=self.journey.passes,
            )
            self.windows += names or []
            if names is None:
                few = shortest(events, self.first[key])
                raise self.fault(f"{key}: no order explains\n{told(few, self.first[key])}")


def _whole_request(data: bytes) -> tuple[bytes, bytes] | None:
    """Head and body of a request, if all of it is there."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    if b"\r\ntransfer-encoding:" in head.lower():
        raise AssertionError(head)
    size = int(length or 0)
    return (head + end, rest[:size]) if len(rest) >= size else None


def play_of(number: int, journey: str = "", work: str = "") -> Play:
    """The play of a number; with the name of a journey, another one of that journey."""
    dice = random.Random(number)
    makers = [make for make in JOURNEYS if journey in ("", make.__name__)]
    made = dice.choice(makers)(*dice.choice(PLACES))
    return Play(made, number, dice.choice([CALM, STORMY]), work)
