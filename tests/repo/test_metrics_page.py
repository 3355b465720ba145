"""docs/metrics.md names every family of the metrics, and docs/operations.md answers every alert."""

from __future__ import annotations

import json
import os
import re

import yaml

from fastpath.ipc.counters import Layout, Page, Slot
from gateway.control.status import Known
from gateway.metrics.exposition import Exposition
from tests.repo.tree import ROOT

FILES = ROOT / "helm" / "s3gateway" / "files"


def test_the_page_names_every_family_and_its_labels() -> None:
    page = Page(Layout(rows=1, targets=1))
    page.assign(["a"])
    row = page.row(page.acquire(os.getpid()))
    row[Slot.WORKER] = 0
    known = Known(os.getpid(), "", 1, page, None, {})
    families = {
        family.name.removeprefix("s3gateway_")
        + {"counter": "_total", "info": "_info"}.get(family.kind, "")
        for family in Exposition(lambda: known).families()
    }
    named: set[str] = set()
    for line in (ROOT / "docs" / "metrics.md").read_text().splitlines():
        if line.startswith("| `"):
            named |= set(re.findall(r"`(\w+)`", line.split("|")[1]))
    assert named - families == {"config_info"}  # there is no configuration here
    assert families - named == set()


def test_each_alert_says_what_to_do() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    titles = {title.lower() for title in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    anchors = []
    for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["summary"]
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            page_of, _, anchor = rule["annotations"]["runbook_url"].partition("#")
            assert page_of == "docs/operations.md"
            assert anchor == rule["alert"].lower()
            anchors.append(anchor)
    assert len(set(anchors)) == len(anchors)
    assert set(anchors) <= titles


def test_the_dashboard_has_its_rows_and_asks_for_its_data_source() -> None:
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows == [
        "Traffic",
        "Latency",
        "Errors by source",
        "Pools and breakers",
        "Workers",
        "Reloads",
    ]
    assert dashboard["uid"] == "s3gateway"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    plots = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in plots} == {"${datasource}"}
