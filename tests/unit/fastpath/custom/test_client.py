"""A worker's questions to a router: batched, bounded, in time, asked again, kept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fastpath.custom import client as module
from fastpath.custom.answer import Answer, Question, RouterFailed
from fastpath.custom.client import MISSING, RouterClient
from fastpath.custom.messages import MessageReader, encode
from fastpath.ipc.counters import CELL_BYTES, SLOTS, Slot
from fastpath.routing.custom_routing import CustomRouting


class Events:
    """Where a worker would log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, str]]] = []

    def event(self, level: str, message: str, **facts: str) -> None:
        self.lines.append((message, facts))


class Peer:
    """The router's side, in the test's hands; a new pair for each connection of the client."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.log = Events()
        self.row = memoryview(bytearray(SLOTS * CELL_BYTES)).cast("Q")
        self.ends: list[socket.socket] = []
        self.opened = asyncio.Event()
        self.heard: list[Any] = []
        self.refuses = False
        self.client = RouterClient(self.loop, self.log, self.row, self._connect)
        self.install()
        self._readers: dict[socket.socket, MessageReader] = {}

    def _connect(self, address: bytes) -> socket.socket:
        assert address == b"an address"
        if self.refuses:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.ends.append(theirs)
        self.opened.set()
        return ours

    def install(self, seconds: float = 10.0, *targets: str) -> None:
        custom = CustomRouting(seconds, refuses=True, reads=(), address=b"an address")
        named = dict.fromkeys(targets or ("s3", "lakefs"))
        self.client.install(SimpleNamespace(custom=custom, targets=named))  # type: ignore[arg-type]

    def ask(self, *keys: str) -> list[asyncio.Task[Answer | None]]:
        return [self.loop.create_task(self.client.route(question(key))) for key in keys]

    async def hear(self, which: int = 0) -> list[Any]:
        """The next message with questions, on that connection."""
        while len(self.ends) <= which:
            self.opened.clear()
            await self.opened.wait()
        end = self.ends[which]
        reader = self._readers.setdefault(end, MessageReader())
        while not self.heard:
            data = await self.loop.sock_recv(end, 1 << 20)
            assert data, "the client hung up"
            self.heard += reader.feed(data)
        return list(self.heard.pop(0))

    async def say(self, message: object, which: int = 0) -> None:
        await self.loop.sock_sendall(self.ends[which], encode(message))

    async def greet(self, cache_seconds: float | None = None, which: int = 0) -> None:
        """Has the client connect, and greets it."""
        (task,) = self.ask("greeting")
        ((number, *_),) = await self.hear(which)
        await self.say({"cache_seconds": cache_seconds}, which)
        await self.say([[number, True, "s3"]], which)
        await task


def question(key: str) -> Question:
    return Question(b"bucket", b"PUT", 5, b"", key.encode(), "", "PutObject")


def run(story: Callable[[Peer], Awaitable[None]]) -> None:
    async def tell() -> None:
        peer = Peer()
        try:
            async with asyncio.timeout(20):
                await story(peer)
        finally:
            peer.client.close()
            for end in peer.ends:
                end.close()
            assert not peer.client._waiting, "a question left something behind"

    asyncio.run(tell())


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 8)


def test_the_questions_of_one_turn_are_one_message_and_answers_come_in_any_order() -> None:
    async def story(peer: Peer) -> None:
        tasks = peer.ask("a", "b", "c")
        asked = await peer.hear()
        assert [entry[4]["key"] for entry in asked] == ["a", "b", "c"]
        await peer.say({"cache_seconds": None})
        numbers = [entry[0] for entry in asked]
        values = ["s3", ["lakefs", "s3"], None]
        rows = [[number, True, value] for number, value in zip(numbers, values, strict=True)]
        await peer.say([rows[2], rows[2], rows[1], rows[0]])  # the first answer counts
        assert await asyncio.gather(*tasks) == [Answer(("s3",)), Answer(("lakefs", "s3")), None]
        assert (peer.row[Slot.ROUTER_ASKED], peer.row[Slot.ROUTER_FAILED]) == (3, 0)
        assert len(peer.ends) == 1

    run(story)


def test_what_the_router_says_and_what_cannot_be_read_are_failures_with_a_line() -> None:
    async def story(peer: Peer) -> None:
        tasks = peer.ask("a", "b")
        (first, *_), (second, *_) = await peer.hear()
        await peer.say([[first, False, "it raised KeyError: 'a'"], [second, True, "s4"]])
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(one) for one in found] == [
            "it raised KeyError: 'a'",
            "it returned 's4', which is no target: there are lakefs, s3",
        ]
        assert peer.row[Slot.ROUTER_FAILED] == 2
        ((line, facts),) = peer.log.lines  # one a second
        assert line == "the custom router failed: it raised KeyError: 'a'"
        assert facts == {"bucket": "bucket", "operation": "PutObject", "untold": ""}

    run(story)


def test_a_question_ends_by_its_deadline_and_a_late_answer_is_nobody_s() -> None:
    async def story(peer: Peer) -> None:
        await peer.greet()
        peer.install(0.02)
        (task,) = peer.ask("a")
        ((number, *_),) = await peer.hear()
        with pytest.raises(RouterFailed, match=r"^it did not answer within 20 ms \(routing"):
            await task
        await peer.say([[number, True, "lakefs"]])
        peer.install()
        (task,) = peer.ask("b")
        ((number, *_),) = await peer.hear()
        await peer.say([[number, True, "s3"]])
        assert await task == Answer(("s3",))

    run(story)


def test_before_a_greeting_the_line_says_that_nobody_is_there() -> None:
    async def story(peer: Peer) -> None:
        peer.install(0.01)
        (task,) = peer.ask("a")
        with pytest.raises(RouterFailed, match="its process is not there yet"):
            await task

    run(story)


def test_more_questions_than_may_wait_fail_at_once() -> None:
    async def story(peer: Peer) -> None:
        tasks = peer.ask(*"abcdefgh")
        await peer.hear()
        with pytest.raises(RouterFailed, match="8 questions wait for it"):
            await peer.client.route(question("i"))
        tasks[0].cancel()
        await asyncio.wait(tasks[:1])
        (task,) = peer.ask("j")
        asked = await peer.hear()
        assert [entry[4]["key"] for entry in asked] == ["j"]
        for one in [*tasks, task]:
            one.cancel()
        await asyncio.wait([*tasks, task])

    run(story)


def test_one_that_is_cancelled_before_it_is_written_is_not_asked() -> None:
    async def story(peer: Peer) -> None:
        await peer.greet()
        first, second = peer.ask("a", "b")
        await asyncio.sleep(0)
        first.cancel()
        asked = await peer.hear()
        assert [entry[4]["key"] for entry in asked] == ["b"]
        await peer.say([[asked[0][0], True, "s3"]])
        assert await second == Answer(("s3",))

    run(story)


def test_a_question_whose_connection_ends_is_asked_once_more_and_then_fails() -> None:
    async def story(peer: Peer) -> None:
        (task,) = peer.ask("a")
        for which in (0, 1):
            asked = await peer.hear(which)
            assert [entry[4]["key"] for entry in asked] == ["a"]
            peer.ends[which].close()
        with pytest.raises(RouterFailed, match="its process ended"):
            await task
        await peer.greet(which=2)  # the next one opens another connection
        assert len(peer.ends) == 3

    run(story)


@pytest.mark.parametrize(
    "message", [b"\xff\xff\xff\xff", encode([1]), encode({}), encode([[1, True]]), encode(7)]
)
def test_a_peer_that_sends_nonsense_is_left(message: bytes) -> None:
    async def story(peer: Peer) -> None:
        (task,) = peer.ask("a")
        await peer.hear(0)
        await peer.loop.sock_sendall(peer.ends[0], message)
        ((number, *_),) = await peer.hear(1)
        await peer.say([[number, True, "s3"]], 1)
        assert await task == Answer(("s3",))

    run(story)


def test_without_a_listener_every_question_fails_at_once() -> None:
    async def story(peer: Peer) -> None:
        peer.refuses = True
        found = await asyncio.gather(*peer.ask("a", "b"), return_exceptions=True)
        assert {str(one) for one in found} == {"its process cannot be reached: Connection refused"}
        peer.refuses = False
        await peer.greet()

    run(story)


def test_what_the_kernel_does_not_take_is_written_later_but_for_who_has_left() -> None:
    async def story(peer: Peer) -> None:
        await peer.greet()
        assert peer.client._socket is not None
        peer.client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        long = "x" * 100000
        (first,) = peer.ask(long)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        left, stays = peer.ask("left", "stays")
        await asyncio.sleep(0)
        left.cancel()
        asked = [*await peer.hear(), *await peer.hear()]
        assert [entry[4]["key"] for entry in asked] == [long, "stays"]
        await peer.say([[entry[0], True, "s3"] for entry in asked])
        assert await first == await stays == Answer(("s3",))

    run(story)


def test_answers_are_kept_as_long_as_the_router_says(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(peer: Peer) -> None:
        await peer.greet(60.0)
        for value, answer in (("lakefs", Answer(("lakefs",))), (None, None)):
            key = str(value)
            assert peer.client.cached(question(key)) is MISSING
            (task,) = peer.ask(key)
            ((number, *_),) = await peer.hear()
            await peer.say([[number, True, value]])
            assert await task == answer
            assert peer.client.cached(question(key)) == answer
        assert peer.client.cached(question("other")) is MISSING
        assert peer.row[Slot.ROUTER_CACHED] == 2
        now = peer.loop.time() + 61
        monkeypatch.setattr(peer.loop, "time", lambda: now)
        assert peer.client.cached(question("None")) is MISSING
        monkeypatch.undo()

    run(story)


@pytest.mark.parametrize("how", ["install", "greeting", "end", "not told"])
def test_what_was_kept_does_not_outlive_the_configuration_or_the_router(how: str) -> None:
    async def story(peer: Peer) -> None:
        await peer.greet(None if how == "not told" else 60.0)
        (task,) = peer.ask("a")
        ((number, *_),) = await peer.hear()
        await peer.say([[number, True, "lakefs"]])
        await task
        if how == "install":
            peer.install()
        elif how in ("greeting", "end"):
            assert peer.client.cached(question("a")) == Answer(("lakefs",))
            if how == "end":
                peer.ends[0].close()
            else:
                await peer.say({"cache_seconds": 60.0})
            for _ in range(3):
                await asyncio.sleep(0)  # the client reads
        assert peer.client.cached(question("a")) is MISSING

    run(story)


def test_an_answer_by_an_older_configuration_is_not_kept() -> None:
    async def story(peer: Peer) -> None:
        await peer.greet(60.0)
        (task,) = peer.ask("a")
        ((number, *_),) = await peer.hear()
        peer.install(10.0, "s3")
        await peer.say([[number, True, "lakefs"]])
        assert await task == Answer(("lakefs",))  # its request began with that target
        assert peer.client.cached(question("a")) is MISSING

    run(story)


def test_without_a_custom_router_nothing_is_asked() -> None:
    async def story(peer: Peer) -> None:
        peer.client.install(SimpleNamespace(custom=None, targets={}))  # type: ignore[arg-type]
        with pytest.raises(RouterFailed, match="there is no custom router"):
            await peer.client.route(question("a"))
        assert not peer.ends

    run(story)


def test_a_router_that_a_reload_removes_fails_who_waits_for_it() -> None:
    async def story(peer: Peer) -> None:
        faults: list[object] = []
        peer.loop.set_exception_handler(lambda _, context: faults.append(context))
        (task,) = peer.ask("a")
        await peer.hear()
        peer.client.install(SimpleNamespace(custom=None, targets={}))  # type: ignore[arg-type]
        peer.ends[0].close()
        with pytest.raises(RouterFailed, match="no custom router any more"):
            await task
        assert not faults

    run(story)


def test_nobody_of_another_user_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    name = b"s3gateway/test/" + id(monkeypatch).to_bytes(8).hex().encode()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(b"\0" + name)
        listener.listen()
        module.connect(name).close()
        monkeypatch.setattr("os.geteuid", lambda: 4711)
        with pytest.raises(PermissionError, match="another user listens there"):
            module.connect(name)
