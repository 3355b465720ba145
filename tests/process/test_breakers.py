"""A target that is down, as clients and operators meet it: shut off, tried, and back again."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastpath.ipc.counters import BreakerState, Layout, Page, TargetBlock, TargetGauge
from fastpath.upstream.breaker import FAILURES
from tests.doubles.target import Fault, Target
from tests.process.harness import Answer, Gateway, ask, open_config, wait_until

OBJECT = b"0123456789" * 100
QUICK = 0.1  # seconds: a refusal takes a few milliseconds, and so does an answer of the other
MANY = 20


@pytest.fixture
def near() -> Iterator[Target]:
    with Target("near") as one:
        one.objects["/near/key"] = OBJECT
        yield one


@pytest.fixture
def far() -> Iterator[Target]:
    with Target("far") as one:
        one.objects["/far-1/key"] = OBJECT
        yield one


def configuration(near: Target, far: Target, **timeouts: float) -> dict[str, Any]:
    config: dict[str, Any] = open_config(near.url)
    config["targets"]["far"] = {
        **config["targets"]["main"],
        "endpoint": far.url,
        "timeouts": timeouts,
    }
    config["routing"]["rules"] = [{"pattern": "far-*", "target": "far"}]
    return config


def get(gateway: Gateway, path: str) -> Answer:
    return gateway.request("GET", path)


def shut_off(gateway: Gateway, far: Target, fault: Fault = Fault.REFUSE) -> None:
    """Let the target fail as often as it takes."""
    far.fault = fault
    for _ in range(FAILURES):
        assert get(gateway, "/far-1/key").status == 503
    gateway.wait_for_log("shut off after 5 failures in a row.*target=far")


def slowest(gateway: Gateway, path: str, status: int) -> float:
    """Seconds of the slowest of many requests on one connection."""
    took = 0.0
    with contextlib.closing(gateway.connect()) as connection:
        for _ in range(MANY):
            started = time.monotonic()
            assert ask(connection, "GET", path).status == status
            took = max(took, time.monotonic() - started)
    return took


@contextlib.contextmanager
def counters(gateway: Gateway, targets: int) -> Iterator[Page]:
    """The page that the gateway's processes share."""
    file = next(
        entry
        for entry in Path(f"/proc/{gateway.supervisor_pid}/fd").iterdir()
        if os.readlink(entry).startswith("/memfd:counters")
    )
    descriptor = os.open(file, os.O_RDWR)
    try:
        yield Page(Layout.for_start(len(gateway.worker_pids()), targets), descriptor)
    finally:
        os.close(descriptor)


def word_of_control(page: Page, name: str) -> TargetBlock:
    return page.control_target(page.block(name))


def test_a_target_that_is_down_costs_nobody_else_anything_and_comes_back(
    near: Target, far: Target
) -> None:
    with Gateway.start(configuration(near, far), 1) as gateway:
        shut_off(gateway, far)
        assert slowest(gateway, "/near/key", 200) < QUICK
        asked = len(far.requests)
        refused = get(gateway, "/far-1/key")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert b"<Code>ServiceUnavailable</Code>" in refused.body
        far.fault = Fault.NONE
        wait_until(lambda: get(gateway, "/far-1/key").status == 200, "it serves again")
        assert len(far.requests) == asked + 1
        gateway.wait_for_log("answers again, after .* s target=far")
        assert slowest(gateway, "/far-1/key", 200) < QUICK


@pytest.mark.slow
def test_one_that_never_answers_holds_up_only_those_that_tried_it(
    near: Target, far: Target
) -> None:
    with Gateway.start(configuration(near, far, response_seconds=0.5), 1) as gateway:
        shut_off(gateway, far, Fault.HANG)
        started = time.monotonic()
        assert get(gateway, "/far-1/key").status == 503
        assert time.monotonic() - started < QUICK


def test_a_dead_target_leaves_few_lines(near: Target, far: Target) -> None:
    with Gateway.start(configuration(near, far), 1) as gateway:
        shut_off(gateway, far)
        mark = len(gateway.log)
        for _ in range(10):
            slowest(gateway, "/far-1/key", 503)
        get(gateway, "/near/key")
        assert len(gateway.log) - mark <= 6


def test_a_client_that_left_while_it_was_the_probe_keeps_nobody_out(
    near: Target, far: Target
) -> None:
    with Gateway.start(configuration(near, far), 1) as gateway:
        shut_off(gateway, far)
        far.fault = Fault.NONE
        with far.holding():
            probe = gateway.connect()

            def asks() -> bool:
                probe.close()
                probe.request("GET", "/far-1/key")
                with contextlib.suppress(AssertionError):
                    far.wait_for_held(1, 0.2)
                    return True
                return False

            wait_until(asks, "a request is the probe")
            assert get(gateway, "/far-1/key").status == 503  # another is being tried
            probe.close()
        wait_until(lambda: get(gateway, "/far-1/key").status == 200, "it serves again", 5.0)


def test_clients_cannot_shut_a_target_off(near: Target, far: Target) -> None:
    statuses = ["403 Forbidden", "404 Not Found", "500 Internal Server Error", "429 Too Many"]
    with Gateway.start(configuration(near, far), 1) as gateway:
        for status in statuses:
            far.refusal = lambda _, status=status: (status, b"")  # type: ignore[misc]  # bound
            slowest(gateway, "/far-1/key", int(status[:3]))
        assert len(far.requests) == MANY * len(statuses)


def test_a_storm_of_503_shuts_it_off(near: Target, far: Target) -> None:
    with Gateway.start(configuration(near, far), 1) as gateway:
        far.refusal = lambda _: ("503 Service Unavailable", b"")
        shut_off(gateway, far, Fault.NONE)
        asked = len(far.requests)
        assert get(gateway, "/far-1/key").status == 503
        assert len(far.requests) == asked


def test_a_gateway_of_one_target_never_refuses_by_itself(far: Target) -> None:
    with Gateway.start(open_config(far.url), 1) as gateway:
        far.fault = Fault.REFUSE
        for _ in range(MANY):
            assert get(gateway, "/far-1/key").status == 503
        far.fault = Fault.NONE
        assert get(gateway, "/far-1/key").status == 200


def test_a_disabled_target_is_refused_by_every_worker_until_it_is_enabled(
    near: Target, far: Target
) -> None:
    with (
        Gateway.start(configuration(near, far), 2) as gateway,
        counters(gateway, targets=2) as page,
    ):
        word = word_of_control(page, "far").gauges

        def all_say(status: int) -> bool:
            return all(get(gateway, "/far-1/key").status == status for _ in range(MANY))

        word[TargetGauge.DISABLED] = 1
        wait_until(lambda: all_say(503), "every worker refuses")
        asked = len(far.requests)
        assert all_say(503)
        assert len(far.requests) == asked
        assert get(gateway, "/near/key").status == 200
        gateway.reload(configuration(near, far))
        assert all_say(503)
        killed = gateway.kill_worker(0)
        gateway.wait_for_log(f"pid {killed}\\) .*, replaced by")
        assert all_say(503)
        word[TargetGauge.DISABLED] = 0
        wait_until(lambda: all_say(200), "every worker serves")


def test_the_page_shows_the_breakers_of_workers(near: Target, far: Target) -> None:
    with (
        Gateway.start(configuration(near, far), 1) as gateway,
        counters(gateway, targets=2) as page,
    ):
        shut_off(gateway, far)
        (row,) = page.live()
        gauges = page.target(row, page.block("far")).gauges
        assert gauges[TargetGauge.BREAKER] == BreakerState.OPEN
        assert abs(time.time() - gauges[TargetGauge.BREAKER_SINCE]) < 60
