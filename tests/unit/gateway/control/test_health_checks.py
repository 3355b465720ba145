"""Which targets are checked and how, hysteresis, and what workers are told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from fastpath.ipc.counters import Health, Layout, Page, TargetGauge
from fastpath.sockets.diagnosis import Cause
from gateway.config.schema import Config
from gateway.config.schema import Health as Settings
from gateway.connect.attempt import Attempt, Failed
from gateway.control.health_checks import (
    Check,
    HealthChecks,
    Streak,
    chained_targets,
    checks_of,
)
from tests.unit.gateway.config.loading import LAKEFS, Desk, desk

__all__ = ["desk"]

GOOD, BAD = "", "refused"
TARGET = (
    'targets:\n  one: {{profile: {}, endpoint: "http://127.0.0.1:9", region: a, '
    "access_key_id: A, secret_access_key: hidden{}}}\nrouting: {{default_target: one}}\n"
)


def model(desk: Desk, *, profile: str = "generic", health: str = "") -> Config:
    return desk.model(TARGET.format(profile, f", health: {health}" if health else ""))


# Which targets, and how


def test_a_target_is_checked_if_it_says_so_or_is_in_a_chain(desk: Desk) -> None:
    assert checks_of(model(desk), ()) == {}
    assert checks_of(model(desk, health="{rise: 7}"), ())[
        "one"
    ].settings == Settings.model_construct(rise=7)
    assert checks_of(model(desk), ("one",))["one"].settings == Settings()
    assert checks_of(model(desk, health="off"), ("one",)) == {}


def test_targets_of_chains() -> None:
    """Of `custom_reads`, of fallbacks and what they stand behind, and of conditions."""

    def rule(target: str, fallback: tuple[str, ...] = (), conditions: object = None) -> object:
        return SimpleNamespace(target=target, fallback=fallback, conditions=conditions)

    def chained(*rules: object, reads: tuple[str, ...] = (), behind: tuple[str, ...] = ()) -> set:
        routing = SimpleNamespace(custom_reads=reads, fallback=behind, default_target="default")
        found = chained_targets(SimpleNamespace(routing=routing, rules=rules))  # type: ignore[arg-type]
        return set(found)

    assert chained(rule("alone")) == set()
    assert chained(rule("new", ("old", "older"))) == {"new", "old", "older"}
    assert chained(rule("large", conditions=object()), rule("small")) == {"large"}
    assert chained(reads=("a", "b")) == {"a", "b"}
    assert chained(behind=("old",)) == {"default", "old"}


@pytest.mark.parametrize(
    ("profile", "health", "path", "well", "ill"),
    [
        ("generic", "{}", "/", (200, 301, 403, 404, 499), (500, 503)),
        ("lakefs", "{}", "/_health", (200,), (204, 301, 403, 404, 503)),
        ("generic", "{path: /ready?x=1}", "/ready?x=1", (200, 204, 299), (301, 403, 404, 503)),
        ("lakefs", "{path: /ready}", "/ready", (200, 204), (404, 503)),
    ],
)
def test_what_an_answer_says(
    desk: Desk,
    profile: str,
    health: str,
    path: str,
    well: tuple[int, ...],
    ill: tuple[int, ...],
) -> None:
    check = checks_of(model(desk, profile=profile, health=health), ())["one"]
    assert check.path == path
    assert [status for status in well if check.fault(status)] == []
    assert [status for status in ill if not check.fault(status)] == []


# Hysteresis


def states(results: str, state: Health = Health.UNKNOWN) -> str:
    """The states after each result (+ or -), with rise 2 and fall 3."""
    streak = Streak(Settings.model_construct(rise=2, fall=3), state)
    shown = {Health.UNKNOWN: "?", Health.HEALTHY: "h", Health.UNHEALTHY: "u"}
    seen = ""
    for result in results:
        streak.take(GOOD if result == "+" else BAD)
        seen += shown[streak.state]
    return seen


@pytest.mark.parametrize(
    ("results", "seen"),
    [
        ("++", "?h"),
        ("---", "??u"),
        ("++--+--+", "?hhhhhhh"),  # never three in a row
        ("++---", "?hhhu"),
        ("---+-+++", "??uuuuhh"),
    ],
)
def test_a_state_changes_after_so_many_results_in_a_row(results: str, seen: str) -> None:
    assert states(results) == seen


def test_of_an_unknown_target_results_that_differ_do_not_add_up() -> None:
    assert states("-+-+-") == "?????"


# Checking


class Lines:
    """Notices that are kept."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, message: str) -> None:
        self.said.append(f"info: {message}")

    def warning(self, message: str) -> None:
        self.said.append(f"warning: {message}")


class Rig:
    """Checks of a page with one block, whose requests get the answers of `ask`."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.page = Page(Layout(rows=1, targets=1))
        self.page.assign(["one"])
        self.lines = Lines()
        self.settings = "{interval_seconds: 0.001, timeout_seconds: 5, rise: 1, fall: 1}"
        self.desk = desk
        self.ask: Callable[[], int] = lambda: 200
        self.under_way = self.most = 0
        lock = threading.Lock()

        def get(attempt: Attempt, path: bytes) -> object:
            with lock:
                self.under_way += 1
                self.most = max(self.most, self.under_way)
            try:
                return SimpleNamespace(status=self.ask())
            finally:
                with lock:
                    self.under_way -= 1

        monkeypatch.setattr(Attempt, "get", get)
        self.checks = HealthChecks(self.page, self.lines)  # type: ignore[arg-type]

    def wanted(self, **changes: str) -> dict[str, Check]:
        return checks_of(model(self.desk, health=changes.get("health", self.settings)), ())

    @property
    def cells(self) -> memoryview:
        return self.page.control_target(self.page.block("one")).gauges

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.001)


@pytest.fixture
def rig(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(desk, monkeypatch)


def test_workers_are_told_until_a_time(rig: Rig) -> None:
    async def play() -> None:
        rig.checks.apply(rig.wanted())
        await rig.until(lambda: rig.cells[TargetGauge.HEALTH] == Health.HEALTHY)
        assert time.time() < rig.cells[TargetGauge.HEALTH_UNTIL] < time.time() + 60
        rig.ask = lambda: 503
        await rig.until(lambda: rig.cells[TargetGauge.HEALTH] == Health.UNHEALTHY)
        rig.checks.apply({})
        assert rig.cells[TargetGauge.HEALTH] == Health.UNKNOWN
        assert rig.checks.reports() == {}

    asyncio.run(play())
    assert rig.lines.said == [
        "info: target one: is healthy",
        "warning: target one: is unhealthy after 1 failed check: GET / is answered 503",
    ]


def test_why_there_is_no_answer_is_told(rig: Rig) -> None:
    def refuse() -> int:
        raise Failed(Cause("connection refused", "start it"))

    async def play() -> None:
        rig.ask = refuse
        rig.checks.apply(rig.wanted())
        await rig.until(lambda: rig.checks.reports()["one"].state is Health.UNHEALTHY)

    asyncio.run(play())
    assert rig.lines.said == [
        "warning: target one: is unhealthy after 1 failed check: connection refused (start it)"
    ]


def test_one_that_hangs_fails_and_is_not_asked_twice_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.control.health_checks.GRACE_SECONDS", 0.0)
    hangs = threading.Event()

    def hang() -> int:
        hangs.wait(10)
        return 200

    async def play() -> None:
        rig.ask = hang
        settings = "{interval_seconds: 0.001, timeout_seconds: 0.001, rise: 1, fall: 9}"
        rig.checks.apply(rig.wanted(health=settings))
        await rig.until(lambda: rig.checks.reports()["one"].state is Health.UNHEALTHY)
        assert "has not ended yet" in rig.checks.reports()["one"].fault
        hangs.set()
        await rig.until(lambda: rig.checks.reports()["one"].state is Health.HEALTHY)

    asyncio.run(play())
    assert rig.most == 1


def test_one_that_hangs_delays_no_other(
    rig: Rig, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()

    def get(attempt: Attempt, path: bytes) -> object:
        if attempt.target.name == "lakefs":
            hangs.wait(10)
        return SimpleNamespace(status=200)

    async def play() -> None:
        monkeypatch.setattr(Attempt, "get", get)
        both = desk.model(LAKEFS + TARGET.format("generic", f", health: {rig.settings}"))
        rig.checks.apply(checks_of(both, ("lakefs",)))
        await rig.until(lambda: rig.checks.reports()["one"].state is Health.HEALTHY)
        assert rig.checks.reports()["lakefs"].checked is None
        hangs.set()

    asyncio.run(play())


def test_a_reload_goes_on_with_what_it_did_not_change(rig: Rig) -> None:
    async def play() -> None:
        rig.checks.apply(rig.wanted())
        await rig.until(lambda: rig.checks.reports()["one"].state is Health.HEALTHY)
        rig.checks.apply(rig.wanted())
        assert rig.checks.reports()["one"].state is Health.HEALTHY
        rig.checks.apply(rig.wanted(health="{interval_seconds: 9}"))
        assert rig.checks.reports()["one"].state is Health.UNKNOWN

    asyncio.run(play())


def test_a_new_control_goes_on_with_the_state_of_the_last(rig: Rig) -> None:
    async def play() -> None:
        rig.cells[TargetGauge.HEALTH] = Health.UNHEALTHY
        rig.checks.apply(rig.wanted(health="{interval_seconds: 100}"), first=True)
        assert rig.checks.reports()["one"].state is Health.UNHEALTHY

    asyncio.run(play())


def test_of_a_target_that_shares_its_block_workers_are_told_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        rig.page = Page(Layout(rows=1, targets=0))
        rig.checks = HealthChecks(rig.page, rig.lines)  # type: ignore[arg-type]
        rig.checks.apply(rig.wanted())
        await rig.until(lambda: rig.checks.reports()["one"].state is Health.HEALTHY)
        assert not any(rig.page.control_target(0).gauges)

    asyncio.run(play())
