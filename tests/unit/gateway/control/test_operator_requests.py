"""What control answers an operator: the status, and targets disabled and enabled."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastpath.ipc.counters import BreakerState, Layout, Page, Slot, TargetGauge
from gateway.control.health_checks import Health, Report
from gateway.control.operator_requests import OperatorRequests
from gateway.control.snapshot_maker import Lifelong, Publication, read
from gateway.control.status import Known

TARGETS = ("lakefs", "s3")
TEXT = """
s3: {endpoint: "http://127.0.0.1:9000", access_key_id: AKID2, secret_access_key: hidden-2}
lakefs: {endpoint: "http://127.0.0.1:8000", access_key_id: AKID1, secret_access_key: hidden-1}
routing: {default_target: lakefs, rules: [{pattern: "a-*", target: s3}]}
"""


class Rig:
    """What control knows of two targets and one worker, its answers and its log."""

    def __init__(self, file: Path) -> None:
        file.write_text(TEXT)
        present = read({"config": str(file)}, Lifelong("mark", "", b"secret"), None)
        assert isinstance(present, Publication)
        self.page = Page(Layout(rows=2, targets=8))
        self.page.assign(TARGETS)
        row = self.page.row(self.page.acquire(41))
        row[Slot.WORKER], row[Slot.GENERATION], row[Slot.CONNECTIONS] = 0, 3, 7
        self.known = Known(1, str(file), 3, self.page, present, {})
        self.lines: list[str] = []

    def info(self, message: str) -> None:
        self.lines.append(f"info: {message}")

    def warning(self, message: str) -> None:
        self.lines.append(f"warning: {message}")

    def ask(self, command: str, target: object = None) -> dict[str, Any]:
        requests = OperatorRequests(
            lambda: self.known,
            self,  # type: ignore[arg-type]  # nothing that these ask for changes what runs
            self,  # type: ignore[arg-type]
        )
        asked = {"command": command, "target": target}
        answer = asyncio.run(requests.answer(asked, "the operator (uid 1000)"))
        found: dict[str, Any] = json.loads(json.dumps(answer))
        return found

    def target(self, name: str) -> dict[str, Any]:
        (found,) = [one for one in self.ask("status")["targets"] if one["name"] == name]
        return dict(found)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "gateway.yaml")


def test_the_status(rig: Rig) -> None:
    found = rig.ask("status")
    assert rig.known.present is not None
    assert (found["ok"], found["digest"]) == (True, rig.known.present.digest)
    assert found["workers"] == [
        {
            "worker": 0,
            "pid": 41,
            "generation": 3,
            "connections": 7,
            "requests": 0,
            "finished": 0,
            "errors_5xx": 0,
            "state": "starting",
            "lag_seconds": 0.0,
        }
    ]
    assert found["worker_exits"] == 0
    assert rig.target("s3") == {
        "name": "s3",
        "configured": True,
        "endpoint": "http://127.0.0.1:9000",
        "disabled": False,
        "can_be_disabled": True,
        "health": None,
        "breakers": [],
    }
    assert "hidden" not in json.dumps(found)


def test_a_generation_on_its_way(rig: Rig) -> None:
    assert rig.ask("status")["rolled_out"]
    rig.known = replace(rig.known, generation=4)
    assert not rig.ask("status")["rolled_out"]


def test_health_and_breakers(rig: Rig) -> None:
    cells = rig.page.target(1, rig.page.block("s3")).gauges
    cells[TargetGauge.BREAKER], cells[TargetGauge.BREAKER_SINCE] = BreakerState.OPEN, 1700000000
    rig.known = replace(rig.known, health={"s3": Report(Health.UNHEALTHY, 5.0, 6.0, "refused")})
    assert rig.target("s3")["breakers"] == [{"worker": 0, "state": "open", "since": 1700000000}]
    assert rig.target("s3")["health"] == {
        "state": "unhealthy",
        "since": 5.0,
        "checked": 6.0,
        "fault": "refused",
    }
    assert rig.target("lakefs")["breakers"] == []
    cells[TargetGauge.BREAKER] = BreakerState.HALF_OPEN
    assert rig.target("s3")["breakers"][0]["state"] == "half-open"


def test_disable_and_enable(rig: Rig) -> None:
    cells = rig.page.control_target(rig.page.block("s3")).gauges
    assert rig.ask("disable", "s3") == {
        "ok": True,
        "target": "s3",
        "disabled": True,
        "changed": True,
        "enabled_targets": ["lakefs"],
    }
    assert (cells[TargetGauge.DISABLED], rig.target("s3")["disabled"]) == (1, True)
    assert not rig.ask("disable", "s3")["changed"]
    assert rig.ask("enable", "s3")["changed"]
    assert (cells[TargetGauge.DISABLED], rig.target("s3")["disabled"]) == (0, False)
    assert rig.lines == [
        "warning: target s3: is disabled by the operator (uid 1000) until `s3gateway enable s3` or "
        "a restart of the gateway",
        "info: target s3: is enabled again by the operator (uid 1000)",
    ]


def test_the_last_one_is_disabled_with_a_word_about_it(rig: Rig) -> None:
    rig.ask("disable", "s3")
    assert rig.ask("disable", "lakefs")["enabled_targets"] == []
    assert rig.lines[-1].endswith("; no target is enabled now")


def test_a_name_that_is_not_known(rig: Rig) -> None:
    answer = rig.ask("disable", "lakfs")
    assert answer == {
        "ok": False,
        "error": "'lakfs' is no target that is in use",
        "remedy": "did you mean lakefs?",
    }
    assert not any(rig.page.control_target(0).gauges)


def test_one_without_a_block_cannot_be_disabled(rig: Rig) -> None:
    rig.page = Page(Layout(rows=1, targets=1))
    rig.page.assign(["lakefs"])
    rig.known = replace(rig.known, page=rig.page)
    answer = rig.ask("disable", "s3")
    assert not answer["ok"]
    assert "target s3 has no counters of its own" in answer["error"]
    assert not rig.target("s3")["can_be_disabled"]
    assert not any(rig.page.control_target(0).gauges)


def test_a_target_that_left_disabled_is_shown_and_can_be_enabled(rig: Rig) -> None:
    rig.page.assign(["gone", "gone-too"])
    gone = rig.page.control_target(rig.page.block("gone")).gauges
    gone[TargetGauge.DISABLED] = 1
    assert (rig.target("gone")["configured"], rig.target("gone")["disabled"]) == (False, True)
    assert not rig.ask("disable", "gone-too")["ok"]  # it is in no use, and not disabled
    assert rig.ask("enable", "gone")["changed"]
    assert [one["name"] for one in rig.ask("status")["targets"]] == [*TARGETS]


def test_before_anything_is_loaded(rig: Rig) -> None:
    rig.known = replace(rig.known, page=None, present=None, generation=0)
    found = rig.ask("status")
    assert (found["digest"], found["workers"], found["targets"]) == (None, [], [])
    assert rig.ask("disable", "s3")["error"] == "the gateway is starting"


def test_a_request_that_is_not_understood(rig: Rig) -> None:
    for command, target in (("restart", None), ("disable", None), ("enable", ["s3"])):
        assert rig.ask(command, target)["error"] == "the request is not understood"
