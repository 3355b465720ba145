"""Reloading: SIGHUP, an acknowledgement, and nobody notices."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.target import Target
from tests.process.harness import ROOT, Gateway, open_config
from tests.process.load import Load


@pytest.fixture
def two() -> Iterator[tuple[Target, Target]]:
    with Target("a") as a, Target("b") as b:
        a.objects["/bucket/key"] = b"a" * 1000
        b.objects["/bucket/key"] = b"b" * 1000
        yield a, b


def test_a_reload_is_acknowledged_and_in_force(two: tuple[Target, Target]) -> None:
    a, b = two
    with Gateway.start(open_config(a.url)) as gateway:
        workers = gateway.worker_pids()
        assert gateway.request("GET", "/bucket/key").headers["x-target"] == "a"
        assert gateway.reload(open_config(b.url)) == 2
        assert gateway.log_contains("generation 2 is served by all 2 workers")
        for _ in range(10):
            assert gateway.request("GET", "/bucket/key").headers["x-target"] == "b"
        assert gateway.worker_pids() == workers


def test_overridden_capabilities_follow_the_reload(two: tuple[Target, Target]) -> None:
    plain = open_config(two[0].url)
    trusting = open_config(two[0].url)
    trusting["targets"]["main"]["profile_overrides"] = {"verifies_md5": True}  # type: ignore[index]
    wrong = {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    with Gateway.start(plain) as gateway:
        for config, status in ((plain, 400), (trusting, 200), (plain, 400)):
            gateway.reload(config)
            assert gateway.request("PUT", "/bucket/new", b"body", wrong).status == status


def test_a_kept_connection_follows_the_reload(two: tuple[Target, Target]) -> None:
    a, b = two
    with Gateway.start(open_config(a.url)) as gateway:
        connection = gateway.connect()
        connection.request("GET", "/bucket/key")
        response = connection.getresponse()
        assert response.getheader("x-target") == "a"
        response.read()
        socket_before = connection.sock
        gateway.reload(open_config(b.url))
        connection.request("GET", "/bucket/key")
        response = connection.getresponse()
        assert response.getheader("x-target") == "b"
        response.read()
        assert connection.sock is socket_before
        connection.close()


def test_a_request_in_flight_ends_on_the_snapshot_it_began_with(
    two: tuple[Target, Target],
) -> None:
    a, b = two
    with Gateway.start(open_config(a.url)) as gateway:
        with a.holding():
            connection = gateway.connect()
            connection.request("GET", "/bucket/key")
            a.wait_for_held(1)
            assert gateway.reload(open_config(b.url)) == 2
        response = connection.getresponse()
        assert (response.status, response.getheader("x-target")) == (200, "a")
        response.read()
        connection.close()


def test_a_bad_configuration_changes_nothing(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway:
        assert gateway.reload("routing: {default_target: nowhere, rulez: []}\n") is None
        assert gateway.log_contains(r"gateway\.yaml:1:\d+: routing\.rulez: ")
        assert gateway.log_contains("configuration unchanged: [1-9] problems?$")
        assert gateway.request("GET", "/bucket/key").status == 200
        # Good again: the same as before, so no new generation.
        assert gateway.reload(config) == 1


def test_a_missing_file_changes_nothing(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway:
        gateway.config_path.unlink()
        assert gateway.reload() is None
        assert gateway.request("GET", "/bucket/key").status == 200


def test_signals_during_a_reload_become_one_more(two: tuple[Target, Target]) -> None:
    a, b = two
    with Gateway.start(open_config(a.url)) as gateway:
        # With control stopped, the first reload runs for as long as we like.
        control = gateway.control_pid()
        os.kill(control, signal.SIGSTOP)
        gateway.write_config(open_config(b.url))
        for _ in range(20):
            gateway.signal(signal.SIGHUP)
            threading.Event().wait(0.02)  # so that the kernel does not merge them itself
        os.kill(control, signal.SIGCONT)
        gateway.wait_for_log("generation 2 is served by all 2 workers")
        assert gateway.reload(open_config(a.url)) is not None
        served = [line for line in gateway.log if "is served by" in line]
        assert 2 <= len(served) <= 4


# Imported by the worker as its event loop; it then goes on with asyncio's own. A snapshot that
# allows 77 headers cannot be compiled, and with 78 a worker that serves already hangs in it.
_FAULTY_COMPILER = """
import time
from fastpath.worker import process
load_snapshot, loaded = process.load_snapshot, []
def load(generation, document):
    count = document["limits"]["header_count"]
    if count == 77:
        raise ValueError("seventy-seven")
    if count == 78 and loaded:
        time.sleep(3600)
    loaded.append(generation)
    return load_snapshot(generation, document)
process.load_snapshot = load
raise ImportError("asyncio will do")
"""


def _faulty(directory: Path) -> dict[str, str]:
    (directory / "uvloop.py").write_text(_FAULTY_COMPILER)
    return {"PYTHONPATH": f"{directory}:{ROOT}", "S3GATEWAY_ACKNOWLEDGE_SECONDS": "1"}


def _allowing(config: dict[str, object], headers: int) -> dict[str, object]:
    return {**config, "router": {"limits": {"header_count": headers}}}


def test_a_snapshot_that_workers_reject_is_taken_back(
    config: dict[str, object], tmp_path: Path
) -> None:
    with Gateway.start(config, environ=_faulty(tmp_path)) as gateway:
        workers = gateway.worker_pids()
        mark = len(gateway.log)
        assert gateway.reload(_allowing(config, 77)) is None
        gateway.wait_for_log(r"worker \d cannot use generation 2: .*seventy-seven", after=mark)
        # What was served before is served again, under a number that was never used.
        gateway.wait_for_log("generation 3 is served by all 2 workers", after=mark)
        assert gateway.worker_pids() == workers
        assert gateway.request("GET", "/bucket/key").status == 200
        assert gateway.reload(_allowing(config, 79)) == 4
        # Control reads that configuration again as well: that is no news, whenever it ends.
        assert sum("generation 3 is served" in line for line in gateway.log) == 1


def test_control_hears_what_became_of_its_snapshots(
    config: dict[str, object], tmp_path: Path
) -> None:
    with Gateway.start(config, environ=_faulty(tmp_path), log_level="debug") as gateway:
        both = "served, acknowledged by workers 0, 1$"
        gateway.wait_for_log(f"debug: generation 1: {both}")
        assert gateway.reload(_allowing(config, 77)) is None
        reason = r"worker \d: ValueError: seventy-seven"
        gateway.wait_for_log(rf"debug: generation 2: refused(, acknowledged .*)?: {reason}$")
        gateway.wait_for_log(f"debug: generation 3: {both}")
        mark = len(gateway.log)
        os.kill(gateway.control_pid(), signal.SIGKILL)
        # The next control process is told as well: who serves what it publishes, and its number.
        gateway.wait_for_log(f"debug: generation 3: {both}", 20, after=mark)
        gateway.wait_for_log("generation 3 is served by all 2 workers", after=mark)
        assert gateway.reload(_allowing(config, 79)) == 4
        gateway.wait_for_log(f"debug: generation 4: {both}")


def test_a_worker_that_does_not_take_a_snapshot_is_replaced(
    config: dict[str, object], tmp_path: Path
) -> None:
    with Gateway.start(config, environ=_faulty(tmp_path)) as gateway:
        workers = set(gateway.worker_pids())
        assert gateway.reload(_allowing(config, 78)) == 2
        assert gateway.log_contains(r"worker 0 \(pid \d+\) did not take generation 2 in time")
        assert gateway.log_contains(r"worker 1 \(pid \d+\) did not take generation 2 in time")
        assert not workers & set(gateway.worker_pids())
        assert gateway.request("GET", "/bucket/key").status == 200


def test_what_needs_a_restart_is_named(config: dict[str, object]) -> None:
    with Gateway.start(config, workers=None) as gateway:
        mark = len(gateway.log)
        assert gateway.reload({**config, "router": {"workers": 7}}) is not None
        gateway.wait_for_log("router.workers: a change needs a restart", after=mark)
        assert len(gateway.worker_pids()) != 7


@pytest.mark.timeout(180)
@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_reloads_under_load_fail_no_request(two: tuple[Target, Target], count: int) -> None:
    a, b = two
    configs = {"a": open_config(a.url), "b": open_config(b.url)}
    with Gateway.start(configs["a"], access_log="access.log", log_format="json") as gateway:
        gateway.expected_files.add("access.log")
        with Load(gateway, "/bucket/key", clients=3) as load:
            load.wait_for(20)
            for number in range(count):
                name = "b" if number % 2 == 0 else "a"
                assert gateway.reload(configs[name]) == number + 2
                # Acknowledged means in force: for every request that begins from here on.
                assert gateway.request("GET", "/bucket/key").headers["x-target"] == name
                load.wait_for(3)
        assert load.failed() == []
        assert gateway.stop() == 0
        _check_one_generation_each(gateway, load, count)


def _check_one_generation_each(gateway: Gateway, load: Load, reloads: int) -> None:
    """Every answer came from the one target that the generation in its log line has."""
    lines = gateway.access_lines("access.log")
    times = Counter(str(line["request_id"]) for line in lines)
    assert set(times.values()) == {1}
    generations = {str(line["request_id"]): line["generation"] for line in lines}
    for outcome in load.outcomes:
        generation = generations[outcome.request_id]
        assert isinstance(generation, int)
        assert outcome.target == ("a" if generation % 2 else "b"), outcome
    assert len(set(generations.values())) > reloads / 2
