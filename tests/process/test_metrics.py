"""An operator watches a gateway by its metrics: they say the truth, whatever happens to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles.scrape import Sample, Scrape, matches, selectors
from tests.doubles.target import Fault, Target
from tests.process.harness import Gateway, open_config, wait_until

FILES = Path(__file__).parents[2] / "helm" / "s3gateway" / "files"


@dataclass(slots=True)
class Watched:
    """A gateway, its targets, and how many requests were sent to it."""

    gateway: Gateway
    main: Target
    second: Target
    admin: str
    config: dict[str, Any]
    sent: int = 0

    def ask(self, path: str, body: bytes | None = None, times: int = 1) -> None:
        for _ in range(times):
            self.sent += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.gateway.request("PUT" if body else "GET", path, body)

    def scrape(self) -> Scrape:
        return Scrape(self.admin)

    def settled(self) -> Scrape:
        """A scrape in which each request has ended, has its line, and was swept into the page.

        It is the one after that which says so: a scrape reads the page while workers write there.
        """

        def look() -> Scrape | None:
            try:
                found = self.scrape()
            except OSError:  # control is being replaced
                return None
            calls = found.sum("calls_total")
            lines = found.sum("access_log_lines_total")
            ended = found.sum("requests_total") + found.sum("requests_of_removed_targets")
            is_told = lines == ended + calls and found.sum("identity_requests_total") == ended
            return self.scrape() if is_told and not found.sum("requests_in_flight") else None

        return wait_until(look, "every request has ended and has its line", 20)

    def lines(self) -> int:
        return len(list(self.gateway.access_lines("access.log")))

    @contextlib.contextmanager
    def in_flight(self, count: int) -> Iterator[None]:
        """Requests that wait for the target."""
        threads = [threading.Thread(target=self.ask, args=("/bucket/key",)) for _ in range(count)]
        with self.main.holding():
            for thread in threads:
                thread.start()
            self.main.wait_for_held(count)
            yield
        for thread in threads:
            thread.join(30)


@pytest.fixture
def watched() -> Iterator[Watched]:
    with Target() as main, Target() as second:
        main.objects["/bucket/key"] = b"0123456789" * 100
        config: dict[str, Any] = open_config(main.url)
        check = {"interval_seconds": 1, "timeout_seconds": 1}
        config["targets"]["second"] = {
            **config["targets"]["main"],
            "endpoint": second.url,
            "health": check,
        }
        config["routing"]["rules"] = [{"pattern": "other-*", "target": "second"}]
        with Gateway.start(
            config, admin="127.0.0.1:0", access_log="access.log", log_format="json"
        ) as gateway:
            gateway.expected_files.add("access.log")
            admin = gateway.wait_for_log(r"admin plane on (http://[0-9.:]+)")[1]
            yield Watched(gateway, main, second, admin, config)


def _expressions() -> Iterator[tuple[str, str]]:
    """Where an expression of PromQL is, and what it says."""
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for note in dashboard["annotations"]["list"]:
        yield note["name"], note["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"]["query"]
    for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def test_every_selector_of_the_dashboard_and_the_alerts_picks_a_series(watched: Watched) -> None:
    """After a reload, some traffic, and a target that fails."""
    watched.ask("/bucket/key", times=3)
    watched.ask("/other-b/none")
    watched.second.fault = Fault.REFUSE
    watched.ask("/other-b/key", times=2)
    watched.gateway.signal(signal.SIGHUP)

    def reloaded() -> list[Sample] | None:
        found = watched.scrape()
        is_there = found.sum("config_reloads_total", result="ok")
        is_known = any(one.name == "s3gateway_target_up" for one in found.samples)
        return found.samples if is_there and is_known else None

    samples = wait_until(reloaded, "the reload is counted, and the health known", 20)
    expressions = list(_expressions())
    assert len(expressions) > 50
    dead = [
        f"{where}: {selector}"
        for where, expression in expressions
        for selector in selectors(expression)
        if not matches(selector, samples)
    ]
    assert not dead
    assert all(list(selectors(expression)) for _, expression in expressions)


def test_a_selector_that_picks_nothing_is_seen() -> None:
    """The test above can fail."""
    samples = [Sample("s3gateway_a_total", {"target": "x"}, 1.0)]
    name = "s3gateway_a_total"
    picked = [name, name + '{target="x"}', name + '{job=~"$job"}']
    not_picked = ["s3gateway_b_total", name + '{target!="x"}', name + '{y="z"}']
    assert [matches(one, samples) for one in picked + not_picked] == [True] * 3 + [False] * 3


def test_requests_that_clients_sent_are_those_of_the_metrics_and_of_the_log(
    watched: Watched,
) -> None:
    """A7: across a reload without a target, a drained and a killed worker, a killed control."""
    watched.ask("/bucket/key", times=5)
    watched.ask("/other-b/key", times=4)
    watched.ask("/x", times=2)
    watched.ask("/bucket/new", b"12345")
    found = watched.settled()
    assert found.sum("requests_total") == watched.sent == watched.lines() == 12
    assert found.sum("requests_total", target="(none)", code="4xx") == 2
    assert found.sum("request_bytes_total") == 5
    assert found.sum("time_to_first_byte_seconds_count", target="main") == 6

    config = {**watched.config, "targets": {"main": watched.config["targets"]["main"]}}
    config["routing"] = {"default_target": "main"}
    watched.gateway.write_config(config)
    watched.gateway.signal(signal.SIGHUP)

    def vanished() -> bool:
        return not watched.scrape().sum("requests_total", target="second")

    wait_until(vanished, "the series of the target are gone", 20)
    watched.ask("/bucket/key", times=3)
    found = watched.settled()
    assert found.sum("requests_of_removed_targets") == 4
    assert found.accounted == found.sum("requests_started_total") == watched.sent

    pid = watched.gateway.kill_worker(0, signal.SIGTERM)  # drains
    watched.gateway.wait_for_log(rf"\(pid {pid}\) exited")
    wait_until(lambda: len(watched.gateway.worker_pids()) == 2, "both workers are there")
    watched.ask("/bucket/key", times=4)
    control = watched.gateway.control_pid()
    watched.settled()
    os.kill(control, signal.SIGKILL)
    watched.gateway.wait_for_log(rf"control \(pid {control}\) killed by")
    watched.ask("/bucket/key", times=2)
    found = watched.settled()
    assert found.sum("control_restarts_total") == 1
    assert found.sum("worker_restarts_total", reason="exited") == 1
    assert found.accounted == found.sum("requests_started_total") == watched.sent == watched.lines()


def test_requests_that_end_with_their_worker_are_lost_and_nothing_else_is(
    watched: Watched,
) -> None:
    """A7: a worker is killed with requests in flight; what it had counted stays."""
    watched.ask("/bucket/key", times=6)
    watched.settled()
    with watched.in_flight(4):
        wait_until(lambda: watched.scrape().sum("requests_in_flight") == 4, "four run")
        for index in range(2):
            pid = watched.gateway.kill_worker(index, signal.SIGKILL)
            watched.gateway.wait_for_log(rf"\(pid {pid}\) killed by")
    wait_until(lambda: len(watched.gateway.worker_pids()) == 2, "both workers are there")
    watched.ask("/bucket/key", times=2)
    found = watched.settled()
    assert found.sum("requests_lost_total") == 4
    assert found.sum("requests_total") == watched.lines() == watched.sent - 4
    assert found.sum("identity_requests_total") == watched.sent - 4
    assert found.accounted == found.sum("requests_started_total") == watched.sent
    assert found.sum("worker_restarts_total", reason="killed") == 2


def test_what_a_monitor_sums_up(watched: Watched) -> None:
    watched.ask("/bucket/key", times=3)
    watched.ask("/x")
    watched.settled()
    connection = http.client.HTTPConnection(watched.admin.removeprefix("http://"), timeout=10)
    connection.request("GET", "/api/stats")
    found = json.loads(connection.getresponse().read())
    connection.close()
    assert (found["total_requests"], found["successful_requests"]) == (4, 3)
    assert found["failed_requests"] == 1
    assert found["routing_distribution"] == {"main": 3, "(none)": 1}
    assert 0 < found["average_response_time"] < 5
    assert 0 < found["uptime"] < 600


def _held(pid: int) -> tuple[int, int]:
    """The memory of a process that is no other's, in KiB, and its descriptors."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    private = sum(int(size) for size in re.findall(r"^Private_\w+: +(\d+) kB", text, re.MULTILINE))
    return private, len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ten_thousand_scrapes_leak_nothing(watched: Watched) -> None:
    watched.ask("/bucket/key", times=20)
    address = watched.admin.removeprefix("http://")
    control = watched.gateway.control_pid()

    def scrape(times: int) -> tuple[int, int]:
        for number in range(times):
            if not number % 100:  # some of them by connections of their own
                connection = http.client.HTTPConnection(address, timeout=20)
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            assert answer.status == 200
            assert answer.read()
            if number % 100 == 99:
                connection.close()
        return _held(control)

    before, descriptors = scrape(1000)  # what is made once, is made by then
    after, descriptors_after = scrape(10_000)
    assert descriptors_after <= descriptors + 2
    assert after - before < 2048  # KiB: 0.2 of each scrape would be as much
