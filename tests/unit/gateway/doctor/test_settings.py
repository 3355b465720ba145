"""Which variables matter to a configuration, and what is said of them."""

from __future__ import annotations

from gateway.doctor.findings import Level
from gateway.doctor.settings import configuration, variables
from tests.unit.gateway.config.loading import SEED_VARIABLES, Desk, desk

__all__ = ["desk"]

PAIR = "access_key_id: AKIDXYZ12, secret_access_key: hidden"


def found(desk: Desk, text: str, environ: dict[str, str]) -> dict[str, tuple[Level, str]]:
    loaded = desk.load(text, environ)
    assert loaded.model is not None, loaded.problems
    said = list(variables(loaded, environ))
    assert "hidden" not in repr(said)
    return {one.step: (one.level, one.message) for one in said}


def test_a_variable_that_gives_a_value_is_named(desk: Desk) -> None:
    said = found(desk, "routing: {default_target: lakefs}\n", SEED_VARIABLES)
    assert said["LAKEFS_ENDPOINT"] == (Level.OK, "gives targets.lakefs.endpoint")


def test_a_variable_that_the_file_overrides_is_told(desk: Desk) -> None:
    text = f"s3: {{region: eu-west-1, {PAIR}}}\n"
    level, message = found(desk, text, {"AWS_REGION": "us-east-2"})["AWS_REGION"]
    assert level is Level.WARNING
    assert message == f"is set, but {desk.file}:1 gives another targets.s3.region, which counts"
    assert found(desk, text, {"AWS_REGION": "eu-west-1"}) == {}


def test_the_region_matters_where_aws_is_a_target_and_none_is_given(desk: Desk) -> None:
    text = f"s3: {{{PAIR}}}\n"
    assert found(desk, text, {})["AWS_REGION"][0] is Level.WARNING
    assert found(desk, text, {"AWS_REGION": "eu-west-1"})["AWS_REGION"][0] is Level.OK


def test_variables_of_targets_that_nothing_reaches_do_not_matter(desk: Desk) -> None:
    text = (
        f"targets: {{main: {{endpoint: 'http://127.0.0.1:1', {PAIR}}}}}\n"
        "routing: {default_target: main}\n"
    )
    assert found(desk, text, {"LAKEFS_ENDPOINT": "http://x.example.com"}) == {}


def test_problems_are_findings_at_their_places(desk: Desk) -> None:
    loaded = desk.load("nonsense: 1\n")
    errors = [one for one in configuration(loaded) if one.level is Level.ERROR]
    assert [one.message for one in errors] == ["unknown key"]
    assert errors[0].as_dict()["line"] == 1
    assert not [one for one in configuration(loaded) if one.level is Level.OK]
    assert list(variables(loaded, {"AWS_REGION": "x"})) == []
