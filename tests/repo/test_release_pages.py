"""Changelog, licences and supported platforms are what the code and its packages say."""

from __future__ import annotations

import importlib.util
import re
import tomllib

import pytest

import gateway
from release import changelog, dependencies, licences
from tests.repo.tree import ROOT, tracked

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

GOOD = """# Changelog

## [1.1.0] - unreleased

### Added
- This.

## [1.0.0] - 2026-11-30

### Fixed
- That.
"""


def test_the_changelog_is_in_order() -> None:
    assert changelog.problems(changelog.FILE.read_text(), gateway.__version__) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("", "", None),
        ("unreleased", "2026-12-01", None),
        ("[1.1.0]", "[1.2.0]", "the code is 1.1.0"),
        ("[1.0.0]", "[1.1.0]", "is below"),
        ("unreleased", "2026-11-29", "is dated before"),
        ("2026-11-30", "unreleased", "a later one is above it"),
        ("2026-11-30", "2026-11-31", "no such day"),
        ("2026-11-30", "soon", "write [1.2.3]"),
        ("Added", "New", "is none of Added, "),
        ("- This.", "", "Added is empty"),
        ("- This.", "- This.\n\n### Added\n- Other.", "stands there twice"),
        ("### Fixed", "Fixed", "says nothing"),
    ],
)
def test_what_is_wrong_in_a_changelog_is_found(old: str, new: str, says: str | None) -> None:
    found = changelog.problems(GOOD.replace(old, new, 1) if old else GOOD, "1.1.0")
    assert [says in problem for problem in found] == ([] if says is None else [True])


def test_the_page_of_licences_is_current_and_each_is_accepted() -> None:
    found = {name: licences.licence(one) for name, one in dependencies.of("s3gateway").items()}
    assert licences.refused(found) == []
    assert licences.page(found) == licences.PAGE.read_text()


@pytest.mark.parametrize(
    ("expression", "is_accepted"),
    [
        ("MIT", True),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND LGPL-2.1-or-later", False),
        ("MIT AND (GPL-2.0-only OR AGPL-3.0-only)", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ('"nothing"', False),
    ],
)
def test_a_licence_that_asks_for_more_than_its_notice_is_refused(
    expression: str, is_accepted: bool
) -> None:
    assert (licences.refused({"orjson": "MIT", "new": expression}) == []) is is_accepted


def test_a_reason_is_for_one_licence() -> None:
    assert licences.refused({"orjson": "GPL-3.0-only"}) == ["orjson: GPL-3.0-only"]


def test_a_reason_that_is_no_longer_needed_is_named() -> None:
    assert licences.refused({}) == ["orjson: an exception that is not needed"]


def test_the_supported_pythons_are_the_same_everywhere() -> None:
    text = (ROOT / "docs" / "platforms.md").read_text()
    (row,) = re.findall(r"^\| Python \| (.*) \|", text, re.MULTILINE)
    assert re.findall(r"3\.\d+", row) == list(dependencies.PYTHONS)
    assert PROJECT["requires-python"] == f">={dependencies.PYTHONS[0]}"
    prefix = "Programming Language :: Python :: 3."
    named = [line for line in PROJECT["classifiers"] if line.startswith(prefix)]
    assert [f"3.{line.removeprefix(prefix)}" for line in named] == list(dependencies.PYTHONS)


def test_the_programs_of_the_release_are_there() -> None:
    text = "".join(path.read_text() for path in tracked("docs/releasing.md"))
    named = set(re.findall(r"python -m ([a-z.]+)", text)) - {"twine", "venv"}
    assert named == {"release.changelog", "release.licences", "helm.generate"}
    assert all(importlib.util.find_spec(name) for name in named)
