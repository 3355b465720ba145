"""The configuration in effect as YAML."""

from __future__ import annotations

import yaml

from gateway.config.effective import REDACTED, effective, origins, render
from tests.unit.gateway.config.loading import LAKEFS, S3, SEED_VARIABLES, Desk
from tests.unit.gateway.config.test_config_load import FULL


def test_is_a_configuration_again_once_the_secrets_are_back(desk: Desk) -> None:
    model = desk.model(FULL)
    text = render(effective(model))
    assert "hidden" not in text
    assert yaml.safe_load(text)["auth"]["sigv2"] == "presigned"
    for secret in ("hidden-3", "hidden-4", "hidden-1", "hidden-2"):
        text = text.replace(REDACTED, secret, 1)
    again = desk.model(text)
    assert [rule.operations for rule in again.rules] == [rule.operations for rule in model.rules]
    assert [(rule.keys, rule.rewrite) for rule in again.rules] == [
        (rule.keys, rule.rewrite) for rule in model.rules
    ]
    assert again.identities == model.identities
    assert again.targets == model.targets
    assert (again.listen, again.domains, again.limits) == (
        model.listen,
        model.domains,
        model.limits,
    )


def test_says_where_each_value_was_given(desk: Desk) -> None:
    text = "router:\n  workers: 2\nrouting: {rules: [{pattern: a, target: lakefs}]}\n"
    loaded = desk.load(text, SEED_VARIABLES, listen=["127.0.0.1:1"])
    lines = {
        line.strip().removeprefix("- ").split(":")[0]: line.rpartition("# ")[2]
        for line in render(effective(loaded.model), loaded.tree).splitlines()
    }
    assert lines["workers"] == f"{desk.file}:2"
    assert lines["listen_address"] == "--listen"
    assert lines["head_seconds"] == "default"
    assert lines["pattern"] == f"{desk.file}:3"
    assert lines["default_target"] == "default"
    rendered = render(effective(loaded.model), loaded.tree)
    assert 'endpoint: "http://localhost:8000"  # $LAKEFS_ENDPOINT' in rendered
    assert f'secret_access_key: "{REDACTED}"  # $LAKEFS_SECRET_ACCESS_KEY' in rendered


def test_a_pair_of_the_environment_is_said_to_be_from_there(desk: Desk) -> None:
    pair = {"AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "hidden"}
    loaded = desk.load("s3: {region: r}\n", pair)
    text = render(effective(loaded.model), loaded.tree)
    assert "access_key_id: AKIDENV  # $AWS_ACCESS_KEY_ID" in text
    assert "hidden" not in text


def test_origins_has_every_line_of_the_text(desk: Desk) -> None:
    loaded = desk.load("routing: {rules: [{pattern: a, target: lakefs}]}\n", SEED_VARIABLES)
    document = effective(loaded.model)
    found = origins(document, loaded.tree)
    printed = [line for line in render(document, loaded.tree).splitlines() if "  # " in line]
    assert list(found.values()) == [line.rpartition("# ")[2] for line in printed]
    assert found["routing.rules[0].pattern"] == f"{desk.file}:1"
    assert found["targets.lakefs.endpoint"] == "$LAKEFS_ENDPOINT"
    assert found["router.listen_address"] == "default"


CHAINS = """\
routing:
  default_target: s3
  fallback: lakefs
  rules:
    - pattern: data
      target: lakefs
      conditions:
        max_size: 10MiB
        content_types: Image/*
        time_range: [22, 05]
        timezone: Europe/Berlin
    - {pattern: data, target: lakefs, fallback: s3, fallback_on: [timeout, 404]}
"""


def test_chains_are_shown_as_they_were_meant(desk: Desk) -> None:
    """Sizes in bytes, lists as lists; what concerns fallbacks only where there is one."""
    model = desk.model(LAKEFS + S3 + CHAINS)
    shown = effective(model)["routing"]
    assert (shown["fallback"], shown["fallback_on"]) == (["lakefs"], ["404"])
    first, second = shown["rules"]
    assert first["conditions"] == {
        "max_size": 10 << 20,
        "content_types": ["image/*"],
        "time_range": [22, 5],
        "timezone": "Europe/Berlin",
    }
    assert (second["fallback"], second["fallback_on"]) == (["s3"], ["404", "timeout"])
    again = desk.model(LAKEFS + S3 + render({"routing": shown}))
    assert again.routing == model.routing.model_copy(update={"rules": again.rules})
    assert [(rule.conditions, rule.fallback, rule.fallback_on) for rule in again.rules] == [
        (rule.conditions, rule.fallback, rule.fallback_on) for rule in model.rules
    ]
    assert "fallback_on" not in effective(desk.model(LAKEFS + S3))["routing"]
