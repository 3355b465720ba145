"""Workers die, hang and come back."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.doubles.target import Target
from tests.process.harness import Answer, Gateway, wait_until
from tests.process.load import Load

BEAT = {"S3GATEWAY_HEARTBEAT_SECONDS": "2"}


def test_a_killed_worker_is_replaced_and_named(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway:
        pid = gateway.kill_worker(1)
        gateway.wait_for_log(rf"worker 1 \(pid {pid}\) killed by SIGKILL, replaced by pid \d+")
        wait_until(lambda: len(gateway.worker_pids()) == 2, "two workers")
        assert pid not in gateway.worker_pids()
        assert gateway.request("GET", "/bucket/key").status == 200


def test_a_kill_under_load_loses_only_its_own_requests(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway, Load(gateway, "/bucket/key", clients=6) as load:
        load.wait_for(100)
        for index in (0, 1, 0):
            mark = len(gateway.log)
            gateway.kill_worker(index)
            gateway.wait_for_log(r"killed by SIGKILL, (replaced|next start)", after=mark)
            load.wait_for(100)
        load.stop()
        assert load.refused() == []
        # At most what each client had running, at each kill.
        assert len(load.failed()) <= 3 * 6
        assert all(outcome.error for outcome in load.failed())  # no wrong answer


def test_connections_wait_for_the_replacement(config: dict[str, object], target: Target) -> None:
    """A dead worker's accept queue is served by its successor: not one connection is lost."""
    with Gateway.start(config, workers=1) as gateway:
        gateway.kill_worker(0, signal.SIGSTOP)
        connections = [gateway.connect() for _ in range(20)]
        for connection in connections:
            connection.request("GET", "/bucket/key")
        gateway.kill_worker(0, signal.SIGKILL)
        for connection in connections:
            assert connection.getresponse().status == 200
            connection.close()


def test_a_worker_that_is_told_to_leave_drains_and_is_replaced(
    config: dict[str, object], target: Target
) -> None:
    with Gateway.start(config, workers=1) as gateway:
        answers: list[Answer] = []
        thread = threading.Thread(
            target=lambda: answers.append(gateway.request("GET", "/bucket/key"))
        )
        with target.holding():
            thread.start()
            target.wait_for_held(1)
            gateway.kill_worker(0, signal.SIGTERM)
        thread.join(10)
        assert [answer.status for answer in answers] == [200]
        gateway.wait_for_log(r"worker 0 \(pid \d+\) exited with status 0, replaced by pid")
        assert gateway.request("GET", "/bucket/key").status == 200


def test_a_stopped_worker_is_noticed_and_replaced(config: dict[str, object]) -> None:
    with Gateway.start(config, environ=BEAT) as gateway:
        pid = gateway.kill_worker(0, signal.SIGSTOP)
        gateway.wait_for_log(rf"worker 0 \(pid {pid}\) gave no sign for \d")
        gateway.wait_for_log(rf"worker 0 \(pid {pid}\) killed by SIGKILL, replaced by pid")
        for _ in range(10):
            assert gateway.request("GET", "/bucket/key").status == 200


def test_a_pause_of_everything_kills_nobody(config: dict[str, object]) -> None:
    """Ctrl-Z and fg: all heartbeats are old, the supervisor's own clock included."""
    with Gateway.start(config, environ=BEAT) as gateway:
        workers = gateway.worker_pids()
        everyone = [*gateway.processes()]
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        threading.Event().wait(3)  # longer than the limit: the passing of time is the point
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        threading.Event().wait(1.5)
        assert gateway.worker_pids() == workers
        assert not gateway.log_contains("gave no sign")


def test_a_worker_that_crashes_in_a_row_waits_longer(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway:
        gateway.kill_worker(0)
        gateway.wait_for_log("worker 0 .* replaced by pid")
        wait_until(lambda: len(gateway.worker_pids()) == 2, "two workers")
        gateway.kill_worker(0)
        gateway.wait_for_log(r"worker 0 \(pid \d+\) killed by SIGKILL, next start in 0.5 seconds")
        gateway.wait_for_log("worker 0 was missing for 0.5 seconds, replaced by pid")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_long_back_off_closes_the_socket(config: dict[str, object]) -> None:
    """Its share of new connections goes to the sibling; nobody waits in a dead queue."""
    with Gateway.start(config) as gateway:
        sibling = gateway.worker_pids()[1]
        mark = 0
        while not gateway.log_contains("next start in 4 seconds"):
            victims = [pid for pid in gateway.worker_pids() if pid != sibling]
            for pid in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            gateway.wait_for_log("killed by SIGKILL", after=mark)
            mark = len(gateway.log)
            wait_until(
                lambda: (
                    len(gateway.worker_pids()) == 2
                    or gateway.log_contains("next start in 4 seconds")
                ),
                "the next one",
            )
        for _ in range(30):
            assert gateway.request("GET", "/bucket/key").status == 200
        assert gateway.worker_pids() == [sibling]
        gateway.wait_for_log("worker 0 was missing for 4 seconds, replaced by pid", 15)
        pids = gateway.worker_pids()
        wait_until(lambda: _descriptors(pids[0], "socket") >= 3, "its listener is back")
        for _ in range(10):
            assert gateway.request("GET", "/bucket/key").status == 200


def test_a_worker_holds_only_its_own_descriptors(config: dict[str, object]) -> None:
    with Gateway.start(config, workers=3) as gateway:
        inodes = [_listening_inodes(pid, gateway.address[1]) for pid in gateway.worker_pids()]
        assert [len(one) for one in inodes] == [1, 1, 1]
        assert len(set().union(*inodes)) == 3
        assert _listening_inodes(gateway.control_pid(), gateway.address[1]) == set()


def test_many_connections_leave_no_descriptor(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway:
        for _ in range(20):
            gateway.request("GET", "/bucket/key")  # pools to the target are there now
        before = [_descriptors(pid) for pid in gateway.worker_pids()]
        with Load(gateway, "/bucket/key", clients=4, keep_alive=False) as load:
            load.wait_for(600)
        assert load.failed() == []
        for pid, count in zip(gateway.worker_pids(), before, strict=True):
            # The pool may have grown to one connection per client.
            wait_until(partial(_has_at_most, pid, count + 4), "descriptors are back")


def test_a_live_worker_maps_no_rust(config: dict[str, object]) -> None:
    with Gateway.start(config, fresh=True) as gateway:
        gateway.request("GET", "/bucket/key")
        for pid in gateway.worker_pids():
            wait_until(partial(_maps, pid, "_awscrt"), "an idle worker has imported it")
        for pid in [*gateway.worker_pids(), gateway.supervisor_pid]:
            mapped = _mapped_libraries(pid)
            assert any("_struct" in path.name or "libc" in path.name for path in mapped)
            for path in mapped:
                assert not re.search("orjson|pydantic_core|cryptography|_rust", str(path))
                assert not _has_rust(path), path


def test_the_rust_search_finds_rust(config: dict[str, object]) -> None:
    """Control validates with pydantic: the same search must find it there."""
    with Gateway.start(config, fresh=True) as gateway:
        assert any(_has_rust(path) for path in _mapped_libraries(gateway.control_pid()))


def test_the_supervisor_imports_only_the_standard_library(config: dict[str, object]) -> None:
    with Gateway.start(config, fresh=True) as gateway:
        mapped = _mapped_libraries(gateway.supervisor_pid)
        assert not [path for path in mapped if "site-packages" in str(path)]


def test_two_workers_share_the_requests_in_flight(
    config: dict[str, object], target: Target
) -> None:
    with Gateway.start(config) as gateway:
        answers: list[Answer] = []
        with target.holding():
            threads = [
                threading.Thread(
                    target=lambda: answers.append(gateway.request("GET", "/bucket/key"))
                )
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            target.wait_for_held(8)
        for thread in threads:
            thread.join(10)
        assert [answer.status for answer in answers] == [200] * 8


def _has_at_most(pid: int, count: int) -> bool:
    return _descriptors(pid) <= count


def _descriptors(pid: int, kind: str = "") -> int:
    found = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += kind in os.readlink(entry)
    return found


def _listening_inodes(pid: int, port: int) -> set[str]:
    """Inodes of the listening sockets on `port` that the process holds."""
    listening = {
        words[9]
        for words in map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
        if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port
    }
    held = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if match := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry)):
                held.add(match[1])
    return listening & held


def _maps(pid: int, name: str) -> bool:
    return any(name in path.name for path in _mapped_libraries(pid))


def _mapped_libraries(pid: int) -> set[Path]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    paths = {line.split(maxsplit=5)[5] for line in lines if ".so" in line}
    return {Path(path) for path in paths if path.startswith("/")}


def _has_rust(path: Path) -> bool:
    data = path.read_bytes()
    return any(mark in data for mark in (b"rust_panic", b"/rustc/", b"rust_eh_personality"))
