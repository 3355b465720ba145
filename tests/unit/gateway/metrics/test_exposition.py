"""The metrics: written as prometheus_client does, true to the page, bounded in every label."""

from __future__ import annotations

import gc
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from fastpath.errors import ANONYMOUS, INTERNAL_ERROR, SERVICE_UNAVAILABLE
from fastpath.ipc.cells import CLASSES
from fastpath.ipc.counters import Layout, Page, Slot, WorkerCells, WorkerPhase
from fastpath.ipc.meter import Meter
from gateway.control.snapshot_maker import Lifelong, Publication, read
from gateway.control.status import Known
from gateway.metrics.exposition import Exposition
from gateway.metrics.stats import stats

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
CONFIG = """
targets:
  one: {{endpoint: "http://127.0.0.1:9001", access_key_id: A1, secret_access_key: s1}}
  {two}: {{endpoint: "http://127.0.0.1:9002", access_key_id: A2, secret_access_key: s2}}
routing: {{default_target: one}}
"""
# They change with the clock, whoever writes them.
OF_THE_MOMENT = ("s3gateway_heartbeat_age", "s3gateway_process_")


def publication(file: Path, two: str = "two") -> Publication:
    file.write_text(CONFIG.format(two=two))
    present = read({"config": str(file)}, Lifelong("mark", "", b"secret"), None)
    assert isinstance(present, Publication)
    return present


class Bench:
    """A page that workers have counted in, and its metrics."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.page = Page(Layout(rows=2, targets=3, identities=1))
        self.page.assign(["one", "two"])
        self.page.assign_identities(["one"])
        self.known = Known(os.getpid(), str(file), 3, self.page, publication(file), {})
        self.exposition = Exposition(lambda: self.known)
        self.rows = [self.page.acquire(os.getpid()), self.page.acquire(os.getpid())]
        self.meters = []
        for index, number in enumerate(self.rows):
            row = self.page.row(number)
            row[Slot.WORKER], row[Slot.GENERATION] = index, 3
            row[Slot.STATE] = WorkerPhase.SERVING
            meter = Meter(WorkerCells(self.page, number))
            meter.install(["one", "two"], ["one"])
            self.meters.append(meter)

    def ends(self, worker: int, target: str, status: int = 200, action: str = "read") -> None:
        row = self.page.row(self.rows[worker])
        row[Slot.STARTED] += 1
        row[Slot.REQUESTS] += 1
        meter = self.meters[worker]
        meter.request_ended(target, action, "one", status, 10, 20, 1.0, 1.25, 1.5)
        meter.flush()

    def samples(self, accept: str = "") -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        """The values by name and labels, as a scrape sees them."""
        body, _ = self.exposition.render(accept)
        found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                labels = tuple(sorted(sample.labels.items()))
                found.setdefault(sample.name, {})[labels] = sample.value
        return found

    def value(self, name: str, **labels: str) -> float:
        return self.samples()[f"s3gateway_{name}"][tuple(sorted(labels.items()))]

    def sum(self, name: str) -> float:
        return sum(self.samples().get(f"s3gateway_{name}", {}).values())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "c.yaml")
    for worker, target, status in ((0, "one", 200), (1, "one", 404), (1, "two", 503), (0, "", 403)):
        bench.ends(worker, target, status)
    bench.ends(0, "one", 0, "write")
    return bench


def _still(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(OF_THE_MOMENT)]


@pytest.mark.parametrize("accept", ["", "text/plain; version=0.0.4", OPENMETRICS])
def test_it_is_written_as_prometheus_client_writes_it(bench: Bench, accept: str) -> None:
    """Byte for byte, with numbers of every size."""
    meter = bench.meters[0]
    for size in (1, 999_999, 1_000_000, 1_234_567, 2**40 + 1):
        meter.call_ended("two", size, 7 * size, failed=True)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(bench.exposition)
    encoder, media_type = choose_encoder(accept)
    body, own_type = bench.exposition.render(accept)
    assert own_type == media_type
    assert _still(body.decode()) == _still(encoder(registry).decode())


def test_openmetrics_is_valid(bench: Bench) -> None:
    body, _ = bench.exposition.render(OPENMETRICS)
    names = {family.name for family in parse_openmetrics(body.decode())}
    assert {"s3gateway_requests", "s3gateway_request_duration_seconds"} <= names


def test_requests_have_their_target_class_and_status(bench: Bench) -> None:
    requests = bench.samples()["s3gateway_requests_total"]
    assert {labels: value for labels, value in requests.items() if value} == {
        (("code", code), ("operation", action), ("target", target)): 1.0
        for code, action, target in (
            ("2xx", "read", "one"),
            ("4xx", "read", "one"),
            ("none", "write", "one"),
            ("5xx", "read", "two"),
            ("4xx", "read", "(none)"),
        )
    }
    assert bench.value("response_bytes_total", operation="read", target="one") == 40
    of_writes = {"operation": "write", "target": "one"}
    assert bench.value("request_duration_seconds_count", **of_writes) == 1
    assert bench.value("time_to_first_byte_seconds_count", **of_writes) == 0
    of_reads = {"operation": "read", "target": "one"}
    assert bench.value("request_duration_seconds_sum", **of_reads) == 1.0
    assert bench.value("time_to_first_byte_seconds_sum", **of_reads) == 0.5
    assert bench.value("request_duration_seconds_bucket", le="0.2", **of_reads) == 0
    assert bench.value("request_duration_seconds_bucket", le="0.5", **of_reads) == 2


def accounts(bench: Bench) -> bool:
    ended = bench.sum("requests_total") + bench.sum("requests_of_removed_targets")
    rest = bench.sum("requests_in_flight") + bench.sum("requests_lost_total")
    return bench.sum("requests_started_total") == ended + rest


def test_every_request_is_in_one_series(bench: Bench) -> None:
    """A7: whatever ran, ended, was lost with its worker or was killed while it was counted."""
    row = bench.page.row(bench.rows[1])
    row[Slot.STARTED] += 3
    assert bench.sum("requests_in_flight") == 3
    assert accounts(bench)
    bench.meters[1].request_ended("two", "list", "one", 200, 0, 0, 1.0, 0.0, 1.0)  # and then killed
    bench.page.retire(bench.rows[1])
    assert accounts(bench)
    assert bench.sum("requests_lost_total") == 2
    assert bench.sum("requests_total") == bench.sum("identity_requests_total") == 6


def test_series_of_a_target_that_left_vanish_and_the_account_holds(bench: Bench) -> None:
    """Its block stays: it has the same counts when it comes back."""
    before = bench.samples()
    bench.page.assign(["three"])
    bench.known = replace(bench.known, present=publication(bench.file, "three"))
    labels = {label for series in bench.samples().values() for of in series for label in of}
    assert ("target", "two") not in labels
    assert ("target", "three") in labels
    assert bench.value("requests_of_removed_targets") == 1
    assert accounts(bench)
    bench.known = replace(bench.known, present=publication(bench.file))
    assert bench.samples()["s3gateway_requests_total"] == before["s3gateway_requests_total"]


def test_errors_have_a_source(bench: Bench) -> None:
    for kind in (ANONYMOUS, SERVICE_UNAVAILABLE):
        bench.meters[0].refused(kind)  # of the 403 without a target, and of the 503
    bench.meters[1].refused(INTERNAL_ERROR)
    bench.ends(1, "one", 500)
    errors = bench.samples()["s3gateway_errors_total"]
    named = {(labels[1][1], labels[0][1]): value for labels, value in errors.items()}
    assert named == {
        ("client", "AccessDenied"): 1,
        ("target", "ServiceUnavailable"): 1,
        ("gateway", "InternalError"): 1,
        ("target", "relayed_4xx"): 1,
        ("target", "relayed_5xx"): 0,
    }
    assert bench.value("auth_rejections_total", reason="unsigned") == 1


def test_relayed_errors_never_fall(bench: Bench) -> None:
    """Not while a refused request has not ended, and not when the target leaves."""

    def relayed() -> list[float]:
        codes = ("relayed_4xx", "relayed_5xx")
        return [bench.value("errors_total", source="target", code=code) for code in codes]

    bench.meters[0].refused(ANONYMOUS)  # the 403 without a target
    assert relayed() == [1, 1]
    for kind in (ANONYMOUS, SERVICE_UNAVAILABLE):
        bench.meters[0].refused(kind)
    assert relayed() == [1, 1]
    bench.ends(0, "", 403)
    bench.ends(0, "", 503)
    bench.ends(0, "two", 503)
    assert relayed() == [1, 2]
    bench.known = replace(bench.known, present=publication(bench.file, "three"))
    assert relayed() == [1, 2]
    bench.exposition = Exposition(lambda: bench.known)  # of a control that replaces another
    assert relayed() == [1, 2]


def test_every_label_is_a_name_of_the_configuration_or_of_a_closed_list(bench: Bench) -> None:
    bench.meters[0].request_ended("one", "read", "?AKIDGUESSED", 403, 0, 0, 1.0, 0.0, 1.0)
    bench.meters[0].flush()
    body, _ = bench.exposition.render("")
    assert "AKID" not in body.decode()
    seen: dict[str, set[str]] = {}
    for series in bench.samples().values():
        for labels in series:
            for name, value in labels:
                seen.setdefault(name, set()).add(value)
    assert seen["target"] == {"one", "two", "s3", "lakefs", "(none)", "(other)"} & seen["target"]
    assert seen["operation"] <= {*CLASSES}
    assert seen["identity"] <= {"one", "two", "(unverified)", "(anonymous)", "(other)"}


def test_control_that_has_loaded_nothing_yet_shows_what_there_is(bench: Bench) -> None:
    """A control process that replaces another has the page before the configuration."""
    bench.known = replace(bench.known, present=None)
    assert bench.sum("requests_total") == 5
    bench.known = replace(bench.known, page=None)
    assert bench.exposition.render("")[0] == b""
    assert bench.exposition.render(OPENMETRICS)[0] == b"# EOF\n"


def test_scrapes_keep_nothing(bench: Bench) -> None:
    def kept() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        for _ in range(50):
            bench.exposition.render("")
        before = kept()
        for _ in range(200):
            bench.exposition.render("")
        assert kept() - before < 20_000
    finally:
        tracemalloc.stop()


def test_sums_for_a_monitor(bench: Bench) -> None:
    bench.page.row(bench.rows[0])[Slot.BROKEN_OFF] = 1
    found = stats(bench.known)
    assert found["total_requests"] == 5
    assert (found["successful_requests"], found["failed_requests"]) == (0, 5)
    assert found["average_response_time"] == 0.5
    assert found["routing_distribution"] == {"one": 3, "two": 1, "(none)": 1}
    bench.known = replace(bench.known, present=publication(bench.file, "three"))
    left = stats(bench.known)  # sums since the start do not fall when a target leaves
    assert left["total_requests"] == 5
    assert left["routing_distribution"] == {"one": 3, "(none)": 1, "(removed)": 1}
    empty = stats(replace(bench.known, page=None))
    assert empty.keys() >= {"total_requests", "routing_distribution", "average_response_time"}
    assert empty["total_requests"] == 0
