"""The chart's files agree: values, templates, schema, README, versions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

import gateway
from helm.generate import made
from helm.values import CHART, UndescribedError, read
from loadtest.load import settings, shapes
from tests.packaging.helm import template
from tests.repo.tree import ROOT

USED = re.compile(r"(?:\.Values|\$v)\.([A-Za-z]+(?:\.[A-Za-z]+)*)")


def used(*names: str) -> set[str]:
    """Dotted paths of values in templates."""
    return {
        path
        for file in (CHART / "templates").rglob("*")
        if file.is_file() and file.name not in names
        for path in USED.findall(file.read_text())
    }


def test_every_value_that_a_template_uses_exists() -> None:
    leaves = {value.name for value in read()}
    sections = {name[:index] for name in leaves for index, c in enumerate(name) if c == "."}
    known = leaves | sections
    # `.enabled` of a part that a loop has, and keys of maps.
    assert {path for path in used() if path not in known} == set()


def test_every_value_is_used() -> None:
    """By a template that makes something; to refuse a value is no use."""
    assert {value.name for value in read()} - used("_check.tpl") == set()


def test_the_schema_and_the_readme_are_current() -> None:
    stale = [path.name for path, text in made().items() if path.read_text() != text]
    assert stale == [], "python -m helm.generate"


@pytest.mark.parametrize("name", ["minimal", "lakefs-fallback"])
def test_the_guide_shows_the_values_that_are_tested(name: str) -> None:
    guide = (ROOT / "docs" / "kubernetes.md").read_text()
    shown = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)]
    assert yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text()) in shown


def test_the_load_test_s_values_are_those_of_the_load_tests() -> None:
    known = {value.name: value.schema for value in read()}
    locustfile = (ROOT / "loadtest" / "load" / "locustfile.py").read_text()
    (listed,) = re.findall(r"__all__ = \[(.*?)\]", locustfile, re.DOTALL)
    assert set(known["loadTest.classes"]["items"]["enum"]) == set(re.findall(r'"(\w+)"', listed))
    assert tuple(known["loadTest.shape"]["enum"]) == shapes.NAMES
    assert known["loadTest.users"]["maximum"] == settings.MAX_USERS
    assert known["loadTest.seconds"]["maximum"] == settings.MAX_SECONDS


def test_the_guide_shows_what_helm_says() -> None:
    guide = (ROOT / "docs" / "kubernetes.md").read_text()
    (line,) = re.findall(r"^- at '/config/.*$", guide, re.MULTILINE)
    wrong = "config.targets.store.pool.connections=1"
    minimal = CHART / "ci" / "minimal-values.yaml"
    assert line in template("--values", minimal, "--set", wrong).stderr.splitlines()


def test_the_application_is_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == gateway.__version__


def test_a_value_without_a_description_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("# -- one\na: 1\n# no description\nb: 2\n")
    with pytest.raises(UndescribedError, match=r"values.yaml:4: b"):
        read(tmp_path)


def test_the_alerts_and_the_dashboard_are_what_the_templates_take_them_for() -> None:
    assert list(yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())) == ["groups"]
    assert isinstance(json.loads((CHART / "files" / "dashboard.json").read_text()), dict)
