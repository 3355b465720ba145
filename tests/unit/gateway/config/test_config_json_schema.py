"""The JSON Schema of the configuration: it refuses what is mistyped, and nothing that is good."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gateway.config.json_schema import DRAFT, of_config
from gateway.config.load import load
from gateway.config.problems import Severity
from gateway.config.schema import Config
from tests.repo.tree import ROOT, tracked

_CONFIG, _DEFINITIONS = of_config()
SCHEMA = {"$schema": DRAFT, **_CONFIG, "definitions": _DEFINITIONS}
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def refused(document: Any) -> list[str]:
    """Paths of what it refuses."""
    return [error.json_path for error in VALIDATOR.iter_errors(document)]


def corpus() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every configuration of the corpus that can be written as JSON."""
    for path in sorted((ROOT / "tests" / "corpus" / "configs").glob("*.yaml")):
        try:
            documents = list(yaml.safe_load_all(path.read_text()))
            written = json.dumps(documents)
        except (yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError):
            continue
        for document in json.loads(written):
            if isinstance(document, dict):
                yield path.stem, document


def test_it_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert set(_DEFINITIONS["Config"]["properties"]) == set(Config.model_fields) - {"metrics"}


def test_what_it_refuses_the_gateway_refuses_too(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    wrong, seen = [], 0
    for name, document in corpus():
        if not refused(document):
            continue
        seen += 1
        file.write_text(json.dumps(document))
        problems = load({"config": str(file)}, {}).problems
        if all(problem.severity is not Severity.ERROR for problem in problems):
            wrong.append((name, refused(document)))
    assert wrong == []
    assert seen > 30


def test_the_examples_of_the_documents_are_accepted() -> None:
    wrong, seen = {}, 0
    for path in tracked("docs/*.md"):
        for block in re.findall(r"```yaml\n(.*?)```", path.read_text(), flags=re.DOTALL):
            for document in yaml.safe_load_all(block):
                if isinstance(document, dict) and set(document) <= set(Config.model_fields):
                    seen += 1
                    if found := refused(document):
                        wrong[path.name, block] = found
    assert wrong == {}
    assert seen > 10


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"routr": {}}, "$"),
        ({"router": {"workers": 0}}, "$.router.workers"),
        ({"router": {"workers": 257}}, "$.router.workers"),
        ({"router": {"watch": "yes"}}, "$.router.watch"),
        ({"router": {"log": {"sample": 1.5}}}, "$.router.log.sample"),
        ({"router": {"tls": {"cert_file": "c"}}}, "$.router.tls"),
        ({"router": {"limits": {"idle_seconds": 0}}}, "$.router.limits.idle_seconds"),
        ({"auth": {"identities": [{"allow": []}]}}, "$.auth.identities[0]"),
        ({"targets": {"a": {"addressing": "host"}}}, "$.targets.a.addressing"),
        ({"s3": {"pool": {"identity_percent": 101}}}, "$.s3.pool.identity_percent"),
        ({"s3": {"health": True}}, "$.s3.health"),
        ({"routing": {"rules": [{"pattern": "a"}]}}, "$.routing.rules[0]"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_refused_where_it_is(document: dict[str, Any], path: str) -> None:
    assert path in refused(document)


@pytest.mark.parametrize(
    "document",
    [
        {"router": {"workers": "auto", "watch": "${WATCH}", "limits": {"idle_seconds": "${IDLE}"}}},
        {"router": {"limits": {"connection_requests": 0}, "listen_address": "127.0.0.1:1"}},
        {"router": {"listen_address": ["127.0.0.1:1", "127.0.0.1:2"], "admin_address": "off"}},
        {"s3": {"health": "off", "profile_overrides": {"operations": "all", "lists": []}}},
        {"targets": {"a": {"addressing": "${STYLE}", "health": {"interval_seconds": 1.5}}}},
        {
            "routing": {
                "rules": [{"pattern": "a", "target": "b", "conditions": {"max_size": "5MiB"}}]
            }
        },
        {"routing": {"fallback": "b", "fallback_on": [404, "5xx"]}},
    ],
)
def test_other_ways_to_write_it_are_accepted(document: dict[str, Any]) -> None:
    assert refused(document) == []


def test_each_setting_says_what_it_means() -> None:
    described = _DEFINITIONS["Target"]["properties"]["endpoint"]["description"]
    assert described.startswith("`http://` or `https://` and a host")
    sections = [one["properties"] for one in _DEFINITIONS.values() if "properties" in one]
    silent = [name for one in sections for name in one if not one[name].get("description")]
    assert silent == []
    links = [name for one in sections for name in one if "](" in one[name]["description"]]
    assert links == []


def test_secrets_may_be_written_as_the_caller_says() -> None:
    never = {"type": "string", "pattern": r"^\$\{\w+\}$"}
    _, definitions = of_config(never)
    of_target, of_admin = (definitions[name]["properties"] for name in ("Target", "Admin"))
    assert never.items() <= of_target["secret_access_key"].items()
    assert never.items() <= of_admin["token"].items()
    assert not never.items() <= of_target["access_key_id"].items()
