"""Every configuration that the documents show, whole or in part, is one that the gateway takes.

Rules: a part is laid over `REST`, a configuration that lacks nothing; a list replaces the list.
Values of the chart are laid over those of the smallest example, and rendered by a real Helm.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import load
from helm.values import CHART
from tests.documents.blocks import Block, pages
from tests.documents.kinds import Kind, documents, kind_of
from tests.documents.stores import write_files
from tests.packaging.helm import template

BLOCKS = [block for found in pages().values() for block in found]
SETTINGS = [block for block in BLOCKS if kind_of(block) is Kind.SETTINGS]
VALUES = [block for block in BLOCKS if kind_of(block) is Kind.VALUES]
MODULES = {
    page: [one for one in found if one.file.endswith(".py")] for page, found in pages().items()
}

NAMES = ("archive", "new", "old", "store")
_TARGET: dict[str, Any] = {
    "access_key_id": "TARGET",
    "secret_access_key": "the-secret-of-the-target",
    "profile_overrides": {"lists": ["sorted", "start-after", "encoding-type"]},
}
REST: dict[str, Any] = {
    "auth": {
        "identities": [
            {
                "name": "analytics",
                "access_key_id": "ANALYTICS",
                "secret_access_key": "choose-a-long-random-secret",
            }
        ]
    },
    "lakefs": {**_TARGET, "endpoint": "http://localhost:8000"},
    "s3": {"region": "us-east-1"},
    "targets": {name: {**_TARGET, "endpoint": f"https://{name}.example.com"} for name in NAMES},
    "routing": {"default_target": "s3"},
}
REST["lakefs"].pop("profile_overrides")
ENVIRON = {
    name: f"the-value-of-{name.lower()}-0123456789"
    for name in ("ANALYTICS_SECRET", "OPERATOR_SECRET", "TENANT_SECRET")
}
CREDENTIALS = {"access_key_id", "access_key_id_file", "aws_profile"}
# Of targets that only the rest has; and what `check` itself calls fine in a page about moving.
KNOWN = ("is reached by no request", "no rule leads here", "(fine while you migrate;")


def test_there_are_some() -> None:
    assert len(SETTINGS) > 10
    assert VALUES


@pytest.mark.parametrize("block", SETTINGS, ids=lambda block: block.place)
def test_a_configuration_is_taken(block: Block, tmp_path: Path) -> None:
    for module in MODULES[block.page]:
        file = tmp_path / module.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(module.text)
    assert problems(block, tmp_path) == [], block.place


def problems(block: Block, directory: Path) -> list[str]:
    """What `check` says of it, with what it lacks."""
    found = documents(block.text)
    file = directory / "gateway.yaml"
    file.write_text(yaml.safe_dump_all([_completed(found[0], directory), *found[1:]]))
    loaded = load({"config": str(file)}, ENVIRON)
    told = [problem.format() for problem in loaded.problems]
    return [one for one in told if not any(known in one for known in KNOWN)]


def _completed(found: dict[str, Any], directory: Path) -> dict[str, Any]:
    """With what a part lacks; a target that has credentials lacks nothing."""
    rest = laid_over(REST, {})
    for name, target in found.get("targets", {}).items():
        if CREDENTIALS & target.keys():
            rest["targets"] = {**rest["targets"], name: {}}
            rest.pop(name, None)
    completed = write_files(laid_over(rest, found), directory)
    assert isinstance(completed, dict)
    return completed


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Maps are merged, anything else replaces what is below it."""
    found = dict(below)
    for name, value in above.items():
        under = found.get(name)
        both = isinstance(value, Mapping) and isinstance(under, Mapping)
        found[name] = laid_over(under, value) if both else value
    return found


@pytest.mark.parametrize("block", VALUES, ids=lambda block: block.place)
def test_values_are_rendered(block: Block, tmp_path: Path) -> None:
    least = yaml.safe_load((CHART / "ci" / "minimal-values.yaml").read_text())
    (found,) = documents(block.text)
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(laid_over(least, found)))
    done = template("--values", file)
    assert done.returncode == 0, f"{block.place}: {done.stderr}"
