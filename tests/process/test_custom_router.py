"""The custom router: asked over its socket as a worker asks, killed, looping, leaking, replaced."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastpath.custom.answer import Answer, Question, RouterFailed
from fastpath.custom.client import MISSING, RouterClient
from fastpath.ipc.counters import CELL_BYTES, SLOTS
from fastpath.routing.custom_routing import CustomRouting
from tests.process.harness import Gateway, run_to_end, wait_until

SEED = (Path(__file__).parents[1] / "seed" / "files" / "10-custom-router.py").read_text()
KEYS = {"access_key_id": "TESTACCESSKEY", "secret_access_key": "test-secret-of-a-target"}
STORE = {"endpoint": "http://127.0.0.1:9", **KEYS}
RULES = [{"pattern": "images-*", "target": "lakefs", "operations": ["GET", "PUT"]}]

PLAIN = """
class Router:
    def __init__(self, config):
        self.config = config

    def route_request(self, bucket_name, operation, metadata):
        return "lakefs"
"""

ODD = """
import asyncio, os, subprocess, sys, time

class Router:
    def __init__(self, config):
        self.config = config
        self.kept = []

    def route_request(self, bucket_name, operation, metadata):
        return getattr(self, bucket_name)(metadata)

    def plain(self, metadata):
        return "s3"

    def loop(self, metadata):
        while True:
            pass

    def leak(self, metadata):
        while True:
            self.kept.append(bytes(1 << 20))

    def raising(self, metadata):
        return {}["where"]

    async def later(self, metadata):
        await asyncio.sleep(0)
        return ["lakefs", "s3"]

    async def never(self, metadata):
        await asyncio.sleep(60)

    def printing(self, metadata):
        os.write(2, b"past Python\\n")  # while the pipe is empty: it never waits
        for number in range(200000):
            print("a line that the router prints, number", number)
        return "s3"

    def forking(self, metadata):
        pid = os.fork()
        if not pid:
            time.sleep(600)
        away = subprocess.Popen(["sleep", "600"], start_new_session=True)
        bare = subprocess.Popen(["sleep", "600"], env={})
        self.kept += [away, bare]
        return {"target": "s3", "key_prefix": f"{pid}/{away.pid}/{bare.pid}"}

    def secrets(self, metadata):
        known = repr((self.config, dict(os.environ)))
        wanted = [word for word in metadata["key"].split() if word in known]
        return {"target": "s3", "key_prefix": "found " + " ".join(wanted)}
"""


def configuration(**custom: object) -> dict[str, Any]:
    routing = {"custom": "custom_router:Router", "default_target": "s3", "rules": RULES, **custom}
    return {"auth": {"mode": "open"}, "s3": STORE, "lakefs": STORE, "routing": routing}


def start(source: str, config: dict[str, Any] | None = None, **flags: Any) -> Gateway:
    """A gateway whose router is this; the module is there before the supervisor looks."""
    gateway = _prepared(source, config, **flags)
    try:
        gateway.wait_until_ready()
    except BaseException:
        gateway._destroy()
        raise
    return gateway


def _prepared(source: str, config: dict[str, Any] | None = None, **flags: Any) -> Gateway:
    directory = Path(flags.pop("directory"))
    (directory / "custom_router.py").write_text(source)
    config = config or configuration()
    config["routing"].setdefault("custom_path", str(directory))
    return Gateway(config, 1, **flags)


def address(gateway: Gateway) -> bytes:
    """The abstract address that the supervisor listens on for questions."""
    numbers = set(_files(gateway.supervisor_pid))
    for line in Path("/proc/net/unix").read_text().splitlines():
        words = line.split()
        if len(words) == 8 and f"socket:[{words[6]}]" in numbers and "router" in words[7]:
            return words[7].removeprefix("@").encode()
    raise AssertionError("the supervisor listens for no questions")


def _files(pid: int) -> Iterator[str]:
    """What the descriptors of a process are."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            yield os.readlink(entry)


class Log:
    """Where a worker would log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def event(self, level: str, message: str, **facts: str) -> None:
        self.lines.append(message)


def client(gateway: Gateway, seconds: float) -> RouterClient:
    """What a worker has."""
    row = memoryview(bytearray(SLOTS * CELL_BYTES)).cast("Q")
    asked = RouterClient(asyncio.get_running_loop(), Log(), row)
    custom = CustomRouting(seconds, refuses=True, reads=(), address=address(gateway))
    asked.install(SimpleNamespace(custom=custom, targets={"s3": 1, "lakefs": 1}))  # type: ignore[arg-type]
    return asked


def question(bucket: str, method: str = "GET", key: str = "key", **facts: Any) -> Question:
    return Question(
        bucket.encode(),
        method.encode(),
        facts.get("length"),
        facts.get("kind", b""),
        key.encode(),
        "somebody",
        "GetObject",
    )


def ask(gateway: Gateway, *questions: Question, seconds: float = 10.0) -> list[Any]:
    """The answers, asked at once; a failure is its text."""

    async def all_of_them() -> list[Any]:
        asked = client(gateway, seconds)
        try:
            return await asyncio.gather(*map(asked.route, questions), return_exceptions=True)
        finally:
            asked.close()

    found = asyncio.run(all_of_them())
    return [str(one) if isinstance(one, RouterFailed) else one for one in found]


def sockets(pid: int) -> list[str]:
    """The sockets of a process, of which one that was just forked has some for a moment."""
    return [link for link in _files(pid) if link.startswith("socket:")]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def test_the_seed_s_own_class_decides(tmp_path: Path) -> None:
    config = configuration(custom="custom_router:CustomRouter")
    with start(SEED, config, directory=tmp_path) as gateway:
        found = ask(
            gateway,
            question("images-2026"),
            question("images-2026", "DELETE"),
            question("other", "PUT", length=5, kind=b"image/png"),
        )
        assert found == [Answer(("lakefs",)), Answer(("s3",)), Answer(("s3",))]


def test_a_killed_router_is_replaced_and_its_questions_wait(tmp_path: Path) -> None:
    with start(PLAIN, directory=tmp_path) as gateway:
        pid = gateway.router_pid()
        workers = gateway.worker_pids()
        for _ in range(2):
            os.kill(gateway.router_pid(), signal.SIGKILL)
            assert ask(gateway, question("any")) == [Answer(("lakefs",))]
        assert gateway.router_pid() not in (0, pid)
        gateway.wait_for_log(rf"router \(pid {pid}\) killed by SIGKILL, replaced by pid")
        assert gateway.worker_pids() == workers


def test_what_a_router_raises_or_never_answers_harms_only_the_question(tmp_path: Path) -> None:
    with start(ODD, directory=tmp_path) as gateway:
        pid = gateway.router_pid()
        named = question("raising"), question("never"), question("plain"), question("later")
        raised, never, plain, later = ask(gateway, *named, seconds=1.0)
        assert re.fullmatch(r"it raised KeyError: 'where' \(.*/custom_router\.py:\d+\)", raised)
        assert never.startswith("it did not answer within 1000 ms")
        assert plain == Answer(("s3",))
        assert later == Answer(("lakefs", "s3"))
        assert gateway.router_pid() == pid


def test_a_router_that_loops_is_killed_and_replaced(tmp_path: Path) -> None:
    environ = {"S3GATEWAY_HEARTBEAT_SECONDS": "1"}
    with start(ODD, directory=tmp_path, environ=environ) as gateway:
        pid = gateway.router_pid()
        assert "did not answer within 50 ms" in ask(gateway, question("loop"), seconds=0.05)[0]
        gateway.wait_for_log(rf"router \(pid {pid}\) gave no sign for .* s: killed")
        assert ask(gateway, question("plain")) == [Answer(("s3",))]
        assert gateway.router_pid() != pid


def test_a_router_that_leaks_ends_at_its_cap_and_is_replaced(tmp_path: Path) -> None:
    with start(ODD, configuration(custom_memory_mb=200), directory=tmp_path) as gateway:
        pid = gateway.router_pid()
        # Asked once more after its connection ended, and then not again.
        assert ask(gateway, question("leak")) == ["its process ended"]
        gateway.wait_for_log(
            rf"router \(pid {pid}\) used up its memory \(routing.custom_memory_mb: 200\)"
        )
        assert ask(gateway, question("plain")) == [Answer(("s3",))]


def test_what_a_router_forks_holds_no_socket_and_ends_with_it(tmp_path: Path) -> None:
    with start(ODD, directory=tmp_path) as gateway:
        (answer,) = ask(gateway, question("forking"))
        pids = [int(pid) for pid in answer.rewrite.key_prefix.split(b"/")]
        for pid in pids:
            wait_until(lambda pid=pid: not sockets(pid), "it gives them up")  # type: ignore[misc]
            assert not gone(pid)
        os.kill(gateway.router_pid(), signal.SIGKILL)
        for pid in pids:
            wait_until(lambda pid=pid: gone(pid), "it ends with its router")  # type: ignore[misc]


def test_a_router_that_prints_much_is_not_held_up_and_fills_no_log(tmp_path: Path) -> None:
    with start(ODD, directory=tmp_path) as gateway:
        assert ask(gateway, question("printing")) == [Answer(("s3",))]
        gateway.wait_for_log("prints: a line that the router prints, number 0")
        gateway.wait_for_log(r"prints: \(\d+ more lines were not shown\)")
        shown = [line for line in gateway.log if "prints: a line" in line]
        assert len(shown) < 1000


def test_no_secret_is_in_its_configuration_or_environment(tmp_path: Path) -> None:
    environ = {"DATABASE_PASSWORD": "hidden-variable", "CUSTOM_ROUTER_TOKEN": "for-the-router"}
    config = configuration()
    config["auth"] = {
        "identities": [
            {"name": "a", "access_key_id": "IDENTITYKEY", "secret_access_key": "hidden-identity"}
        ]
    }
    words = "TESTACCESSKEY test-secret-of-a-target IDENTITYKEY hidden-identity hidden-variable"
    with start(ODD, config, directory=tmp_path, environ=environ) as gateway:
        (answer,) = ask(gateway, question("secrets", key=f"{words} for-the-router images-*"))
        assert (
            answer.rewrite.key_prefix == b"found TESTACCESSKEY IDENTITYKEY for-the-router images-*"
        )


def test_a_reload_replaces_the_router_and_loses_no_question(tmp_path: Path) -> None:
    with start(PLAIN, directory=tmp_path) as gateway:
        pid = gateway.router_pid()

        async def change() -> set[object]:
            asked = client(gateway, 10.0)
            found: set[object] = set()
            (tmp_path / "custom_router.py").write_text(PLAIN.replace('"lakefs"', '"s3"'))
            gateway.signal(signal.SIGHUP)
            deadline = time.monotonic() + 20
            for number in itertools.count():
                found.add(await asked.route(question("any", key=str(number))))
                if Answer(("s3",)) in found or time.monotonic() > deadline:
                    break
                await asyncio.sleep(0)
            asked.close()
            return found

        assert asyncio.run(change()) == {Answer(("lakefs",)), Answer(("s3",))}
        wait_until(lambda: gone(pid), "the old router leaves")
        assert ask(gateway, question("any")) == [Answer(("s3",))]
        pid = gateway.router_pid()
        gateway.reload()
        assert gateway.router_pid() == pid  # nothing changed


SLOW = """
import asyncio, os

class Router:
    def __init__(self, config):
        pass

    async def route_request(self, bucket_name, operation, metadata):
        while not os.path.exists(metadata["key"]):
            await asyncio.sleep(0.01)
        return "s3"
"""


def test_a_router_that_is_replaced_answers_what_it_was_asked(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with start(SLOW, directory=tmp_path) as gateway:

        async def change() -> object:
            asked = client(gateway, 20.0)
            task = asyncio.create_task(asked.route(question("any", key=str(marker))))
            await asyncio.sleep(0)  # it asks
            (tmp_path / "custom_router.py").write_text(PLAIN)
            after = len(gateway.log)
            gateway.signal(signal.SIGHUP)
            await asyncio.to_thread(gateway.wait_for_log, "answers with", 20, after)
            marker.touch()
            try:
                return await task
            finally:
                asked.close()

        assert asyncio.run(change()) == Answer(("s3",))  # the new one would have said lakefs


def test_a_router_that_is_wanted_again_answers_while_the_one_before_still_leaves(
    tmp_path: Path,
) -> None:
    with start(PLAIN, directory=tmp_path) as gateway:
        config = configuration(custom_path=str(tmp_path))
        without = {**config, "routing": {"default_target": "s3", "rules": RULES}}
        pid = gateway.router_pid()
        os.kill(pid, signal.SIGSTOP)  # it holds the listening socket until it is killed
        assert gateway.reload(without)
        assert gateway.reload(config)
        assert ask(gateway, question("any")) == [Answer(("lakefs",))]
        assert not gateway.log_contains("cannot be started")


def test_a_saved_file_has_no_effect_before_a_reload(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first")
    config = configuration()
    config["s3"] = {**STORE, "secret_access_key_file": str(secret)}
    del config["s3"]["secret_access_key"]
    with start(PLAIN, config, directory=tmp_path) as gateway:
        pid = gateway.router_pid()
        (tmp_path / "custom_router.py").write_text("half edited(")
        secret.write_text("second")
        gateway.wait_for_log("generation 2 is served", 20)
        mark = len(gateway.log)
        os.kill(gateway.control_pid(), signal.SIGKILL)
        gateway.wait_for_log("control .* replaced by pid")
        gateway.wait_for_log("generation 2 is served", after=mark)  # as the new control read it
        assert gateway.router_pid() == pid
        assert gateway.reload() is None
        assert gateway.router_pid() == pid


def test_a_reload_with_a_router_that_does_not_import_changes_nothing(tmp_path: Path) -> None:
    with start(PLAIN, directory=tmp_path) as gateway:
        pid = gateway.router_pid()
        (tmp_path / "custom_router.py").write_text("import nothing_like_this\n")
        assert gateway.reload() is None
        gateway.wait_for_log(
            r"gateway\.yaml:\d+:\d+: routing\.custom: ModuleNotFoundError: No module named "
            r"'nothing_like_this' \(.*custom_router\.py:1\) "
            r"\(install nothing_like_this where the gateway runs\)"
        )
        assert gateway.router_pid() == pid
        assert ask(gateway, question("any")) == [Answer(("lakefs",))]


SHY = (
    PLAIN.replace("import", "")
    + """
import sys
if "serve" in sys.argv:
    raise RuntimeError("not here")
"""
)


def test_a_new_router_that_ends_before_it_is_ready_leaves_the_old_one(tmp_path: Path) -> None:
    with start(PLAIN, directory=tmp_path) as gateway:
        pid = gateway.router_pid()
        (tmp_path / "custom_router.py").write_text(SHY)
        gateway.signal(signal.SIGHUP)
        gateway.wait_for_log(
            r"the new router \(pid \d+\) cannot be used: RuntimeError: not here "
            rf"\(.*custom_router\.py:\d+\) \(mend the module\); the one before it, pid {pid}, "
        )
        assert gateway.router_pid() == pid
        assert ask(gateway, question("any")) == [Answer(("lakefs",))]


def test_a_first_router_that_ends_before_it_is_ready_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "custom_router.py").write_text(SHY)
    status, log = run_to_end(configuration(custom_path=str(tmp_path)))
    assert status == 3
    assert "cannot be used: RuntimeError: not here" in log


def test_one_that_cannot_start_again_is_tried_until_it_can(tmp_path: Path) -> None:
    with start(PLAIN, directory=tmp_path) as gateway:
        file = tmp_path / "custom_router.py"
        file.write_text(SHY)
        os.kill(gateway.router_pid(), signal.SIGKILL)
        gateway.wait_for_log(r"cannot be used: RuntimeError: .*, next start in 0\.5 seconds")
        assert "is not there yet" in ask(gateway, question("any"), seconds=0.05)[0]
        file.write_text(PLAIN)
        assert ask(gateway, question("any")) == [Answer(("lakefs",))]
        gateway.wait_for_log(r"the custom router was missing for .* seconds, replaced by pid")


def test_a_reload_without_it_ends_the_router(tmp_path: Path) -> None:
    with start(PLAIN, directory=tmp_path) as gateway:
        pid = gateway.router_pid()
        config = configuration()
        del config["routing"]["custom"]
        assert gateway.reload(config) == 2
        wait_until(lambda: not gateway.router_pid(), "the router leaves")
        assert gone(pid)


def test_it_ends_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with start(PLAIN, directory=tmp_path) as gateway:
        pid = gateway.router_pid()
        os.kill(gateway.supervisor_pid, signal.SIGKILL)
        wait_until(lambda: gone(pid), "the router ends")


@pytest.mark.parametrize("cached", [True, False])
def test_answers_are_kept_if_the_class_says_so(tmp_path: Path, cached: bool) -> None:
    source = PLAIN.replace("class Router:", f"class Router:\n    cache_seconds = {60 * cached}")

    async def twice(gateway: Gateway) -> bool:
        asked = client(gateway, 10.0)
        await asked.route(question("first"))  # the router has greeted then
        await asked.route(question("any"))
        found = asked.cached(question("any"))
        assert asked.cached(question("other")) is MISSING
        asked.close()
        return found == Answer(("lakefs",))

    with start(source, directory=tmp_path) as gateway:
        assert asyncio.run(twice(gateway)) is cached
