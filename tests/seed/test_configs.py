"""Every YAML example of the seed document loads verbatim, and means what the document says.

The examples without a `lakefs:` section stand beside the document's environment variables.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from fastpath.routing.snapshot import Snapshot, load_snapshot
from fastpath.s3.operations import OPERATIONS
from gateway import config
from gateway.config.compile import compile_snapshot
from tests.doubles.rules import asked

FILES = Path(__file__).parent / "files"
YAMLS = sorted(FILES.glob("*.yaml"))


def seed_variables() -> dict[str, str]:
    """The `export` lines of the document's start-up example."""
    script = (FILES / "03-start-router.sh").read_text()
    return dict(re.findall(r"^export (\w+)=(.*)$", script, re.MULTILINE))


def snapshot(name: str, environ: dict[str, str], **launch: object) -> Snapshot:
    loaded = config.load({"config": str(FILES / name), **launch}, environ)
    assert loaded.model is not None, [problem.format() for problem in loaded.problems]
    return load_snapshot(1, {"instance": "", **compile_snapshot(loaded.model, {})})


def target(found: Snapshot, bucket: str, operation: str = "GetObject") -> str:
    return found.routing.plan(bucket.encode()).decide(asked(bucket.encode(), operation)).target


@pytest.mark.parametrize("file", YAMLS, ids=lambda file: file.stem)
def test_every_example_loads_without_a_warning(file: Path) -> None:
    """D1: but for a note of `check`: it has no identities."""
    for document in yaml.safe_load_all(file.read_text()):
        environ = seed_variables()
        chosen = document.get("routing", {}).get("environment")
        loaded = config.load({"config": str(file), "environment": chosen}, environ)
        assert loaded.problems == []
        assert [note.path for note in loaded.notes] == ["auth.identities"]


def test_the_basic_example_needs_nothing_but_its_file() -> None:
    loaded = config.load({"config": str(FILES / "02-basic-config.yaml")}, {})
    assert loaded.problems == []
    found = snapshot("02-basic-config.yaml", {})
    assert target(found, "lakefs-a") == "lakefs"
    assert target(found, "versioned-a") == "lakefs"
    assert target(found, "anything") == "s3"
    assert [caller.name for caller in found.callers.values()] == ["lakefs"]


def test_the_variables_alone_are_a_gateway() -> None:
    loaded = config.load({"listen": ["127.0.0.1:8080"]}, seed_variables())
    assert loaded.problems == []
    found = load_snapshot(1, {"instance": "", **compile_snapshot(loaded.model, {})})
    assert target(found, "lakefs-a") == target(found, "versioned-b") == "lakefs"
    assert target(found, "plain") == "s3"


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [("data-x", "lakefs"), ("ml-experiments-1", "lakefs"), ("db-backup", "s3"), ("logs-a", "s3")],
)
def test_pattern_based_routing(bucket: str, expected: str) -> None:
    assert target(snapshot("05-pattern-routing.yaml", seed_variables()), bucket) == expected


def test_operation_based_routing_is_literal() -> None:
    found = snapshot("06-operation-routing.yaml", seed_variables())
    for name in (
        "PutObject",
        "CopyObject",
        "DeleteObject",
        "DeleteObjects",
        "CreateMultipartUpload",
    ):
        assert OPERATIONS[name]
        assert target(found, "critical-data-1", name) == "lakefs"
    for name in ("GetObject", "HeadObject", "ListObjectsV2"):
        assert target(found, "critical-data-1", name) == "s3"
    assert target(found, "critical-data-1", "Unclassified") == "lakefs"
    assert target(found, "other", "PutObject") == "s3"


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_environments(how: str) -> None:
    def chosen(name: str) -> Snapshot:
        variables = seed_variables()
        if how == "flag":
            return snapshot("07-environment-routing.yaml", variables, environment=name)
        return snapshot("07-environment-routing.yaml", {**variables, "ENVIRONMENT": name})

    production, development = chosen("production"), chosen("development")
    assert target(production, "prod-a") == "lakefs"
    assert target(production, "dev-a") == "s3"
    assert target(development, "prod-a") == "lakefs"


def test_environments_without_a_choice_are_an_error_that_names_them() -> None:
    file = FILES / "07-environment-routing.yaml"
    loaded = config.load({"config": str(file)}, seed_variables())
    assert [problem.format() for problem in loaded.problems] == [
        f"{file}:3:16: routing.environment: the file offers the environments production, "
        "development; none is selected (use --environment or $ENVIRONMENT)"
    ]


@pytest.mark.parametrize("name", ["05-pattern-routing.yaml", "06-operation-routing.yaml"])
def test_without_the_variables_it_is_said_what_is_missing(name: str) -> None:
    loaded = config.load({"config": str(FILES / name)}, {})
    (error,) = [problem for problem in loaded.problems if problem.severity == "error"]
    assert error.path == "lakefs"
    assert "set LAKEFS_ENDPOINT" in error.suggestion
