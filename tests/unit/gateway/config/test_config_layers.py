"""Environment variables, documents and flags, and which of them wins."""

from __future__ import annotations

import pytest

from gateway.config.layers import overlay
from gateway.config.problems import Place, Problems
from gateway.config.yaml_tree import Tree, read_documents
from tests.unit.gateway.config.loading import LAKEFS, S3, SEED_VARIABLES, Desk

PRODUCTION = "routing: {environment: production, rules: [{pattern: a, target: s3}]}\n"
STAGING = "routing: {environment: staging, default_target: lakefs}\n"


def test_the_seeds_variables_are_a_gateway_without_a_file(desk: Desk) -> None:
    model = desk.model(None, SEED_VARIABLES, listen=["127.0.0.1:8080"])
    assert [(rule.pattern, rule.target) for rule in model.rules] == [
        ("lakefs-*", "lakefs"),
        ("versioned-*", "lakefs"),
    ]
    assert model.default_target == "s3"
    assert str(model.targets["lakefs"].endpoint) == "http://localhost:8000"
    assert model.targets["s3"].region == "us-east-1"


def test_without_file_and_variables_it_says_what_to_set(desk: Desk) -> None:
    (line,) = [line for line in desk.problems(None) if "warning" not in line]
    assert line.startswith("lakefs: endpoint, access_key_id and secret_access_key are not set")
    assert "LAKEFS_ENDPOINT" in line


def test_the_file_wins_over_variables_and_flags_win_over_the_file(desk: Desk) -> None:
    text = 'router: {listen_address: "127.0.0.1:1", workers: 1}\n' + S3 + LAKEFS
    variables = {**SEED_VARIABLES, "AWS_REGION": "eu-west-1"}
    model = desk.model(text + "routing: {default_target: lakefs}\n", variables)
    assert model.targets["lakefs"].endpoint.port == 8000
    assert model.targets["lakefs"].source.keys.access_key_id == "AKID1"
    assert [str(address) for address in model.listen] == ["127.0.0.1:1"]
    model = desk.model(text, variables, listen=["127.0.0.1:2", "[::1]:3"], workers="4")
    assert [str(address) for address in model.listen] == ["127.0.0.1:2", "[::1]:3"]
    assert model.workers == 4
    assert model.targets["s3"].region == "eu-west-1"  # the file does not say it


def test_variables_fill_what_the_full_form_of_a_target_leaves_out(desk: Desk) -> None:
    text = "targets: {lakefs: {endpoint: 'http://127.0.0.1:7'}}\nrouting: {default_target: lakefs}"
    target = desk.model(text, SEED_VARIABLES).targets["lakefs"]
    assert target.endpoint.port == 7
    assert target.source.keys.access_key_id == SEED_VARIABLES["LAKEFS_ACCESS_KEY_ID"]


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "https://s3.eu-west-1.amazonaws.com"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2"},
            "http://127.0.0.1:2",
        ),
        (
            {
                "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            },
            "https://s3.eu-west-1.amazonaws.com",
        ),
        ({"AWS_ENDPOINT_URL_S3": ""}, "https://s3.eu-west-1.amazonaws.com"),
    ],
)
def test_the_s3_endpoint_comes_from_where_botocore_takes_it(
    desk: Desk, variables, endpoint
) -> None:
    model = desk.model("s3: {region: eu-west-1}\n", variables)
    assert str(model.targets["s3"].endpoint) == endpoint


def test_china_has_its_own_domain(desk: Desk) -> None:
    model = desk.model("s3: {region: cn-north-1}\n")
    assert str(model.targets["s3"].endpoint) == "https://s3.cn-north-1.amazonaws.com.cn"


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_DEFAULT_REGION": "a"}, "a"),
        ({"AWS_DEFAULT_REGION": "a", "AWS_REGION": "b"}, "b"),
        ({}, "us-east-1"),
    ],
)
def test_the_region_of_s3(desk: Desk, variables, region) -> None:
    assert desk.model("{}", variables).targets["s3"].region == region


def test_a_file_in_one_layer_replaces_the_value_of_a_weaker_one(desk: Desk) -> None:
    (desk.directory / "secret").write_text("from-file\n")
    text = "lakefs: {secret_access_key_file: secret}\nrouting: {default_target: lakefs}\n"
    pair = desk.model(text, SEED_VARIABLES).targets["lakefs"].source.keys
    assert pair.access_key_id == SEED_VARIABLES["LAKEFS_ACCESS_KEY_ID"]
    assert pair.secret_access_key.get_secret_value() == "from-file"


def test_a_profile_in_the_file_replaces_keys_of_the_environment(desk: Desk) -> None:
    text = "lakefs: {aws_profile: team}\nrouting: {default_target: lakefs}\n"
    source = desk.model(text, SEED_VARIABLES).targets["lakefs"].source
    assert (source.keys, source.aws_profile) == (None, "team")


def test_the_selected_document_is_laid_over_the_common_ones(desk: Desk) -> None:
    text = f"{S3}{LAKEFS}routing: {{default_target: lakefs}}\n---\n{PRODUCTION}---\n{STAGING}"
    production = desk.model(text, environment="production")
    assert (production.environment, production.default_target) == ("production", "lakefs")
    assert [rule.line for rule in production.rules] == [5]
    staging = desk.model(text, {"ENVIRONMENT": "staging"})
    assert (staging.environment, len(staging.rules)) == ("staging", 0)


def test_a_flag_chooses_before_the_variable(desk: Desk) -> None:
    text = f"{S3}{LAKEFS}---\n{PRODUCTION}---\n{STAGING}"
    variables = {"ENVIRONMENT": "production"}
    assert desk.model(text, variables, environment="staging").environment == "staging"


def test_a_lone_environment_needs_no_choice_but_obeys_one(desk: Desk) -> None:
    assert desk.model(f"{S3}---\n{PRODUCTION}").environment == "production"
    assert desk.load(f"{S3}---\n{PRODUCTION}", {"ENVIRONMENT": "staging"}).model is None


def test_the_variable_is_no_concern_of_a_file_without_environments(desk: Desk) -> None:
    assert desk.model(S3, {"ENVIRONMENT": "production"}).environment is None


def test_a_section_with_all_its_settings_commented_out_is_empty(desk: Desk) -> None:
    model = desk.model(
        "router:\nauth:\ns3:\n  # the default chain\nrouting:\n", {"AWS_REGION": "x"}
    )
    assert model.targets["s3"].region == "x"


def tree(text: str, source: str) -> Tree:
    (found,) = read_documents(text, source, Problems())
    return found


@pytest.mark.parametrize(
    ("more_below", "more_above"), [("", "y: {a: 1, b: 2}\n"), ("x: {a: 1, b: 2}\n", "")]
)
def test_places_are_of_what_is_left_whichever_layer_is_larger(
    more_below: str, more_above: str
) -> None:
    weak = tree("t: {region: r, profile: p, access_key_id: A, k: {a: 1}}\n" + more_below, "weak")
    strong = tree("t: {region: q, access_key_id_file: F, k: [1]}\n" + more_above, "strong")
    assert (len(weak.values) > len(strong.values)) is bool(more_below)
    found = overlay(weak, strong)
    for places in (found.values, found.keys):
        assert places[("t",)].source == places["t", "region"].source == "strong"
        assert places["t", "profile"].source == "weak"
        assert places["t", "access_key_id_file"].source == "strong"
        assert ("t", "access_key_id") not in places  # said in another way by the stronger one
        assert ("t", "k", "a") not in places
    assert found.values["t", "k", 0] == Place("strong", 1, 43)
