"""Checks whether targets answer, off the path of requests, and tells the workers.

    wait --> thread: one unsigned GET --> result --> `rise` or `fall` of them in a row? --> gauge

A result that differs from the state is counted; so many in a row change the state, which is a cell
of control's row that workers read (`TargetGauge.HEALTH`), and a line of the log.

Rules: never more than one check of a target is under way, and each has a thread of its own, so that
one that hangs, in a name lookup say, delays no other; a check that does not end in time has failed;
a reload starts anew only what it changed; after a restart of control the states go on, and expire
if control does not come back; of a target without a block of its own the workers are told nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from fastpath.ipc.cells import TargetCounter
from fastpath.ipc.counters import Health, Page, TargetGauge
from fastpath.routing.snapshot import Target, load_snapshot
from gateway.config.compile import compile_snapshot
from gateway.config.schema import OFF, Config
from gateway.config.schema import Health as Settings
from gateway.connect.attempt import Attempt, Failed
from gateway.supervisor.notices import Notices, plural

# Checks of many targets, and of many gateways, must not come at the same moment for ever.
JITTER: Final = 0.1
# The first check comes soon, but those of all targets not at once.
FIRST_SECONDS: Final = 1.0
# What was found counts for so many intervals: one check, and one that fails, may be late.
EXPIRY_INTERVALS: Final = 3
# A thread that meets its own deadline says more than one that is not waited for any longer.
GRACE_SECONDS: Final = 1.0

_LAKEFS: Final = "lakefs"
_LAKEFS_PATH: Final = "/_health"


@dataclass(frozen=True, slots=True)
class Check:
    """How a target is checked. Equal checks need not be started anew."""

    target: Target
    settings: Settings

    @property
    def path(self) -> str:
        return self.settings.path or (_LAKEFS_PATH if self._is_lakefs else "/")

    @property
    def expiry_seconds(self) -> float:
        """For how long a result counts."""
        settings = self.settings
        longest = settings.timeout_seconds + GRACE_SECONDS
        return EXPIRY_INTERVALS * settings.interval_seconds * (1 + JITTER) + longest

    @property
    def _is_lakefs(self) -> bool:
        return self.target.profile.name == _LAKEFS

    def fault(self, status: int) -> str:
        """Returns what is wrong with an answer; empty if it shows that the target is well."""
        if self.settings.path is not None:
            return "" if 200 <= status < 300 else f"GET {self.path} is answered {status}, not 2xx"
        if self._is_lakefs:
            return "" if status == 200 else f"GET {self.path} is answered {status}, not 200"
        return "" if status < 500 else f"GET {self.path} is answered {status}"


def chained_targets(model: Config) -> frozenset[str]:
    """Returns the targets that are part of a chain; they are checked without being asked for."""
    routing = model.routing
    found = set(routing.custom_reads)
    if routing.fallback:
        found |= {routing.default_target, *routing.fallback}
    for rule in model.rules:
        if rule.fallback or rule.conditions is not None:
            found |= {rule.target, *rule.fallback}
    return frozenset(found)


def checks_of(model: Config, chained: Collection[str]) -> dict[str, Check]:
    """Returns the checks of a configuration, by target; its rules may be left out of it."""
    wanted = {}
    for name, target in model.targets.items():
        settings = target.health
        if settings is None and name in chained:
            settings = Settings()
        if settings is not None and settings != OFF:
            wanted[name] = settings
    if not wanted:
        return {}
    bare = model.without_rules()
    targets = load_snapshot(0, {"instance": "", **compile_snapshot(bare, {})}).targets
    return {name: Check(targets[name], settings) for name, settings in wanted.items()}


class Streak:
    """The state of one target, and the results in a row that speak against it."""

    def __init__(self, settings: Settings, state: Health) -> None:
        self._settings = settings
        self.state = state
        self._against = 0
        self._last = state  # what the last result said

    def take(self, fault: str) -> bool:
        """Counts a result, empty if it is good; returns whether it changes the state."""
        said = Health.UNHEALTHY if fault else Health.HEALTHY
        in_a_row = said is self._last
        self._last = said
        self._against = 0 if said is self.state else self._against + 1 if in_a_row else 1
        needed = self._settings.fall if fault else self._settings.rise
        if self._against < needed:
            return False
        self.state, self._against = said, 0
        return True


@dataclass(slots=True)
class Report:
    """What is known of a target that is checked; `since` and `checked` are in epoch seconds."""

    state: Health
    since: float | None = None  # None: from before this control process, or unknown
    checked: float | None = None
    fault: str = ""  # of the last check

    def as_dict(self) -> dict[str, object]:
        """The form of `status`."""
        return {
            "state": self.state.name.lower(),
            "since": self.since,
            "checked": self.checked,
            "fault": self.fault,
        }


class HealthChecks:
    """The checks of one control process."""

    def __init__(self, page: Page, notices: Notices) -> None:
        self._page = page
        self._notices = notices
        self._running: dict[str, _Running] = {}
        self._under_way: set[str] = set()  # targets whose last check has not ended

    def apply(self, wanted: Mapping[str, Check], *, first: bool = False) -> None:
        """Checks these targets from now on, and no others.

        first: this control process has checked nothing, so the states are those of the one before.
        """
        for name in [name for name in self._running if name not in wanted]:
            self._stop(name)
        for name, check in wanted.items():
            running = self._running.get(name)
            if running is not None and running.check == check:
                continue
            if running is not None:
                self._stop(name)
            state = self._read(name) if first else Health.UNKNOWN
            self._start(name, check, state)

    def reports(self) -> Mapping[str, Report]:
        """Returns what is known of each target that is checked."""
        return {name: running.report for name, running in self._running.items()}

    def _start(self, name: str, check: Check, state: Health) -> None:
        running = _Running(check, Streak(check.settings, state), Report(state))
        running.task = asyncio.get_running_loop().create_task(self._keep_checking(name, running))
        self._running[name] = running

    def _stop(self, name: str) -> None:
        running = self._running.pop(name)
        if running.task is not None:
            running.task.cancel()
        self._write(name, Health.UNKNOWN, 0.0)

    async def _keep_checking(self, name: str, running: _Running) -> None:
        interval = running.check.settings.interval_seconds
        await asyncio.sleep(random.uniform(0.0, min(interval, FIRST_SECONDS)))
        while True:
            began = time.monotonic()
            self._take(name, running, await self._check(name, running))
            pause = interval * random.uniform(1.0 - JITTER, 1.0 + JITTER)
            await asyncio.sleep(max(0.0, began + pause - time.monotonic()))

    # One check

    async def _check(self, name: str, running: _Running) -> str:
        """Returns what is wrong with the target; empty: nothing."""
        if name in self._under_way:
            return "the last check has not ended yet: look at the DNS"
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()

        def tell(fault: str) -> None:
            self._under_way.discard(name)
            if not future.done():
                future.set_result(fault)

        def run() -> None:
            fault = running.ask()
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(tell, fault)

        threading.Thread(target=run, name=f"health {name}", daemon=True).start()
        self._under_way.add(name)
        seconds = running.check.settings.timeout_seconds
        try:
            async with asyncio.timeout(
                seconds + GRACE_SECONDS
            ):  # `wait_for` may lose a cancellation
                return await future
        except TimeoutError:
            return f"no answer within {seconds:g} seconds"

    def _take(self, name: str, running: _Running, fault: str) -> None:
        report, before = running.report, running.streak.state
        report.checked, report.fault = time.time(), fault
        self._count(name, fault)
        changed = running.streak.take(fault)
        report.state = running.streak.state
        self._write(name, report.state, report.checked + running.check.expiry_seconds)
        if not changed:
            return
        report.since = report.checked
        settings = running.check.settings
        if fault:
            checks = plural(settings.fall, "failed check")
            self._notices.warning(f"target {name}: is unhealthy after {checks}: {fault}")
        elif before is Health.UNHEALTHY:
            checks = plural(settings.rise, "good check")
            self._notices.info(f"target {name}: is healthy again after {checks}")
        else:
            self._notices.info(f"target {name}: is healthy")

    # The cells

    def _count(self, name: str, fault: str) -> None:
        if block := self._page.block(name):
            counter = TargetCounter.CHECKS_FAILED if fault else TargetCounter.CHECKS_GOOD
            self._page.control_target(block).counters[counter] += 1

    def _read(self, name: str) -> Health:
        block = self._page.block(name)
        if not block:
            return Health.UNKNOWN
        value = self._page.control_target(block).gauges[TargetGauge.HEALTH]
        return Health(value) if value in tuple(Health) else Health.UNKNOWN

    def _write(self, name: str, state: Health, until: float) -> None:
        """Tells the workers, until this time (epoch seconds)."""
        if block := self._page.block(name):
            cells = self._page.control_target(block).gauges
            cells[TargetGauge.HEALTH_UNTIL] = math.ceil(until)
            cells[TargetGauge.HEALTH] = state


@dataclass(slots=True)
class _Running:
    """A target that is checked."""

    check: Check
    streak: Streak
    report: Report
    task: asyncio.Task[None] | None = None
    _attempt: Attempt | None = field(default=None, repr=False)  # which keeps its TLS context

    def ask(self) -> str:
        """Sends one request and waits for the answer; in a thread of its own. Never raises."""
        deadline = time.monotonic() + self.check.settings.timeout_seconds
        try:
            if self._attempt is None:
                self._attempt = Attempt(self.check.target, deadline)
            self._attempt.deadline = deadline
            return self.check.fault(self._attempt.get(self.check.path.encode()).status)
        except Failed as failed:
            return str(failed)
        except Exception as fault:  # a defect here must not end control
            return f"could not be checked: {type(fault).__name__}"


__all__ = ["Check", "HealthChecks", "Report", "Streak", "chained_targets", "checks_of"]
