"""Stopping: gently, at the deadline, at once, and when the supervisor itself is killed."""

from __future__ import annotations

import contextlib
import http.client
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.doubles.target import Target
from tests.process.conftest import OBJECT
from tests.process.harness import Gateway, wait_until
from tests.process.load import Load


@contextmanager
def in_flight(gateway: Gateway, target: Target, count: int = 1) -> Iterator[list[object]]:
    """`count` requests that wait for the target within; afterwards, what became of them."""
    results: list[object] = []

    def one() -> None:
        try:
            results.append(gateway.request("GET", "/bucket/key"))
        except (OSError, http.client.HTTPException) as error:
            results.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    with target.holding():
        for thread in threads:
            thread.start()
        target.wait_for_held(count)
        yield results
    for thread in threads:
        thread.join(20)


def test_sigterm_lets_running_requests_end(config: dict[str, object], target: Target) -> None:
    with Gateway.start(config) as gateway:
        with in_flight(gateway, target, 6) as results:
            gateway.signal(signal.SIGTERM)
            # Once no worker listens, all of them know that they drain.
            wait_until(lambda: _is_refused(gateway), "a new connection is refused")
        assert [getattr(result, "body", result) for result in results] == [OBJECT] * 6
        assert {r.headers["connection"] for r in results} == {"close"}  # type: ignore[attr-defined]  # all answers, as asserted
        assert gateway.wait() == 0
        assert gateway.log_contains("stopped: clean")


def test_new_connections_are_refused_while_draining(
    config: dict[str, object], target: Target
) -> None:
    with Gateway.start(config) as gateway:
        with in_flight(gateway, target):
            gateway.signal(signal.SIGTERM)
            gateway.wait_for_log("draining")
            wait_until(lambda: _is_refused(gateway), "a new connection is refused")
        assert gateway.wait() == 0


def _is_refused(gateway: Gateway) -> bool:
    try:
        with contextlib.closing(gateway.connect(3)) as connection:
            connection.connect()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        pass
    return False


def test_requests_in_the_accept_queue_are_answered(config: dict[str, object]) -> None:
    """Connected, request sent, not yet accepted: the client counts on an answer."""
    with Gateway.start(config) as gateway:
        for index in (0, 1):
            gateway.kill_worker(index, signal.SIGSTOP)
        connections = [gateway.connect() for _ in range(30)]
        for connection in connections:
            connection.request("GET", "/bucket/key")
        gateway.signal(signal.SIGTERM)
        gateway.wait_for_log("draining")
        for index in (0, 1):
            gateway.kill_worker(index, signal.SIGCONT)
        for connection in connections:
            assert connection.getresponse().read() == OBJECT
            connection.close()
        assert gateway.wait() == 0


@pytest.mark.parametrize("keep_alive", [True, False])
def test_sigterm_under_load_cuts_nothing(config: dict[str, object], keep_alive: bool) -> None:
    with (
        Gateway.start(config) as gateway,
        Load(gateway, "/bucket/key", clients=6, keep_alive=keep_alive) as load,
    ):
        load.wait_for(100)
        gateway.signal(signal.SIGTERM)
        assert gateway.wait() == 0
        load.join()
        cut = [outcome for outcome in load.failed() if not outcome.refused]
        assert cut == []
        assert gateway.log_contains("stopped: clean")


def test_the_drain_deadline_cuts_and_says_so(config: dict[str, object], target: Target) -> None:
    with Gateway.start(config, drain_seconds=1) as gateway:
        with in_flight(gateway, target, 3):
            assert gateway.stop() == 4
        assert gateway.log_contains("stopped: 3 connections cut")


def test_a_worker_that_hangs_in_the_drain_is_killed(config: dict[str, object]) -> None:
    with Gateway.start(config, drain_seconds=1) as gateway:
        gateway.kill_worker(0, signal.SIGSTOP)
        assert gateway.stop() == 4
        assert gateway.log_contains("stopped: 1 connection cut")


def test_idle_connections_do_not_hold_up_the_drain(config: dict[str, object]) -> None:
    with Gateway.start(config, drain_seconds=15) as gateway:
        idle = [gateway.connect() for _ in range(10)]
        for connection in idle[:5]:
            connection.request("GET", "/bucket/key")
            connection.getresponse().read()
        for connection in idle[5:]:
            connection.connect()
        assert gateway.stop(seconds=10) == 0
        for connection in idle:
            connection.close()


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGQUIT])
def test_a_second_signal_stops_at_once(
    config: dict[str, object], target: Target, second: signal.Signals
) -> None:
    with Gateway.start(config, drain_seconds=60) as gateway, in_flight(gateway, target, 2):
        gateway.signal(signal.SIGINT)
        gateway.wait_for_log("draining")
        assert gateway.stop(second, seconds=8) == 4
        assert gateway.log_contains("stopped: 2 connections cut")


def test_a_second_sigterm_changes_nothing(config: dict[str, object], target: Target) -> None:
    with Gateway.start(config, drain_seconds=60) as gateway:
        with in_flight(gateway, target, 2) as results:
            gateway.signal(signal.SIGTERM)
            gateway.wait_for_log("draining")
            gateway.signal(signal.SIGTERM)
            gateway.signal(signal.SIGHUP)
        assert [getattr(result, "status", result) for result in results] == [200, 200]
        assert gateway.wait() == 0


def test_the_terminal_interrupts_the_whole_group(config: dict[str, object], target: Target) -> None:
    """Ctrl-C reaches every process of the group; only the supervisor answers it."""
    with Gateway.start(config, access_log="-") as gateway:
        with in_flight(gateway, target, 2) as results:
            gateway.signal_group(signal.SIGINT)
            gateway.wait_for_log("draining")
        assert [getattr(result, "status", result) for result in results] == [200, 200]
        assert gateway.wait() == 0
        assert len(gateway.stdout) == 2  # control stayed for the last lines
        assert not gateway.log_contains("warning|error")


def test_a_service_supervisor_terminates_the_whole_group(
    config: dict[str, object], target: Target
) -> None:
    with Gateway.start(config, access_log="-") as gateway:
        with in_flight(gateway, target, 2) as results:
            gateway.signal_group(signal.SIGTERM)
            gateway.wait_for_log("draining")
        assert [getattr(result, "status", result) for result in results] == [200, 200]
        assert gateway.wait() == 0
        assert len(gateway.stdout) == 2


def test_sigquit_alone_stops_at_once_without_a_cut(config: dict[str, object]) -> None:
    with Gateway.start(config) as gateway:
        assert gateway.stop(signal.SIGQUIT, seconds=8) == 0
        assert gateway.log_contains("stopped: clean")


@pytest.mark.parametrize("hung", [False, True])
def test_killing_the_supervisor_leaves_nobody(config: dict[str, object], hung: bool) -> None:
    with Gateway.start(config) as gateway:
        if hung:
            gateway.kill_worker(0, signal.SIGSTOP)
        assert gateway.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: not gateway.processes(), "workers and control are gone", 5)


def test_the_last_access_lines_are_written(config: dict[str, object], target: Target) -> None:
    with Gateway.start(config, access_log="-") as gateway:
        with in_flight(gateway, target, 5):
            gateway.signal(signal.SIGTERM)
            gateway.wait_for_log("draining")
        assert gateway.wait() == 0
        assert len(gateway.stdout) == 5
