"""What control publishes, and what it keeps of a configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway import config
from gateway.config.compile import compile_snapshot
from gateway.control.publication import Publication, Refusal, read

TEXT = """
s3: {endpoint: "http://127.0.0.1:9000", access_key_id: AKID2, secret_access_key: hidden-2}
routing:
  rules:
    - {pattern: "a-*", operations: [read], target: s3, description: "of team a"}
    - {pattern: "b", target: s3}
"""


@pytest.fixture
def launch(tmp_path: Path) -> dict[str, object]:
    file = tmp_path / "gateway.yaml"
    file.write_text(TEXT)
    return {"config": str(file)}


def published(launch: dict[str, object]) -> Publication:
    found = read(launch, "mark", None)
    assert isinstance(found, Publication), found
    return found


def test_the_snapshot_is_the_whole_document(launch: dict[str, object]) -> None:
    found = published(launch)
    model = config.load(launch, {}).model
    assert model is not None
    wanted = {**compile_snapshot(model, found.keyring.resolve()), "instance": "mark"}
    assert json.loads(found.snapshot()) == json.loads(json.dumps(wanted))
    assert found.snapshot().count(b'"rules":') == 1
    assert len(wanted["rules"]["kind_of"]) == 2  # type: ignore[index,call-overload]


def test_the_same_configuration_gives_the_same_bytes(launch: dict[str, object]) -> None:
    first = published(launch)
    assert first.snapshot() == first.snapshot() == published(launch).snapshot()


def test_rules_are_kept_as_text_alone(launch: dict[str, object]) -> None:
    found = published(launch)
    assert found.model.rules == ()
    assert "of team a" not in found.rules


def test_a_configuration_with_errors_publishes_nothing(launch: dict[str, object]) -> None:
    Path(str(launch["config"])).write_text(TEXT + "    - {pattern: c, target: nowhere}\n")
    found = read(launch, "mark", None)
    assert isinstance(found, Refusal)
    assert ":7:28: routing.rules[2].target: 'nowhere' is no target" in found.errors[0]
